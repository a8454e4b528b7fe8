//! What scrapers are told.

use super::support::{Server, settings};

#[tokio::test]
async fn e_90_a_super_user_is_told_of_their_account_and_everybody_only_by_a_setting() {
    let mut settings = settings();
    let mut another = larder_http::AccountSettings::default();
    another.caches.insert("theirs".into(), Default::default());
    settings.accounts.insert("another".into(), another);
    let server = Server::with(&settings).await;
    server.get("/metrics").await.is(401, "Unauthenticated");
    server
        .get("/metrics?token=RW")
        .await
        .is(403, "PermissionDenied");
    server.store("a", "x").await;
    server.load("a").await.is_value("x");
    server.load("b").await.is(404, "KeyNotFound");
    let told = async || {
        let answer = server.get("/metrics?token=ADM").await;
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body).unwrap()
    };
    let text = told().await;
    let hits = "larder_hits_total{of=\"cache\",account=\"acct\",cache=\"default-cache\"} 1\n";
    assert!(text.contains(hits), "{text}");
    assert!(!text.contains("theirs") && !text.contains("larder_http_requests_total"));
    let gone = server.delete("/caches/default-cache?token=ADM").await;
    gone.is_stored();
    assert!(!told().await.contains("default-cache"));

    settings.metrics_public = true;
    server.app.reload(&settings).unwrap();
    let answer = server.get("/metrics").await;
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("theirs"));
    let requests = "larder_http_requests_total{operation=\"get\",status=\"404\"} 1\n";
    assert!(text.contains(requests), "{text}");
}
