//! Keys: rendering, scopes, and what they separate.

use larder_gateway::apigee::EnvironmentOptions;
use larder_gateway::http::{Method, Request};

use crate::apigee_world::{
    Edge, Parts, assign, key, lookup, parts, populate, rendered, scoped, target_parts, told, value,
};

fn key_of(inner: &str, request: &str) -> String {
    rendered(&Edge::new().run(&parts(&[lookup(inner)]), request))
}

#[test]
fn a_020_prefix_literal_and_reference() {
    let inner = key(
        "UserToken",
        &["apiAccessToken", "$request.queryparam.client_id"],
    );
    assert_eq!(
        key_of(&inner, "/x?client_id=abc"),
        "UserToken__apiAccessToken__abc"
    );
}

#[test]
fn a_021_prefix_and_literals() {
    assert_eq!(
        key_of(&key("myprefix", &["hello", "world"]), "/x"),
        "myprefix__hello__world"
    );
}

#[test]
fn a_022_a_023_exclusive_is_the_default_and_names_the_endpoint_whose_flow_runs() {
    let policy = lookup(&key("", &["apiAccessToken"]));
    let edge = Edge::new();
    assert_eq!(
        rendered(&edge.run(&parts(&[&policy]), "/x")),
        "apifactory__test__weatherapi__default__apiAccessToken"
    );
    assert_eq!(
        rendered(&edge.run(&target_parts(&[&policy]), "/x")),
        "apifactory__test__weatherapi__tgt__apiAccessToken"
    );
}

#[test]
fn a_024_a_025_a_026_a_027_each_scope_has_its_parts() {
    let edge = Edge::new();
    let in_target =
        |scope: &str| rendered(&edge.run(&target_parts(&[lookup(&scoped(scope, &["t"]))]), "/x"));
    assert_eq!(in_target("Global"), "apifactory__test__t");
    assert_eq!(in_target("Application"), "apifactory__test__weatherapi__t");
    assert_eq!(
        in_target("Proxy"),
        "apifactory__test__weatherapi__default__t"
    );
    assert_eq!(in_target("Target"), "apifactory__test__weatherapi__tgt__t");
    assert_eq!(
        in_target("Exclusive"),
        "apifactory__test__weatherapi__tgt__t"
    );
}

#[test]
fn a_028_a_prefix_takes_the_scopes_place() {
    let inner = format!("<Scope>Global</Scope>{}", key("p", &["x"]));
    assert_eq!(key_of(&inner, "/x"), "p__x");
}

#[test]
fn a_029_a_prefix_alone_is_a_key() {
    let edge = Edge::new();
    let inner = key("UserToken", &[]);
    assert_eq!(key_of(&inner, "/x"), "UserToken");
    edge.put(&inner, "v");
    assert_eq!(edge.get(&inner).as_deref(), Some("v"));
    assert_eq!(edge.get(&key("UserToken", &["x"])), None);
}

#[test]
fn a_030_nothing_is_escaped_in_the_rendered_form() {
    let policy = lookup(&key(
        "p",
        &["apiAccessToken", "$request.header.Content-Type"],
    ));
    let request = Request::get("/weatherapi/x").header("Content-Type", "application/json");
    assert_eq!(
        rendered(&Edge::new().run_with(&parts(&[policy]), request)),
        "p__apiAccessToken__application/json"
    );
}

#[test]
fn a_032_an_empty_value_keeps_its_place() {
    let inner = key("p", &["$request.queryparam.q", "x"]);
    assert_eq!(key_of(&inner, "/x?q="), "p____x");
    let edge = Edge::new();
    edge.put(&key("p", &["x"]), "v");
    let handled = edge.run(&parts(&[lookup(&inner)]), "/x?q=");
    assert_eq!(value(&handled), None);
}

#[test]
fn a_033_a_reference_that_does_not_resolve_forms_no_key() {
    let inner = key("p", &["$request.queryparam.user", "x"]);
    let edge = Edge::new();
    edge.put(
        &key("p", &["", "x"]).replace(
            "<KeyFragment></KeyFragment>",
            "<KeyFragment ref=\"request.querystring\"/>",
        ),
        "theirs",
    );
    let handled = edge.run(&parts(&[lookup(&inner)]), "/x");
    assert_eq!((value(&handled), &*rendered(&handled)), (None, "p____x"));
    let handled = edge.run(&parts(&[assign("v"), populate(&inner)]), "/x");
    assert_eq!(handled.response.status, 500);
    assert_eq!(
        handled.context.get("fault.name"),
        Some("EntryCannotBeCached".into())
    );
    // A removal removes nothing.
    edge.run(&parts(&[crate::apigee_world::invalidate(&inner)]), "/x");
    let there = edge.run(
        &parts(&[lookup(&key("p", &["$request.querystring", "x"]))]),
        "/x",
    );
    assert_eq!(value(&there).as_deref(), Some("theirs"));

    let lax = Edge::with(EnvironmentOptions {
        unresolved_is_empty: true,
        ..EnvironmentOptions::default()
    });
    let handled = lax.run(
        &parts(&[assign("v"), populate(&inner), lookup(&inner)]),
        "/x",
    );
    assert_eq!(
        (value(&handled).as_deref(), &*rendered(&handled)),
        (Some("v"), "p____x")
    );
}

