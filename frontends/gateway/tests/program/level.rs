//! The section `[level]`, on a real server that several gateways share.

use std::time::Duration;

use larder_gateway::program::{ApiEntry, CacheEntry, Settings};
use larder_serve::{Level, Mode};

use crate::bundles::{bundle, deploy};
use crate::commands::told;
use crate::redis_server::Server as Redis;
use crate::support::{Backend, Folder, Gateway, NOTHING, get};

const WORDS: [&str; 3] = ["internal", "external", "prefer-external"];

/// A second level on this port, with time enough for every call.
fn level(port: u16) -> Level {
    Level {
        servers: vec![format!("127.0.0.1:{port}")],
        timeout: Duration::from_secs(20),
        ..Level::default()
    }
}

/// APIs that store, look up and remove a value in the cache of each word: /put/WORD?v=.., /get/WORD and /remove/WORD.
fn apis(settings: &mut Settings) {
    settings.azure.apis.clear();
    for word in WORDS {
        let documents = [
            (
                "put",
                format!(
                    r#"<cache-store-value key="k" value="@(context.Request.Url.Query.GetValueOrDefault(&quot;v&quot;, &quot;&quot;))" duration="60" caching-type="{word}" /><return-response />"#
                ),
            ),
            (
                "get",
                format!(
                    r#"<cache-lookup-value key="k" variable-name="v" default-value="none" caching-type="{word}" />
                    <return-response><set-body>@((string)context.Variables["v"])</set-body></return-response>"#
                ),
            ),
            (
                "remove",
                format!(
                    r#"<cache-remove-value key="k" caching-type="{word}" /><return-response />"#
                ),
            ),
        ];
        for (name, policies) in documents {
            let file = format!("{name}-{word}.xml");
            let text = format!("<policies><inbound>{policies}</inbound></policies>");
            std::fs::write(settings.folder.join(&file), text).unwrap();
            settings.azure.apis.push(ApiEntry {
                id: file.clone(),
                name: None,
                prefix: format!("/{name}/{word}"),
                document: file.into(),
                backend: None,
                operations: Vec::new(),
            });
        }
    }
}

async fn gateway(backend: &Backend, level: Option<Level>, internal: Option<Mode>) -> Gateway {
    Gateway::with(NOTHING, backend, |settings| {
        apis(settings);
        settings.level = level;
        settings.azure.internal = internal;
    })
    .await
}

