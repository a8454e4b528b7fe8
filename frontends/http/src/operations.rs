//! For those who run the server: what it counts.
//!
//! # Idea         metrics name accounts and caches, so they need a super user's token, of
//!   whose account they are then, unless the settings open them
//! # Costs        metrics: a snapshot of each cache
//! # Not here     the page for people

use axum::extract::Request;
use axum::response::Response;

use crate::app::App;
use crate::auth::Rights;
use crate::error::ApiError;

/// Serves `/metrics`.
pub(crate) async fn metrics(app: App, request: Request) -> Result<Response, ApiError> {
    let is_public = app.live().settings.metrics_public;
    let accounts = if is_public {
        app.accounts()
    } else {
        let (head, _) = request.into_parts();
        let (caller, _) = app.caller(&head)?;
        caller.administers()?;
        vec![caller.account.to_string()]
    };
    Ok(larder_serve::scrape(|| publish(&app, &accounts, is_public)))
}

fn publish(app: &App, accounts: &[String], is_public: bool) {
    let cache = &app.engine().cache;
    for account in accounts {
        let Ok(tenant) = cache.tenant(account) else {
            continue;
        };
        for (name, _) in tenant.caches() {
            if let Ok(cache) = tenant.cache(&name) {
                let labels = [("of", "cache"), ("account", account), ("cache", &name)];
                cache.stats().publish(&labels);
            }
        }
        let labels = [("of", "account"), ("account", account)];
        tenant.stats().publish(&labels);
    }
    if !is_public {
        return;
    }
    cache.stats().publish(&[("of", "engine")]);
    if let Some(tier) = &app.engine().tier {
        tier.publish();
    }
    app.inner.counts.publish("larder_http_requests_total");
}
