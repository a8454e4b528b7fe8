//! What gateways of one level do together: computing a value once, keeping to a rate; and what outlives one of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Response;
use larder_gateway::program::{App, Settings};
use larder_serve::{Level, Mode, Warm};

use crate::commands::told;
use crate::redis_server::Server as Redis;
use crate::support::{Backend, Folder, Gateway, answer, api};

fn level(redis: &Redis) -> Level {
    Level {
        servers: vec![format!("127.0.0.1:{}", redis.port)],
        timeout: Duration::from_secs(20),
        ..Level::default()
    }
}

/// Computes a value by asking the backend, where there is none.
fn computing(backend: &Backend) -> String {
    let url = backend.url();
    format!(
        r#"<policies><inbound>
            <cache-value key="k" variable-name="v" expires-after="60" caching-type="external">
                <value>
                    <send-request mode="new" response-variable-name="answer"><set-url>{url}</set-url></send-request>
                    <set-variable name="v" value="@(((IResponse)context.Variables[&quot;answer&quot;]).Body.As&lt;string&gt;())" />
                </value>
            </cache-value>
            <return-response><set-body>@((string)context.Variables["v"])</set-body></return-response>
        </inbound></policies>"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn z_097_with_leases_one_of_all_gateways_computes_a_value() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let redis = Arc::new(redis);
    let n_computed = Arc::new(AtomicU64::new(0));
    let n_sets_awaited = Arc::new(AtomicU64::new(0));
    let backend = {
        let (redis, n_computed) = (Arc::clone(&redis), Arc::clone(&n_computed));
        let n_sets_awaited = Arc::clone(&n_sets_awaited);
        Backend::new(move |_| {
            n_computed.fetch_add(1, Ordering::SeqCst);
            // Until the other gateway has asked for the lease in vain, or computes as well.
            let begun = Instant::now();
            while redis.calls("set") < n_sets_awaited.load(Ordering::SeqCst)
                && n_computed.load(Ordering::SeqCst) < 2
                && begun.elapsed() < Duration::from_secs(20)
            {
                std::thread::yield_now();
            }
            Response::new(Body::from("computed"))
        })
        .await
    };
    for (lease_ms, expected) in [(Some(60_000), 1), (None, 2)] {
        // Without a lease, for the other gateway alone.
        let n_sets = lease_ms.map_or(u64::MAX, |_| redis.calls("set") + 4);
        n_sets_awaited.store(n_sets, Ordering::SeqCst);
        let gateway = async || {
            Gateway::with(&computing(&backend), &backend, |settings| {
                settings.level = Some(Level {
                    name_space: format!("{lease_ms:?}"),
                    ..level(&redis)
                });
                settings.azure.lease_ms = lease_ms;
            })
            .await
        };
        let (one, two) = (gateway().await, gateway().await);
        let (a, b) = tokio::join!(one.get("/"), two.get("/"));
        assert_eq!([&a.body[..], &b.body], ["computed"; 2]);
        let n_computed = n_computed.swap(0, Ordering::SeqCst);
        assert_eq!(n_computed, expected, "{lease_ms:?}");
        // The lease was given back.
        let again = one.get("/").await;
        assert_eq!(again.body, "computed");
        let mut client = redis.client();
        let leases: Vec<Vec<u8>> = redis::cmd("KEYS").arg("l*").query(&mut client).unwrap();
        assert_eq!(leases.len(), 0, "{lease_ms:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_100_e_82_with_shared_rates_gateways_keep_to_a_limit_together() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    const CALLS: u64 = 20;
    const PERIOD: u64 = 60;
    let document = format!(
        r#"<policies><inbound>
            <rate-limit-by-key calls="{CALLS}" renewal-period="{PERIOD}" counter-key="k" />
            <return-response />
        </inbound></policies>"#
    );
    let backend = Backend::saying("").await;
    let window = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap().as_secs() / PERIOD
    };
    let mut is_seen = false;
    for n in 0.. {
        let gateway = async |region: &str| {
            Gateway::with(&document, &backend, |settings| {
                settings.azure.region = region.into();
                settings.level = Some(Level {
                    shared_rates: true,
                    name_space: format!("{n}"),
                    ..level(&redis)
                });
            })
            .await
        };
        let gateways = [gateway("a").await, gateway("a").await, gateway("b").await];
        let (begun, mut passed) = (window(), [0; 3]);
        for _ in 0..CALLS {
            for (n_passed, gateway) in passed.iter_mut().zip(&gateways) {
                match gateway.get("/").await {
                    answer if answer.status == 200 => *n_passed += 1,
                    answer => {
                        assert_eq!(answer.status, 429);
                        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                        assert!((1..=PERIOD).contains(&wait));
                    }
                }
            }
        }
        let together = passed[0] + passed[1];
        if is_seen {
            // The level is away: each keeps to the limit alone.
            assert_eq!(passed, [CALLS; 3]);
            break;
        }
        // Another region has a limit of its own. A window may end meanwhile.
        if begun == window() {
            assert!((CALLS - 2..=CALLS).contains(&together), "{passed:?}");
            assert_eq!(passed[2], CALLS);
            is_seen = true;
            redis.kill();
        }
    }
}

/// A document that keeps a value in the internal cache.
const KEEPS: &str = r#"<policies><inbound>
    <cache-lookup-value key="k" variable-name="v" default-value="none" caching-type="internal" />
    <cache-store-value key="k" value="kept" duration="600" caching-type="internal" />
    <return-response><set-body>@((string)context.Variables["v"])</set-body></return-response>
</inbound></policies>"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_memory_outlives_a_gateway_unless_it_is_elsewhere_from_now_on() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let backend = Backend::saying("").await;
    let folder = Folder::new().with("policy.xml", KEEPS);
    let settings = |internal, service: &str| {
        let mut settings = Settings {
            folder: folder.0.clone(),
            level: Some(level(&redis)),
            warm: Some(Warm {
                file: "warm".into(),
                interval: Duration::ZERO,
            }),
            ..Settings::default()
        };
        settings.azure.internal = Some(internal);
        settings.azure.service = service.into();
        settings.azure.apis = vec![api("policy.xml", backend.url().parse().unwrap())];
        settings
    };
    let start = |settings: &Settings| {
        let app = App::new(settings, |_| ()).unwrap();
        let warmed = app.warm(settings).unwrap().unwrap();
        (app, warmed)
    };
    let (one, warmed) = start(&settings(Mode::L1, "service"));
    assert_eq!(answer(&one, "/").await, "none");
    let site = one.site();
    site.environment()
        .create_cache("made", Default::default())
        .unwrap();
    warmed.finish();
    assert!(folder.0.join("warm").exists());

    let (two, _warmed) = start(&settings(Mode::L1, "service"));
    assert_eq!(answer(&two, "/").await, "kept");
    // What administrators made isn't known any more, and may be made again.
    let made = two
        .site()
        .environment()
        .create_cache("made", Default::default());
    assert!(made.is_ok());
    let (moved, _warmed) = start(&settings(Mode::L1L2, "service"));
    assert_eq!(answer(&moved, "/").await, "none");
    let (other, _warmed) = start(&settings(Mode::L1, "other"));
    assert_eq!(answer(&other, "/").await, "none");
    let tenants = other.engine().cache().tenants();
    assert_eq!(tenants.len(), 2, "{tenants:?}");
}

#[tokio::test]
async fn what_is_wrong_with_leases_and_files_is_named_by_check() {
    for (settings, wrong) in [
        (
            "[azure]\nlease_ms = 5\n",
            "azure.lease_ms: it needs a second level",
        ),
        (
            "[warm]\nfile = \"no/folder/warm\"\n",
            "its folder isn't there",
        ),
    ] {
        let folder = Folder::new()
            .with("policy.xml", KEEPS)
            .with("gateway.toml", settings);
        let (code, _, errors) = told(&["check", folder.text()]).await;
        assert_eq!(code, Some(2), "{settings}");
        assert!(errors.contains(wrong), "{settings}{errors}");
    }
}
