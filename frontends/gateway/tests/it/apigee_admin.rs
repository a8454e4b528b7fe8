//! The administration of caches.

use larder_gateway::apigee::{CacheSettings, Environment, EnvironmentOptions, administer};
use larder_gateway::engine::{Engine, Time};
use larder_gateway::http::{Method, Request, Response};
use serde_json::{Value as Json, json};

use crate::apigee_world::{Edge, assign, key, parts, populate_for};

const CACHES: &str = "/v1/organizations/apifactory/environments/test/caches";

struct Admin {
    edge: Edge,
}

impl Admin {
    fn new() -> Self {
        Self { edge: Edge::new() }
    }

    fn ask(&self, method: Method, path: &str, body: &Json) -> (u16, Json) {
        let mut request = Request::new(method, &format!("{CACHES}{path}"))
            .header("Authorization", "Bearer secret");
        if !body.is_null() {
            request.body = body.to_string().into();
        }
        let response = self.answer(&request);
        (
            response.status.as_u16(),
            serde_json::from_slice(&response.body).unwrap(),
        )
    }

    fn answer(&self, request: &Request) -> Response {
        administer(
            std::slice::from_ref(&self.edge.environment),
            "secret",
            request,
        )
        .unwrap()
    }

    fn get(&self, path: &str) -> (u16, Json) {
        self.ask(Method::GET, path, &Json::Null)
    }
}

#[test]
fn a_150_a_151_a_153_a_154_caches_are_made_told_changed_and_deleted() {
    let admin = Admin::new();
    assert_eq!(admin.get(""), (200, json!([])));
    let body =
        json!({ "description": "d", "expirySettings": { "timeoutInSec": { "value": "60" } } });
    assert_eq!(admin.ask(Method::POST, "?name=tokens", &body).0, 201);
    assert_eq!(admin.ask(Method::POST, "?name=a%20b", &Json::Null).0, 201);
    // The shared cache isn't among them.
    assert_eq!(admin.get(""), (200, json!(["a b", "tokens"])));
    let (status, told) = admin.get("/tokens");
    assert_eq!(
        (status, &told["description"], &told["name"]),
        (200, &json!("d"), &json!("tokens"))
    );
    assert_eq!(admin.get("/a%20b").0, 200);
    assert_eq!(
        admin
            .ask(Method::PUT, "/tokens", &json!({ "description": "e" }))
            .0,
        200
    );
    assert_eq!(admin.get("/tokens").1["description"], "e");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(admin.ask(method, "/none", &Json::Null).0, 404);
    }
    let named = format!("{}<CacheResource>tokens</CacheResource>", key("p", &["x"]));
    admin.edge.put(&named, "v");
    assert_eq!(admin.ask(Method::DELETE, "/tokens", &Json::Null).0, 200);
    assert_eq!(admin.get("/tokens").0, 404);
    assert_eq!(admin.ask(Method::POST, "?name=tokens", &Json::Null).0, 201);
    assert_eq!(admin.edge.get(&named), None);
}

#[test]
fn a_151_the_expiry_of_a_cache_holds_for_entries_that_say_nothing() {
    let admin = Admin::new();
    for (name, settings, seconds) in [
        ("timeout", json!({ "timeoutInSec": { "value": "60" } }), 60),
        ("number", json!({ "timeoutInSec": { "value": 70 } }), 70),
        (
            "time",
            json!({ "timeOfDay": { "value": "00:30:00" } }),
            1800,
        ),
        (
            "date",
            json!({ "expiryDate": { "value": "01-02-2026" } }),
            86_400,
        ),
    ] {
        let admin = Admin::new();
        assert_eq!(
            admin
                .ask(
                    Method::POST,
                    &format!("?name={name}"),
                    &json!({ "expirySettings": settings })
                )
                .0,
            201
        );
        let named = format!("{}<CacheResource>{name}</CacheResource>", key("p", &["x"]));
        admin
            .edge
            .run(&parts(&[assign("v"), populate_for(&named, "")]), "/x");
        admin.edge.seconds(seconds - 1);
        assert!(admin.edge.get(&named).is_some(), "{name}");
        admin.edge.seconds(1);
        assert!(admin.edge.get(&named).is_none(), "{name}");
    }
    for wrong in [
        json!({ "timeoutInSec": { "value": "0" } }),
        json!({ "expiryDate": { "value": "2026-01-02" } }),
    ] {
        assert_eq!(
            admin
                .ask(Method::POST, "?name=x", &json!({ "expirySettings": wrong }))
                .0,
            400
        );
    }
}

