//! The page in a browser, while requests come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::browser::Browser;
use super::{ONE, READER, Server, TWO};

/// Asks and stores until it's told to stop: some keys often, most seldom, more than fit.
async fn traffic(server: Arc<Server>, stop: Arc<AtomicBool>, seed: u64) {
    let mut random = seed;
    while !stop.load(Ordering::Relaxed) {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = (random >> 40) as f64 / (1_u64 << 24) as f64;
        let key = (6_000.0 * share.powi(3)) as u64;
        let cache = if random & (1 << 39) == 0 {
            "default-cache"
        } else {
            "sessions"
        };
        let line = format!("/cache/{cache}?key={key}");
        if server.status(&format!("GET {line}"), Some(ONE)).await == 404 {
            let put = format!("PUT {line}&ttl_seconds={}", 2 + key % 300);
            server.ask(&put, Some(ONE), &[1; 4000]).await;
        }
        if random.is_multiple_of(4) {
            let line = format!("/cache/metered?key={}", key % 9);
            if server.status(&format!("GET {line}"), Some(TWO)).await == 404 {
                let put = format!("PUT {line}&ttl_seconds=60");
                server.ask(&put, Some(TWO), &[1; 4000]).await;
            }
        }
    }
}

/// The folds of a phone and of a desktop.
const SCREENS: [(u32, u32, bool); 2] = [(1280, 800, false), (390, 844, true)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_sees_figures_move_and_signs_out() {
    let Some(mut browser) = Browser::start().await else {
        println!("SKIPPED: chromium isn't installed");
        return;
    };
    let server = Arc::new(Server::start(Some("one")).await);
    let stop = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (1..=4)
        .map(|seed| tokio::spawn(traffic(Arc::clone(&server), Arc::clone(&stop), seed)))
        .collect();

    let url = format!("http://{}/console", server.address);
    browser.resize(1280, 800, false).await;
    browser.call("Page.navigate", json!({ "url": url })).await;
    browser
        .until("document.readyState === 'complete' && document.activeElement?.id === 'token'")
        .await;
    browser.picture("login.png").await;

    // By the keyboard alone: a token that may not, then one that may.
    browser
        .call("Input.insertText", json!({ "text": READER }))
        .await;
    browser.press("Enter", Some("\r"), 13).await;
    browser
        .until("!document.getElementById('refused').hidden")
        .await;
    assert_eq!(
        browser
            .value("document.getElementById('figures').hidden")
            .await,
        true
    );
    browser
        .until("document.activeElement?.id === 'token'")
        .await;
    browser.complaints.clear();
    browser
        .call("Input.insertText", json!({ "text": ONE }))
        .await;
    browser.press("Enter", Some("\r"), 13).await;
    browser
        .until("document.getElementById('status').textContent === 'Live'")
        .await;

    // The second answer brings figures a second, and the curve comes with the first look-ups.
    let tile = "document.querySelector('#tiles div:nth-child(2) dd span').textContent";
    browser
        .until(&format!("/[0-9]/.test({tile}) && {tile} !== '0'"))
        .await;
    browser
        .value("document.getElementById('which').focus()")
        .await;
    browser.press("ArrowDown", None, 40).await;
    browser
        .until("document.querySelectorAll('#plot circle').length === 7")
        .await;
    let rows = "[...document.querySelectorAll('#parts tr th')].map((th) => th.textContent)";
    assert_eq!(
        browser.value(rows).await,
        json!(["one", "default-cache", "sessions", "two", "metered"])
    );
    let entries = "document.querySelector('#tiles div:nth-child(4) dd small').textContent";
    let before = browser.value(entries).await;
    browser.until(&format!("{entries} !== {before}")).await;
    let refused = "document.querySelector('#parts tr:nth-child(5) td:last-child').textContent";
    browser
        .until(&format!("!['0', '\\u2013'].includes({refused})"))
        .await;

    let left = "document.querySelector('#causes tr:nth-child(2) td:nth-child(2)').textContent";
    browser.until(&format!("{left} !== '0'")).await;

    for scheme in ["light", "dark"] {
        let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", feature).await;
        for (width, height, mobile) in SCREENS {
            browser.resize(width, height, mobile).await;
            browser.until("document.querySelector('#plot svg').viewBox.baseVal.width <= document.getElementById('plot').clientWidth").await;
            let sideways = browser
                .value("document.documentElement.scrollWidth > innerWidth")
                .await;
            assert_eq!(sideways, false, "{width} pixels, {scheme}");
            browser.picture(&format!("{scheme}-{width}.png")).await;
        }
    }

    every_control_is_reached_by_tab(&mut browser).await;
    browser
        .value("document.getElementById('forget').focus()")
        .await;
    browser.press("Enter", Some("\r"), 13).await;
    browser
        .until("document.getElementById('figures').hidden")
        .await;
    assert_eq!(browser.value("sessionStorage.length").await, 0);
    assert_eq!(browser.complaints, Vec::<String>::new());
    stop.store(true, Ordering::Relaxed);
    for asking in asking {
        asking.await.unwrap();
    }
}

async fn every_control_is_reached_by_tab(browser: &mut Browser) {
    browser.value("document.activeElement.blur()").await;
    let mut reached = Vec::new();
    for _ in 0..5 {
        browser.press("Tab", None, 9).await;
        let element = "document.activeElement.id || document.activeElement.localName";
        let element = browser.value(element).await;
        reached.push(element.as_str().unwrap_or("").to_owned());
        let outlined = "getComputedStyle(document.activeElement).outlineStyle === 'solid' || document.activeElement === document.body";
        assert_eq!(browser.value(outlined).await, true, "{reached:?}");
    }
    for control in ["pause", "forget", "which", "summary"] {
        assert!(
            reached.iter().any(|seen| seen == control),
            "{control}: {reached:?}"
        );
    }
}
