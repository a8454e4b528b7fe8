//! What a further level does to answers: over one in memory, with faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder::{
    Level, LevelAnswer, LevelCall, LevelError, LevelKey, LevelMode, LevelOptions, LevelRecord,
    LevelScope, Levels, ManualClock, MemoryLevel, OnLevelError, Seen,
};
use serde_json::json;

use super::support::{CACHE, Server, engine, settings};

/// A server over a level, with copies in memory for a second.
async fn over(level: impl Level, mode: LevelMode, clock: ManualClock) -> Server {
    let mut engine = engine(&clock);
    engine.levels = Levels::new(level, b"test");
    engine.level_options = LevelOptions::new(mode).on_error(OnLevelError::Fail);
    Server::over(&settings(), engine, clock).await
}

/// A server whose level can't be reached.
pub(crate) async fn lost() -> Server {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    level.fail(LevelError::Unavailable);
    over(level, LevelMode::L2, clock).await
}

#[tokio::test]
async fn m_105_an_outage_is_no_absence() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let server = over(level.clone(), LevelMode::L1L2, clock).await;
    server.store("a", "x").await;
    server.load("absent").await.is(404, "KeyNotFound");
    level.fail(LevelError::Unavailable);
    // The copy is served while it lives.
    server.load("a").await.is_value("x");
    server.tick(Duration::from_secs(1));
    server.load("a").await.is(500, "Internal");
    server.load("absent").await.is(500, "Internal");
    level.fail(LevelError::Timeout);
    server.load("a").await.is(500, "Internal");
    let keys = json!({ "keys": ["YQ"] });
    for op in ["exists", "get-batch"] {
        server
            .call(op, "RW", keys.clone())
            .await
            .is(500, "Internal");
    }
    level.recover();
    server.load("a").await.is_value("x");
}

#[tokio::test(flavor = "multi_thread")]
async fn m_104_who_needs_a_level_that_hangs_is_bounded_and_copies_are_served() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let mut engine = engine(&clock);
    engine.levels = Levels::new(level.clone(), b"test");
    engine.level_options = LevelOptions::new(LevelMode::L1L2).on_error(OnLevelError::Fail);
    let mut settings = settings();
    settings.level_requests_max = 1;
    let server = Arc::new(Server::over(&settings, engine, clock).await);
    server.store("copy", "x").await;
    let hold = level.hold_before(LevelCall::Get);
    let hangs = Arc::clone(&server);
    let hangs = tokio::spawn(async move { hangs.load("absent").await });
    let waits = tokio::task::spawn_blocking(move || {
        hold.wait();
        hold
    });
    let hold = waits.await.unwrap();
    // The one place is taken: who needs the level too is told to come back.
    let refused = server.load("other").await;
    refused.is(429, "LimitExceeded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        refused.message().contains("1 requests"),
        "{}",
        refused.message()
    );
    let keys = |keys: &[&str]| json!({ "keys": keys });
    let answer = server.call("get-batch", "RW", keys(&["Y29weQ", "b3RoZXI"]));
    answer.await.is(429, "LimitExceeded");
    // A copy needs none.
    server.load("copy").await.is_value("x");
    let answer = server.call("get-batch", "RW", keys(&["Y29weQ", "Y29weQ"]));
    let hit = json!({ "result": "Hit", "value": "eA" });
    assert_eq!(answer.await.json()["result"], json!([hit, hit]));
    // Nor does what is refused for another reason, or isn't there.
    server
        .get("/cache/nope?key=a&token=RW")
        .await
        .is(404, "CacheNotFound");
    hold.release();
    hangs.await.unwrap().is(404, "KeyNotFound");
    server.load("other").await.is(404, "KeyNotFound");
    let cache = server.app.engine().cache.tenant("acct").unwrap();
    let stats = cache.cache("default-cache").unwrap().stats();
    assert_eq!(stats.hits, 3);
}

