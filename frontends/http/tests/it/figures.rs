//! Section 8, M-106: each limit is named where it is exceeded, with its figure.

use std::time::Duration;

use larder::{Cache, ManualClock};
use larder_http::auth::{Grant, StaticKey};
use larder_http::{AccountSettings, Bound, CacheSettings, Settings};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Answer, CACHE, Server, engine, parse, settings};

const PUT: &str = "/cache/default-cache?key=a&ttl_seconds=60&token=RW";

/// A server whose account or whose caches have a limit.
async fn limited(limit: impl FnOnce(&mut AccountSettings)) -> Server {
    let mut settings = settings();
    limit(settings.accounts.get_mut("acct").unwrap());
    Server::with(&settings).await
}

async fn server_of(change: impl FnOnce(&mut Settings)) -> Server {
    let mut settings = settings();
    change(&mut settings);
    Server::with(&settings).await
}

#[track_caller]
fn says(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.message(), message);
}

#[tokio::test]
async fn m_104_m_106_a_rate_is_named_with_its_figure() {
    let two = Some(Bound::At(2));
    for (limit, message) in [
        (
            (|account| account.operations_per_second = Some(Bound::At(2)))
                as fn(&mut AccountSettings),
            "account limit exceeded: 2 operations a second",
        ),
        (
            |account| account.each_cache.operations_per_second = Some(Bound::At(2)),
            "cache limit exceeded: 2 operations a second",
        ),
        (
            |account| account.bytes_per_second = Some(Bound::At(2)),
            "account limit exceeded: 2 bytes a second",
        ),
        (
            |account| account.each_cache.bytes_per_second = Some(Bound::At(2)),
            "cache limit exceeded: 2 bytes a second",
        ),
    ] {
        let server = limited(limit).await;
        for _ in 0..2 {
            server.put(PUT, "x").await.is_stored();
        }
        let refused = server.put(PUT, "x").await;
        says(&refused, 429, message);
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    let server = limited(|account| account.control_per_second = two).await;
    for _ in 0..2 {
        assert_eq!(server.get("/caches?token=ADM").await.status, 200);
    }
    let refused = server.get("/caches?token=ADM").await;
    says(
        &refused,
        429,
        "control limit exceeded: 2 operations a second",
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn m_106_a_size_is_named_with_its_figure() {
    let server = limited(|account| account.each_cache.item_bytes_max = Some(Bound::At(5))).await;
    let item = "item size limit exceeded: key and value may have 5 bytes together";
    says(&server.put(PUT, "12345").await, 429, item);
    let ttl = "ttl_seconds is above the maximum of 59";
    let server = limited(|account| account.each_cache.ttl_seconds_max = Some(Bound::At(59))).await;
    says(&server.put(PUT, "x").await, 400, ttl);
    let form = json!({ "key": "YQ", "amount": 1, "ttl_seconds": 60 });
    says(&server.call("increment", "RW", form).await, 400, ttl);
    let body = "body size limit exceeded: a body may have 3 bytes";
    let server = server_of(|settings| settings.body_bytes_max = 3).await;
    says(&server.put(PUT, "1234").await, 429, body);
    says(
        &server.call("exists", "RW", json!({})).await,
        400,
        "key or keys is needed, not both",
    );
    says(
        &server.call("exists", "RW", json!({ "keys": [] })).await,
        429,
        body,
    );
    let server = Server::start().await;
    // The longest address has room for no key or name that is too long; a form has.
    let key = larder_serve::to_base64(&[b'k'; 65_536]);
    let form = json!({ "key": key, "amount": 1, "ttl_seconds": 60 });
    let refused = server.call("increment", "RW", form).await;
    says(
        &refused,
        400,
        "key is 65536 bytes long when encoded; at most 65535 are accepted",
    );
    let long = format!("{CACHE}?key={}&token=RW", "k".repeat(65_000));
    assert_eq!(server.get(&long).await.status, 404);
    let name = format!("/caches/{}?token=ADM", "n".repeat(65_000));
    assert_eq!(server.put(&name, "").await.status, 201);
}

#[tokio::test]
async fn m_061_m_062_m_063_m_106_a_bound_of_tokens_is_named_with_its_figure() {
    let server = server_of(|settings| settings.permissions_max = Some(Bound::At(1))).await;
    let (one, other) = (
        json!({ "role": "readonly" }),
        json!({ "role": "readonly", "cache": "b" }),
    );
    for (form, message) in [
        (
            json!({ "permissions": [one, other], "ttl_seconds": 60 }),
            "permissions may have 1 entries",
        ),
        (
            json!({ "permissions": [one], "ttl_seconds": 90_001 }),
            "ttl_seconds has to be a whole number from 1 to 90000",
        ),
        (
            json!({ "permissions": [one], "ttl_seconds": 60, "id": "i".repeat(65) }),
            "id may have 64 characters",
        ),
    ] {
        let body = form.to_string();
        let refused = server
            .send("POST", "/tokens?token=ADM", &[], body.as_bytes())
            .await;
        says(&refused, 400, message);
    }
}

#[tokio::test]
async fn m_106_m_131_a_bound_of_caches_is_named_with_its_figure() {
    let server = limited(|account| account.caches_max = Some(Bound::At(2))).await;
    let refused = server.put("/caches/more?token=ADM", "").await;
    says(
        &refused,
        429,
        "cache count limit exceeded: an account may have 2 caches",
    );
    // Two are there, guaranteed what the account has in all.
    let server = limited(|account| {
        account.guaranteed_bytes = 2 << 20;
        account.each_cache.guaranteed_bytes = Some(1 << 20);
    })
    .await;
    let refused = server.put("/caches/more?token=ADM", "").await;
    says(
        &refused,
        429,
        "memory limit exceeded: 3145728 bytes can't be guaranteed to parts of what is guaranteed 2097152",
    );
    assert_eq!(refused.header("retry-after"), None);
}

/// Two mebibytes, of which an account is guaranteed almost all, and another one may take a half, and one of its caches a quarter.
async fn nearly_full() -> Server {
    let clock = ManualClock::new();
    let cache = Cache::builder()
        .max_bytes(2 << 20)
        .stripes(1)
        .clock(clock.clone());
    let mut engine = engine(&clock);
    engine.cache = cache.build().unwrap();
    let mut settings = settings();
    let full = settings.accounts.get_mut("acct").unwrap();
    full.guaranteed_bytes = 1_900_000;
    let mut other = AccountSettings {
        max_bytes: Some(Bound::At(1 << 20)),
        ..AccountSettings::default()
    };
    let narrow = CacheSettings {
        max_bytes: Some(Bound::At(1 << 19)),
        ..CacheSettings::default()
    };
    other.caches = [
        ("narrow".into(), narrow),
        ("wide".into(), CacheSettings::default()),
    ]
    .into();
    settings.accounts.insert("second".into(), other);
    settings
        .keys
        .push(StaticKey::of("SECOND", "second", Grant::SuperUser));
    let server = Server::over(&settings, engine, clock).await;
    for n in 0..6 {
        server.store(&format!("k{n}"), vec![b'x'; 300_000]).await;
    }
    server
}

#[tokio::test]
async fn m_104_m_106_m_154_who_finds_no_room_is_told_how_much_there_is() {
    let server = nearly_full().await;
    for (name, bytes) in [("narrow", "524288"), ("wide", "any number of")] {
        let message = format!(
            "storage limit exceeded: items of the cache may take {bytes} bytes, those of the account 1048576, all together 2097152"
        );
        let value = vec![b'x'; 400_000];
        let put = format!("/cache/{name}?key=a&ttl_seconds=60&token=SECOND");
        let refused = server.put(&put, &value).await;
        says(&refused, 429, &message);
        assert_eq!(refused.header("retry-after"), Some("1"));
        let small = json!({ "key": "YQ", "value": "YQ" });
        let large = json!({ "key": "Yg", "value": larder_serve::to_base64(&value) });
        let batch = json!({ "items": [small, large], "ttl_seconds": 60 }).to_string();
        let target = format!("/caches/{name}/items/set-batch?token=SECOND");
        let answer = server.send("POST", &target, &[], batch.as_bytes()).await;
        let result = &answer.json()["result"];
        assert_eq!(result[0]["result"], "Stored");
        let error = json!({ "result": "Error", "code": "LimitExceeded", "message": message });
        assert_eq!(result[1], error);
        let form = json!({
            "key": "Yg", "value": large["value"], "ttl_seconds": 60, "condition": "absent"
        });
        let target = format!("/caches/{name}/items/set-if?token=SECOND");
        let answer = server
            .send("POST", &target, &[], form.to_string().as_bytes())
            .await;
        says(&answer, 429, &message);
    }
}

#[tokio::test]
async fn m_106_f41_f43_a_bound_of_requests_is_named_with_its_figure() {
    let server = server_of(|settings| {
        settings.connections.headers_max = 4;
        settings.connections.head_bytes_max = 8192;
        settings.connections.header = Duration::from_millis(50);
        settings.connections.body = Duration::from_millis(60);
    })
    .await;
    let line = format!("PUT {PUT} HTTP/1.1\r\nHost: x\r\n");
    let head =
        "the headers are too many or too long: there may be 4, and 8192 bytes of the whole head";
    for (request, status, message) in [
        (format!("{line}{}\r\n", "h: x\r\n".repeat(5)), 431, head),
        (format!("{line}h: {}\r\n\r\n", "x".repeat(9000)), 431, head),
        (
            line.clone(),
            408,
            "the request took too long: its head may take 50 ms",
        ),
        (
            format!("{line}Content-Length: 2\r\n\r\nx"),
            400,
            "body time limit exceeded: a body may take 60 ms and the time of its bytes at 16384 a second",
        ),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        says(&parse(&answer), status, message);
    }
    let server = Server::start().await;
    for (n, status) in [(65_534, 404), (65_535, 414)] {
        let target = format!("/{}", "x".repeat(n - 1));
        let answer = server.get(&target).await;
        assert_eq!(answer.status, status, "{n}");
        if status == 414 {
            says(
                &answer,
                414,
                "the address is too long: it may have 65534 bytes",
            );
        }
    }
}
