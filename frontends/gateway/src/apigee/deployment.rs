//! A bundle in an environment.
//!
//! # Idea         what a bundle needs of its environment is looked at once; then it takes requests
//! # Costs        once a deployment
//! # Invariants   D1 a deployment's policies name caches that the environment knew when it was made
//! # Not here     flows: module `run`

use std::time::Duration;

use larder::Flow;

use super::bundle::{Bundle, Endpoint};
use super::context::{Context, Place};
use super::environment::Environment;
use super::policy::{Act, CacheKey};
use super::run::{Run, fault_response};
use crate::finding::Finding;
use crate::http::{Request, Response, StatusCode, remove_hop_by_hop};
use crate::trace::Trace;
use crate::upstream::Reach;

/// A bundle in an environment.
#[derive(Debug)]
pub struct Deployment {
    pub(super) bundle: Bundle,
    pub(super) environment: Environment,
    pub(super) reach: Reach,
    /// Of targets that say nothing themselves.
    pub(super) target_timeout: Duration,
    node_findings: Vec<Finding>,
}

/// How long a target may take, with the vendor.
const TARGET_TIMEOUT: Duration = Duration::from_secs(55);

/// What came of a request.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub response: Response,
    /// What policies have left in variables.
    pub context: Context,
    /// What was done.
    pub trace: Trace,
}

impl Deployment {
    /// Deploys a bundle.
    ///
    /// # Errors
    /// `InvalidCacheResourceReference`: a policy names a cache that the environment doesn't know.
    pub fn new(
        bundle: Bundle,
        environment: Environment,
        reach: Reach,
    ) -> Result<Self, Vec<Finding>> {
        let mut errors = Vec::new();
        let mut node_findings = Vec::new();
        for located in bundle.policies.values() {
            let policy = &located.policy;
            let Some(name) = policy
                .act
                .cache_key()
                .and_then(|key| key.resource.as_deref())
            else {
                continue;
            };
            let place = format!(
                "cache `{name}`, policy `{}`, revision {} of proxy `{}`, organization `{}`, environment `{}`",
                policy.name,
                bundle.revision,
                bundle.name,
                environment.organization(),
                environment.name(),
            );
            if !environment.knows(name) {
                let finding = Finding::error(policy.at, format!("there is no such cache: {place}"));
                errors.push(
                    finding
                        .with_code("InvalidCacheResourceReference")
                        .in_file(&located.file),
                );
            } else if environment.cache(Some(name)).is_none() {
                let finding =
                    Finding::error(policy.at, format!("this node has no such cache: {place}"));
                node_findings.push(finding.with_code("CacheNotFound").in_file(&located.file));
            }
        }
        match errors.is_empty() {
            true => Ok(Self {
                bundle,
                environment,
                reach,
                target_timeout: TARGET_TIMEOUT,
                node_findings,
            }),
            false => Err(errors),
        }
    }

    /// The same with another time for targets that say nothing themselves.
    #[must_use]
    pub fn with_target_timeout(self, target_timeout: Duration) -> Self {
        Self {
            target_timeout,
            ..self
        }
    }

    /// What this node lacks.
    pub fn node_findings(&self) -> &[Finding] {
        &self.node_findings
    }

    /// Whether this node lacks something.
    pub fn is_partial(&self) -> bool {
        !self.node_findings.is_empty()
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// How much of a path belongs to it, in bytes: of several deployments the one with the most takes a request.
    pub fn takes(&self, path: &str) -> Option<usize> {
        self.endpoint(path).map(|(_, base)| base.len())
    }

    fn endpoint<'p>(&self, path: &'p str) -> Option<(&Endpoint, &'p str)> {
        let proxies = self.bundle.proxies.iter().filter_map(|proxy| {
            let base = proxy.base_path.trim_end_matches('/');
            let rest = path.strip_prefix(base)?;
            let is_whole = rest.is_empty() || rest.starts_with('/');
            is_whole.then(|| (proxy, &path[..base.len()]))
        });
        proxies.max_by_key(|(_, base)| base.len())
    }

    /// Answers a request.
    pub async fn handle(&self, mut request: Request, mut trace: Trace) -> Handled {
        let mut place = Place {
            organization: self.environment.organization().to_owned(),
            environment: self.environment.name().to_owned(),
            application: self.bundle.name.clone(),
            revision: self.bundle.revision.clone(),
            ..Place::default()
        };
        remove_hop_by_hop(&mut request.headers);
        let Some((proxy, base)) = self.endpoint(&request.path) else {
            let response = fault_response(
                StatusCode::NOT_FOUND,
                "Unable to identify proxy for the path",
                "messaging.adaptors.http.flow.ApplicationNotFound",
            );
            let context = Context::new(request, place);
            return Handled {
                response,
                context,
                trace,
            };
        };
        trace.set_route(&self.bundle.name);
        place.proxy = proxy.name.clone();
        place.base_path = base.to_owned();
        place.path_suffix = request.path[base.len()..].to_owned();
        place.flow = Flow::Proxy;
        let mut run = Run::new(self, proxy, Context::new(request, place), trace);
        let mut response = run.all().await;
        remove_hop_by_hop(&mut response.headers);
        let Run { context, trace, .. } = run;
        Handled {
            response,
            context,
            trace,
        }
    }
}

impl Act {
    /// The key of a policy that has one.
    pub(super) fn cache_key(&self) -> Option<&CacheKey> {
        match self {
            Self::Lookup(lookup) => Some(&lookup.key),
            Self::Populate(populate) => Some(&populate.key),
            Self::Invalidate(invalidate) => Some(&invalidate.key),
            Self::Assign(_) | Self::Callout(_) | Self::Raise(_) => None,
        }
    }
}
