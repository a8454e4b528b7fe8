//! A gateway: which API a request is for, who asks, and the sections in their order.
//!
//! # Idea         what is shared by all requests is here and never changes; a reload makes another gateway over the same engine
//! # Costs        a request: a look through the APIs, and its policies
//! # Invariants   W1 without a good subscription no policy runs; W2 keys of subscriptions never reach a backend
//! # Not here     what policies do: module `run`

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use larder::{LevelMode, NamedCache, TenantError};

use super::expr::Subscription;
use super::meters::Meters;
use super::run::{Run, Stop, refusal};
use super::settings::{ApiSettings, Settings};
use crate::engine::Engine;
use crate::http::{Request, Response, header, remove_hop_by_hop};
use crate::trace::Trace;
use crate::upstream::Reach;

/// The names under which clients send their key.
const KEY_HEADER: &str = "ocp-apim-subscription-key";
const KEY_PARAMETER: &str = "subscription-key";

/// Runs the policies of APIs.
///
/// # Examples
/// ```
/// use larder::Cache;
/// use larder_gateway::azure::{ApiSettings, Gateway, Settings, read::read};
/// use larder_gateway::engine::{Engine, Time};
/// use larder_gateway::http::{Call, Request, Response};
/// use larder_gateway::trace::Trace;
/// use larder_gateway::upstream::{Boxed, Reach, SendError, Upstream};
///
/// struct Echo;
///
/// impl Upstream for Echo {
///     fn send(&self, call: Call) -> Boxed<'_, Result<Response, SendError>> {
///         Box::pin(async move { Ok(Response::text(200, call.url.path())) })
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let time = Time::system();
/// let cache = Cache::builder().max_bytes(1 << 20).clock(time.clone()).build()?;
/// let document = read(r#"<outbound><find-and-replace from="old" to="new" /></outbound>"#, &()).unwrap();
/// let api = ApiSettings::new("echo", Some("http://backend.example/v1".parse()?), document);
/// let settings = Settings { subscription_required: false, ..Settings::default() };
/// let reach = Reach::new(Echo, ["backend.example"]);
/// let gateway = Gateway::new(Engine::new(cache, time), reach, settings, vec![api]);
///
/// let handled = gateway.handle(Request::get("/old"), Trace::off()).await;
/// assert_eq!(handled.response.body_text(), "/v1/new");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Gateway {
    pub(super) engine: Engine,
    pub(super) reach: Reach,
    pub(super) settings: Settings,
    pub(super) meters: Arc<Meters>,
    pub(super) tenant: String,
    apis: Vec<ApiSettings>,
    subscriptions: HashMap<String, Subscription>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// What was done.
    pub trace: Trace,
}

impl Gateway {
    /// A gateway for these APIs.
    pub fn new(engine: Engine, reach: Reach, settings: Settings, apis: Vec<ApiSettings>) -> Self {
        let shared = engine.shared_rates().cloned();
        let shared = shared.map(|rates| (rates, settings.tenant()));
        let meters = Arc::new(Meters::new(engine.time().clone(), shared));
        Self::with_meters(engine, reach, settings, apis, meters)
    }

    /// Another gateway for what was loaded anew: the same cache, the same counters. If the internal cache is elsewhere from now on, what
    /// is in memory goes: it would keep to no bound of copies.
    #[must_use]
    pub fn reloaded(&self, reach: Reach, settings: Settings, apis: Vec<ApiSettings>) -> Self {
        let engine = self.engine.clone();
        let gateway = Self::with_meters(engine, reach, settings, apis, Arc::clone(&self.meters));
        if let (true, Ok(values)) = (
            gateway.settings.internal != self.settings.internal,
            gateway.values(),
        ) {
            values.flush();
        }
        gateway
    }

    /// Where the internal cache isn't in memory alone, empties what is in memory: it came from elsewhere, and would keep to no bound of
    /// copies.
    pub fn stand_in(&self) {
        if let (true, Ok(values)) = (self.settings.internal != LevelMode::L1, self.values()) {
            values.flush();
        }
    }

