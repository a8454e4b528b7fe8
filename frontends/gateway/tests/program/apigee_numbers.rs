//! What numbers of the Apigee-style specification say, where HTTP shows it: over sockets.

use axum::body::Body;
use axum::http::Response;
use larder_gateway::program::CacheEntry;
use serde_json::{Value as Json, json};

use crate::bundles::{bundle, deploy, gateway};
use crate::support::{Answer, Backend, Folder, Gateway, NOTHING};

const TODAY: &str = "/weather/today?client_id=a";

#[tokio::test(flavor = "multi_thread")]
async fn a_016_a_097_a_100_a_fault_is_500_in_the_vendors_form_or_what_its_rule_answers() {
    let backend = Backend::saying("sunny").await;
    let unsourced = r#"<PopulateCache name="Make"><CacheKey><KeyFragment>x</KeyFragment></CacheKey><Source>nothing</Source></PopulateCache>"#;
    let folder = bundle(&backend.url(), "").with("apiproxy/policies/Make.xml", unsourced);
    let plain = gateway(&folder, &backend).await;
    let answer = plain.get(TODAY).await;
    assert_eq!(answer.status, 500);
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    let code = &body["fault"]["detail"]["errorcode"];
    assert_eq!(code, "policies.populatecache.EntryCannotBeCached");

    let proxy = std::fs::read_to_string(folder.0.join("apiproxy/proxies/default.xml")).unwrap();
    let rule = r#"<FaultRules><FaultRule name="r"><Condition>fault.name = "EntryCannotBeCached"</Condition><Step><Name>Answer</Name></Step></FaultRule></FaultRules>"#;
    let answer = r#"<AssignMessage name="Answer"><Set><Payload contentType="text/plain">not kept</Payload><StatusCode>422</StatusCode></Set></AssignMessage>"#;
    let folder = folder
        .with(
            "apiproxy/proxies/default.xml",
            &proxy.replace("<PreFlow>", &format!("{rule}<PreFlow>")),
        )
        .with("apiproxy/policies/Answer.xml", answer);
    let ruled = gateway(&folder, &backend).await;
    let answer = ruled.get(TODAY).await;
    assert_eq!((answer.status, &*answer.body), (422, "not kept"));
    // A-11: the flow goes on if the policy says so.
    let going_on = unsourced.replace("name=", "continueOnError=\"true\" name=");
    let folder = folder.with("apiproxy/policies/Make.xml", &going_on);
    let keep = "<AssignMessage name=\"Keep\"/>";
    let folder = folder.with("apiproxy/policies/Keep.xml", keep);
    assert_eq!(
        gateway(&folder, &backend).await.get(TODAY).await.body,
        "sunny"
    );
    assert_eq!(backend.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_017_a_080_a_token_is_fetched_by_a_callout_on_a_miss_and_a_hit_is_sent_without() {
    let backend = Backend::new(|path| {
        Response::new(Body::from(match path {
            "/token" => "T-1",
            _ => "sunny",
        }))
    })
    .await;
    let callout = format!(
        r#"<ServiceCallout name="Make"><Request><Set><Verb>POST</Verb><Payload>{{request.queryparam.client_id}}</Payload></Set></Request>
        <Response>tokenResponse</Response><Timeout>3000</Timeout><HTTPTargetConnection><URL>{}token</URL></HTTPTargetConnection></ServiceCallout>"#,
        backend.url()
    );
    let folder = bundle(&backend.url(), "tokens");
    let read = |name: &str| std::fs::read_to_string(folder.0.join(name)).unwrap();
    let keep = read("apiproxy/policies/Keep.xml");
    let proxy = read("apiproxy/proxies/default.xml");
    let folder = folder
        .with("apiproxy/policies/Make.xml", &callout)
        .with("apiproxy/policies/Keep.xml", &keep.replace("flow.token", "tokenResponse.content"))
        .with(
            "apiproxy/policies/Send.xml",
            r#"<AssignMessage name="Send"><AssignTo type="request"/><Set><Headers><Header name="Authorization">Bearer {flow.token}</Header></Headers></Set><IgnoreUnresolvedVariables>true</IgnoreUnresolvedVariables></AssignMessage>"#,
        )
        .with(
            "apiproxy/proxies/default.xml",
            &proxy.replace(
                "</Request>",
                "<Step><Name>Look</Name></Step><Step><Name>Send</Name></Step></Request>",
            ),
        );
    let gateway = gateway(&folder, &backend).await;
    for found in ["true", "true"] {
        let answer = gateway.get(TODAY).await;
        assert_eq!(
            (answer.status, answer.header("x-found")),
            (200, Some(found))
        );
    }
    let seen = backend.take();
    let lines: Vec<&str> = seen.iter().map(|seen| &*seen.line).collect();
    let target = "GET /base/today?client_id=a";
    assert_eq!(lines, ["POST /token", target, target]);
    assert_eq!(&seen[0].body[..], b"a");
    for seen in &seen[1..] {
        assert_eq!(seen.headers["authorization"], "Bearer T-1");
    }
}

/// A bundle alone, and who administers its caches.
struct Administered {
    gateway: Gateway,
    _folder: Folder,
}

const CACHES: &str = "/v1/organizations/apifactory/environments/test/caches";

impl Administered {
    async fn new(backend: &Backend, caches: &[&str]) -> Self {
        let folder = bundle(&backend.url(), "tokens");
        let gateway = Gateway::with(NOTHING, backend, |settings| {
            deploy(settings, &folder);
            settings.azure.apis.clear();
            for cache in caches {
                let entry = CacheEntry::default();
                settings.apigee.caches.insert((*cache).into(), entry);
            }
        })
        .await;
        Self {
            gateway,
            _folder: folder,
        }
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {CACHES}{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.gateway.at_admin(&request).await
    }

    async fn told(&self, method: &str, path: &str, body: &str) -> (u16, Json) {
        let answer = self.ask(method, path, "administrator", body).await;
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    async fn found(&self, client: &str) -> bool {
        let path = format!("/weather/today?client_id={client}");
        let answer = self.gateway.get(&path).await;
        answer.header("x-found").unwrap() == "true"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_150_a_151_a_152_a_153_a_154_a_157_caches_are_administered() {
    let backend = Backend::saying("sunny").await;
    let admin = Administered::new(&backend, &["tokens"]).await;
    assert_eq!(admin.told("GET", "", "").await, (200, json!(["tokens"])));
    let body = r#"{"description":"d","expirySettings":{"timeoutInSec":{"value":"60"}},"overflowToDisk":true}"#;
    assert_eq!(admin.told("POST", "?name=more", body).await.0, 201);
    assert_eq!(admin.told("POST", "?name=more", body).await.0, 409);
    let (status, told) = admin.told("GET", "/more", "").await;
    assert_eq!(
        (status, &told["overflowToDisk"], &told["description"]),
        (200, &json!(true), &json!("d"))
    );
    assert_eq!(
        admin.told("PUT", "/more", r#"{"description":"e"}"#).await.0,
        200
    );
    assert_eq!(admin.told("GET", "/more", "").await.1["description"], "e");
    for n in 2..100 {
        assert_eq!(admin.told("POST", &format!("?name=c{n}"), "").await.0, 201);
    }
    assert_eq!(admin.told("POST", "?name=c100", "").await.0, 429);
    assert_eq!(admin.told("DELETE", "/more", "").await.0, 200);
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(admin.told(method, "/more", "").await.0, 404, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_054_a_055_a_155_a_156_entries_are_cleared_and_long_ones_not_kept() {
    let backend = Backend::saying("sunny").await;
    let admin = Administered::new(&backend, &["tokens"]).await;
    let fill = async || {
        for client in ["a", "b"] {
            admin.found(client).await;
            assert!(admin.found(client).await);
        }
    };
    for (path, left) in [
        ("/tokens/entries/token__a?action=clear", [false, true]),
        ("/tokens/entries?action=clear&prefix=token", [false, false]),
        ("/tokens/entries?action=clear", [false, false]),
    ] {
        fill().await;
        assert_eq!(admin.told("POST", path, "").await.0, 200);
        assert_eq!(
            [admin.found("a").await, admin.found("b").await],
            left,
            "{path}"
        );
    }
    let none = r#"{"skipCacheIfElementSizeInKBExceeds":0}"#;
    assert_eq!(admin.told("PUT", "/tokens", none).await.0, 200);
    admin.told("POST", "/tokens/entries?action=clear", "").await;
    assert!(!admin.found("a").await && !admin.found("a").await);
    // The cache goes: a look-up is a miss, and what is to be kept a fault.
    assert_eq!(admin.told("DELETE", "/tokens", "").await.0, 200);
    let answer = admin.gateway.get(TODAY).await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("policies.populatecache.CacheNotFound"),
        "{}",
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_159_without_a_token_it_is_401_and_at_the_traffics_address_404() {
    let backend = Backend::saying("sunny").await;
    let admin = Administered::new(&backend, &["tokens"]).await;
    for token in ["", "somebody"] {
        for (method, path) in [("GET", ""), ("POST", "?name=x"), ("DELETE", "/tokens")] {
            assert_eq!(admin.ask(method, path, token, "").await.status, 401);
        }
    }
    assert_eq!(admin.told("GET", "", "").await, (200, json!(["tokens"])));
    let request =
        format!("GET {CACHES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer administrator\r\n\r\n");
    assert_eq!(admin.gateway.raw(&request).await.status, 404);
    // A-14: nor is there anything else beside the bundle's paths.
    assert_eq!(admin.gateway.get("/weatherstation").await.status, 404);
    assert!(backend.take().is_empty());
}
