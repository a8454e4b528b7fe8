//! Two levels, and the administration of caches.

use std::time::Duration;

use larder::{LevelCall, ManualClock, MemoryLevel};
use larder_gateway::apigee::{EnvironmentOptions, administer};
use larder_gateway::http::{Method, Request, Response};
use serde_json::{Value as Json, json};

use crate::apigee_world::{Edge, assign, key, parts, populate_for};

fn nodes() -> (Edge, Edge, MemoryLevel, ManualClock) {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    (
        Edge::node(&level, &clock),
        Edge::node(&level, &clock),
        level,
        clock,
    )
}

fn inner() -> String {
    key("p", &["x"])
}

fn n_entries(edge: &Edge) -> u64 {
    edge.environment.engine().cache().stats().live_entries
}

#[test]
fn a_130_a_131_an_entry_is_in_its_own_node_and_the_shared_level() {
    let (one, two, level, _) = nodes();
    one.put(&inner(), "v");
    assert_eq!((n_entries(&one), n_entries(&two)), (1, 0));
    assert_eq!(level.calls(LevelCall::Set), 1);
    let asked = level.calls(LevelCall::Get);
    assert_eq!(one.get(&inner()).as_deref(), Some("v"));
    assert_eq!(level.calls(LevelCall::Get), asked);
    // Another node asks the level, and keeps what it brings.
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    assert_eq!(
        (level.calls(LevelCall::Get), n_entries(&two)),
        (asked + 1, 1)
    );
}

#[test]
fn a_132_a_copy_lives_a_second_and_never_longer_than_its_entry() {
    let (one, two, level, clock) = nodes();
    one.put(&inner(), "v");
    two.get(&inner());
    let asked = level.calls(LevelCall::Get);
    clock.advance(Duration::from_millis(999));
    two.get(&inner());
    assert_eq!(level.calls(LevelCall::Get), asked);
    clock.advance(Duration::from_millis(1));
    two.get(&inner());
    assert_eq!(level.calls(LevelCall::Get), asked + 1);
    clock.advance(Duration::from_millis(118_500));
    assert_eq!(two.get(&inner()).as_deref(), Some("v"));
    clock.advance(Duration::from_millis(500));
    assert_eq!(two.get(&inner()), None);
}

#[test]
fn a_133_changes_are_seen_elsewhere_within_a_second() {
    let (one, two, _, clock) = nodes();
    one.put(&inner(), "old");
    assert_eq!(two.get(&inner()).as_deref(), Some("old"));
    one.put(&inner(), "new");
    assert_eq!(one.get(&inner()).as_deref(), Some("new"));
    assert_eq!(two.get(&inner()).as_deref(), Some("old"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.get(&inner()).as_deref(), Some("new"));
    one.invalidate(&inner());
    assert_eq!(one.get(&inner()), None);
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.get(&inner()), None);
    // A purge, too.
    one.put(&inner(), "again");
    assert_eq!(two.get(&inner()).as_deref(), Some("again"));
    one.invalidate(&format!(
        "{}<PurgeChildEntries>true</PurgeChildEntries>",
        key("p", &["other"])
    ));
    clock.advance(Duration::from_secs(1));
    assert_eq!((one.get(&inner()), two.get(&inner())), (None, None));
}

#[test]
fn a_134_what_leaves_a_full_node_is_served_from_the_level() {
    let (one, _, _, _) = nodes();
    let cache = one.environment.engine().cache();
    cache
        .set_capacity(larder::Capacity::bytes(1 << 20))
        .unwrap();
    let value = "x".repeat(20_000);
    for n in 0..100 {
        one.put(&key("p", &[&n.to_string()]), &value);
    }
    assert!(cache.weight() <= 1 << 20 && cache.stats().evicted > 0);
    for n in 0..100 {
        assert_eq!(
            one.get(&key("p", &[&n.to_string()])).as_deref(),
            Some(&*value),
            "{n}"
        );
    }
}

#[test]
fn a_135_neither_level_has_it() {
    let (one, two, level, _) = nodes();
    assert_eq!((one.get(&inner()), two.get(&inner())), (None, None));
    one.put(&inner(), "v");
    level.clear();
    assert_eq!(two.get(&inner()), None);
}

#[test]
fn a_136_without_a_level_entries_live_their_full_time() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    edge.seconds(119);
    assert_eq!(edge.get(&inner()).as_deref(), Some("v"));
}

#[test]
fn a_137_values_are_not_encrypted_which_the_readme_says() {
    let (one, _, level, _) = nodes();
    one.put(&inner(), "plain");
    assert_eq!(level.calls(LevelCall::Set), 1);
    assert!(include_str!("../../README.md").contains("not encrypted"));
}

#[test]
fn a_045_a_113_a_purge_of_texts_in_a_level_takes_what_is_under_the_prefix_and_leaves_the_rest() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let options = EnvironmentOptions {
        string_keys: true,
        ..EnvironmentOptions::default()
    };
    let [one, two] = [(); 2].map(|()| Edge::node_with(&level, &clock, options.clone()));
    let purge = |prefix: &str| {
        one.invalidate(&format!(
            "{}<PurgeChildEntries>true</PurgeChildEntries>",
            key(prefix, &["other"])
        ));
        clock.advance(Duration::from_secs(1));
    };
    let texts = [
        ("User", vec!["x"]),
        ("User", vec!["y"]),
        ("User", vec!["y", "z"]),
        ("User", vec![]),
        ("User", vec!["", "empty"]),
        ("User__y", vec!["deep", "a", "b", "c"]),
        ("UserToken", vec!["x"]),
        ("Other", vec!["x"]),
        ("Us", vec!["er__x"]),
    ];
    let put = || {
        for (prefix, fragments) in &texts {
            one.put(&key(prefix, fragments), "v");
        }
    };
    let left = |edge: &Edge| -> Vec<bool> {
        let found = texts.iter();
        found
            .map(|(prefix, fragments)| edge.get(&key(prefix, fragments)).is_some())
            .collect()
    };
    let both = || {
        let here = left(&one);
        assert_eq!(left(&two), here);
        here.iter().map(|left| u8::from(*left)).collect::<Vec<_>>()
    };
    put();
    assert_eq!(both(), [1; 9]);
    // What renders alike is the same, whatever its parts are.
    assert!(two.get(&key("User__y", &["z"])).is_some());
    purge("User");
    assert_eq!(both(), [0, 0, 0, 0, 0, 0, 1, 1, 1]);
    put();
    purge("User__y");
    assert_eq!(both(), [1, 0, 0, 1, 1, 0, 1, 1, 1]);
    // Deeper than there are scopes, or ambiguous: all under the prefix goes, and some more.
    put();
    purge("User__y__deep__a");
    assert_eq!(both(), [1, 1, 1, 1, 1, 0, 1, 1, 1]);
    put();
    one.put(&key("User_", &["x"]), "v");
    purge("User_");
    assert_eq!(two.get(&key("User_", &["x"])), None);
    // One key alone.
    put();
    one.invalidate(&key("User", &["y", "z"]));
    clock.advance(Duration::from_secs(1));
    assert_eq!(both(), [1, 1, 0, 1, 1, 1, 1, 1, 1]);
}

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
    let named = format!("{}<CacheResource>tokens</CacheResource>", inner());
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
        let named = format!("{}<CacheResource>{name}</CacheResource>", inner());
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
    let named = format!("{}<CacheResource>small</CacheResource>", inner());
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
