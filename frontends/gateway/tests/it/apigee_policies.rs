//! LookupCache, PopulateCache, InvalidateCache and the caches they use.

use std::time::Duration;

use larder::{Clock, LevelError, ManualClock, MemoryLevel};
use larder_gateway::apigee::read::read;
use larder_gateway::apigee::{CacheSettings, Var};
use larder_gateway::http::Request;

use crate::apigee_world::{Edge, assign, invalidate, key, lookup, parts, populate, told, value};

pub(crate) fn inner() -> String {
    key("p", &["x"])
}

pub(crate) fn in_cache(name: &str) -> String {
    format!("{}<CacheResource>{name}</CacheResource>", inner())
}

#[test]
fn a_050_a_051_named_caches_are_apart_from_the_shared_one() {
    let edge = Edge::new();
    for name in ["tokens", "other"] {
        edge.environment
            .create_cache(name, CacheSettings::default())
            .unwrap();
    }
    edge.put(&inner(), "shared");
    edge.put(&in_cache("tokens"), "named");
    assert_eq!(edge.get(&inner()).as_deref(), Some("shared"));
    assert_eq!(edge.get(&in_cache("tokens")).as_deref(), Some("named"));
    assert_eq!(edge.get(&in_cache("other")), None);
}

#[test]
fn a_052_a_121_an_unknown_cache_fails_the_deployment() {
    let edge = Edge::new();
    for policy in [
        lookup(&in_cache("none")),
        populate(&in_cache("none")),
        invalidate(&in_cache("none")),
    ] {
        let findings = edge.deploy(&parts(&[policy])).unwrap_err();
        let text = findings[0].to_string();
        assert_eq!(findings[0].code, Some("InvalidCacheResourceReference"));
        for part in [
            "`none`",
            "revision 3",
            "`weatherapi`",
            "`apifactory`",
            "`test`",
            "policies/0.xml",
        ] {
            assert!(text.contains(part), "{text}: {part}");
        }
    }
}

#[test]
fn a_053_a_cache_that_a_node_lacks_makes_the_deployment_partial() {
    let edge = Edge::new();
    edge.environment
        .create_cache("tokens", CacheSettings::default())
        .unwrap();
    let made = parts(&[lookup(&in_cache("tokens"))]);
    assert!(!edge.deploy(&made).unwrap().is_partial());
    let engine = edge.environment.engine();
    engine
        .tenant(edge.environment.tenant())
        .unwrap()
        .delete_cache("tokens");
    let deployment = edge.deploy(&made).unwrap();
    assert!(deployment.is_partial());
    assert_eq!(deployment.node_findings()[0].code, Some("CacheNotFound"));
}

#[test]
fn a_011_a_054_a_055_a_cache_that_is_deleted_later() {
    let edge = Edge::new();
    edge.environment
        .create_cache("tokens", CacheSettings::default())
        .unwrap();
    let deploy = |policies: &[String]| edge.deploy(&parts(policies)).unwrap();
    let deployments = [
        deploy(&[lookup(&in_cache("tokens"))]),
        deploy(&[assign("v"), populate(&in_cache("tokens"))]),
        deploy(&[invalidate(&in_cache("tokens"))]),
    ];
    let going_on = deploy(&[
        invalidate(&in_cache("tokens")).replace("name=", "continueOnError=\"true\" name="),
        assign("v"),
    ]);
    assert!(edge.environment.delete_cache("tokens"));
    let [looked, populated, invalidated] =
        deployments.map(|deployment| edge.handle(&deployment, Request::get("/weatherapi")));
    assert_eq!(
        (looked.response.status.as_u16(), told(&looked, "cachehit")),
        (200, Some(false.into()))
    );
    for (handled, failed) in [
        (populated, "populatecache.P.failed"),
        (invalidated, "invalidatecache.I.failed"),
    ] {
        assert_eq!(handled.response.status, 500);
        assert_eq!(
            handled.context.get("fault.name"),
            Some("CacheNotFound".into())
        );
        assert_eq!(handled.context.get(failed), Some(true.into()));
    }
    // the next step runs where the policy says so.
    let handled = edge.handle(&going_on, Request::get("/weatherapi"));
    assert_eq!(handled.response.status, 200);
    let failed = handled.context.get("invalidatecache.I.failed");
    assert_eq!(
        (failed, handled.context.get("flowVar")),
        (Some(true.into()), Some("v".into()))
    );
}

