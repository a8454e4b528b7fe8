//! A gateway: what is deployed, the limits around it, and the routers that are served.
//!
//! # Idea         it knows no sockets, so that programs, tests and examples serve it in one way: by `larder-serve`
//! # Costs        a request: a load of the site
//! # Invariants   AP1 a reload that fails changes nothing
//! # Not here     requests: module `front`

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use larder::Janitor;
use larder_serve::body::{BodyError, Budget};
use larder_serve::{Connections, Counts, Health, Tier, Warmed};
use tokio::sync::Semaphore;
use tracing::warn;

use super::bodies::Bodies;
use super::client::Client;
use super::forwarding::Forwarding;
use super::level::Standing;
use super::settings::{Settings, SettingsError};
use super::site::{Loaded, Site};
use super::{admin, front};
use crate::engine::Engine;
use crate::finding::Finding;

/// A gateway. Clones are the same.
#[derive(Clone)]
pub struct App {
    pub(super) site: Arc<ArcSwap<Site>>,
    pub(super) engine: Engine,
    pub(super) tier: Option<Tier>,
    pub(super) client: Client,
    pub(super) slots: Arc<Semaphore>,
    pub(super) bodies: Arc<Bodies>,
    budget: Budget,
    bodies_bytes_max: u64,
    pub(super) counts: Arc<Counts>,
    pub(super) body_bytes_max: u64,
    pub(super) forwarding: Forwarding,
    pub(super) connections: Connections,
    pub(super) health: Health,
    /// Of administrators of caches.
    pub(super) token: Option<Arc<str>>,
    _janitor: Arc<Janitor>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings can't be used, or a file.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// Documents have errors.
    #[error("{}", lines(.0))]
    Findings(Vec<Finding>),
}

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl App {
    /// Reads what is to be served; warnings are given to `tell`.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(settings: &Settings, tell: impl FnMut(&Finding)) -> Result<Self, StartError> {
        let (engine, tier) = settings.engine(Standing::Real)?;
        let client = Client::new(&settings.backends)?;
        let Loaded { site, findings } = Site::load(settings, &engine, client.clone(), None)?;
        let Some(site) = site else {
            return Err(StartError::Findings(findings));
        };
        findings.iter().for_each(tell);
        let janitor = Janitor::start(engine.cache(), Duration::from_millis(500));
        Ok(Self {
            _janitor: Arc::new(janitor.map_err(|error| SettingsError::of(&error))?),
            site: Arc::new(ArcSwap::from_pointee(site)),
            engine,
            tier,
            client,
            slots: Arc::new(Semaphore::new(
                settings.requests_max.min(Semaphore::MAX_PERMITS),
            )),
            budget: Budget::default(),
            bodies_bytes_max: settings.bodies_bytes_max,
            bodies: Arc::new(Bodies::new(
                settings.bodies_max,
                Duration::from_millis(settings.bodies_grace_ms),
            )),
            counts: Arc::new(Counts::new(&front::OPERATIONS)),
            body_bytes_max: settings.body_bytes_max,
            forwarding: Forwarding {
                is_trusted: settings.behind_proxy,
                has_tls: settings.tls.is_some(),
            },
            connections: settings.connections,
            health: Health::default(),
            token: settings.apigee.token.as_deref().map(Arc::from),
        })
    }

    /// Restores what the file of the settings holds, and has it written from now on. What isn't of what is served goes, and what is in the
    /// memory of caches that use a further level, which has it as well.
    ///
    /// # Errors
    /// What of the section can't be used.
    pub fn warm(&self, settings: &Settings) -> Result<Option<Warmed>, SettingsError> {
        let Some(warm) = settings.warm() else {
            return Ok(None);
        };
        let (cache, site) = (self.engine.cache(), self.site());
        let warmed = warm.start(cache);
        let warmed = warmed.map_err(|error| SettingsError::of(&error))?;
        for (name, _) in cache.tenants() {
            if !site.tenants().contains(&&*name) {
                cache.delete_tenant(&name);
            }
        }
        site.stand_in();
        Ok(Some(warmed))
    }

    /// Reads a request's body; tells with each piece how many bytes have come.
    pub(super) async fn read(
        &self,
        body: Body,
        bytes_max: u64,
        tell: impl FnMut(u64),
    ) -> Result<Bytes, BodyError> {
        let (together_max, connections) = (self.bodies_bytes_max, &self.connections);
        let held = self
            .budget
            .collect(body, bytes_max, together_max, connections, tell);
        Ok(held.await?.into())
    }

    /// The traffic.
    pub fn router(&self) -> Router {
        front::router(self.clone())
    }

    /// Health and metrics, for an address of their own.
    pub fn admin_router(&self) -> Router {
        admin::router(self.clone())
    }

    /// Whether it should be sent requests.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The engine, whose counters tell what was found.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is deployed.
    pub fn site(&self) -> Arc<Site> {
        self.site.load_full()
    }

    /// Reads what is to be served anew: documents, hosts, subscriptions. Addresses, limits of connections and the level stay.
    ///
    /// # Errors
    /// [`StartError`]; what is served is what was served before, then.
    pub fn reload(&self, settings: &Settings) -> Result<(), StartError> {
        let before = self.site.load_full();
        let loaded = Site::load(settings, &self.engine, self.client.clone(), Some(&before))?;
        let Some(site) = loaded.site else {
            return Err(StartError::Findings(loaded.findings));
        };
        for finding in &loaded.findings {
            warn!("{finding}");
        }
        self.site.store(Arc::new(site));
        Ok(())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
