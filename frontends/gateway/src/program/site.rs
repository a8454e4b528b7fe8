//! What is deployed: which of several takes a request, and who may be asked.
//!
//! # Idea         both kinds of policies answer requests, say what they did, and were checked before; here is the one place that tells them apart
//! # Costs        a request: a look through what is deployed
//! # Invariants   SI1 a site stands on an engine and never changes: a reload makes another over the same engine
//! # Not here     files: module `read`

use crate::azure;
use crate::engine::Engine;
use crate::finding::Finding;
use crate::http::{Request, Response};
use crate::trace::Trace;
use crate::upstream::{Reach, Upstream};

use super::read::Read;
use super::settings::{Settings, SettingsError};

/// What is deployed.
#[derive(Debug)]
pub struct Site {
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
    /// Reads what the settings name. `before` is what it will stand in for: counters go on.
    ///
    /// # Errors
    /// A file can't be read, or settings don't go together.
    pub fn load(
        settings: &Settings,
        engine: &Engine,
        upstream: impl Upstream,
        before: Option<&Self>,
    ) -> Result<Loaded, SettingsError> {
        let Read { apis, mut findings } = Read::all(settings)?;
        let backends = apis.iter().filter_map(|api| api.api.service_url.as_ref());
        let mut hosts: Vec<String> = backends.filter_map(host).collect();
        hosts.extend(settings.backends.hosts.iter().cloned());
        let reach = Reach::new(upstream, hosts);
        findings.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
        if findings.iter().any(Finding::is_error) {
            return Ok(Loaded {
                site: None,
                findings,
            });
        }
        let of = settings.for_azure();
        let azure = match before {
            Some(before) => before.azure.reloaded(reach, of, apis),
            None => azure::Gateway::new(engine.clone(), reach, of, apis),
        };
        Ok(Loaded {
            site: Some(Self { azure }),
            findings,
        })
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request, trace: Trace) -> (Response, Trace) {
        let handled = self.azure.handle(request, trace).await;
        (handled.response, handled.trace)
    }

    /// The engine's tenants that its data is kept under.
    pub fn tenants(&self) -> Vec<String> {
        vec![self.azure.tenant().to_owned()]
    }
}

/// The host of a URL, as lists of hosts name it.
fn host(url: &url::Url) -> Option<String> {
    let name = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    })
}
