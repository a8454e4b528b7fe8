//! The section `[level]`, on a real server that several servers of ours share.

use std::time::Duration;

use larder::ManualClock;
use larder_http::{AccountSettings, Settings};
use larder_serve::{Level, Mode, OnError};

use super::redis_server::Server as Redis;
use super::support::{CACHE, Server, engine, settings};

/// A second level on this port, with time enough for every call.
fn level(port: u16) -> Level {
    Level {
        servers: vec![format!("127.0.0.1:{port}")],
        timeout: Duration::from_secs(20),
        ..Level::default()
    }
}

fn with(level: Level) -> Settings {
    Settings {
        level: Some(level),
        metrics_public: true,
        ..settings()
    }
}

/// A server with these settings, whose copies age by a clock of its own.
async fn server(settings: &Settings) -> Server {
    let clock = ManualClock::new();
    let engine = engine(&clock).with_level(settings.level.as_ref()).unwrap();
    Server::over(settings, engine, clock).await
}

async fn metrics(server: &Server) -> String {
    String::from_utf8(server.get("/metrics").await.body).unwrap()
}

#[tokio::test]
async fn e_51_e_53_e_59_items_deletions_and_flushes_reach_another_server() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let settings = with(level(redis.port));
    let (one, two) = (server(&settings).await, server(&settings).await);
    one.store("a", "old").await;
    two.load("a").await.is_value("old");
    // What is there as a copy is seen to change within the lifetime of copies.
    one.store("a", "new").await;
    two.load("a").await.is_value("old");
    two.tick(Duration::from_secs(1));
    two.load("a").await.is_value("new");
    let target = format!("{CACHE}?key=a&token=RW");
    two.delete(&target).await.is_stored();
    one.tick(Duration::from_secs(1));
    one.load("a").await.is(404, "KeyNotFound");
    for key in ["b", "c"] {
        one.store(key, key).await;
        two.load(key).await.is_value(key);
    }
    let flush = "/caches/default-cache/flush?token=ADM";
    one.send("POST", flush, &[], b"").await.is_stored();
    two.tick(Duration::from_secs(1));
    for key in ["b", "c"] {
        one.load(key).await.is(404, "KeyNotFound");
        two.load(key).await.is(404, "KeyNotFound");
    }
    let text = metrics(&two).await;
    for line in [
        "larder_level_hits_total 4\n",
        "larder_level_writes_total{kind=\"delete\"} 1\n",
        "larder_level_up 1\n",
        "larder_level_follows 0\n",
        "larder_level_servers_total{event=\"connect_error\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[tokio::test]
async fn e_53_with_tracking_a_copy_ends_when_another_server_writes() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let settings = with(Level {
        tracking: true,
        ..level(redis.port)
    });
    let (one, two) = (server(&settings).await, server(&settings).await);
    while !metrics(&two).await.contains("larder_level_follows 1\n") {
        tokio::task::yield_now().await;
    }
    one.store("a", "old").await;
    two.load("a").await.is_value("old");
    one.store("a", "new").await;
    // No time passes for the copy: it ends since it is told to.
    while two.load("a").await.body != b"new" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn e_50_e_51_each_cache_uses_the_levels_that_it_says() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let mut settings = with(level(redis.port));
    let account = settings.accounts.get_mut("acct").unwrap();
    for (name, mode) in [("near", Mode::L1), ("far", Mode::L2)] {
        let cache = account.caches.entry(name.into()).or_default();
        cache.level = Some(mode);
    }
    let (one, two) = (server(&settings).await, server(&settings).await);
    let target = |cache: &str| format!("/cache/{cache}?key=a&ttl_seconds=60&token=RW");
    for cache in ["default-cache", "near", "far"] {
        one.put(&target(cache), "x").await.is_stored();
        one.get(&target(cache)).await.is_value("x");
    }
    two.get(&target("default-cache")).await.is_value("x");
    two.get(&target("near")).await.is(404, "KeyNotFound");
    two.get(&target("far")).await.is_value("x");
    // What looks and changes in one step is for caches in memory alone.
    let body = br#"{"key":"Yg","amount":1,"ttl_seconds":60}"#;
    let increment = |cache: &str| format!("/caches/{cache}/items/increment?token=RW");
    for (cache, status) in [("near", 200), ("far", 400), ("default-cache", 400)] {
        let answer = one.send("POST", &increment(cache), &[], body).await;
        assert_eq!(answer.status, status, "{cache}");
    }
    // A reload changes it; a cache that is made by a request does as those of its account that say nothing.
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.level = Some(Mode::L1);
    one.app.reload(&settings).unwrap();
    let made = one.put("/caches/made?token=ADM", "").await;
    assert_eq!(made.status, 201);
    for (cache, status) in [("made", 200), ("far", 400), ("default-cache", 200)] {
        let answer = one.send("POST", &increment(cache), &[], body).await;
        assert_eq!(answer.status, status, "{cache}");
    }
}