#[tokio::test]
async fn m_103_a_write_that_a_level_loses_is_an_error() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let server = over(level.clone(), LevelMode::L1L2, clock).await;
    server.store("a", "old").await;
    level.fail(LevelError::Unavailable);
    let target = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
    let answer = server.put(&target, "new").await;
    answer.is(500, "Internal");
    assert_eq!(answer.message(), "Internal Server Error");
    server.delete(&target).await.is(500, "Internal");
    let flush = "/caches/default-cache/flush?token=ADM";
    server
        .send("POST", flush, &[], b"")
        .await
        .is(500, "Internal");
    level.recover();
    server.put(&target, "new").await.is_stored();
    server.load("a").await.is_value("new");
}

/// Panics when a key is asked for.
#[derive(Debug)]
struct Panicking;

impl Level for Panicking {
    fn get(&self, _: &LevelKey<'_>, _: Duration) -> Result<LevelAnswer, LevelError> {
        panic!("as planned")
    }

    fn set(&self, _: &LevelKey<'_>, _: LevelRecord<&[u8]>, _: Duration) -> Result<(), LevelError> {
        panic!("as planned")
    }

    fn replace(
        &self,
        _: &LevelKey<'_>,
        _: Seen,
        _: Option<LevelRecord<&[u8]>>,
        _: Duration,
    ) -> Result<bool, LevelError> {
        panic!("as planned")
    }

    fn delete(&self, _: &LevelKey<'_>, _: Duration) -> Result<bool, LevelError> {
        panic!("as planned")
    }

    fn end(&self, _: &LevelScope<'_>, _: Duration) -> Result<(), LevelError> {
        panic!("as planned")
    }
}

#[tokio::test]
async fn m_103_a_panic_is_one_answer_and_the_server_goes_on() {
    let server = over(Panicking, LevelMode::L2, ManualClock::new()).await;
    for _ in 0..3 {
        let target = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
        for answer in [
            server.put(&target, "x").await,
            server.get(&target).await,
            server.delete(&target).await,
        ] {
            answer.is(500, "Internal");
            assert_eq!(answer.message(), "Internal Server Error");
        }
    }
    assert_eq!(server.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn m_132_m_133_m_134_what_is_flushed_or_deleted_is_gone_from_the_level_too() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let server = over(level, LevelMode::L1L2, clock).await;
    server.store("a", "x").await;
    let flush = "/caches/default-cache/flush?token=ADM";
    server.send("POST", flush, &[], b"").await.is_stored();
    server.tick(Duration::from_secs(2));
    server.load("a").await.is(404, "KeyNotFound");
    server.store("a", "x").await;
    let cache = "/caches/default-cache?token=ADM";
    server.delete(cache).await.is_stored();
    assert_eq!(server.put(cache, "").await.status, 201);
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_140_m_155_what_looks_and_changes_in_one_step_needs_memory_alone() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let server = over(level, LevelMode::L2, clock).await;
    let body = json!({ "key": "YQ", "amount": 1, "ttl_seconds": 60 });
    let answer = server.call("increment", "RW", body).await;
    answer.is(400, "FailedPrecondition");
    server.store("a", "x").await;
    let answer = server.call("ttl", "RW", json!({ "key": "YQ" })).await;
    assert_eq!(answer.json(), json!({ "result": "Hit", "ttl_ms": 60_000 }));
    let answer = server.call("exists", "RW", json!({ "keys": ["YQ", "Yg"] }));
    assert_eq!(answer.await.json(), json!({ "result": [true, false] }));
}

#[tokio::test]
async fn m_103_a_panic_outside_of_the_level_is_one_answer_too() {
    let clock = ManualClock::new();
    let mut engine = engine(&clock);
    let (breaks, calendar) = (Arc::new(AtomicBool::new(true)), engine.calendar.clone());
    let broken = Arc::clone(&breaks);
    engine.calendar = Arc::new(move || {
        assert!(!broken.load(Ordering::Relaxed), "as planned");
        calendar()
    });
    let server = Server::over(&settings(), engine, clock).await;
    server.load("a").await.is(500, "Internal");
    breaks.store(false, Ordering::Relaxed);
    server.load("a").await.is(404, "KeyNotFound");
}
