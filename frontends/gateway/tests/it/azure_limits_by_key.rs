//! rate-limit-by-key and quota-by-key.

use larder_gateway::azure::ApiSettings;
use larder_gateway::azure::read::read;
use larder_gateway::http::{Method, Request, Response};

use crate::azure_limits::{header, inbound, status};
use crate::world::{World, api};

/// By the key in the query.
fn by_key(attributes: &str) -> String {
    inbound(&format!(
        r#"<rate-limit-by-key counter-key="@(context.Request.Url.Query.GetValueOrDefault("k","none"))" {attributes} />"#
    ))
}

fn keyed(world: &World, query: &str) -> u16 {
    world
        .handle(Request::get(&format!("/x?{query}")))
        .status
        .as_u16()
}

#[test]
fn z_120_a_key_has_one_counter_for_all_places() {
    let by_address = r#"<rate-limit-by-key calls="2" renewal-period="60" counter-key="@(context.Request.IpAddress)" />"#;
    let world = World::new(&inbound(by_address));
    let from = |world: &larder_gateway::azure::Gateway, address: &str| {
        let mut request = Request::get("/x");
        request.client = Some(address.parse().unwrap());
        world_status(world, request)
    };
    assert_eq!(from(&world.gateway, "192.0.2.1"), 200);
    assert_eq!(from(&world.gateway, "192.0.2.1"), 200);
    assert_eq!(from(&world.gateway, "192.0.2.1"), 429);
    assert_eq!(from(&world.gateway, "192.0.2.2"), 200);
    // Another place, with another limit, sees the same counter.
    let two = World::with_apis(vec![
        ApiSettings {
            prefix: "/a".into(),
            ..api(&by_key(r#"calls="2" renewal-period="60""#))
        },
        ApiSettings {
            prefix: "/b".into(),
            ..api(&by_key(r#"calls="3" renewal-period="60""#))
        },
    ]);
    let ask = |path: &str| two.handle(Request::get(path)).status.as_u16();
    assert_eq!([ask("/b?k=x"), ask("/a?k=x")], [200, 200]);
    assert_eq!(
        [ask("/a?k=x"), ask("/b?k=x"), ask("/b?k=x")],
        [429, 200, 429]
    );
    assert_eq!(ask("/a?k=y"), 200);
}

fn world_status(gateway: &larder_gateway::azure::Gateway, request: Request) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let handled = gateway.handle(request, larder_gateway::trace::Trace::off());
    runtime.block_on(handled).response.status.as_u16()
}

#[test]
fn z_121_a_condition_on_the_request_decides_at_once() {
    let world = World::new(&by_key(
        r#"calls="2" renewal-period="60" increment-condition="@(context.Request.Url.Query.GetValueOrDefault("free","") == "")""#,
    ));
    for _ in 0..5 {
        assert_eq!(keyed(&world, "free=1"), 200);
    }
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 200]);
    assert_eq!([keyed(&world, "free=1"), keyed(&world, "")], [429, 429]);
}

#[test]
fn z_122_a_condition_on_the_response_decides_after_it() {
    let world = World::new(&by_key(
        r#"calls="2" renewal-period="60" increment-condition="@(context.Response.StatusCode == 200)""#,
    ));
    world.others.answer(|call| {
        let status = call.url.query_pairs().find(|(name, _)| name == "s");
        Ok(Response::text(
            status.map_or(200, |(_, status)| status.parse().unwrap()),
            "",
        ))
    });
    assert_eq!(
        [
            keyed(&world, "s=404"),
            keyed(&world, "s=404"),
            keyed(&world, "s=500")
        ],
        [404, 404, 500]
    );
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 200]);
    assert_eq!([keyed(&world, "s=404"), keyed(&world, "")], [429, 429]);
}

#[test]
fn z_123_a_call_may_count_for_several() {
    let world = World::new(&by_key(
        r#"calls="10" renewal-period="60" increment-count="5""#,
    ));
    assert_eq!(
        [keyed(&world, ""), keyed(&world, ""), keyed(&world, "")],
        [200, 200, 429]
    );
}

#[test]
fn z_124_numbers_and_keys_are_evaluated_for_each_call() {
    let world = World::new(&by_key(
        r#"calls="@((int)context.Request.Url.Query.GetValueOrDefault("c","2"))"
           renewal-period="@((int)context.Request.Url.Query.GetValueOrDefault("p","60"))""#,
    ));
    assert_eq!(
        [keyed(&world, ""), keyed(&world, ""), keyed(&world, "")],
        [200, 200, 429]
    );
    assert_eq!(keyed(&world, "k=other"), 200);
    for wrong in ["c=0", "c=-1", "p=0", "p=301", "c=x"] {
        assert_eq!(keyed(&world, wrong), 500, "{wrong}");
    }
}

#[test]
fn z_124_computed_limits_cannot_grow_the_table_without_end() {
    let world = World::new(&by_key(
        r#"calls="@((int)context.Request.Url.Query.GetValueOrDefault("c","2"))" renewal-period="60""#,
    ));
    let refused = (1..=1_100).filter(|calls| keyed(&world, &format!("c={calls}")) == 500);
    assert!(refused.count() > 0);
    assert_eq!(keyed(&world, "c=1000"), 200);
}

fn quota(attributes: &str) -> String {
    inbound(&format!(
        r#"<quota-by-key counter-key="@(context.Request.Url.Query.GetValueOrDefault("k","none"))" {attributes} />"#
    ))
}