#[test]
fn a_056_a_060_a_hit_tells_its_key_and_cache() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    let handled = edge.run(&parts(&[lookup(&inner())]), "/x");
    assert_eq!(value(&handled).as_deref(), Some("v"));
    assert_eq!(told(&handled, "cachehit"), Some(true.into()));
    assert_eq!(told(&handled, "cachekey"), Some("p__x".into()));
    assert_eq!(told(&handled, "cachename"), Some("shared".into()));
    assert_eq!(told(&handled, "assignto"), Some("out".into()));
    edge.environment
        .create_cache("tokens", CacheSettings::default())
        .unwrap();
    let handled = edge.run(&parts(&[lookup(&in_cache("tokens"))]), "/x");
    assert_eq!(told(&handled, "cachename"), Some("tokens".into()));
}

#[test]
fn a_060_a_value_comes_back_with_its_type() {
    let edge = Edge::new();
    let first = lookup(&key("none", &["x"])).replace("name=\"L\"", "name=\"First\"");
    let store = populate(&inner()).replace("flowVar", "lookupcache.First.cachehit");
    let handled = edge.run(&parts(&[first, store, lookup(&inner())]), "/x");
    assert_eq!(handled.context.get("out"), Some(Var::Boolean(false)));
    let mut made = parts(&[
        populate(&inner()).replace("flowVar", "response.status.code"),
        lookup(&inner()),
    ]);
    made.proxy_back = std::mem::take(&mut made.proxy_in);
    assert_eq!(
        edge.run(&made, "/x").context.get("out"),
        Some(Var::Integer(200))
    );
}

#[test]
fn a_061_a_miss_sets_nothing_and_tells_the_rest() {
    let edge = Edge::new();
    let handled = edge.run(&parts(&[lookup(&inner())]), "/x");
    assert_eq!(
        (value(&handled), told(&handled, "cachehit")),
        (None, Some(false.into()))
    );
    for what in ["cachekey", "cachename", "assignto"] {
        assert!(told(&handled, what).is_some(), "{what}");
    }
    let before = assign("before").replace("flowVar", "out");
    let handled = edge.run(&parts(&[before, lookup(&inner())]), "/x");
    assert_eq!(value(&handled).as_deref(), Some("before"));
}

#[test]
fn a_062_a_082_an_entry_ends_with_its_time() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    edge.seconds(119);
    assert_eq!(edge.get(&inner()).as_deref(), Some("v"));
    edge.seconds(1);
    assert_eq!(edge.get(&inner()), None);
}

#[test]
fn a_063_a_066_read_only_variables_are_not_written() {
    for name in [
        "lookupcache.L.cachehit",
        "lookupcache.L.cachekey",
        "client.ip",
        "fault.name",
        "populatecache.P.failed",
        "request",
        "request.path",
        "request.querystring",
        "request.formparam.a",
        "response.reason.phrase",
        "error.nothing",
        "message.path",
    ] {
        let text = lookup(&inner()).replace("<AssignTo>out", &format!("<AssignTo>{name}"));
        let finding = &read(&text).unwrap_err()[0];
        assert!(finding.message.contains(name), "{finding}");
        assert!(
            read(&assign("v").replace("flowVar", name)).is_err(),
            "{name}"
        );
    }
    for name in [
        "request.header.X-A",
        "request.queryparam.a",
        "response.content",
        "error.status.code",
        "message.verb",
        "requested",
    ] {
        let text = lookup(&inner()).replace("<AssignTo>out", &format!("<AssignTo>{name}"));
        assert!(read(&text).is_ok(), "{name}");
    }
    let handled = Edge::new().run(&parts(&[lookup(&inner())]), "/x");
    let mut context = handled.context;
    assert!(!context.set("lookupcache.L.cachehit", true.into()));
    assert_eq!(context.get("lookupcache.L.cachehit"), Some(false.into()));
}

