//! Bundles of the Apigee kind behind the listener.

use crate::commands::told;
use crate::support::{Backend, Folder, Gateway, NOTHING};
use larder_gateway::program::{CacheEntry, Settings};

/// A proxy that looks a token up by the client's id, and keeps one where there is none.
pub(crate) fn bundle(target: &str, cache: &str) -> Folder {
    let key = format!(
        r#"<CacheResource>{cache}</CacheResource><CacheKey><Prefix>token</Prefix><KeyFragment ref="request.queryparam.client_id"/></CacheKey>"#
    );
    Folder::new()
        .with("apiproxy/weather.xml", r#"<APIProxy name="weather" revision="3"/>"#)
        .with(
            "apiproxy/proxies/default.xml",
            r#"<ProxyEndpoint name="default">
  <PreFlow><Request>
    <Step><Name>Look</Name></Step>
    <Step><Name>Make</Name><Condition>lookupcache.Look.cachehit is false</Condition></Step>
    <Step><Name>Keep</Name><Condition>lookupcache.Look.cachehit is false</Condition></Step>
  </Request><Response><Step><Name>Tell</Name></Step></Response></PreFlow>
  <HTTPProxyConnection><BasePath>/weather</BasePath></HTTPProxyConnection>
  <RouteRule name="r"><TargetEndpoint>tgt</TargetEndpoint></RouteRule>
</ProxyEndpoint>"#,
        )
        .with(
            "apiproxy/targets/tgt.xml",
            &format!(
                r#"<TargetEndpoint name="tgt"><HTTPTargetConnection><URL>{target}base</URL></HTTPTargetConnection></TargetEndpoint>"#
            ),
        )
        .with(
            "apiproxy/policies/Look.xml",
            &format!(r#"<LookupCache name="Look">{key}<AssignTo>flow.token</AssignTo></LookupCache>"#),
        )
        .with(
            "apiproxy/policies/Make.xml",
            r#"<AssignMessage name="Make"><AssignVariable><Name>flow.token</Name><Value>T1</Value></AssignVariable></AssignMessage>"#,
        )
        .with(
            "apiproxy/policies/Keep.xml",
            &format!(
                r#"<PopulateCache name="Keep">{key}<Source>flow.token</Source><ExpirySettings><TimeoutInSeconds>60</TimeoutInSeconds></ExpirySettings></PopulateCache>"#
            ),
        )
        .with(
            "apiproxy/policies/Tell.xml",
            r#"<AssignMessage name="Tell"><Set><Headers><Header name="X-Found">{lookupcache.Look.cachehit}</Header></Headers></Set><AssignTo type="response"/></AssignMessage>"#,
        )
}

pub(crate) async fn gateway(folder: &Folder, backend: &Backend) -> Gateway {
    Gateway::with(NOTHING, backend, |settings| {
        deploy(settings, folder);
        let caches = &mut settings.apigee.caches;
        caches.insert("tokens".into(), CacheEntry::default());
    })
    .await
}

/// Deploys a bundle, but for its caches.
pub(crate) fn deploy(settings: &mut Settings, folder: &Folder) {
    settings.apigee.bundles = vec![folder.0.clone()];
    settings.apigee.organization = "apifactory".into();
    settings.apigee.environment = "test".into();
    settings.apigee.token = Some("administrator".into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_15_what_a_bundle_keeps_is_found_by_the_next_request() {
    let backend = Backend::saying("sunny").await;
    let folder = bundle(&backend.url(), "tokens");
    let gateway = gateway(&folder, &backend).await;
    for (client, found) in [("a", "false"), ("a", "true"), ("b", "false"), ("b", "true")] {
        let answer = gateway
            .get(&format!("/weather/today?client_id={client}"))
            .await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "sunny"));
        assert_eq!(answer.header("x-found"), Some(found), "{client}");
    }
    assert_eq!(backend.lines()[0], "GET /base/today?client_id=a");
    // What is no bundle's is for the APIs.
    assert_eq!(gateway.get("/weatherstation").await.status, 200);
    assert_eq!(backend.lines(), ["GET /weatherstation"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_clear_caches_at_an_address_of_their_own() {
    let backend = Backend::saying("sunny").await;
    let folder = bundle(&backend.url(), "tokens");
    let gateway = gateway(&folder, &backend).await;
    let found = async || {
        let answer = gateway.get("/weather/today?client_id=a").await;
        answer.header("x-found").unwrap().to_owned()
    };
    assert_eq!(
        (found().await, found().await),
        ("false".into(), "true".into())
    );
    let path = "/v1/organizations/apifactory/environments/test/caches";
    let send = async |request: &str, token: &str| {
        let request = format!(
            "{request} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
        );
        gateway.at_admin(&request).await
    };
    let list = format!("GET {path}");
    assert_eq!(send(&list, "somebody").await.status, 401);
    assert_eq!(send(&list, "").await.status, 401);
    assert_eq!(send(&list, "administrator").await.body, r#"["tokens"]"#);
    let clear = format!("POST {path}/tokens/entries?action=clear");
    assert_eq!(send(&clear, "somebody").await.status, 401);
    assert_eq!(found().await, "true");
    assert_eq!(send(&clear, "administrator").await.status, 200);
    assert_eq!(found().await, "false");
    assert_eq!(send("GET /nowhere", "administrator").await.status, 404);
    // The listener of the traffic doesn't know of it.
    assert_eq!(gateway.get(path).await.body, "sunny");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_checked_and_explained_in_its_folder() {
    let backend = Backend::saying("sunny").await;
    let with_settings = |cache: &str| {
        bundle(&backend.url(), cache).with(
            "gateway.toml",
            "[apigee]\nbundles = [\"\"]\n[apigee.caches.tokens]\nttl_seconds = 60\n",
        )
    };
    let good = with_settings("tokens");
    let (code, out, errors) = told(&["check", good.text()]).await;
    assert_eq!(code, Some(0), "{out}{errors}");

    // A policy names a cache that the environment doesn't have.
    let bad = with_settings("nothere");
    let (code, out, _) = told(&["check", bad.text()]).await;
    assert_eq!(code, Some(1), "{out}");
    let file = bad.0.join("apiproxy/policies/Keep.xml");
    let line = format!(
        "{}:1:1: error: InvalidCacheResourceReference: ",
        file.display()
    );
    assert!(out.starts_with(&line), "{out}");

    // Without settings the folder is the bundle's all the same.
    let alone = bundle(&backend.url(), "");
    let request = "GET /weather/today?client_id=a";
    let (code, out, errors) = told(&["explain", alone.text(), request, "--times", "2"]).await;
    assert_eq!(code, Some(0), "{errors}");
    for part in [
        "miss: token__a",
        "token__a\n",
        "hit: token__a -> flow.token",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert_eq!(out.matches("-> 200 OK, 5 bytes").count(), 2, "{out}");
}
