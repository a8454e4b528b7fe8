//! Who is asked over the network: behind a trait, so that tests need none; and who may be asked at all.
//!
//! # Idea         every call of a gateway goes through `Reach`, which holds the list of hosts and the client
//! # Costs        a boxed future a call
//! # Invariants   U1 nobody is asked who isn't on the list: host and port of the parsed URL are compared, nothing of its text
//! # Not here     sockets

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use url::Url;

use crate::http::{Call, Response};

/// A future on the heap, as trait objects return them.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends calls.
pub trait Upstream: Send + Sync + 'static {
    /// Sends a call and waits for the whole answer, for [`Call::within`] at most.
    fn send(&self, call: Call) -> Boxed<'_, Result<Response, SendError>>;
}

/// Why there is no answer. An answer of whatever status is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It took too long.
    TimedOut,
    /// The host isn't on the list of those that may be asked.
    NotAllowed {
        /// The host, and its port where that isn't the scheme's.
        host: String,
    },
    /// The answer is larger than may be kept.
    TooLarge,
    /// No connection, or one that broke.
    Failed(String),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NotAllowed { host } => write!(f, "the host {host} is not on the allow list"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Failed(why) => write!(f, "no answer: {why}"),
        }
    }
}

impl Error for SendError {}

/// Whom a gateway can reach: the client, and the hosts on the list.
#[derive(Clone)]
pub struct Reach {
    upstream: Arc<dyn Upstream>,
    hosts: Arc<HashSet<String>>,
}

impl Reach {
    /// A client that asks only these hosts, each `name` or `name:port`. A name alone allows the ports of http and https; nobody
    /// else is ever asked.
    pub fn new<H: AsRef<str>>(upstream: impl Upstream, hosts: impl IntoIterator<Item = H>) -> Self {
        let lower = |host: H| host.as_ref().to_ascii_lowercase();
        Self {
            upstream: Arc::new(upstream),
            hosts: Arc::new(hosts.into_iter().map(lower).collect()),
        }
    }

    /// Whether a URL may be asked.
    ///
    /// # Errors
    /// [`SendError::NotAllowed`].
    pub fn check(&self, url: &Url) -> Result<(), SendError> {
        let name = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        let is_web = matches!(url.scheme(), "http" | "https");
        // A port that is the scheme's own isn't in the URL, and may be on the list.
        let with_port = format!("{name}:{}", url.port_or_known_default().unwrap_or(0));
        let is_listed = self.hosts.contains(&host) || self.hosts.contains(&with_port);
        if is_web && !name.is_empty() && is_listed {
            return Ok(());
        }
        Err(SendError::NotAllowed { host })
    }

    /// Sends a call, if its host is on the list.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, call: Call) -> Result<Response, SendError> {
        self.check(&call.url)?;
        self.upstream.send(call).await
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// The URL of a path behind a base; `None` if it would lead out of the base.
pub(crate) fn below(base: &Url, rest: &str, query: Option<&str>) -> Option<Url> {
    let directory = base.path().trim_end_matches('/').to_owned();
    let mut url = base.clone();
    url.set_path(&format!("{directory}{rest}"));
    url.set_query(query);
    url.set_fragment(None);
    let behind = url.path().strip_prefix(&*directory)?;
    let is_below = behind.is_empty() || behind.starts_with('/');
    // A path that climbs and comes back isn't what a client sends in earnest.
    (is_below && !climbs(rest)).then_some(url)
}

/// Whether a path, or that of a URL's text, has a part that leads upward: a parser would leave no trace of it.
pub(crate) fn climbs(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|part| {
        let part = part.to_ascii_lowercase().replace("%2e", ".");
        part == ".."
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Upstream for Nobody {
        fn send(&self, _: Call) -> Boxed<'_, Result<Response, SendError>> {
            Box::pin(async { Err(SendError::TimedOut) })
        }
    }

    #[test]
    fn z_149_only_hosts_on_the_list_are_asked() {
        let reach = Reach::new(
            Nobody,
            ["good.example", "127.0.0.1:8080", "tls.example:443"],
        );
        let check = |url: &str| reach.check(&Url::parse(url).unwrap()).is_ok();
        assert!(check("https://GOOD.example/x"));
        assert!(check("http://127.0.0.1:8080/"));
        assert!(check("https://tls.example/") && check("https://tls.example:443/"));
        assert!(!check("http://tls.example/"));
        assert!(!check("http://127.0.0.1/"));
        assert!(!check("https://good.example:444/"));
        assert!(!check("https://good.example@evil.example/"));
        assert!(!check("https://good.example.evil.example/"));
        assert!(!check("file://good.example/etc/passwd"));
    }

    #[test]
    fn z_146_the_path_behind_the_prefix_and_the_query_are_kept() {
        let base = Url::parse("https://api.example/svc/api/v2/").unwrap();
        let url = |rest, query| below(&base, rest, query).map(String::from);
        assert_eq!(
            url("/customers", Some("a=1")).as_deref(),
            Some("https://api.example/svc/api/v2/customers?a=1")
        );
        assert_eq!(
            url("", None).as_deref(),
            Some("https://api.example/svc/api/v2")
        );
        for climbing in [
            "/../admin",
            "/..",
            "/x/%2E%2e/../admin",
            "/..\\admin",
            "/a/../b",
        ] {
            assert_eq!(url(climbing, None), None, "{climbing}");
        }
        assert_eq!(
            url("//evil.example/x", None).as_deref(),
            Some("https://api.example/svc/api/v2//evil.example/x")
        );
    }
}