#[test]
fn a_152_names_are_unique_and_caches_are_counted() {
    let admin = Admin::new();
    assert_eq!(EnvironmentOptions::default().caches_max, 100);
    for n in 0..100 {
        assert_eq!(
            admin
                .ask(Method::POST, &format!("?name=c{n}"), &Json::Null)
                .0,
            201
        );
    }
    assert_eq!(admin.ask(Method::POST, "?name=c7", &Json::Null).0, 409);
    assert_eq!(admin.ask(Method::POST, "?name=c100", &Json::Null).0, 429);
    assert_eq!(admin.ask(Method::POST, "", &Json::Null).0, 400);
}

#[test]
fn a_154_a_cache_keeps_no_more_items_than_it_may() {
    assert_eq!(EnvironmentOptions::default().items_max, 2_500_000);
    let options = EnvironmentOptions {
        items_max: 5,
        ..EnvironmentOptions::default()
    };
    let cache = larder::Cache::builder().max_bytes(1 << 20).build().unwrap();
    let engine = Engine::new(cache.clone(), Time::system());
    let environment = Environment::new(engine, "o", "e", options).unwrap();
    let tenant = cache.tenant(environment.tenant()).unwrap();
    for name in ["one", "other"] {
        let settings = CacheSettings::default();
        environment.create_cache(name, settings).unwrap();
        let cache = tenant.cache(name).unwrap();
        for n in 0..20u64 {
            cache.insert(n, b"v").unwrap();
            assert!(cache.peek(n).is_some());
            assert_eq!(cache.usage().entries, 5.min(n + 1));
        }
    }
    // Changed settings take none of it away.
    assert!(environment.update_cache("one", CacheSettings::default()));
    let limits = tenant.cache("one").unwrap().limits().unwrap();
    assert_eq!(limits.max_entries, Some(5));
}

#[test]
fn a_155_entries_are_cleared_and_the_cache_stays() {
    let admin = Admin::new();
    admin.ask(Method::POST, "?name=tokens", &json!({ "description": "d" }));
    let named = |inner: String| format!("{inner}<CacheResource>tokens</CacheResource>");
    let keys = [
        named(key("User", &["x"])),
        named(key("User", &["y"])),
        named(key("UserToken", &["x"])),
        named(crate::apigee_world::scoped("Application", &["x"])),
    ];
    let fill = || keys.iter().for_each(|key| admin.edge.put(key, "v"));
    let left = || {
        keys.iter()
            .map(|key| admin.edge.get(key).is_some())
            .collect::<Vec<_>>()
    };
    let clear = |path: &str| {
        admin
            .ask(Method::POST, &format!("/tokens/entries{path}"), &Json::Null)
            .0
    };
    fill();
    assert_eq!(clear("/User__x?action=clear"), 200);
    assert_eq!(left(), [false, true, true, true]);
    fill();
    assert_eq!(clear("?action=clear&prefix=User"), 200);
    assert_eq!(left(), [false, false, true, true]);
    fill();
    assert_eq!(clear("/apifactory__test__weatherapi__x?action=clear"), 200);
    assert_eq!(left(), [true, true, true, false]);
    // Whichever the parts are, a key that is rendered so goes, and so does a prefix.
    let clashing = ["a__b", "a"].map(|prefix| named(key(prefix, &["b__c", "d"])));
    let of = |path: &str| {
        clashing.iter().for_each(|key| admin.edge.put(key, "v"));
        assert_eq!(clear(path), 200);
        [0, 1].map(|idx| admin.edge.get(&clashing[idx]).is_some())
    };
    assert_eq!(of("/a__b__b__c__d?action=clear"), [false, true]);
    assert_eq!(of("/a__b__c__d?action=clear"), [true, false]);
    assert_eq!(of("?action=clear&prefix=a__b"), [false, true]);
    assert_eq!(of("?action=clear&prefix=a"), [true, false]);
    fill();
    assert_eq!(clear("?action=clear"), 200);
    assert_eq!(left(), [false; 4]);
    assert_eq!(admin.get("/tokens").1["description"], "d");
    assert_eq!(clear(""), 400);
    assert_eq!(
        admin
            .ask(Method::POST, "/none/entries?action=clear", &Json::Null)
            .0,
        404
    );
}

