//! What a backend is told of the client, and what of the client's own words it isn't.
//!
//! # Idea         the gateway says whom it speaks for: by address and scheme. What a client says of itself in these headers it could have
//!   made up, unless a proxy that is trusted stands before the gateway
//! # Costs        a few headers a request
//! # Invariants   FO1 where nobody before the gateway is trusted, the only address and scheme that a backend hears of are those
//!   that the gateway saw
//! # Not here     which headers are of one connection: module `http`

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use crate::http::remove_hop_by_hop;

/// Who stands before the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forwarding {
    /// Whether it is a proxy whose word is good.
    pub(super) is_trusted: bool,
    /// Whether clients speak TLS with the gateway.
    pub(super) has_tls: bool,
}

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What else clients say in the name of proxies; the gateway has nothing to say there.
const OTHERS: [HeaderName; 5] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-real-ip"),
];

impl Forwarding {
    /// Makes the headers of a client those of the gateway's request.
    pub(super) fn pass_on(self, headers: &mut HeaderMap, version: Version, client: Option<IpAddr>) {
        // Before anything is added: or a client could have it taken out again, by naming it in `Connection`.
        remove_hop_by_hop(headers);
        headers.remove(header::EXPECT);
        let via = match version {
            Version::HTTP_10 => "1.0 larder-gateway",
            _ => "1.1 larder-gateway",
        };
        headers.append(header::VIA, HeaderValue::from_static(via));
        if !self.is_trusted {
            headers.remove(FOR);
            headers.remove(PROTO);
            for name in OTHERS {
                headers.remove(name);
            }
        }
        let client = client.and_then(|client| HeaderValue::try_from(client.to_string()).ok());
        if let Some(client) = client {
            headers.append(FOR, client);
        }
        let scheme = HeaderValue::from_static(if self.has_tls { "https" } else { "http" });
        headers.entry(PROTO).or_insert(scheme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;

    fn passed(forwarding: Forwarding, request: Request) -> Vec<String> {
        let mut headers = request.headers;
        let client = Some(IpAddr::from([10, 0, 0, 9]));
        forwarding.pass_on(&mut headers, Version::HTTP_11, client);
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn forged() -> Request {
        Request::get("/")
            .header("Host", "api.example")
            .header("X-Forwarded-For", "1.1.1.1")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Proto", "https")
            .header("Forwarded", "for=1.1.1.1")
            .header("X-Real-Ip", "1.1.1.1")
            .header("Expect", "100-continue")
            .header(
                "Connection",
                "Via, X-Forwarded-For, X-Forwarded-Host, X-Mine",
            )
            .header("X-Mine", "1")
    }

    #[test]
    fn what_a_client_says_in_the_name_of_proxies_is_not_passed_on() {
        let forwarding = Forwarding {
            is_trusted: false,
            has_tls: false,
        };
        let expected = [
            "via: 1.1 larder-gateway",
            "x-forwarded-for: 10.0.0.9",
            "x-forwarded-proto: http",
        ];
        assert_eq!(passed(forwarding, forged()), expected);
    }

    #[test]
    fn what_a_trusted_proxy_says_is_passed_on_and_added_to() {
        let forwarding = Forwarding {
            is_trusted: true,
            has_tls: false,
        };
        let expected = [
            "forwarded: for=1.1.1.1",
            "via: 1.1 larder-gateway",
            "x-forwarded-for: 1.1.1.1",
            "x-forwarded-for: 10.0.0.9",
            "x-forwarded-host: evil.example",
            "x-forwarded-proto: https",
            "x-real-ip: 1.1.1.1",
        ];
        let mut said = forged();
        said.headers.remove("connection");
        said.headers.remove("x-mine");
        assert_eq!(passed(forwarding, said), expected);
        let tls = Forwarding {
            has_tls: true,
            ..forwarding
        };
        let lines = passed(tls, Request::get("/"));
        assert!(
            lines.contains(&"x-forwarded-proto: https".to_owned()),
            "{lines:?}"
        );
    }
}
