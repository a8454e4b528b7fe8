//! What a scraper is answered.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::PrometheusBuilder;

/// Answers with what `publish` tells the recorder of the `metrics` crate, as text for Prometheus.
///
/// Counters are kept where they are counted and told as they stand, so each answer has a recorder of its own, and what no longer exists
/// isn't in it.
pub fn scrape(publish: impl FnOnce()) -> Response {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, publish);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], recorder.handle().render()).into_response()
}