#[test]
fn a_156_a_157_what_is_too_long_for_its_cache_is_not_kept_and_old_fields_are_echoed() {
    let admin = Admin::new();
    let body = json!({ "skipCacheIfElementSizeInKBExceeds": "10", "overflowToDisk": true, "inMemorySizeInKB": 512, "compression": { "minimumSizeInKB": 1 } });
    assert_eq!(admin.ask(Method::POST, "?name=small", &body).0, 201);
    let named = format!("{}<CacheResource>small</CacheResource>", key("p", &["x"]));
    admin.edge.put(&named, &"x".repeat(10 << 10));
    assert!(admin.edge.get(&named).is_some());
    admin.edge.put(&named, &"x".repeat(11 << 10));
    assert_eq!(admin.edge.get(&named), None);
    let told = admin.get("/small").1;
    for field in [
        "overflowToDisk",
        "inMemorySizeInKB",
        "compression",
        "skipCacheIfElementSizeInKBExceeds",
    ] {
        assert_eq!(told[field], body[field], "{field}");
    }
}

#[test]
fn a_159_without_an_administrators_token_nothing_is_told_or_changed() {
    let admin = Admin::new();
    for token in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer secre",
        "Bearer secrets",
        "Bearer tecret",
        "secret",
    ] {
        for (method, path) in [
            (Method::GET, ""),
            (Method::POST, "?name=x"),
            (Method::DELETE, "/x"),
        ] {
            let request =
                Request::new(method, &format!("{CACHES}{path}")).header("Authorization", token);
            assert_eq!(admin.answer(&request).status, 401, "{token}");
        }
    }
    assert!(admin.edge.environment.caches().is_empty());
    // A gateway without a token has no administrator.
    let request = Request::get(CACHES).header("Authorization", "Bearer ");
    let environments = std::slice::from_ref(&admin.edge.environment);
    assert_eq!(administer(environments, "", &request).unwrap().status, 401);
    assert!(administer(environments, "secret", &Request::get("/weatherapi")).is_none());
    // Over the listener of the traffic there are no such paths.
    let deployment = admin.edge.deploy(&parts::<&str>(&[])).unwrap();
    let request = Request::get(CACHES).header("Authorization", "Bearer secret");
    assert_eq!(admin.edge.handle(&deployment, request).response.status, 404);
}

#[test]
fn a_151_settings_that_cannot_be_meant_are_refused_and_change_nothing() {
    let admin = Admin::new();
    admin.ask(Method::POST, "?name=kept", &Json::Null);
    for (expiry, says) in [
        (json!({ "timeoutInSec": { "value": 0 } }), "above zero"),
        (json!({ "timeoutInSec": { "value": -1 } }), "above zero"),
        (json!({ "timeoutInSec": { "value": "-1" } }), "above zero"),
        (json!({ "timeoutInSec": { "value": 1.5 } }), "above zero"),
        (
            json!({ "timeoutInSec": { "value": true } }),
            "`timeoutInSec` must be an object",
        ),
        (
            json!({ "timeoutInSec": 60 }),
            "`timeoutInSec` must be an object",
        ),
        (json!({ "expiryDate": { "value": 5 } }), "mm-dd-yyyy"),
        (
            json!({ "timeOfDay": "14:30:00" }),
            "`timeOfDay` must be an object",
        ),
        (json!(60), "`expirySettings` is no object"),
    ] {
        let body = json!({ "expirySettings": expiry });
        for (method, path) in [(Method::POST, "?name=new"), (Method::PUT, "/kept")] {
            let (status, told) = admin.ask(method, path, &body);
            let message = told["message"].as_str().unwrap();
            assert!(status == 400 && message.contains(says), "{body}: {told}");
        }
    }
    assert_eq!(admin.get(""), (200, json!(["kept"])));
    assert_eq!(admin.get("/kept"), (200, json!({ "name": "kept" })));
    for said in [
        json!(null),
        json!({}),
        json!({ "timeoutInSec": { "value": "" } }),
        json!({ "timeoutInSec": { "value": 60 } }),
    ] {
        let body = json!({ "expirySettings": said });
        assert_eq!(admin.ask(Method::PUT, "/kept", &body).0, 200, "{body}");
    }
    let (status, told) = admin.ask(Method::POST, "?name=", &Json::Null);
    assert_eq!(
        (status, &told["message"]),
        (400, &json!("`name` is missing"))
    );
}