    fn with_meters(
        engine: Engine,
        reach: Reach,
        settings: Settings,
        mut apis: Vec<ApiSettings>,
        meters: Arc<Meters>,
    ) -> Self {
        for api in &apis {
            super::run::prime(&meters, &api.document);
        }
        // The longest prefix is asked first.
        apis.sort_by_key(|api| std::cmp::Reverse(api.prefix.trim_end_matches('/').len()));
        let tenant = settings.tenant();
        let subscriptions = settings.subscriptions.iter();
        Self {
            engine,
            reach,
            meters,
            tenant,
            apis,
            subscriptions: subscriptions
                .map(|known| (known.key.clone(), known.clone()))
                .collect(),
            settings,
        }
    }

    /// The name of the engine's tenant that everything is kept under.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The cache that values are kept in.
    pub(super) fn values(&self) -> Result<NamedCache<'_, [u8]>, TenantError> {
        let tenant = self.engine.tenant(&self.tenant)?;
        match &self.settings.cache {
            Some(name) => tenant.cache(name),
            None => tenant.default_cache(),
        }
    }

    /// Answers a request.
    pub async fn handle(&self, mut request: Request, mut trace: Trace) -> Handled {
        let found = self.apis.iter().find_map(|api| {
            let rest = api.rest(&request.path)?.to_owned();
            Some((api, rest))
        });
        let Some((api, rest)) = found else {
            let response = refusal(StatusCode::NOT_FOUND, "Resource not found");
            return Handled { response, trace };
        };
        trace.set_route(&api.api.id);
        let subscription = match self.subscription(&mut request) {
            Ok(subscription) => subscription,
            Err(message) => {
                trace.note("subscription", None, || message.to_owned());
                let response = refusal(StatusCode::UNAUTHORIZED, message);
                return Handled { response, trace };
            }
        };
        remove_hop_by_hop(&mut request.headers);
        let mut run = Run::new(self, api, subscription, (request, rest), trace);
        let response = run.all(&api.document).await;
        Handled {
            response,
            trace: run.trace,
        }
    }

    /// Who asks; takes the key out of the request.
    fn subscription(&self, request: &mut Request) -> Result<Option<&Subscription>, &'static str> {
        let sent = header(&request.headers, KEY_HEADER).map(|key| key.into_owned());
        let key = sent.or_else(|| request.query_parameter(KEY_PARAMETER));
        request.headers.remove(KEY_HEADER);
        request.remove_query_parameter(KEY_PARAMETER);
        match key {
            None if self.settings.subscription_required => {
                Err("Access denied due to missing subscription key.")
            }
            None => Ok(None),
            Some(key) => match self.subscriptions.get(&key) {
                Some(known) => Ok(Some(known)),
                None => Err("Access denied due to invalid subscription key."),
            },
        }
    }
}

impl Run<'_> {
    /// Runs the sections in their order.
    async fn all(&mut self, document: &super::read::Document) -> Response {
        let mut response = match self.flow(document).await {
            Ok(()) => self.response(),
            Err(Stop::Answer(response)) => *response,
            Err(stop) => self.on_error(stop, document).await,
        };
        self.settle(&response);
        self.tell(&mut response);
        remove_hop_by_hop(&mut response.headers);
        response
    }

    async fn flow(&mut self, document: &super::read::Document) -> Result<(), Stop> {
        self.block(&document.inbound).await?;
        self.block(&document.backend).await?;
        self.forward_once().await?;
        self.block(&document.outbound).await
    }

    async fn on_error(&mut self, stop: Stop, document: &super::read::Document) -> Response {
        let response = match stop {
            Stop::Answer(response) | Stop::Refused(response) => *response,
            Stop::Failed { at, message } => {
                self.trace.warn("error", at, message);
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
            }
        };
        self.set_response(response);
        match self.block(&document.on_error).await {
            Ok(()) => self.response(),
            Err(Stop::Answer(response) | Stop::Refused(response)) => *response,
            Err(Stop::Failed { at, message }) => {
                self.trace.warn("error", at, message);
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
            }
        }
    }
}