#[test]
fn a_034_numbers_and_booleans_are_their_text() {
    let policies = [
        lookup(&key("first", &["x"])),
        lookup(&key(
            "p",
            &["$lookupcache.L.cachehit", "$response.status.code"],
        ))
        .replace("name=\"L\"", "name=\"L2\""),
    ];
    let mut made = parts(&policies);
    made.proxy_back = vec!["L2".into()];
    made.proxy_in = vec!["L".into()];
    let handled = Edge::new().run(&made, "/x");
    let key = handled.context.get("lookupcache.L2.cachekey").unwrap();
    assert_eq!(key, "p__false__200".into());
}

#[test]
fn a_035_the_names_of_endpoints_outside_of_their_flows() {
    let edge = Edge::new();
    let proxy = rendered(&edge.run(&target_parts(&[lookup(&scoped("Proxy", &["x"]))]), "/x"));
    assert_eq!(proxy, "apifactory__test__weatherapi__default__x");
    let target = rendered(&edge.run(&parts(&[lookup(&scoped("Target", &["x"]))]), "/x"));
    assert_eq!(target, "apifactory__test__weatherapi____x");
}

#[test]
fn a_036_a_key_of_2048_bytes_works_and_a_longer_one_does_not() {
    let edge = Edge::new();
    // Two bytes a character: length is that of the text in UTF-8.
    let of_length = |bytes: usize| {
        key(
            "p",
            &[&format!(
                "{}{}",
                "\u{e9}".repeat((bytes - 3) / 2),
                "x".repeat((bytes - 3) % 2)
            )],
        )
    };
    edge.put(&of_length(2048), "v");
    assert_eq!(edge.get(&of_length(2048)).as_deref(), Some("v"));
    let handled = edge.run(&parts(&[assign("v"), populate(&of_length(2049))]), "/x");
    assert_eq!(handled.response.status, 500);
    assert_eq!(
        handled.context.get("fault.name"),
        Some("EntryCannotBeCached".into())
    );
    assert_eq!(edge.get(&of_length(2049)), None);
    let remove = crate::apigee_world::invalidate(&of_length(2049));
    let handled = edge.run(&parts(&[remove]), "/x");
    let failed = handled.context.get("invalidatecache.I.failed");
    assert_eq!((handled.response.status.as_u16(), failed), (200, None));
    assert_eq!(edge.get(&of_length(2048)).as_deref(), Some("v"));
}

#[test]
fn a_037_references_to_parts_of_the_message_and_its_context() {
    let names = [
        "request.header.x-one",
        "request.queryparam.q",
        "request.formparam.f",
        "request.content",
        "request.verb",
        "proxy.pathsuffix",
        "apiproxy.name",
        "environment.name",
        "flowVar",
    ];
    let fragments: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
    let fragments: Vec<&str> = fragments.iter().map(String::as_str).collect();
    let mut request = Request::new(Method::POST, "/weatherapi/a/b?q=1&q=2")
        .header("X-One", "first")
        .header("X-ONE", "second")
        .header("Content-Type", "application/x-www-form-urlencoded");
    request.body = "f=form+x&f=other".into();
    let handled = Edge::new().run_with(
        &parts(&[assign("set"), lookup(&key("p", &fragments))]),
        request,
    );
    assert_eq!(
        rendered(&handled),
        "p__first__1__form x__f=form+x&f=other__POST__/a/b__weatherapi__test__set"
    );
}

#[test]
fn a_038_no_prefix_and_no_fragment_is_the_scope_alone() {
    let inner = r#"<CacheKey><Prefix/><KeyFragment ref=""/></CacheKey>"#;
    assert_eq!(key_of(inner, "/x"), "apifactory__test__weatherapi__default");
    let bundle = parts(&[lookup(inner)]).bundle().unwrap();
    assert!(
        bundle.warnings[0]
            .message
            .contains("neither a prefix nor a fragment"),
        "{:?}",
        bundle.warnings
    );
}

