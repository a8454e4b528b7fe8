//! The way in and out: a request of a socket into one for policies, and their answer back.
//!
//! # Idea         what is of the connection ends here: bodies are read whole, and hyper frames what is sent anew
//! # Costs        bodies aren't copied where they came in one piece
//! # Invariants   F1 never more requests are under way than may be, nor more bodies being read: who sends slowly holds no place of
//!   those whose requests are whole, and none for longer than others leave free; F2 every answer is counted
//! # Not here     deadlines of connections: `larder-serve`; what a backend is told of a client: module `forwarding`

use std::any::Any;
use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{Version, header};
use hyper::ext::ReasonPhrase;
use larder_serve::body::BodyError;
use larder_serve::{End, Peer, REQUEST_ID, Trail};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Level, enabled, error, trace, warn};

use super::app::App;
use crate::http::{Method, Request, Response, StatusCode};
use crate::trace::Trace;

/// Every path of the listener.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .fallback(serve)
        .with_state(app)
        .layer(CatchPanicLayer::custom(panicked))
}

async fn serve(State(app): State<App>, request: axum::extract::Request) -> http::Response<Body> {
    let method = request.method().clone();
    let trail = Trail::new(request.headers(), &method);
    let (mut response, steps) = trail.follow(answer(&app, request, &trail)).await;
    app.counts.add(operation(&method), response.status);
    let (hits, misses) = steps.lookups();
    trail.end(End {
        route: steps.route(),
        status: response.status,
        hits,
        misses,
    });
    response.headers.insert(REQUEST_ID, trail.id().clone());
    send(response, &method)
}

async fn answer(app: &App, request: axum::extract::Request, trail: &Trail) -> (Response, Trace) {
    let request = match accepted(app, request, trail).await {
        Ok(request) => request,
        Err(refused) => return (refused, Trace::off()),
    };
    match app.slots.try_acquire() {
        Ok(_slot) => handled(app, request).await,
        Err(_) => (busy("Too many requests are under way."), Trace::off()),
    }
}

/// A request as policies see it, or why it isn't one.
async fn accepted(
    app: &App,
    request: axum::extract::Request,
    trail: &Trail,
) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    if let Some(refused) = refused(&head) {
        return Err(refused);
    }
    let body = read(app, body).await?;
    let client = head.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let mut headers = head.headers;
    app.forwarding.pass_on(&mut headers, head.version, client);
    headers.insert(REQUEST_ID, trail.id().clone());
    Ok(Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers,
        body,
        client,
    })
}

/// A request's body, or why it wasn't read.
async fn read(app: &App, body: Body) -> Result<Bytes, Response> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let place = app
        .bodies
        .take()
        .ok_or_else(|| busy("Too many bodies are being read."))?;
    let tell = |n_bytes| place.has_read(n_bytes);
    let body = app.read(body, app.body_bytes_max, tell);
    let body = tokio::select! {
        biased;
        body = body => body,
        () = place.lost() => {
            return Err(refusal(408, "The body came too slowly, and others wait."));
        }
    };
    body.map_err(|error| match error {
        BodyError::TooLarge => refusal(413, "The body is too large."),
        BodyError::TooSlow => refusal(408, "The body took too long."),
        BodyError::Broken => refusal(400, "The body is not well-formed."),
        BodyError::NoRoom => busy("The bodies in memory are too many or too large."),
    })
}

async fn handled(app: &App, request: Request) -> (Response, Trace) {
    let wanted = match enabled!(Level::TRACE) {
        true => Trace::on(),
        false => Trace::off(),
    };
    let (response, steps) = app.site.load_full().handle(request, wanted).await;
    for step in steps.steps() {
        match (step.is_warning, step.at) {
            (true, Some(at)) => warn!(policy = step.policy, %at, "a policy warns"),
            (true, None) => warn!(policy = step.policy, "a warning"),
            (false, _) => {}
        }
        trace!("{step}");
    }
    (response, steps)
}

/// What a request is answered that two servers may read in two ways; `None` lets it pass.
fn refused(head: &Parts) -> Option<Response> {
    let n_hosts = head.headers.get_all(header::HOST).iter().count();
    let is_named = n_hosts == 1 || n_hosts == 0 && head.version < Version::HTTP_11;
    if !is_named {
        return Some(refusal(400, "One Host is needed."));
    }
    if head.method == Method::CONNECT || head.method == Method::TRACE {
        return Some(refusal(405, "The method is not allowed.").header("Allow", ""));
    }
    match head.uri.path().starts_with('/') {
        true => None,
        false => Some(refusal(400, "The target is no path.")),
    }
}

/// A response as it is sent. What has no body says nothing of its length.
fn send(response: Response, method: &Method) -> http::Response<Body> {
    let status = match response.status.is_informational() {
        true => StatusCode::BAD_GATEWAY,
        false => response.status,
    };
    let is_empty = *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let body = match is_empty {
        true => Body::from_stream(stream::empty::<Result<Bytes, Infallible>>()),
        false => Body::from(response.body),
    };
    let mut sent = http::Response::new(body);
    *sent.status_mut() = status;
    *sent.headers_mut() = response.headers;
    let reason = response
        .reason
        .map(|reason| ReasonPhrase::try_from(reason.into_bytes()));
    if let Some(Ok(reason)) = reason {
        sent.extensions_mut().insert(reason);
    }
    sent
}

/// An answer of the gateway's own.
fn refusal(status: u16, message: &str) -> Response {
    let body = serde_json::json!({ "statusCode": status, "message": message });
    Response::text(status, body.to_string()).header("Content-Type", "application/json")
}

/// What is answered where there is no place.
fn busy(message: &str) -> Response {
    refusal(503, message).header("Retry-After", "1")
}

/// What a panic is answered.
fn panicked(_: Box<dyn Any + Send + 'static>) -> http::Response<Body> {
    // The message may hold what the client sent, so it stays with the panic hook.
    error!("a request panicked");
    send(refusal(500, "Internal server error"), &Method::GET)
}

/// The methods that are told apart.
pub(super) const OPERATIONS: [&str; 6] = ["get", "head", "post", "put", "delete", "other"];

fn operation(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::DELETE => 4,
        _ => 5,
    }
}