#[tokio::test]
async fn what_was_in_memory_alone_is_no_copy_after_a_reload() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let mut settings = with(level(redis.port));
    let each = |settings: &mut Settings, mode| {
        let account = settings.accounts.get_mut("acct").unwrap();
        account.each_cache.level = Some(mode);
    };
    each(&mut settings, Mode::L1);
    let one = server(&settings).await;
    one.store("a", "old").await;
    // A reload that changes nothing leaves it.
    one.app.reload(&settings).unwrap();
    one.load("a").await.is_value("old");
    each(&mut settings, Mode::L1L2);
    one.app.reload(&settings).unwrap();
    one.load("a").await.is(404, "KeyNotFound");
    one.store("a", "new").await;
    one.load("a").await.is_value("new");
}

#[tokio::test]
async fn m_103_m_105_e_60_the_kill_of_the_levels_server_is_survived() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let failing = with(level(redis.port));
    let ignoring = with(Level {
        on_error: Some(OnError::Ignore),
        ..level(redis.port)
    });
    let (failing, ignoring) = (server(&failing).await, server(&ignoring).await);
    let target = format!("{CACHE}?key=b&ttl_seconds=60&token=RW");
    for server in [&failing, &ignoring] {
        server.store("a", "x").await;
    }
    redis.kill();
    for server in [&failing, &ignoring] {
        server.load("a").await.is_value("x");
    }
    // By default an outage is no absence, and a write isn't lost without a word.
    for _ in 0..20 {
        failing.put(&target, "y").await.is(500, "Internal");
        failing.load("c").await.is(500, "Internal");
        assert_eq!(failing.get("/health/ready").await.status, 200);
    }
    // By setting, memory serves alone.
    for _ in 0..20 {
        ignoring.put(&target, "y").await.is_stored();
        ignoring.get(&target).await.is_value("y");
        ignoring.load("c").await.is(404, "KeyNotFound");
        let exists = ignoring
            .call("exists", "RW", serde_json::json!({ "keys": ["Yw"] }))
            .await;
        assert_eq!(exists.json(), serde_json::json!({ "result": [false] }));
    }
    redis.restart();
    for server in [&failing, &ignoring] {
        // Until the pause is over in which the server is left alone.
        loop {
            server.tick(Duration::from_secs(1));
            server.put(&target, "z").await;
            server.tick(Duration::from_secs(1));
            if server.get(&target).await.body == b"z" {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_mode_that_needs_a_level_is_refused_without_one() {
    let mut settings = settings();
    let mut account = AccountSettings::default();
    account.each_cache.level = Some(Mode::L2);
    settings.accounts.insert("other".into(), account);
    let clock = ManualClock::new();
    let refused = larder_http::App::new(&settings, engine(&clock)).unwrap_err();
    let told = refused.to_string();
    let place = "accounts.other.each_cache.level: the mode `l2` needs a second level";
    assert!(told.starts_with(place), "{told}");
    assert!(told.contains("servers = [\"host:port\"]"), "{told}");
    // The section is enough: whether the server is there is another matter.
    settings.level = Some(level(1));
    larder_http::App::new(&settings, engine(&clock)).unwrap();
}
