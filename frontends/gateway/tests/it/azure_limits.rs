//! rate-limit, rate-limit-by-key, quota-by-key.

use std::time::Duration;

use larder::{Rate, Rates};
use larder_gateway::azure::read::read;
use larder_gateway::azure::{ApiSettings, Operation};
use larder_gateway::http::{Method, Request, Response};

use crate::world::{World, api, telling};

pub(crate) fn header(response: &Response, name: &str) -> Option<String> {
    response
        .headers
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
}

/// The statuses of so many calls.
fn statuses(world: &World, key: &str, n: usize) -> Vec<u16> {
    (0..n).map(|_| world.get_as(key).status.as_u16()).collect()
}

pub(crate) fn inbound(policy: &str) -> String {
    format!("<inbound>{policy}</inbound>")
}

const THREE: &str = r#"<rate-limit calls="3" renewal-period="60" />"#;

#[test]
fn z_100_calls_are_counted_by_subscription() {
    let world = World::new(&inbound(THREE));
    assert_eq!(statuses(&world, "K1", 4), [200, 200, 200, 429]);
    assert_eq!(statuses(&world, "K2", 4), [200, 200, 200, 429]);
}

#[test]
fn z_101_a_refusal_says_when_to_come_back_and_nothing_else_runs() {
    let world = World::new(&inbound(&format!(
        r#"{THREE}<send-request><set-url>https://profile.example/after</set-url></send-request>"#
    )));
    statuses(&world, "K1", 3);
    world.seconds(20);
    world.others.take();
    let refused = world.get_as("K1");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.status.canonical_reason(), Some("Too Many Requests"));
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("40"));
    assert_eq!(
        header(&refused, "content-type").as_deref(),
        Some("application/json")
    );
    let body: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(body["statusCode"], 429);
    assert!(
        body["message"].as_str().unwrap().contains("40 seconds"),
        "{body}"
    );
    assert!(world.others.take().is_empty());

    let renamed =
        r#"<rate-limit calls="1" renewal-period="60" retry-after-header-name="X-Wait" />"#;
    let world = World::new(&inbound(renamed));
    statuses(&world, "K1", 1);
    let refused = world.get_as("K1");
    assert_eq!(header(&refused, "x-wait").as_deref(), Some("60"));
    assert_eq!(header(&refused, "retry-after"), None);
}

#[test]
fn z_101_the_engines_own_limits_of_a_tenant_answer_alike() {
    let world = World::new(&telling(
        r#"<cache-lookup-value key="k" variable-name="v" />"#,
        "1",
    ));
    let rates = Rates {
        operations: Some(Rate::per_second(1).burst(2)),
        ..Rates::UNLIMITED
    };
    let limits = larder::Limits {
        rates,
        ..larder::Limits::default()
    };
    world
        .engine
        .tenant(world.gateway.tenant())
        .unwrap()
        .set_limits(limits)
        .unwrap();
    assert_eq!([world.get().status, world.get().status], [200, 200]);
    let refused = world.get();
    assert_eq!(refused.status, 429);
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("1"));
    world.seconds(1);
    assert_eq!(world.get().status, 200);
}

#[test]
fn z_102_a_refused_call_is_not_counted() {
    let world = World::new(&inbound(THREE));
    statuses(&world, "K1", 3);
    world.seconds(59);
    assert_eq!(statuses(&world, "K1", 5), [429; 5]);
    world.seconds(1);
    assert_eq!(statuses(&world, "K1", 4), [200, 200, 200, 429]);
}

