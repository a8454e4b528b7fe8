//! cache-value.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_gateway::azure::Settings;
use larder_gateway::http::{Request, Response, StatusCode};
use larder_gateway::trace::Trace;
use larder_gateway::upstream::SendError;

use crate::world::{NEVER, World, settings, telling};

const TELL: &str =
    r#"context.Variables.ContainsKey("v") ? "[" + context.Variables["v"] + "]" : "none""#;

/// The block asks somebody, and sets the variable unless the answer is empty.
const BLOCK: &str = r#"<value>
  <send-request response-variable-name="r"><set-url>https://profile.example/v</set-url></send-request>
  <choose><when condition="@(((IResponse)context.Variables["r"]).Body.As<string>() != "")">
    <set-variable name="v" value="@(((IResponse)context.Variables["r"]).Body.As<string>())" />
    <set-variable name="seconds" value="@(100)" />
  </when></choose>
</value>"#;

fn document(attributes: &str) -> String {
    let policy =
        format!(r#"<cache-value key="k" variable-name="v" {attributes}>{BLOCK}</cache-value>"#);
    telling(&policy, TELL)
}

fn world(attributes: &str) -> World {
    let world = World::new(&document(attributes));
    numbered(&world);
    world
}

/// Answers one, two, three.
fn numbered(world: &World) {
    let n = AtomicU64::new(0);
    world.others.answer(move |_| {
        let n = n.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Response::text(200, n.to_string()))
    });
}

fn nothing(world: &World) {
    world.others.answer(|_| Ok(Response::text(200, "")));
}

/// The answers after so many seconds each.
fn check(world: &World, expected: &[(u64, &str)]) {
    for (seconds, expected) in expected {
        world.seconds(*seconds);
        assert_eq!(world.body(), *expected, "after {seconds}");
    }
}

