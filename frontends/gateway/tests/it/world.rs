//! A gateway, a clock that is moved by hand, and everybody else played by a function.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder::{Cache, Levels, ManualClock, MemoryLevel};
use larder_gateway::azure::expr::Subscription;
use larder_gateway::azure::read::{Surroundings, read};
use larder_gateway::azure::{ApiSettings, Gateway, Settings};
use larder_gateway::engine::{Engine, Time};
use larder_gateway::http::{Call, Request, Response};
use larder_gateway::trace::Trace;
use larder_gateway::upstream::{Boxed, Reach, SendError, Upstream};
use parking_lot::Mutex;

/// What a call is answered with.
pub(crate) type Answers = dyn Fn(&Call) -> Result<Response, SendError> + Send + Sync;

/// Instead of an answer: that none ever comes.
pub(crate) const NEVER: SendError = SendError::Failed(String::new());

/// Everybody whom the gateway may ask.
#[derive(Clone)]
pub(crate) struct Others {
    answers: Arc<Mutex<Arc<Answers>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Others {
    pub(crate) fn new(
        answers: impl Fn(&Call) -> Result<Response, SendError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            answers: Arc::new(Mutex::new(Arc::new(answers))),
            calls: Arc::default(),
        }
    }

    pub(crate) fn answer(
        &self,
        answers: impl Fn(&Call) -> Result<Response, SendError> + Send + Sync + 'static,
    ) {
        *self.answers.lock() = Arc::new(answers);
    }

    /// The URLs that were asked since the last time, each with its method unless that is GET.
    pub(crate) fn take(&self) -> Vec<String> {
        let calls = std::mem::take(&mut *self.calls.lock());
        let text = |call: Call| match call.method.as_str() {
            "GET" => call.url.to_string(),
            method => format!("{method} {}", call.url),
        };
        calls.into_iter().map(text).collect()
    }

    /// The last call.
    pub(crate) fn last(&self) -> Call {
        self.calls
            .lock()
            .last()
            .cloned()
            .expect("somebody was asked")
    }
}

impl Upstream for Others {
    fn send(&self, call: Call) -> Boxed<'_, Result<Response, SendError>> {
        Box::pin(async move {
            self.calls.lock().push(call.clone());
            // Others get their turn while this one waits for its answer.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            let answers = Arc::clone(&*self.answers.lock());
            match answers(&call) {
                Err(error) if error == NEVER => std::future::pending().await,
                answer => answer,
            }
        })
    }
}

/// Named values and files of the tests.
pub(crate) struct Around;

impl Surroundings for Around {
    fn named_value(&self, name: &str) -> Option<String> {
        Some(
            match name {
                "profile-service" => "https://profile.example",
                "scheme" => "https",
                "backend-domain" => ".backend.example",
                "signing-key" => "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
                _ => return None,
            }
            .to_owned(),
        )
    }

    fn file(&self, path: &str) -> Option<String> {
        (path == "keys.json").then(|| crate::azure_tokens::KEY_SET.to_owned())
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) engine: Engine,
    pub(crate) level: Option<MemoryLevel>,
    pub(crate) others: Others,
    pub(crate) gateway: Gateway,
    runtime: tokio::runtime::Runtime,
}

pub(crate) const HOSTS: [&str; 5] = [
    "backend.example",
    "api.example",
    "profile.example",
    "hw-a.backend.example",
    "hw-b.backend.example",
];

pub(crate) fn subscription(key: &str) -> Subscription {
    Subscription {
        key: key.to_owned(),
        id: format!("id-{key}"),
        product: Some("gold".to_owned()),
    }
}

/// The settings that most tests have: keys are optional, K1 and K2 are known.
pub(crate) fn settings() -> Settings {
    Settings {
        subscriptions: vec![subscription("K1"), subscription("K2")],
        subscription_required: false,
        ..Settings::default()
    }
}

pub(crate) fn api(document: &str) -> ApiSettings {
    let document = read(document, &Around).unwrap_or_else(|findings| panic!("{findings:?}"));
    ApiSettings::new(
        "api",
        Some("https://backend.example/svc/".parse().unwrap()),
        document,
    )
}

/// 2026-01-01T00:00:00Z.
pub(crate) fn birth() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

impl World {
    /// A gateway whose backend answers `ok`.
    pub(crate) fn new(document: &str) -> Self {
        Self::with(document, settings(), None)
    }

    /// The same with an external cache.
    pub(crate) fn with_external(document: &str) -> Self {
        let clock = ManualClock::new();
        Self::made(
            vec![api(document)],
            settings(),
            Some(MemoryLevel::with_clock(clock.clone())),
            clock,
        )
    }

    pub(crate) fn with(document: &str, settings: Settings, level: Option<MemoryLevel>) -> Self {
        Self::made(vec![api(document)], settings, level, ManualClock::new())
    }

    pub(crate) fn with_apis(apis: Vec<ApiSettings>) -> Self {
        Self::made(apis, settings(), None, ManualClock::new())
    }

    fn made(
        apis: Vec<ApiSettings>,
        settings: Settings,
        level: Option<MemoryLevel>,
        clock: ManualClock,
    ) -> Self {
        let time = Time::manual(clock.clone(), birth());
        let cache = Cache::builder()
            .max_bytes(32 << 20)
            .clock(time.clone())
            .build()
            .unwrap();
        let mut engine = Engine::new(cache, time.clone());
        if let Some(level) = &level {
            engine = engine.with_levels(Levels::new(level.clone(), b"test"));
        }
        let others = Others::new(|_| Ok(Response::text(200, "ok")));
        let reach = Reach::new(others.clone(), HOSTS);
        let gateway = Gateway::new(engine.clone(), reach, settings, apis);
        Self {
            clock,

            engine,
            level,
            others,
            gateway,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
        }
    }

    /// Another gateway over the same engine.
    pub(crate) fn beside(&self, document: &str, settings: Settings) -> Gateway {
        Gateway::new(
            self.engine.clone(),
            self.reach(),
            settings,
            vec![api(document)],
        )
    }

    /// Everybody who may be asked.
    pub(crate) fn reach(&self) -> Reach {
        Reach::new(self.others.clone(), HOSTS)
    }

    pub(crate) fn seconds(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn handle(&self, request: Request) -> Response {
        self.handle_by(&self.gateway, request)
    }

    pub(crate) fn handle_by(&self, gateway: &Gateway, request: Request) -> Response {
        self.block_on(gateway.handle(request, Trace::off()))
            .response
    }

    /// A GET without anything.
    pub(crate) fn get(&self) -> Response {
        self.handle(Request::get("/x"))
    }

    /// The same with a key.
    pub(crate) fn get_as(&self, key: &str) -> Response {
        self.handle(Request::get("/x").header("Ocp-Apim-Subscription-Key", key))
    }

    /// The body of the answer to a GET, which must be a success.
    pub(crate) fn body(&self) -> String {
        let response = self.get();
        assert_eq!(response.status, 200, "{}", response.body_text());
        response.body_text()
    }

    /// A trace of a GET, and its answer.
    pub(crate) fn trace(&self) -> (Response, String) {
        let handled = self.block_on(self.gateway.handle(Request::get("/x"), Trace::on()));
        let steps: Vec<String> = handled
            .trace
            .steps()
            .iter()
            .map(ToString::to_string)
            .collect();
        (handled.response, steps.join("\n"))
    }
}

/// A document whose answer is the value of an expression after some policies.
pub(crate) fn telling(policies: &str, expression: &str) -> String {
    format!(
        "<inbound>{policies}<return-response><set-body>@({expression})</set-body></return-response></inbound>"
    )
}
