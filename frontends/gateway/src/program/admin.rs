//! For those who run the gateway: whether it lives, whether it takes requests, what it counts.
//!
//! # Idea         an address of its own, which clients of the gateway don't reach
//! # Costs        metrics: a snapshot of each cache
//! # Not here     the traffic

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics::counter;

use super::app::App;

/// All paths of administrators.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(app.clone())
        .merge(app.health.routes())
}

async fn metrics(State(app): State<App>) -> Response {
    let text = larder_serve::scrape(|| publish(&app));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn publish(app: &App) {
    let cache = app.engine.cache();
    cache.stats().publish(&[("of", "engine")]);
    for name in app.site.load().tenants() {
        if let Ok(tenant) = cache.tenant(&name) {
            tenant
                .stats()
                .publish(&[("of", "tenant"), ("tenant", &name)]);
        }
    }
    app.counts.publish("larder_gateway_requests_total");
    for (end, count) in app.client.ended() {
        counter!("larder_gateway_calls_total", "end" => end).absolute(count);
    }
}
