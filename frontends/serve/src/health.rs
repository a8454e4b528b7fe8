//! Whether a server lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

/// Ready until it is told that the server is about to end. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Says from now on that no more requests should be sent.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The routes `/health/live` and `/health/ready`, asked without a token.
    pub fn routes(&self) -> Router {
        let is_stopping = Arc::clone(&self.0);
        let ready = async move || match is_stopping.load(Ordering::Relaxed) {
            false => "ready\n".into_response(),
            true => {
                let json = [(header::CONTENT_TYPE, "application/json")];
                (StatusCode::SERVICE_UNAVAILABLE, json, STOPPING).into_response()
            }
        };
        Router::new()
            .route("/health/live", get(async || "live\n"))
            .route("/health/ready", get(ready))
    }
}

/// In the form of all answers that are errors.
const STOPPING: &str = r#"{"code":"Unavailable","message":"the server is about to end"}"#;