#[test]
fn z_103_the_window_slides_and_is_of_1_to_300_seconds() {
    for (period, is_good) in [(0, false), (1, true), (300, true), (301, false)] {
        let text = format!("<rate-limit calls='1' renewal-period='{period}' />");
        assert_eq!(read(&text, &()).is_ok(), is_good, "{period}");
    }
    let world = World::new(&inbound(r#"<rate-limit calls="2" renewal-period="10" />"#));
    let mut passed = Vec::new();
    for second in 0..60_u64 {
        if statuses(&world, "K1", 1) == [200] {
            passed.push(second);
        }
        world.seconds(1);
    }
    for start in 0..60 {
        let within = passed
            .iter()
            .filter(|&&at| (start..start + 10).contains(&at));
        assert!(within.count() <= 2, "from {start}: {passed:?}");
    }
    assert_eq!(passed.len(), 12);
}

#[test]
fn z_104_a_window_is_exact_at_its_edge() {
    let world = World::new(&inbound(THREE));
    for _ in 0..3 {
        assert_eq!(statuses(&world, "K1", 1), [200]);
        world.seconds(1);
    }
    world.clock.advance(Duration::from_millis(56_900));
    let refused = world.get_as("K1");
    assert_eq!(
        (
            refused.status.as_u16(),
            header(&refused, "retry-after").as_deref()
        ),
        (429, Some("1"))
    );
    world.clock.advance(Duration::from_millis(100));
    assert_eq!(statuses(&world, "K1", 2), [200, 429]);
}

#[test]
fn z_105_what_is_left_is_told_in_headers_and_a_variable() {
    let policy = r#"<rate-limit calls="5" renewal-period="60" remaining-calls-header-name="X-Left"
        remaining-calls-variable-name="left" total-calls-header-name="X-Total" />"#;
    let tell = r#"<set-body>@("" + context.Variables["left"])</set-body>"#;
    let world = World::new(&format!(
        "<inbound>{policy}</inbound><outbound>{tell}</outbound><on-error>{tell}</on-error>"
    ));
    for left in ["4", "3", "2", "1", "0", "0"] {
        let response = world.get_as("K1");
        assert_eq!(header(&response, "x-left").as_deref(), Some(left));
        assert_eq!(header(&response, "x-total").as_deref(), Some("5"));
        assert_eq!(response.body_text(), left);
    }
}

#[test]
fn z_106_the_seconds_to_wait_are_told_in_a_variable() {
    let policy = r#"<rate-limit calls="1" renewal-period="60" retry-after-variable-name="wait" />"#;
    let tell = r#"<set-body>@("wait " + context.Variables["wait"])</set-body>"#;
    let world = World::new(&format!(
        "<inbound>{policy}</inbound><on-error>{tell}</on-error>"
    ));
    statuses(&world, "K1", 1);
    let refused = world.get_as("K1");
    assert_eq!(
        (refused.status.as_u16(), &*refused.body_text()),
        (429, "wait 60")
    );
}

/// One document for two APIs, which share its counters.
fn two_apis(policy: &str) -> World {
    let make = |id: &str, name: &str| ApiSettings {
        prefix: format!("/{id}"),
        policy_scope: "product".to_owned(),
        operations: ["read", "write"]
            .map(|name| Operation {
                id: format!("op-{name}"),
                name: name.to_owned(),
                method: Method::GET,
                path: format!("/{name}/{{id}}"),
            })
            .into(),
        api: larder_gateway::azure::expr::Api {
            id: id.to_owned(),
            name: name.to_owned(),
            ..api("<inbound/>").api
        },
        ..api(&inbound(policy))
    };
    World::with_apis(vec![make("a", "Alpha"), make("b", "Beta")])
}

pub(crate) fn status(world: &World, path: &str) -> u16 {
    let request = Request::get(path).header("Ocp-Apim-Subscription-Key", "K1");
    world.handle(request).status.as_u16()
}

#[test]
fn z_107_all_matching_scopes_must_have_room() {
    let world = two_apis(
        r#"<rate-limit calls="6" renewal-period="60">
          <api name="Alpha" calls="3" renewal-period="60"><operation name="write" calls="1" renewal-period="60" /></api>
          <api id="b" name="Alpha" calls="5" renewal-period="60" />
        </rate-limit>"#,
    );
    assert_eq!(status(&world, "/a/write/1"), 200);
    assert_eq!(status(&world, "/a/write/2"), 429);
    assert_eq!(status(&world, "/a/read/1"), 200);
    assert_eq!(status(&world, "/a/read/1"), 200);
    assert_eq!(status(&world, "/a/read/1"), 429);
    // The refusals took nothing from the others: three of six are left.
    for _ in 0..3 {
        assert_eq!(status(&world, "/b/read/1"), 200);
    }
    assert_eq!(status(&world, "/b/read/1"), 429);
}

#[test]
fn z_107_the_id_wins_over_the_name() {
    let world = two_apis(
        r#"<rate-limit calls="9" renewal-period="60"><api id="b" name="Alpha" calls="1" renewal-period="60" /></rate-limit>"#,
    );
    assert_eq!([status(&world, "/a/x"), status(&world, "/a/x")], [200, 200]);
    assert_eq!([status(&world, "/b/x"), status(&world, "/b/x")], [200, 429]);
}

#[test]
fn z_108_an_exhausted_subscription_refuses_also_where_the_api_has_room() {
    let world = two_apis(
        r#"<rate-limit calls="1" renewal-period="60"><api id="a" calls="5" renewal-period="60" /></rate-limit>"#,
    );
    assert_eq!([status(&world, "/a/x"), status(&world, "/a/x")], [200, 429]);
}

#[test]
fn z_109_of_several_scopes_the_smallest_remainder_is_told() {
    let world = two_apis(
        r#"<rate-limit calls="9" renewal-period="60" remaining-calls-header-name="X-Left">
          <api id="a" calls="3" renewal-period="60" /></rate-limit>"#,
    );
    let left = |path: &str| {
        let request = Request::get(path).header("Ocp-Apim-Subscription-Key", "K1");
        header(&world.handle(request), "x-left").unwrap()
    };
    assert_eq!([left("/a/x"), left("/b/x"), left("/a/x")], ["2", "7", "1"]);
}

#[test]
fn z_110_an_api_without_name_and_id_does_not_load() {
    let text = r#"<rate-limit calls="1" renewal-period="60"><api calls="1" renewal-period="60" /></rate-limit>"#;
    let findings = read(text, &()).unwrap_err();
    assert!(
        findings[0].message.contains("neither `name` nor `id`"),
        "{findings:?}"
    );
}

#[test]
fn z_111_without_a_subscription_it_is_not_applied() {
    let world = World::new(&inbound(r#"<rate-limit calls="1" renewal-period="60" />"#));
    assert_eq!([world.get().status, world.get().status], [200, 200]);
}

#[test]
fn z_112_the_limit_is_exact_among_threads() {
    let world = World::new(&inbound(r#"<rate-limit calls="50" renewal-period="60" />"#));
    let gateway = &world.gateway;
    let passed: usize = std::thread::scope(|scope| {
        let count = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            (0..40)
                .filter(|_| {
                    let request = Request::get("/x").header("Ocp-Apim-Subscription-Key", "K1");
                    let handled = gateway.handle(request, larder_gateway::trace::Trace::off());
                    runtime.block_on(handled).response.status == 200
                })
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(passed, 50);
}
