//! Internal and external caches, units, regions and services.

use larder::{LevelError, Levels, ManualClock, MemoryLevel};
use larder_gateway::azure::read::read;
use larder_gateway::azure::{Gateway, Settings};
use larder_gateway::engine::{Engine, Time};
use larder_gateway::http::Request;
use larder_gateway::upstream::Reach;

use crate::world::{HOSTS, World, api, birth, settings, telling};

/// Stores, removes or looks up in the cache that the query's words name.
fn document() -> String {
    let of = |what: &str, word: &str| {
        let caching = match word {
            "absent" => String::new(),
            word => format!("caching-type='{word}'"),
        };
        let policy = match what {
            "store" => format!("<cache-store-value key='k' value='v' duration='100' {caching} />"),
            "remove" => format!("<cache-remove-value key='k' {caching} />"),
            _ => format!(
                "<cache-lookup-value key='k' variable-name='v' {caching} default-value='none' />"
            ),
        };
        format!(
            r#"<when condition="@(context.Request.Url.Path == "/{what}/{word}")">{policy}</when>"#
        )
    };
    let words = ["internal", "external", "prefer-external", "absent"];
    let branches: String = ["store", "remove", "lookup"]
        .iter()
        .flat_map(|what| words.iter().map(|word| of(what, word)))
        .collect();
    telling(
        &format!("<choose>{branches}</choose>"),
        r#"context.Variables.GetValueOrDefault<string>("v", "")"#,
    )
}

fn does(world: &World, what: &str) -> String {
    let response = world.handle(Request::get(&format!("/{what}")));
    assert_eq!(response.status, 200, "{}", response.body_text());
    response.body_text()
}

/// Which words find a value that was stored by one.
fn found_by(world: &World, stored_by: &str) -> Vec<&'static str> {
    does(world, &format!("store/{stored_by}"));
    let words = ["internal", "external", "prefer-external", "absent"];
    let found = words
        .into_iter()
        .filter(|word| does(world, &format!("lookup/{word}")) == "v");
    found.collect()
}

fn external() -> World {
    World::with_external(&document())
}

fn alone() -> World {
    World::new(&document())
}

#[test]
fn z_070_internal_is_internal_only() {
    assert_eq!(found_by(&external(), "internal"), ["internal"]);
    assert_eq!(
        found_by(&alone(), "internal"),
        ["internal", "prefer-external", "absent"]
    );
}

#[test]
fn z_071_external_is_external_only() {
    let world = external();
    assert_eq!(
        found_by(&world, "external"),
        ["external", "prefer-external", "absent"]
    );
    assert_eq!(does(&world, "lookup/internal"), "none");
}

#[test]
fn z_072_external_without_one_stores_nothing_and_misses() {
    assert!(found_by(&alone(), "external").is_empty());
    assert_eq!(does(&alone(), "lookup/external"), "none");
}

#[test]
fn z_073_preferred_is_external_where_there_is_one() {
    for word in ["prefer-external", "absent"] {
        assert_eq!(
            found_by(&external(), word),
            ["external", "prefer-external", "absent"]
        );
    }
}

#[test]
fn z_074_preferred_is_internal_where_there_is_none() {
    for word in ["prefer-external", "absent"] {
        assert_eq!(
            found_by(&alone(), word),
            ["internal", "prefer-external", "absent"]
        );
    }
}

#[test]
fn z_075_a_cache_that_is_down_is_not_replaced_by_the_other() {
    let world = external();
    does(&world, "store/internal");
    world.level.as_ref().unwrap().fail(LevelError::Unavailable);
    assert_eq!(found_by(&world, "prefer-external"), ["internal"]);
    does(&world, "remove/internal");
    assert!(found_by(&world, "absent").is_empty());
}

#[test]
fn z_076_any_other_word_does_not_load() {
    for word in ["", "External", "redis", "both"] {
        let text = format!("<cache-remove-value key='k' caching-type='{word}' />");
        let findings = read(&text, &()).expect_err(&text);
        assert!(
            findings[0].message.contains("one of prefer-external"),
            "{findings:?}"
        );
    }
}

#[test]
fn z_077_a_removal_is_from_the_cache_that_a_store_would_use() {
    let world = external();
    for (stored, removed, left) in [
        ("internal", "external", 1),
        ("internal", "internal", 0),
        ("external", "internal", 3),
        ("external", "absent", 0),
        ("absent", "external", 0),
    ] {
        does(&world, "remove/internal");
        does(&world, "remove/external");
        found_by(&world, stored);
        does(&world, &format!("remove/{removed}"));
        let words = ["internal", "external", "prefer-external", "absent"];
        let found = words
            .iter()
            .filter(|word| does(&world, &format!("lookup/{word}")) == "v");
        assert_eq!(found.count(), left, "{stored}, {removed}");
    }
    let world = alone();
    found_by(&world, "absent");
    does(&world, "remove/internal");
    assert_eq!(does(&world, "lookup/absent"), "none");
}

