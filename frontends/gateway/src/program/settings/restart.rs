//! Which settings hold from the next start on.
//!
//! # Idea         a reload takes documents, hosts and what they are told; who changes anything else is told that it waits
//! # Costs        a comparison at each reload
//! # Invariants   none
//! # Not here     the reload: module `app`

use super::{ApigeeSettings, Backends, Settings};

impl Settings {
    /// The names of settings that aren't as in those that the process started with, and that a reload doesn't take up.
    pub fn waiting(&self, started: &Self) -> impl Iterator<Item = &'static str> {
        let reloaded = Backends {
            hosts: self.backends.hosts.clone(),
            timeout_ms: self.backends.timeout_ms,
            ..started.backends.clone()
        };
        let of_backends = self.backends != reloaded;
        let reloaded = ApigeeSettings {
            bundles: self.apigee.bundles.clone(),
            caches: self.apigee.caches.clone(),
            ..started.apigee.clone()
        };
        let of_apigee = self.apigee != reloaded;
        let differ = [
            ("listen", self.listen != started.listen),
            ("admin", self.admin != started.admin),
            ("max_bytes", self.max_bytes != started.max_bytes),
            (
                "body_bytes_max",
                self.body_bytes_max != started.body_bytes_max,
            ),
            ("requests_max", self.requests_max != started.requests_max),
            ("bodies_max", self.bodies_max != started.bodies_max),
            (
                "bodies_grace_ms",
                self.bodies_grace_ms != started.bodies_grace_ms,
            ),
            (
                "bodies_bytes_max",
                self.bodies_bytes_max != started.bodies_bytes_max,
            ),
            ("behind_proxy", self.behind_proxy != started.behind_proxy),
            ("log", self.log != started.log),
            ("tls", self.tls != started.tls),
            ("connections", self.connections != started.connections),
            ("backends, but hosts and timeout_ms", of_backends),
            ("level", self.level != started.level),
            ("warm", self.warm != started.warm),
            ("apigee, but bundles and caches", of_apigee),
        ];
        differ
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| name)
    }
}