#[test]
fn z_090_a_miss_runs_the_block_and_stores_what_it_sets() {
    check(
        &world(r#"expires-after="10""#),
        &[(0, "[1]"), (0, "[1]"), (9, "[1]"), (1, "[2]")],
    );
}

#[test]
fn z_091_a_hit_skips_the_block_and_leaves_the_time_to_live() {
    let world = world(r#"expires-after="10""#);
    check(&world, &[(0, "[1]"), (5, "[1]"), (4, "[1]")]);
    assert_eq!(world.others.take().len(), 1);
    check(&world, &[(1, "[2]")]);
}

#[test]
fn z_092_the_default_is_eight_hours() {
    check(&world(""), &[(0, "[1]"), (28_799, "[1]"), (1, "[2]")]);
}

#[test]
fn z_093_past_its_refresh_time_a_value_is_replaced_or_else_kept() {
    let world = world(r#"expires-after="100" refresh-after="10""#);
    check(
        &world,
        &[(0, "[1]"), (9, "[1]"), (1, "[2]"), (9, "[2]"), (1, "[3]")],
    );
    nothing(&world);
    check(&world, &[(10, "[3]"), (80, "[3]")]);
    numbered(&world);
    check(&world, &[(1, "[1]")]);
    nothing(&world);
    check(&world, &[(99, "[1]"), (1, "none")]);
}

#[test]
fn z_094_a_block_that_sets_nothing_stores_nothing() {
    let world = world(r#"expires-after="10""#);
    nothing(&world);
    check(&world, &[(0, "none"), (0, "none")]);
    assert_eq!(world.others.take().len(), 2);
    assert_eq!(world.engine.cache().stats().inserted, 0);
    let policy = r#"<cache-value key="k" variable-name="v" default-value="d"><value>
        <set-variable name="v" value="@(null)" /></value></cache-value>"#;
    let world = World::new(&telling(policy, TELL));
    check(&world, &[(0, "[d]")]);
    assert_eq!(world.engine.cache().stats().inserted, 0);
    // A variable of before is as it was.
    let before = format!(
        r#"<set-variable name="v" value="before" />{}"#,
        policy.replace(r#"default-value="d""#, "")
    );
    check(&World::new(&telling(&before, TELL)), &[(0, "[before]")]);
}

#[test]
fn z_095_with_a_refresh_time_of_zero_the_block_always_runs() {
    for zero in ["0", "@(0)"] {
        let world = world(&format!(r#"expires-after="100" refresh-after="{zero}""#));
        check(&world, &[(0, "[1]")]);
        // An expression is known after the block only, so what it gave counts from its entry on.
        check(&world, &[(1, "[2]"), (1, "[3]")]);
        nothing(&world);
        check(&world, &[(1, "[3]")]);
    }
}

#[test]
fn z_096_durations_may_use_what_the_block_set() {
    let world = world(
        r#"expires-after="@((int)context.Variables["seconds"])" refresh-after="@((int)context.Variables["seconds"])""#,
    );
    check(&world, &[(0, "[1]"), (99, "[1]"), (1, "[2]")]);
}

/// How often the block ran for so many requests at once, and whether all were answered alike.
fn at_once(world: &World, n: usize) -> usize {
    numbered(world);
    world.block_on(async {
        let handle = || world.gateway.handle(Request::get("/x"), Trace::off());
        let mut requests: Vec<_> = (0..n).map(|_| Box::pin(handle())).collect();
        let mut bodies = Vec::new();
        // All of them are polled in turn, as by a server with one thread.
        std::future::poll_fn(|cx| {
            requests.retain_mut(|request| match request.as_mut().poll(cx) {
                std::task::Poll::Ready(handled) => {
                    bodies.push(handled.response.body_text());
                    false
                }
                std::task::Poll::Pending => true,
            });
            match requests.is_empty() {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
        assert_eq!(bodies, vec!["[1]"; n]);
    });
    world.others.take().len()
}

#[test]
fn z_097_of_fifty_requests_one_runs_the_block() {
    assert_eq!(at_once(&world(r#"expires-after="10""#), 50), 1);
    assert_eq!(
        at_once(
            &World::with_external(&document(r#"expires-after="10""#)),
            50
        ),
        1
    );
}

#[test]
fn z_097_the_wait_is_bounded_by_the_request_timeout() {
    let settings = Settings {
        request_timeout: std::time::Duration::from_millis(1),
        ..settings()
    };
    let world = World::with(&document(""), settings, None);
    world.others.answer(|_| Err(NEVER));
    assert_eq!(world.get().status, 500);
    // The turn was given back.
    numbered(&world);
    assert_eq!(world.body(), "[1]");
}

#[test]
fn z_098_it_works_in_all_sections() {
    let policy = format!(r#"<cache-value key="k" variable-name="v">{BLOCK}</cache-value>"#);
    let tell = format!("<set-body>@({TELL})</set-body>");
    for document in [
        format!("<inbound>{policy}</inbound><outbound>{tell}</outbound>"),
        format!("<backend>{policy}</backend><outbound>{tell}</outbound>"),
        format!("<outbound>{policy}{tell}</outbound>"),
        format!(
            r#"<inbound><set-variable name="x" value="@(context.Variables["y"])" /></inbound><on-error>{policy}{tell}</on-error>"#
        ),
    ] {
        let world = World::new(&document);
        numbered(&world);
        world
            .others
            .answer(|call| Ok(Response::text(200, call.url.host_str().unwrap_or(""))));
        assert_eq!(world.get().body_text(), "[profile.example]", "{document}");
        world.get();
        let asked = world.others.take();
        assert_eq!(
            asked.iter().filter(|url| url.contains("profile")).count(),
            1,
            "{document}"
        );
    }
}

#[test]
fn what_stops_the_block_stops_its_own_request() {
    let world = world(r#"expires-after="100" refresh-after="10""#);
    world.others.answer(|_| Err(SendError::TimedOut));
    assert_eq!(world.get().status, StatusCode::INTERNAL_SERVER_ERROR);
    numbered(&world);
    check(&world, &[(0, "[1]")]);
    world.others.answer(|_| Err(SendError::TimedOut));
    world.seconds(10);
    assert_eq!(world.get().status, StatusCode::INTERNAL_SERVER_ERROR);
    numbered(&world);
    check(&world, &[(1, "[1]")]);
}

#[test]
fn the_external_cache_refreshes_and_misses_alike() {
    let world = World::with_external(&document(r#"expires-after="100" refresh-after="10""#));
    numbered(&world);
    check(&world, &[(0, "[1]"), (9, "[1]"), (1, "[2]")]);
    nothing(&world);
    check(&world, &[(10, "[2]"), (89, "[2]"), (1, "none")]);
    world
        .level
        .as_ref()
        .unwrap()
        .fail(larder::LevelError::Unavailable);
    numbered(&world);
    check(&world, &[(0, "[1]"), (0, "[2]")]);
}

#[test]
fn without_the_external_cache_that_is_asked_for_the_block_runs_each_time() {
    let world = world(r#"caching-type="external""#);
    check(&world, &[(0, "[1]"), (0, "[2]")]);
}

#[test]
fn a_value_that_may_not_be_kept_is_used_and_not_stored() {
    for attributes in [r#"expires-after="0""#, r#"expires-after="-5""#] {
        let world = world(attributes);
        check(&world, &[(0, "[1]"), (0, "[2]")]);
        assert_eq!(world.engine.cache().stats().live_entries, 0);
    }
    let settings = Settings {
        value_bytes_max: 0,
        ..settings()
    };
    let world = World::with(&document(""), settings, None);
    numbered(&world);
    check(&world, &[(0, "[1]"), (0, "[2]")]);
}

#[test]
fn z_144_a_block_that_sets_the_value_and_then_fails_stores_nothing() {
    let set = r#"<set-variable name="v" value="@("half")" />"#;
    let fail = r#"<set-variable name="w" value="@((string)context.Variables["missing"])" />"#;
    for attributes in ["", r#"refresh-after="0""#, r#"caching-type="external""#] {
        let policy = format!(
            r#"<cache-value key="k" variable-name="v" {attributes}><value>{set}{fail}</value></cache-value>"#
        );
        let world = World::with_external(&telling(&policy, TELL));
        assert_eq!(world.get().status, 500, "{attributes}");
        let looked = r#"<cache-value key="k" variable-name="v" ATTRIBUTES><value><base /></value></cache-value>"#;
        let looked = looked.replace(
            "ATTRIBUTES",
            attributes.trim_start_matches(r#"refresh-after="0""#),
        );
        let beside = world.beside(&telling(&looked, TELL), settings());
        let answer = world.handle_by(&beside, Request::get("/x"));
        assert_eq!(answer.body_text(), "none", "{attributes}");
    }
}