#[test]
fn z_078_two_units_of_a_region_share_the_internal_cache() {
    let world = alone();
    let unit = world.beside(&document(), settings());
    does(&world, "store/internal");
    let response = world.handle_by(&unit, Request::get("/lookup/internal"));
    assert_eq!(response.body_text(), "v");
}

#[test]
fn z_078_two_units_share_an_external_cache_from_two_processes() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let world = World::with(&document(), settings(), Some(level.clone()));
    let time = Time::manual(clock, birth());
    let cache = larder::Cache::builder()
        .max_bytes(1 << 20)
        .clock(time.clone())
        .build()
        .unwrap();
    let engine = Engine::new(cache, time).with_levels(Levels::new(level, b"test"));
    let reach = Reach::new(world.others.clone(), HOSTS);
    let unit = Gateway::new(engine, reach, settings(), vec![api(&document())]);
    does(&world, "store/external");
    let response = world.handle_by(&unit, Request::get("/lookup/external"));
    assert_eq!(response.body_text(), "v");
}

fn settings_of(service: &str, region: &str) -> Settings {
    Settings {
        service: service.to_owned(),
        region: region.to_owned(),
        ..settings()
    }
}

#[test]
fn z_079_z_080_regions_and_services_are_apart_in_both_caches() {
    for word in ["internal", "external"] {
        let world = external();
        let gateways = [
            ("s/t", "r"),
            ("s/t", "r2"),
            ("s2", "r"),
            ("s", "t/r"),
            ("", "s/t/r"),
        ]
        .map(|(service, region)| world.beside(&document(), settings_of(service, region)));
        let ask = |gateway: &Gateway, what: &str| {
            world
                .handle_by(gateway, Request::get(&format!("/{what}/{word}")))
                .body_text()
        };
        ask(&gateways[0], "store");
        let found: Vec<String> = gateways
            .iter()
            .map(|gateway| ask(gateway, "lookup"))
            .collect();
        assert_eq!(found, ["v", "none", "none", "none", "none"]);
        // A removal elsewhere takes nothing away.
        ask(&gateways[1], "remove");
        ask(&gateways[2], "remove");
        assert_eq!(ask(&gateways[0], "lookup"), "v");
    }
}

#[test]
fn z_081_flows_answer_correctly_after_a_wipe() {
    let document = telling(
        r#"<cache-lookup-value key="k" variable-name="v" />
        <choose><when condition="@(!context.Variables.ContainsKey("v"))">
          <send-request response-variable-name="r"><set-url>https://profile.example/</set-url></send-request>
          <set-variable name="v" value="@(((IResponse)context.Variables["r"]).Body.As<string>())" />
          <cache-store-value key="k" value="@((string)context.Variables["v"])" duration="100" />
        </when></choose>"#,
        r#"(string)context.Variables["v"]"#,
    );
    let world = World::new(&document);
    assert_eq!((world.body(), world.body()), ("ok".into(), "ok".into()));
    assert_eq!(world.others.take().len(), 1);
    world.engine.tenant(world.gateway.tenant()).unwrap().flush();
    assert_eq!(world.body(), "ok");
    assert_eq!(world.others.take().len(), 1);
}

#[test]
fn z_082_the_internal_cache_is_bounded_by_the_engine() {
    let store = r#"<cache-store-value key="@("k" + context.Request.Url.Path)" value="@(context.Request.Headers.GetValueOrDefault("x",""))" duration="100" />"#;
    let world = World::new(&telling(store, "1"));
    world
        .engine
        .cache()
        .set_capacity(larder::Capacity::bytes(1 << 20))
        .unwrap();
    let value = "x".repeat(10_000);
    for n in 0..300 {
        let request = Request::get(&format!("/{n}")).header("x", &value);
        assert_eq!(world.handle(request).status, 200);
        assert!(world.engine.cache().weight() <= 1 << 20);
    }
    assert!(world.engine.cache().stats().evicted > 0);
}

#[test]
fn z_083_the_internal_cache_is_there_without_anything_else() {
    assert!(!alone().engine.has_level());
    assert!(found_by(&alone(), "internal").contains(&"internal"));
}
