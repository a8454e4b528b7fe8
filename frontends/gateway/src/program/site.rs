//! What is deployed: which of several takes a request, and who may be asked.
//!
//! # Idea         both kinds of policies answer requests, say what they did, and were checked before; here is the one place that tells
//!   them apart
//! # Costs        a request: a look through what is deployed
//! # Invariants   SI1 a site stands on an engine and never changes: a reload makes another over the same engine
//! # Not here     files: module `read`

use url::Url;

use super::read::{Read, placed};
use super::settings::{Settings, SettingsError, check_host};
use crate::apigee::{Deployment, Environment};
use crate::azure;
use crate::engine::Engine;
use crate::finding::Finding;
use crate::http::{Request, Response};
use crate::trace::Trace;
use crate::upstream::{Reach, Upstream};

/// What is deployed.
#[derive(Debug)]
pub struct Site {
    environment: Environment,
    bundles: Vec<Deployment>,
    azure: azure::Gateway,
}

/// A site, if there are no errors, and what was found.
#[derive(Debug)]
pub struct Loaded {
    /// The site; `None` if one of the findings is an error.
    pub site: Option<Site>,
    /// What was found, in the order of files and lines.
    pub findings: Vec<Finding>,
}

impl Site {
    /// Reads what the settings name. `before` is what it will stand in for: counters go on, and caches that administrators have made
    /// stay.
    ///
    /// # Errors
    /// A file can't be read, or settings don't go together.
    pub fn load(
        settings: &Settings,
        engine: &Engine,
        upstream: impl Upstream,
        before: Option<&Self>,
    ) -> Result<Loaded, SettingsError> {
        let mut named = settings.backends.hosts.iter();
        named.try_for_each(|host| check_host(host))?;
        let read = Read::all(settings)?;
        let reach = Reach::new(upstream, hosts(settings, &read));
        let environment = match before {
            Some(before) => before.environment.clone(),
            None => settings
                .apigee
                .environment(engine, settings.environment_options())?,
        };
        settings.check_level()?;
        let described = environment.described();
        let loaded = match settings.apigee.describe(&environment) {
            Ok(()) => Self::deployed(settings, engine, reach, environment.clone(), before, read),
            Err(error) => Err(error),
        };
        if !matches!(&loaded, Ok(Loaded { site: Some(_), .. })) {
            settings.apigee.put_back(&environment, &described);
        }
        loaded
    }

    fn deployed(
        settings: &Settings,
        engine: &Engine,
        reach: Reach,
        environment: Environment,
        before: Option<&Self>,
        mut read: Read,
    ) -> Result<Loaded, SettingsError> {
        let mut bundles = Vec::new();
        for (folder, bundle) in read.bundles {
            let findings = match Deployment::new(bundle, environment.clone(), reach.clone()) {
                Ok(deployment) => {
                    let deployment = match settings.backends.timeout() {
                        Some(timeout) => deployment.with_target_timeout(timeout),
                        None => deployment,
                    };
                    let findings = deployment.node_findings().to_vec();
                    bundles.push(deployment);
                    findings
                }
                Err(findings) => findings,
            };
            let findings = findings.into_iter();
            read.findings
                .extend(findings.map(|finding| placed(finding, &folder)));
        }
        let mut findings = read.findings;
        findings.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
        if findings.iter().any(Finding::is_error) {
            return Ok(Loaded {
                site: None,
                findings,
            });
        }
        let of = settings.for_azure()?;
        let azure = match before {
            Some(before) => before.azure.reloaded(reach, of, read.apis),
            None => azure::Gateway::new(engine.clone(), reach, of, read.apis),
        };
        let site = Some(Self {
            environment,
            bundles,
            azure,
        });
        Ok(Loaded { site, findings })
    }

    /// Answers a request: by the bundle to which most of its path belongs, or else by an API.
    pub async fn handle(&self, request: Request, trace: Trace) -> (Response, Trace) {
        let bundles = self.bundles.iter();
        let taking = bundles.filter_map(|bundle| Some((bundle, bundle.takes(&request.path)?)));
        match taking.max_by_key(|(_, length)| *length) {
            Some((bundle, _)) => {
                let handled = bundle.handle(request, trace).await;
                (handled.response, handled.trace)
            }
            None => {
                let handled = self.azure.handle(request, trace).await;
                (handled.response, handled.trace)
            }
        }
    }

    /// Gives up what in memory isn't what this site has there: it came from a file.
    pub fn stand_in(&self) {
        self.azure.stand_in();
        self.environment.stand_in();
    }

    /// The environment of the bundles.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The engine's tenants that its data is kept under.
    pub fn tenants(&self) -> [&str; 2] {
        [self.azure.tenant(), self.environment.tenant()]
    }
}

/// Who may be asked: the backends and targets that are written down, and the hosts of the settings.
fn hosts(settings: &Settings, read: &Read) -> Vec<String> {
    let apis = read.apis.iter();
    let mut hosts: Vec<String> = apis
        .filter_map(|api| host(api.api.service_url.as_ref()?))
        .collect();
    let targets = read.bundles.iter().flat_map(|(_, bundle)| &bundle.targets);
    // One with a variable in its host is no URL, or one that the settings have to allow.
    let urls = targets.filter_map(|target| Url::parse(target.url.as_deref()?).ok());
    hosts.extend(urls.filter_map(|url| host(&url)));
    hosts.extend(settings.backends.hosts.iter().cloned());
    hosts
}

/// The host of a URL, as lists of hosts name it.
fn host(url: &Url) -> Option<String> {
    let name = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    })
}
