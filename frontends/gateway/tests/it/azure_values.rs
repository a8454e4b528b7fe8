//! cache-lookup-value, cache-store-value, cache-remove-value.

use larder::{LevelError, Tag};
use larder_gateway::azure::{Settings, read::read};
use larder_gateway::http::Request;

use crate::azure_scenarios::value;
use crate::world::{World, settings, telling};

const LOOKUP: &str = r#"<cache-lookup-value key="k" variable-name="v" />"#;

/// Says what the variable holds, or that it isn't there.
const TELL: &str =
    r#"context.Variables.ContainsKey("v") ? "[" + context.Variables["v"] + "]" : "none""#;

/// A document that does what the query says: `store`, `remove`, or nothing, and then looks up.
fn document(store: &str, lookup: &str) -> String {
    let when = |name: &str, inner: &str| {
        format!(
            r#"<when condition="@(context.Request.Url.Query.GetValueOrDefault("do","") == "{name}")">{inner}</when>"#
        )
    };
    let store = when("store", store);
    let remove = when("remove", r#"<cache-remove-value key="k" />"#);
    telling(&format!("<choose>{store}{remove}</choose>{lookup}"), TELL)
}

fn does(world: &World, what: &str) -> String {
    let response = world.handle(Request::get(&format!("/x?do={what}")));
    assert_eq!(response.status, 200, "{}", response.body_text());
    response.body_text()
}

fn stored(store: &str) -> World {
    World::new(&document(store, LOOKUP))
}

const STORE_10: &str = r#"<cache-store-value key="k" value="one" duration="10" />"#;

#[test]
fn z_040_a_hit_sets_the_variable_to_the_value_with_its_type() {
    let world = stored(STORE_10);
    assert_eq!(does(&world, "store"), "[one]");
    assert_eq!(does(&world, ""), "[one]");
    let world = World::new(&document(
        r#"<cache-store-value key="k" value="@(42)" duration="10" />"#,
        &format!(
            r#"{LOOKUP}<set-variable name="v" value="@((int)context.Variables["v"] >= 42)" />"#
        ),
    ));
    assert_eq!(does(&world, "store"), "[True]");
}

#[test]
fn z_041_a_miss_creates_no_variable() {
    assert_eq!(does(&stored(STORE_10), ""), "none");
}

#[test]
fn z_042_a_miss_leaves_a_variable_that_is_set() {
    let set = format!(r#"<set-variable name="v" value="before" />{LOOKUP}"#);
    assert_eq!(does(&World::new(&document(STORE_10, &set)), ""), "[before]");
}

#[test]
fn z_043_a_miss_with_a_default_sets_it_and_stores_nothing() {
    let lookup = r#"<cache-lookup-value key="k" variable-name="v" default-value="@("d" + 1)" />"#;
    let world = World::new(&document(STORE_10, lookup));
    assert_eq!(does(&world, ""), "[d1]");
    assert_eq!(world.engine.cache().stats().inserted, 0);
    assert_eq!(does(&world, "store"), "[one]");
}

#[test]
fn z_044_an_empty_default_creates_an_empty_variable() {
    let lookup = r#"<cache-lookup-value key="k" variable-name="v" default-value="" />"#;
    assert_eq!(does(&World::new(&document(STORE_10, lookup)), ""), "[]");
}

#[test]
fn z_045_z_050_an_entry_is_there_until_its_duration_is_over() {
    let world = stored(STORE_10);
    does(&world, "store");
    world.seconds(9);
    assert_eq!(does(&world, ""), "[one]");
    world.seconds(1);
    assert_eq!(does(&world, ""), "none");
}

#[test]
fn z_046_an_unreachable_or_slow_external_cache_is_a_miss_and_the_request_goes_on() {
    let world = World::with_external(&document(STORE_10, LOOKUP));
    assert_eq!(does(&world, "store"), "[one]");
    let level = world.level.as_ref().unwrap();
    level.fail(LevelError::Unavailable);
    assert_eq!(does(&world, ""), "none");
    level.recover();
    assert_eq!(does(&world, ""), "[one]");
    // Half a second is what it may take; the clock says that it took as long.
    use larder::Clock;
    level.delay(std::time::Duration::from_secs(2), false);
    let before = world.clock.now();
    assert_eq!(does(&world, ""), "none");
    assert_eq!(world.clock.now().saturating_since(before).as_millis(), 500);
}

#[test]
fn z_047_an_empty_key_is_an_error() {
    for key in [
        "",
        "@(\"\")",
        "@(context.Request.Url.Query.GetValueOrDefault(\"q\",\"\"))",
    ] {
        for policy in [
            format!("<cache-lookup-value key='{key}' variable-name='v' />"),
            format!("<cache-store-value key='{key}' value='1' duration='1' />"),
            format!("<cache-remove-value key='{key}' />"),
            format!("<cache-value key='{key}' variable-name='v'><value/></cache-value>"),
        ] {
            let world = World::new(&telling(&policy, "1"));
            assert_eq!(world.get().status, 500, "{policy}");
        }
    }
}

#[test]
fn z_051_a_store_is_visible_at_once() {
    let world = stored(STORE_10);
    assert_eq!(does(&world, "store"), "[one]");
}

#[test]
fn z_052_typed_values_come_back_in_both_caches() {
    let cases = [
        (
            "@(true)",
            Tag::Boolean,
            r#"(bool)context.Variables["v"] ? "yes" : "no""#,
            "yes",
        ),
        (
            "@(42)",
            Tag::Integer,
            r#"(int)context.Variables["v"] >= 42 ? "yes" : "no""#,
            "yes",
        ),
        (
            "text",
            Tag::Text,
            r#"(string)context.Variables["v"]"#,
            "text",
        ),
        (
            "",
            Tag::Text,
            r#""<" + (string)context.Variables["v"] + ">""#,
            "<>",
        ),
        (
            r#"{"a":1}"#,
            Tag::Text,
            r#"(string)context.Variables["v"]"#,
            r#"{"a":1}"#,
        ),
    ];
    for external in [false, true] {
        for (value, tag, tell, expected) in cases {
            let store = format!("<cache-store-value key='k' value='{value}' duration='10' />");
            let document = telling(&format!("{store}{LOOKUP}"), tell);
            let world = match external {
                true => World::with_external(&document),
                false => World::new(&document),
            };
            assert_eq!(world.body(), expected);
            if !external {
                let tenant = world.engine.tenant(world.gateway.tenant()).unwrap();
                let entry = tenant.default_cache().unwrap().get("k").unwrap();
                assert_eq!(entry.tag(), tag);
            }
        }
    }
}

#[test]
fn z_053_null_is_not_stored_and_an_older_value_is_kept() {
    let store = r#"<cache-store-value key="k" value="@(context.Request.Url.Query.GetValueOrDefault("value"))" duration="10" />"#;
    let world = stored(store);
    let store = |query: &str| {
        world
            .handle(Request::get(&format!("/x?do=store{query}")))
            .body_text()
    };
    assert_eq!(store(""), "none");
    assert_eq!(store("&value=a"), "[a]");
    assert_eq!(store(""), "[a]");
}

#[test]
fn z_054_more_than_a_day_is_accepted() {
    let world = stored(r#"<cache-store-value key="k" value="one" duration="100000" />"#);
    does(&world, "store");
    world.seconds(99_999);
    assert_eq!(does(&world, ""), "[one]");
    world.seconds(1);
    assert_eq!(does(&world, ""), "none");
}

#[test]
fn z_055_no_duration_removes_and_no_number_is_an_error() {
    let store = r#"<cache-store-value key="k" value="one" duration="@(context.Request.Url.Query.GetValueOrDefault("d","10"))" />"#;
    let world = stored(store);
    let store = |d: &str| world.handle(Request::get(&format!("/x?do=store&d={d}")));
    for none in ["0", "-1", "-9223372036854775808"] {
        assert_eq!(store("10").body_text(), "[one]");
        assert_eq!(store(none).body_text(), "none", "{none}");
    }
    store("10");
    for wrong in ["x", "1.5", "99999999999999999999", "%20"] {
        assert_eq!(store(wrong).status, 500, "{wrong}");
    }
    assert_eq!(does(&world, ""), "[one]");
    assert_eq!(store("9223372036854775807").body_text(), "[one]");
}

#[test]
fn z_056_a_store_into_an_unreachable_cache_counts_as_done() {
    let world = World::with_external(&document(STORE_10, LOOKUP));
    world.level.as_ref().unwrap().fail(LevelError::Unavailable);
    assert_eq!(does(&world, "store"), "none");
    world.level.as_ref().unwrap().recover();
    assert_eq!(does(&world, ""), "none");
}

#[test]
fn z_057_value_and_expiry_are_replaced() {
    let store = r#"<cache-store-value key="k" value="@(context.Request.Url.Query.GetValueOrDefault("v",""))" duration="10" />"#;
    let world = stored(store);
    let store = |v: &str| {
        world
            .handle(Request::get(&format!("/x?do=store&v={v}")))
            .body_text()
    };
    assert_eq!(store("a"), "[a]");
    world.seconds(6);
    assert_eq!(store("b"), "[b]");
    world.seconds(9);
    assert_eq!(does(&world, ""), "[b]");
    world.seconds(1);
    assert_eq!(does(&world, ""), "none");
}

#[test]
fn z_058_several_stores_of_a_section_all_run() {
    let store = |key: u8| format!("<cache-store-value key='k{key}' value='{key}' duration='10' />");
    let lookup = |key: u8| format!("<cache-lookup-value key='k{key}' variable-name='v{key}' />");
    let document = telling(
        &format!("{}{}{}{}", store(1), store(2), lookup(1), lookup(2)),
        r#"(string)context.Variables["v1"] + (string)context.Variables["v2"]"#,
    );
    assert_eq!(World::new(&document).body(), "12");
}

#[test]
fn z_059_what_is_removed_is_gone_and_what_is_absent_no_error() {
    let world = stored(STORE_10);
    assert_eq!(does(&world, "remove"), "none");
    does(&world, "store");
    assert_eq!(does(&world, "remove"), "none");
    assert_eq!(does(&world, ""), "none");
}

#[test]
fn z_060_a_value_that_is_too_long_is_not_stored_and_takes_the_older_one_away() {
    let store = r#"<cache-store-value key="k" value="@(context.Request.Url.Query.GetValueOrDefault("v",""))" duration="10" />"#;
    let settings = Settings {
        value_bytes_max: 8,
        ..settings()
    };
    assert_eq!(Settings::default().value_bytes_max, 2 << 20);
    let world = World::with(&document(store, LOOKUP), settings, None);
    let store = |v: &str| {
        world
            .handle(Request::get(&format!("/x?do=store&v={v}")))
            .body_text()
    };
    assert_eq!(store("12345678"), "[12345678]");
    assert_eq!(store("123456789"), "none");
    let request = Request::get("/x?do=store&v=123456789");
    let handled = world.block_on(
        world
            .gateway
            .handle(request, larder_gateway::trace::Trace::off()),
    );
    let warning = &handled.trace.steps()[0];
    assert!(
        warning.is_warning && warning.what.contains("9 bytes are more than 8"),
        "{warning}"
    );
}

#[test]
fn e_101_a_value_of_another_frontend_in_the_same_cache_is_read_as_text() {
    let settings = Settings {
        tenant: Some("shared".to_owned()),
        cache: Some("prices".to_owned()),
        ..settings()
    };
    let world = World::with(&document(STORE_10, LOOKUP), settings, None);
    let tenant = world.engine.tenant("shared").unwrap();
    let prices = tenant
        .create_cache("prices", larder::Limits::default())
        .unwrap();
    prices.insert("k", b"1.20").unwrap();
    assert_eq!(does(&world, ""), "[1.20]");
    does(&world, "store");
    assert_eq!(prices.get("k").as_deref(), Some(&b"one"[..]));
    assert!(read("<inbound/>", &()).is_ok());
}

/// A document that looks up by a variable, after some policies.
fn keyed_by_variable(policies: &str) -> World {
    let lookup = r#"<cache-store-value key="@((string)context.Variables["k"])" value="theirs" duration="10" />"#;
    World::new(&telling(&format!("{policies}{lookup}"), "1"))
}

#[test]
fn z_026_whichever_policy_set_a_variable_a_null_part_of_it_is_no_key() {
    let of_user = r#""userprofile-" + context.Variables["user"]"#;
    let user = r#"<set-variable name="user" value="@(context.Request.Headers.GetValueOrDefault("X-User"))" />"#;
    let set = format!(r#"<set-variable name="k" value="@({of_user})" />"#);
    let ways = [
        set.clone(),
        // By way of another variable, and of branches in branches.
        format!(
            r#"<set-variable name="j" value="@({of_user})" /><set-variable name="k" value="@($"{{context.Variables["j"]}}!")" />"#
        ),
        format!(
            r#"<choose><when condition="@(true)"><choose><when condition="@(false)"><base /></when><otherwise>{set}</otherwise></choose></when></choose>"#
        ),
        format!(
            r#"<cache-lookup-value key="absent" variable-name="k" default-value="@({of_user})" />"#
        ),
        format!(r#"<cache-value key="block" variable-name="k"><value>{set}</value></cache-value>"#),
        format!(
            r#"<cache-value key="block" variable-name="k" refresh-after="0"><value>{set}</value></cache-value>"#
        ),
        format!(
            r#"<cache-value key="block" variable-name="k" default-value="@({of_user})"><value><base /></value></cache-value>"#
        ),
    ];
    for way in ways {
        let world = keyed_by_variable(&format!("{user}{way}"));
        assert_eq!(world.get().status, 500, "{way}");
        assert_eq!(value(&world, "userprofile-"), None, "{way}");
        // Who has the part has a key.
        world.engine.tenant(world.gateway.tenant()).unwrap().flush();
        let known = Request::get("/x").header("X-User", "u42");
        assert_eq!(world.handle(known).status, 200, "{way}");
    }
    let lax = Settings {
        reject_null_in_key: false,
        ..settings()
    };
    let document =
        format!(r#"{user}{set}<cache-remove-value key="@((string)context.Variables["k"])" />"#);
    assert_eq!(
        World::with(&telling(&document, "1"), lax, None)
            .get()
            .status,
        200
    );
}