#[test]
fn a_064_names_with_dots_and_dashes_are_read_in_conditions() {
    let edge = Edge::new();
    let named = lookup(&inner()).replace("name=\"L\"", "name=\"LC.Get-X\"");
    let mut made = parts(&[named, assign("v")]);
    for condition in ["is false", "== false", "= \"false\""] {
        let step = format!(
            "<Step><Name>A</Name><Condition>lookupcache.LC.Get-X.cachehit {condition}</Condition></Step>"
        );
        made.proxy_in = vec!["LC.Get-X".into(), step];
        assert!(
            edge.run(&made, "/x").context.get("flowVar").is_some(),
            "{condition}"
        );
    }
}

fn with_level() -> Edge {
    let clock = ManualClock::new();
    Edge::node(&MemoryLevel::with_clock(clock.clone()), &clock)
}

#[test]
fn a_065_a_failing_level_is_a_miss_and_no_fault() {
    let edge = with_level();
    edge.put(&inner(), "v");
    edge.seconds(2);
    let level = edge.level.as_ref().unwrap();
    level.fail(LevelError::Unavailable);
    let check = || {
        let handled = edge.run(&parts(&[lookup(&inner())]), "/x");
        assert_eq!(handled.response.status, 200);
        assert_eq!(told(&handled, "cachehit"), Some(false.into()));
        assert_eq!(handled.context.get("fault.name"), None);
        assert_eq!(told(&handled, "failed"), None);
    };
    check();
    level.recover();
    level.corrupt();
    check();
}

#[test]
fn a_067_a_068_a_072_a_lookup_takes_as_long_as_it_may() {
    for (element, limit) in [
        ("", 12_000),
        (
            "<CacheLookupTimeoutInSeconds>1</CacheLookupTimeoutInSeconds>",
            1_000,
        ),
    ] {
        let edge = with_level();
        edge.put(&inner(), "v");
        let level = edge.level.as_ref().unwrap();
        level.delay(Duration::from_secs(60), false);
        // What is in the process takes no time of it.
        let before = edge.clock.now();
        let policy = lookup(&format!("{}{element}", inner()));
        assert_eq!(
            value(&edge.run(&parts(&[&policy]), "/x")).as_deref(),
            Some("v")
        );
        assert_eq!(edge.clock.now(), before);
        edge.seconds(2);
        let before = edge.clock.now();
        let handled = edge.run(&parts(&[&policy]), "/x");
        assert_eq!(value(&handled), None);
        assert_eq!(edge.clock.now().saturating_since(before).as_millis(), limit);
        assert_eq!(told(&handled, "cachehit"), Some(false.into()));
    }
    // An answer that comes too late changes nothing.
    let edge = with_level();
    edge.put(&inner(), "v");
    edge.seconds(2);
    edge.level
        .as_ref()
        .unwrap()
        .delay(Duration::from_millis(1_500), true);
    let policy = lookup(&format!(
        "{}<CacheLookupTimeoutInSeconds>1</CacheLookupTimeoutInSeconds>",
        inner()
    ));
    assert_eq!(value(&edge.run(&parts(&[policy]), "/x")), None);
}

#[test]
fn a_069_a_070_a_071_a_timeout_is_a_whole_number_above_zero() {
    for wrong in ["-1", "0", "x", "1.5"] {
        let text = lookup(&format!(
            "{}<CacheLookupTimeoutInSeconds>{wrong}</CacheLookupTimeoutInSeconds>",
            inner()
        ));
        assert_eq!(
            read(&text).unwrap_err()[0].code,
            Some("InvalidTimeout"),
            "{wrong}"
        );
    }
}

#[test]
fn a_080_a_081_what_is_stored_is_found_and_replaced_with_its_expiry() {
    let edge = Edge::new();
    edge.put(&inner(), "one");
    assert_eq!(edge.get(&inner()).as_deref(), Some("one"));
    edge.seconds(100);
    edge.put(&inner(), "two");
    edge.seconds(100);
    assert_eq!(edge.get(&inner()).as_deref(), Some("two"));
    edge.seconds(20);
    assert_eq!(edge.get(&inner()), None);
}
