//! What those see who watch a service: the figures of `metrics` as Prometheus scrapes them, and the events of `tracing`.

#![allow(
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests see the public API alone, and so have std's locks"
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use larder::{Cache, Capacity, Limits, Loaded, Ttl};
use metrics_exporter_prometheus::PrometheusBuilder;

/// The value of the line that begins so.
fn value(page: &str, begin: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(begin))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn e90_figures_reach_prometheus_under_their_labels() {
    let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let own = tenant.default_cache().unwrap();
    own.insert("a", b"1").unwrap();
    own.insert("a", b"2").unwrap();
    for key in ["a", "a", "b"] {
        own.get(key);
    }
    let absent = Loaded::<Vec<u8>>::Absent(std::time::Duration::from_secs(60));
    assert!(
        cache
            .get_or_load("c", Ttl::DEFAULT, || Ok::<_, ()>(absent))
            .unwrap()
            .is_none()
    );
    let failed = cache.get_or_load("d", Ttl::DEFAULT, || Err::<Loaded<Vec<u8>>, _>("no"));
    assert!(failed.is_err());

    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        cache.stats().publish(&[("cache", "main")]);
        tenant
            .stats()
            .publish(&[("cache", "main"), ("tenant", "acme")]);
    });
    let page = recorder.handle().render();
    let acme = r#"{cache="main",tenant="acme""#;
    let of_tenant = |name: &str, more: &str| value(&page, &format!("{name}{acme}{more}"));
    assert_eq!(of_tenant("larder_hits_total", "}"), Some(2.0), "{page}");
    let absent = r#",reason="absent"}"#;
    assert_eq!(
        of_tenant("larder_misses_total", absent),
        Some(1.0),
        "{page}"
    );
    assert_eq!(of_tenant("larder_inserts_total", "}"), Some(2.0), "{page}");
    let replaced = r#",cause="replaced"}"#;
    assert_eq!(
        of_tenant("larder_removals_total", replaced),
        Some(1.0),
        "{page}"
    );
    assert_eq!(of_tenant("larder_entries", "}"), Some(1.0), "{page}");
    let of_cache = |name: &str| value(&page, &format!(r#"{name}{{cache="main"}}"#));
    // The cache's own two look-ups missed, and what its tenant found is found in it.
    assert_eq!(of_cache("larder_hits_total"), Some(2.0), "{page}");
    assert_eq!(of_cache("larder_loads_total"), Some(2.0), "{page}");
    assert_eq!(of_cache("larder_load_failures_total"), Some(1.0), "{page}");
    let live = value(&page, r#"larder_bytes{cache="main",kind="live"}"#);
    assert_eq!(live, Some(cache.stats().live_bytes as f64), "{page}");
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn events_tell_of_bounds_maintenance_and_refusals() {
    let page = Page::default();
    let writer = page.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
        for n in 0..2000_u64 {
            cache.insert(n, [0; 100]).unwrap();
        }
        assert!(cache.insert("large", vec![0; 2 << 20]).is_err());
        cache.set_capacity(Capacity::bytes(1 << 16)).unwrap();
        while cache.maintain(100).more {}
    });
    let page = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    for told in [
        "a write was refused",
        "the bounds were changed",
        "maintenance",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page.contains("larder"), "{page}");
}
