//! How long targets of bundles may take, over sockets.

use std::time::{Duration, Instant};

use crate::bundles::{bundle, gateway};
use crate::limits::silent;
use crate::support::{Backend, Folder, Gateway};

/// A bundle whose target never says a word, with these properties of its connection.
fn silent_bundle(url: &str, properties: &str) -> Folder {
    bundle(url, "tokens").with(
        "apiproxy/targets/tgt.xml",
        &format!(
            r#"<TargetEndpoint name="tgt"><HTTPTargetConnection><URL>{url}</URL><Properties>{properties}</Properties></HTTPTargetConnection></TargetEndpoint>"#
        ),
    )
}

/// Less than what holds where nothing is said.
const SOON: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_14_a_target_may_take_as_long_as_its_endpoint_says() {
    let (backend, (_silent, url)) = (Backend::saying("ok").await, silent().await);
    let folder = silent_bundle(&url, r#"<Property name="io.timeout.millis">100</Property>"#);
    let gateway = gateway(&folder, &backend).await;
    let since = Instant::now();
    let answer = gateway.get("/weather/x?client_id=a").await;
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert!((Duration::from_millis(100)..SOON).contains(&since.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_14_a_target_that_says_nothing_may_take_as_long_as_the_gateway_says() {
    let (backend, (_silent, url)) = (Backend::saying("ok").await, silent().await);
    let folder = silent_bundle(&url, "");
    let gateway = Gateway::with(crate::support::NOTHING, &backend, |settings| {
        settings.apigee.bundles = vec![folder.0.clone()];
        settings
            .apigee
            .caches
            .insert("tokens".into(), Default::default());
        settings.backends.timeout_ms = Some(100);
    })
    .await;
    let since = Instant::now();
    assert_eq!(gateway.get("/weather/x?client_id=a").await.status, 504);
    assert!((Duration::from_millis(100)..SOON).contains(&since.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_14_a_connection_may_take_as_long_as_its_endpoint_says_tls_included() {
    let (backend, (_silent, url)) = (Backend::saying("ok").await, silent().await);
    // It accepts, and never answers the greeting of TLS.
    let url = url.replace("http://", "https://");
    let properties = r#"<Property name="connect.timeout.millis">100</Property>"#;
    let gateway = gateway(&silent_bundle(&url, properties), &backend).await;
    let since = Instant::now();
    assert_eq!(gateway.get("/weather/x?client_id=a").await.status, 502);
    assert!((Duration::from_millis(100)..SOON).contains(&since.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_take_as_long_as_the_gateway_says_tls_included() {
    let (backend, (_silent, url)) = (Backend::saying("ok").await, silent().await);
    let url = url.replace("http://", "https://");
    let gateway = Gateway::with(crate::support::NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.backends.connect_ms = 100;
    })
    .await;
    let since = Instant::now();
    assert_eq!(gateway.get("/").await.status, 502);
    assert!((Duration::from_millis(100)..SOON).contains(&since.elapsed()));
}