#[test]
fn a_040_a_041_keys_that_render_alike_are_apart() {
    let edge = Edge::new();
    edge.put(&key("a__b", &["c"]), "v");
    assert_eq!(edge.get(&key("a__b", &["c"])).as_deref(), Some("v"));
    assert_eq!(edge.get(&key("a", &["b", "c"])), None);
    assert_eq!(edge.get(&key("a", &["b__c"])), None);
    edge.put(&scoped("Global", &["x"]), "v");
    assert_eq!(edge.get(&key("apifactory__test", &["x"])), None);
}

#[test]
fn a_042_a_116_environments_and_organisations_are_apart() {
    let edge = Edge::new();
    let inner = key("p", &["x"]);
    edge.put(&inner, "v");
    for (organization, name) in [
        ("apifactory", "prod"),
        ("other", "test"),
        ("apifactory/test", ""),
    ] {
        let environment = edge.environment(organization, name);
        let handled = edge.run_in(&environment, &parts(&[lookup(&inner)]));
        assert_eq!(told(&handled, "cachehit"), Some(false.into()));
        let purge = format!("{inner}<PurgeChildEntries>true</PurgeChildEntries>");
        edge.run_in(
            &environment,
            &parts(&[crate::apigee_world::invalidate(&purge)]),
        );
    }
    assert_eq!(edge.get(&inner).as_deref(), Some("v"));
}

#[test]
fn a_043_a_prefix_is_shared_by_proxies() {
    let edge = Edge::new();
    edge.put(&key("p", &["x"]), "v");
    assert_eq!(
        edge.get_as(&Parts::of("otherapi", "default", "tgt"), &key("p", &["x"]))
            .as_deref(),
        Some("v")
    );
}

#[test]
fn a_044_a_048_applications_are_apart_and_global_is_not() {
    let edge = Edge::new();
    let other = Parts::of("otherapi", "default", "tgt");
    edge.put(&scoped("Application", &["x"]), "v");
    assert_eq!(edge.get_as(&other, &scoped("Application", &["x"])), None);
    edge.put(&scoped("Global", &["x"]), "v");
    assert_eq!(
        edge.get_as(&other, &scoped("Global", &["x"])).as_deref(),
        Some("v")
    );
    let prod = edge.environment("apifactory", "prod");
    let handled = edge.run_in(&prod, &parts(&[lookup(&scoped("Global", &["x"]))]));
    assert_eq!(value(&handled), None);
}

#[test]
fn a_046_endpoints_of_one_name_share_the_exclusive_scope() {
    let edge = Edge::new();
    let same = Parts::of("weatherapi", "default", "default");
    edge.put_as(&same.clone().in_target(), &scoped("Exclusive", &["x"]), "v");
    assert_eq!(
        edge.get_as(&same, &scoped("Exclusive", &["x"])).as_deref(),
        Some("v")
    );
}

#[test]
fn a_047_proxy_and_exclusive_are_the_same_parts_in_a_proxys_flow() {
    let edge = Edge::new();
    edge.put(&scoped("Proxy", &["x"]), "v");
    assert_eq!(edge.get(&scoped("Exclusive", &["x"])).as_deref(), Some("v"));
}

#[test]
fn a_049_endpoints_of_one_proxy() {
    let edge = Edge::new();
    let admin = Parts::of("weatherapi", "admin", "tgt");
    for (scope, is_shared) in [
        ("Application", true),
        ("Proxy", false),
        ("Exclusive", false),
    ] {
        edge.put(&scoped(scope, &["x"]), "v");
        assert_eq!(
            edge.get_as(&admin, &scoped(scope, &["x"])).is_some(),
            is_shared,
            "{scope}"
        );
    }
    let other = Parts::of("weatherapi", "default", "other");
    edge.put_as(
        &Parts::of("weatherapi", "default", "tgt").in_target(),
        &scoped("Target", &["x"]),
        "v",
    );
    assert_eq!(
        edge.get_as(&other.in_target(), &scoped("Target", &["x"])),
        None
    );
}

#[test]
fn a_045_with_string_keys_what_renders_alike_is_the_same() {
    let edge = Edge::with(EnvironmentOptions {
        string_keys: true,
        ..EnvironmentOptions::default()
    });
    edge.put(&key("a__b", &["c"]), "v");
    assert_eq!(edge.get(&key("a", &["b", "c"])).as_deref(), Some("v"));
    edge.put(&scoped("Global", &["x"]), "v");
    assert_eq!(
        edge.get(&key("apifactory__test", &["x"])).as_deref(),
        Some("v")
    );
    // A purge goes by the text, at whole parts.
    edge.put(&key("ab", &["c"]), "v");
    edge.invalidate(&format!(
        "{}<PurgeChildEntries>true</PurgeChildEntries>",
        key("a", &["z"])
    ));
    assert_eq!(edge.get(&key("a__b", &["c"])), None);
    assert_eq!(edge.get(&key("ab", &["c"])).as_deref(), Some("v"));
}
