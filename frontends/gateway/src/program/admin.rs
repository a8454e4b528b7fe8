//! For those who run the gateway: whether it lives, whether it takes requests, what it counts.
//!
//! # Idea         an address of its own, which clients of the gateway don't reach
//! # Costs        metrics: a snapshot of each cache
//! # Not here     the traffic

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::counter;

use super::app::App;
use crate::apigee::administer;
use crate::http::Request;

/// All paths of administrators.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(caches)
        .with_state(app.clone())
        .merge(app.health.routes())
}

/// The caches of the bundles' environment.
async fn caches(State(app): State<App>, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = app.read(body, BODY_BYTES_MAX, |_| ()).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body,
        client: None,
    };
    let site = app.site.load_full();
    let environments = std::slice::from_ref(site.environment());
    // An empty token is nobody's.
    let token = app.token.as_deref().unwrap_or("");
    match administer(environments, token, &request) {
        Some(response) => (response.status, response.headers, response.body).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// No description of a cache is longer.
const BODY_BYTES_MAX: u64 = 1 << 20;

async fn metrics(State(app): State<App>) -> Response {
    larder_serve::scrape(|| publish(&app))
}

fn publish(app: &App) {
    let cache = app.engine.cache();
    cache.stats().publish(&[("of", "engine")]);
    for name in app.site.load().tenants() {
        if let Ok(tenant) = cache.tenant(name) {
            tenant
                .stats()
                .publish(&[("of", "tenant"), ("tenant", name)]);
        }
    }
    if let Some(tier) = &app.tier {
        tier.publish();
    }
    app.counts.publish("larder_gateway_requests_total");
    for (end, count) in app.client.ended() {
        counter!("larder_gateway_calls_total", "end" => end).absolute(count);
    }
}