async fn put(gateway: &Gateway, word: &str, value: &str) {
    let answer = gateway.get(&format!("/put/{word}?v={value}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// What is found by each word.
async fn found(gateway: &Gateway) -> [String; 3] {
    let mut found = [const { String::new() }; 3];
    for (found, word) in found.iter_mut().zip(WORDS) {
        let answer = gateway.get(&format!("/get/{word}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        *found = answer.body;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn z_070_z_071_z_073_z_077_words_mean_their_cache_and_gateways_share_the_external_one() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let backend = Backend::saying("").await;
    let (one, two) = (
        gateway(&backend, Some(level(redis.port)), None).await,
        gateway(&backend, Some(level(redis.port)), None).await,
    );
    put(&one, "internal", "i").await;
    assert_eq!(found(&one).await, ["i", "none", "none"]);
    assert_eq!(found(&two).await, ["none"; 3]);
    put(&one, "external", "e").await;
    assert_eq!(found(&one).await, ["i", "e", "e"]);
    assert_eq!(found(&two).await, ["none", "e", "e"]);
    put(&two, "prefer-external", "p").await;
    assert_eq!(found(&one).await, ["i", "p", "p"]);
    assert_eq!(two.get("/remove/internal").await.status, 200);
    assert_eq!(found(&one).await, ["i", "p", "p"]);
    assert_eq!(two.get("/remove/prefer-external").await.status, 200);
    assert_eq!(found(&one).await, ["i", "none", "none"]);
    let metrics = get(one.admin, "/metrics").await.body;
    for line in [
        "larder_level_up 1\n",
        "larder_level_writes_total{kind=\"put\"} 1\n",
        "larder_level_hits_total 6\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_072_z_074_without_a_level_external_values_are_nowhere() {
    let backend = Backend::saying("").await;
    let gateway = gateway(&backend, None, None).await;
    put(&gateway, "external", "e").await;
    assert_eq!(found(&gateway).await, ["none"; 3]);
    put(&gateway, "prefer-external", "p").await;
    assert_eq!(found(&gateway).await, ["p", "none", "p"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_046_z_056_z_075_the_kill_of_the_levels_server_is_a_miss_and_requests_go_on() {
    let Some(mut redis) = Redis::start(&[]) else {
        return;
    };
    let backend = Backend::saying("").await;
    let gateway = gateway(&backend, Some(level(redis.port)), None).await;
    put(&gateway, "internal", "i").await;
    put(&gateway, "external", "e").await;
    redis.kill();
    for _ in 0..20 {
        put(&gateway, "external", "lost").await;
        assert_eq!(found(&gateway).await, ["i", "none", "none"]);
    }
    redis.restart();
    // Until the pause is over in which the server is left alone.
    while found(&gateway).await != ["i", "back", "back"] {
        put(&gateway, "external", "back").await;
        tokio::task::yield_now().await;
    }
    // One that starts without it serves, and finds it later.
    redis.kill();
    let late = self::gateway(&backend, Some(level(redis.port)), None).await;
    assert_eq!(found(&late).await, ["none"; 3]);
    let down = get(late.admin, "/metrics").await.body;
    assert!(down.contains("larder_level_up 0\n"), "{down}");
    redis.restart();
    while found(&late).await != ["none", "back", "back"] {
        put(&late, "prefer-external", "back").await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_078_the_internal_cache_may_be_shared_too_apart_from_the_external_one() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let backend = Backend::saying("").await;
    let shared = async || gateway(&backend, Some(level(redis.port)), Some(Mode::L1L2)).await;
    let (one, two) = (shared().await, shared().await);
    put(&one, "internal", "i").await;
    assert_eq!(found(&two).await, ["i", "none", "none"]);
    put(&two, "external", "e").await;
    assert_eq!(found(&one).await, ["i", "e", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_130_a_131_a_155_bundles_of_two_gateways_share_caches_but_those_in_memory_alone() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let backend = Backend::saying("sunny").await;
    for (mode, is_shared) in [
        (None, true),
        (Some(Mode::L2), true),
        (Some(Mode::L1), false),
    ] {
        let folder = bundle(&backend.url(), "tokens");
        let node = async || {
            Gateway::with(NOTHING, &backend, |settings| {
                deploy(settings, &folder);
                let mut level = level(redis.port);
                level.l1_lifetime = Duration::ZERO;
                level.name_space = format!("{mode:?}");
                settings.level = Some(level);
                let entry = CacheEntry {
                    level: mode,
                    ..CacheEntry::default()
                };
                settings.apigee.caches.insert("tokens".into(), entry);
            })
            .await
        };
        let (one, two) = (node().await, node().await);
        let found = async |gateway: &Gateway| {
            let answer = gateway.get("/weather/today?client_id=a").await;
            answer.header("x-found").unwrap() == "true"
        };
        assert!(!found(&one).await && found(&one).await, "{mode:?}");
        assert_eq!(found(&two).await, is_shared, "{mode:?}");
        // An administrator of one ends what both have.
        let path = "/v1/organizations/apifactory/environments/test/caches/tokens/entries";
        let clear = format!(
            "POST {path}?action=clear HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer administrator\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(two.at_admin(&clear).await.status, 200);
        assert_eq!(found(&one).await, !is_shared, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_level_is_named_by_check_and_explain_plays_one() {
    let folder = |settings: &str| {
        let document = r#"<policies><inbound><cache-lookup-value key="k" variable-name="v" caching-type="external" /><cache-store-value key="k" value="x" duration="60" caching-type="external" /><return-response /></inbound></policies>"#;
        Folder::new()
            .with("policy.xml", document)
            .with("gateway.toml", settings)
    };
    for (settings, wrong) in [
        ("[level]\n", "level.servers: no server is given"),
        (
            "[azure]\ninternal = \"l1+l2\"\n",
            "azure.internal: the mode `l1+l2` needs a second level",
        ),
        (
            "[apigee.caches.tokens]\nlevel = \"l2\"\n",
            "apigee.caches.tokens.level: the mode `l2` needs a second level",
        ),
        (
            "[level]\nservers = [\"a:1\"]\non_error = \"fail\"\n",
            "level.on_error: a gateway's policies say",
        ),
    ] {
        let folder = folder(settings);
        let (code, _, errors) = told(&["check", folder.text()]).await;
        assert_eq!(code, Some(2), "{settings}");
        assert!(errors.contains(wrong), "{settings}{errors}");
    }
    // Neither needs the server to be there.
    let right = folder("[level]\nservers = [\"127.0.0.1:1\"]\n");
    let (code, out, errors) = told(&["check", right.text()]).await;
    assert_eq!(code, Some(0), "{out}{errors}");
    let args = [
        "explain",
        right.text(),
        "GET /",
        "--times",
        "2",
        "--offline",
    ];
    let (code, out, errors) = told(&args).await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains("miss: k") && out.contains("hit: k"), "{out}");
}
