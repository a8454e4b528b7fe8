//! What the scenarios have in common: backends on free ports, a gateway in front of them, and a client that tells what it sees.

mod local;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use larder_gateway::http::{Call, HeaderMap, Method, Request, append};
use larder_gateway::program::{App, Backends, Client, Settings, SubscriptionEntry, tell};
use larder_gateway::upstream::Upstream;
use larder_serve::Connections;
use parking_lot::Mutex;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which backends were asked for what, since the last request.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// Starts a backend, and tells where it is.
    pub(crate) async fn backend(
        &self,
        name: &'static str,
        answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> io::Result<SocketAddr> {
        let asked = self.clone();
        let serve = move |uri: Uri| {
            asked.0.lock().push(format!("{name} {}", uri.path()));
            let (status, body) = answer(uri.path());
            let status = StatusCode::from_u16(status).unwrap_or_default();
            std::future::ready((status, body))
        };
        let router = Router::new().fallback(serve);
        local::serve(router, Connections::default()).await
    }
}

/// A gateway, and a client in front of it.
pub(crate) struct Stage<'t> {
    app: App,
    gateway: SocketAddr,
    client: Client,
    asked: Asked,
    out: &'t mut (dyn FnMut(&str) + Send),
}

/// Serves a gateway, and tells where it is.
pub(crate) async fn serve(app: &App) -> io::Result<SocketAddr> {
    local::serve(app.router(), Connections::default()).await
}

/// An API in front of a backend, with one of the documents in `policies`, hosts that may be asked, and keys that may call.
pub(crate) fn settings(
    document: &str,
    backend: &str,
    hosts: &[(&str, SocketAddr)],
    keys: &[&str],
) -> Result<Settings, Failure> {
    let mut settings = Settings {
        folder: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/policies"),
        backends: Backends {
            hosts: hosts.iter().map(|(name, _)| (*name).to_owned()).collect(),
            addresses: hosts
                .iter()
                .map(|(name, address)| ((*name).to_owned(), *address))
                .collect(),
            ..Backends::default()
        },
        ..Settings::default()
    };
    settings.azure.apis = vec![local::api(document, backend.parse()?)];
    let subscription = |key: &&str| SubscriptionEntry {
        key: (*key).to_owned(),
        id: format!("subscription {key}"),
        product: None,
    };
    settings.azure.subscriptions = keys.iter().map(subscription).collect();
    Ok(settings)
}

impl<'t> Stage<'t> {
    pub(crate) async fn new(
        settings: &Settings,
        asked: Asked,
        out: &'t mut (dyn FnMut(&str) + Send),
    ) -> Result<Self, Failure> {
        let app = App::new(settings, |_| ())?;
        let gateway = serve(&app).await?;
        let stage = Self {
            app,
            gateway,
            client: Client::new(&Backends::default())?,
            asked,
            out,
        };
        (stage.out)(&format!("the gateway listens on http://{gateway}"));
        Ok(stage)
    }

    /// Asks the gateway over its socket; tells what came of it, and what of it was in the cache.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        (name, value): (&str, &str),
        who: &str,
    ) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        append(&mut headers, name, value);
        let call = Call {
            method: Method::GET,
            url: format!("http://{}{path}", self.gateway).parse()?,
            headers,
            body: Default::default(),
            within: Duration::from_secs(30),
            connect_within: None,
        };
        let hits_before = self.app.engine().cache().stats().hits;
        let answer = self.client.send(call).await?;
        let n_hits = self.app.engine().cache().stats().hits - hits_before;
        let asked = std::mem::take(&mut *self.asked.0.lock());
        let body = answer.body_text();
        (self.out)(&format!("\nGET {path} by {who} -> {}", answer.status));
        for line in body.lines() {
            (self.out)(&format!("    {line}"));
        }
        (self.out)(&format!("  asked: {}", listed(&asked)));
        (self.out)(&format!("  values from the cache: {n_hits}"));
        Ok(body)
    }

    /// Tells step by step what the policies do with a request.
    pub(crate) async fn explain(
        &mut self,
        path: &str,
        (name, value): (&str, &str),
    ) -> Result<(), Failure> {
        let mut text = Vec::new();
        let request = Request::get(path).header(name, value);
        tell(&self.app.site(), request, &mut text).await?;
        (self.out)("\nonce more, step by step:");
        (self.out)(String::from_utf8_lossy(&text).trim_end());
        Ok(())
    }
}

fn listed(asked: &[String]) -> String {
    match asked {
        [] => "nobody".to_owned(),
        asked => asked.join(", "),
    }
}

/// Runs a scenario to its end, on a runtime of its own.
pub(crate) fn run<F>(scenario: F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime?.block_on(scenario)
}

/// Prints a line.
pub(crate) fn print(line: &str) {
    use std::io::Write as _;
    // Nobody has to read it.
    let _ = writeln!(io::stdout(), "{line}");
}
