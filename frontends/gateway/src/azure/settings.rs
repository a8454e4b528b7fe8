//! What a gateway is told beside its documents.
//!
//! # Idea         one structure with defaults that are the specification's
//! # Costs        plain values
//! # Invariants   none
//! # Not here     the file it may come from

use std::time::Duration;

use larder::LevelMode;
use url::Url;

use super::expr::{Api, Subscription};
use super::read::Document;
use crate::http::Method;

/// What a gateway is told beside its documents.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service, whose data is apart from that of all others.
    pub service: String,
    /// The region, which is apart as well.
    pub region: String,
    /// The tenant in the engine, if another than that of service and region is meant.
    pub tenant: Option<String>,
    /// The cache of the tenant, if another than its default is meant; it must be there.
    pub cache: Option<String>,
    /// Who may call.
    pub subscriptions: Vec<Subscription>,
    /// Whether a call without a key is refused.
    pub subscription_required: bool,
    /// Whether a key of the cache with a null part is an error.
    pub reject_null_in_key: bool,
    /// Whether references may leave the path of their base.
    pub allow_path_climb: bool,
    /// How long the external cache may take.
    pub cache_timeout: Duration,
    /// Where the internal cache is. With a level, the gateways that share it share the internal cache as well.
    pub internal: LevelMode,
    /// How long copies of it stay in memory where it is in both levels.
    pub internal_lifetime: Duration,
    /// The longest value that is stored.
    pub value_bytes_max: usize,
    /// How long the backend may take.
    pub backend_timeout: Duration,
    /// How long a request waits for another that computes the same value.
    pub request_timeout: Duration,
    /// How long this gateway may keep others from computing a value that it computes, where values are in the level, and waits for
    /// others at most; `None`: each computes for itself.
    pub lease: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: "service".to_owned(),
            region: "region".to_owned(),
            tenant: None,
            cache: None,
            subscriptions: Vec::new(),
            subscription_required: true,
            reject_null_in_key: true,
            allow_path_climb: false,
            cache_timeout: Duration::from_millis(500),
            internal: LevelMode::L1,
            internal_lifetime: Duration::from_secs(1),
            value_bytes_max: 2 << 20,
            backend_timeout: Duration::from_secs(300),
            request_timeout: Duration::from_secs(300),
            lease: None,
        }
    }
}

impl Settings {
    /// The name of the engine's tenant.
    pub(super) fn tenant(&self) -> String {
        let named = self.tenant.clone();
        named.unwrap_or_else(|| {
            // With its length, so that no two pairs make one name.
            let (service, region) = (&self.service, &self.region);
            format!("azure/{}/{service}/{region}", service.len())
        })
    }
}

/// An API: which requests it takes, and what is done with them.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Its name, id and backend.
    pub api: Api,
    /// What its paths begin with; empty: all.
    pub prefix: String,
    /// Its operations, which limits may name.
    pub operations: Vec<Operation>,
    /// Its policies.
    pub document: Document,
    /// What calls are counted under by limits of the document: APIs of the same scope share them. By default the API's id.
    pub policy_scope: String,
}

impl ApiSettings {
    /// An API that takes all requests.
    pub fn new(id: &str, service_url: Option<Url>, document: Document) -> Self {
        Self {
            api: Api {
                id: id.to_owned(),
                name: id.to_owned(),
                service_url,
            },
            prefix: String::new(),
            operations: Vec::new(),
            document,
            policy_scope: id.to_owned(),
        }
    }

    /// What is behind the prefix; `None` if the path doesn't begin with it.
    pub(super) fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.prefix.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// The operation of a request.
    pub(super) fn operation(&self, method: &Method, rest: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .find(|operation| operation.method == *method && operation.is_path(rest))
    }
}

/// One operation of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its method.
    pub method: Method,
    /// Its path behind the prefix; a part in braces stands for any, a `*` at the end for all that follows.
    pub path: String,
}

impl Operation {
    fn is_path(&self, path: &str) -> bool {
        let mut parts = path.trim_matches('/').split('/');
        for wanted in self.path.trim_matches('/').split('/') {
            if wanted == "*" {
                return true;
            }
            let is_any = wanted.starts_with('{') && wanted.ends_with('}');
            match parts.next() {
                Some(part) if is_any && !part.is_empty() || part == wanted => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}
