//! For those who run the server: what it counts.
//!
//! # Idea         metrics name accounts and caches, so they need a super user's token, of
//!   whose account they are then, unless the settings open them
//! # Costs        metrics: a snapshot of each cache
//! # Not here     the page for people

use axum::extract::{Request, State};
use axum::response::Response;

use crate::app::App;
use crate::auth::Rights;
use crate::error::ApiError;
use crate::query::Query;
use crate::routes::gate;

const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Serves `/metrics`.
pub(crate) async fn metrics(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    if let Some(answer) = gate(&app, &head.method, ALLOW) {
        return answer;
    }
    let is_public = app.live().metrics_public;
    let accounts = if is_public {
        app.accounts()
    } else {
        let query = Query::parse(head.uri.query().unwrap_or(""));
        let caller = app.caller(&query, &head.headers)?;
        caller.administers()?;
        vec![caller.account.to_string()]
    };
    let publish = || publish(&app, &accounts, is_public);
    Ok(larder_serve::scrape(publish))
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
    app.counts().publish("larder_http_requests_total");
}