#[test]
fn z_130_a_quota_refuses_with_403_until_the_end_of_its_period() {
    let world = World::new(&quota(r#"calls="2" renewal-period="3600""#));
    world.seconds(600);
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 200]);
    let refused = world.get();
    assert_eq!(refused.status, 403);
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("3000"));
    let body: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(body["statusCode"], 403);
    assert!(
        body["message"].as_str().unwrap().contains("00:50:00"),
        "{body}"
    );
    assert_eq!(keyed(&world, "k=other"), 200);
    world.seconds(3000);
    assert_eq!(
        [keyed(&world, ""), keyed(&world, ""), keyed(&world, "")],
        [200, 200, 403]
    );
}

#[test]
fn z_131_the_window_is_fixed_from_its_first_start() {
    // The test's clock is born at midnight, an hour on the vendor's calendar.
    let world = World::new(&quota(r#"calls="1" renewal-period="3600""#));
    world.seconds(3599);
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 403]);
    world.seconds(1);
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 403]);
    for start in [
        "2020-05-05T00:20:00Z",
        "1950-05-05T00:20:00Z",
        "2030-05-05T00:20:00Z",
    ] {
        let text = quota(&format!(
            r#"calls="1" renewal-period="3600" first-period-start="{start}""#
        ));
        let world = World::new(&text);
        world.seconds(1199);
        assert_eq!(
            [keyed(&world, ""), keyed(&world, "")],
            [200, 403],
            "{start}"
        );
        world.seconds(1);
        assert_eq!(
            [keyed(&world, ""), keyed(&world, "")],
            [200, 403],
            "{start}"
        );
        world.seconds(3599);
        assert_eq!(keyed(&world, ""), 403, "{start}");
    }
    assert!(
        read(
            &quota(r#"calls="1" renewal-period="300" first-period-start="soon""#),
            &()
        )
        .is_err()
    );
}

#[test]
fn z_132_a_period_of_zero_never_ends_and_short_ones_do_not_load() {
    let world = World::new(&quota(r#"calls="1" renewal-period="0""#));
    assert_eq!([keyed(&world, ""), keyed(&world, "")], [200, 403]);
    world.seconds(1_000_000_000);
    let refused = world.get();
    assert_eq!(
        (refused.status.as_u16(), header(&refused, "retry-after")),
        (403, None)
    );
    for (period, is_good) in [(1, false), (299, false), (300, true)] {
        let text = quota(&format!(r#"calls="1" renewal-period="{period}""#));
        assert_eq!(read(&text, &()).is_ok(), is_good, "{period}");
    }
}

#[test]
fn z_133_bandwidth_counts_what_is_asked_and_answered() {
    let world = World::new(&quota(r#"bandwidth="2" renewal-period="3600""#));
    world
        .others
        .answer(|_| Ok(Response::text(200, "x".repeat(600))));
    let mut request = Request::new(Method::POST, "/x");
    request.body = vec![0; 500].into();
    // 1,100 bytes each: the second begins within two kilobytes, and ends beyond.
    assert_eq!(world.handle(request.clone()).status, 200);
    assert_eq!(world.handle(request.clone()).status, 200);
    assert_eq!(world.handle(request.clone()).status, 403);
    world.seconds(3600);
    request.body = vec![0; 2049].into();
    assert_eq!(world.handle(request).status, 403);

    // What asks without a body is answered with one.
    let world = World::new(&quota(r#"bandwidth="1" renewal-period="3600""#));
    world
        .others
        .answer(|_| Ok(Response::text(200, "x".repeat(512))));
    let asked = [(); 3].map(|()| keyed(&world, ""));
    assert_eq!(asked, [200, 200, 403]);

    let both = World::new(&quota(r#"bandwidth="2" calls="1" renewal-period="3600""#));
    assert_eq!([keyed(&both, ""), keyed(&both, "")], [200, 403]);
    assert!(read(&quota(r#"renewal-period="3600""#), &()).is_err());
}

#[test]
fn z_134_a_key_that_two_policies_name_is_counted_once() {
    let one = r#"<quota-by-key calls="2" renewal-period="3600" counter-key="k" />"#;
    let world = World::new(&inbound(&format!(
        "{one}{one}{}",
        one.replace("calls=\"2\"", "calls=\"3\"")
    )));
    assert_eq!(
        [world.get().status, world.get().status, world.get().status],
        [200, 200, 403]
    );
}

#[test]
fn z_135_a_limit_within_the_branch_of_a_miss_limits_misses_alone() {
    let document = inbound(
        r#"<cache-lookup-value key="@("v" + context.Request.Url.Path)" variable-name="v" />
        <choose><when condition="@(!context.Variables.ContainsKey("v"))">
          <rate-limit calls="2" renewal-period="60" />
          <cache-store-value key="@("v" + context.Request.Url.Path)" value="1" duration="100" />
        </when></choose>"#,
    );
    let world = World::new(&document);
    for _ in 0..5 {
        assert_eq!(status(&world, "/a"), 200);
    }
    assert_eq!(
        [
            status(&world, "/b"),
            status(&world, "/c"),
            status(&world, "/a")
        ],
        [200, 429, 200]
    );
}

#[test]
fn a_literal_of_no_use_does_not_load() {
    for attributes in [
        r#"calls="0" renewal-period="60""#,
        r#"calls="x" renewal-period="60""#,
        r#"calls="1" renewal-period="301""#,
        r#"calls="1" renewal-period="60" increment-count="0""#,
        r#"renewal-period="60""#,
    ] {
        assert!(read(&by_key(attributes), &()).is_err(), "{attributes}");
    }
}
