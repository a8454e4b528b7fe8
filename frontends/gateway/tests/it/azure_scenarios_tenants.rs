//! The scenarios S-3 to S-5.

use larder_gateway::http::{Call, Request, Response};
use larder_gateway::upstream::SendError;

use crate::azure_scenarios::{configured, customers, value, with_service};
use crate::world::{World, settings};

fn isolation() -> World {
    let world = with_service(include_str!("../../examples/policies/tenant-isolation.xml"));
    world.others.answer(configured("hw-a", "hw-b"));
    world
}

#[test]
fn s_3_1_each_key_reaches_its_own_group_alone() {
    let world = isolation();
    for _ in 0..3 {
        assert_eq!(
            customers(&world, "K1").body_text(),
            "hw-a.backend.example/customers"
        );
        assert_eq!(
            customers(&world, "K2").body_text(),
            "hw-b.backend.example/customers"
        );
    }
    let asked = world.others.take();
    assert_eq!(
        asked
            .iter()
            .filter(|url| url.contains("TenantGroup"))
            .count(),
        2
    );
}

#[test]
fn s_3_2_a_move_takes_effect_after_expiry_or_removal() {
    let world = isolation();
    customers(&world, "K1");
    world.others.answer(configured("hw-b", "hw-b"));
    assert_eq!(
        customers(&world, "K1").body_text(),
        "hw-a.backend.example/customers"
    );
    let remover = world.beside(
        r#"<cache-remove-value key="@("tenantgroup-" + context.Subscription.Key)" />"#,
        settings(),
    );
    world.handle_by(&remover, Request::get("/x?subscription-key=K1"));
    assert_eq!(
        customers(&world, "K1").body_text(),
        "hw-b.backend.example/customers"
    );
    world.others.answer(configured("hw-a", "hw-b"));
    world.seconds(100_000);
    assert_eq!(
        customers(&world, "K1").body_text(),
        "hw-a.backend.example/customers"
    );
}

#[test]
fn s_3_3_a_group_that_is_not_on_the_list_is_refused() {
    for group in [
        "hw-c",
        "evil.example/?",
        "evil.example#",
        "hw-a.backend.example@evil.example/",
    ] {
        let world = isolation();
        world.others.answer(configured(group, "hw-b"));
        assert_eq!(customers(&world, "K1").status, 500, "{group}");
        assert_eq!(
            world.others.take(),
            ["https://api.example/svc/api/TenantGroup/K1"]
        );
        assert_eq!(customers(&world, "K2").status, 200);
    }
}

#[test]
fn s_3_4_a_group_that_is_down_harms_its_own_tenants_alone() {
    let world = isolation();
    world.others.answer(|call| match call.url.host_str() {
        Some("hw-a.backend.example") => Err(SendError::Failed("connection refused".to_owned())),
        _ => configured("hw-a", "hw-b")(call),
    });
    assert_eq!(customers(&world, "K1").status, 502);
    assert_eq!(customers(&world, "K2").status, 200);
}

#[test]
fn s_3_5_a_new_version_of_one_group_is_seen_by_its_tenants_alone() {
    let world = isolation();
    world.others.answer(|call| match call.url.host_str() {
        Some("hw-b.backend.example") => Ok(Response::text(200, format!("new {}", call.url.path()))),
        _ => configured("hw-a", "hw-b")(call),
    });
    // The client's URL is the same for both.
    assert_eq!(
        customers(&world, "K1").body_text(),
        "hw-a.backend.example/customers"
    );
    assert_eq!(customers(&world, "K2").body_text(), "new /customers");
}

/// The verdict on a caller is kept for five seconds, also where it is no.
const NEGATIVE: &str = r#"<policies><inbound>
  <cache-lookup-value key="@("auth-" + context.Request.Headers.GetValueOrDefault("Authorization",""))" variable-name="verdict" />
  <choose><when condition="@(!context.Variables.ContainsKey("verdict"))">
    <send-request mode="new" response-variable-name="answer" timeout="5" ignore-error="false">
      <set-url>https://profile.example/authorise</set-url>
      <set-method>GET</set-method>
      <set-header name="Authorization" exists-action="override"><value>@(context.Request.Headers.GetValueOrDefault("Authorization",""))</value></set-header>
    </send-request>
    <set-variable name="verdict" value="@(((IResponse)context.Variables["answer"]).StatusCode)" />
    <cache-store-value key="@("auth-" + context.Request.Headers.GetValueOrDefault("Authorization",""))" value="@((int)context.Variables["verdict"])" duration="5" />
  </when></choose>
  <choose><when condition="@((int)context.Variables["verdict"] != 200)">
    <return-response><set-status code="@((int)context.Variables["verdict"])" /></return-response>
  </when></choose>
</inbound></policies>"#;

#[test]
fn s_4_1_s_4_2_s_4_3_a_verdict_is_kept_for_five_seconds_also_if_it_is_no() {
    let world = World::new(NEGATIVE);
    world.others.answer(|call| {
        let is_good = call
            .headers
            .get("authorization")
            .is_none_or(|value| value == "good");
        Ok(Response::text(if is_good { 200 } else { 403 }, ""))
    });
    let ask = |authorization: &str| {
        let request = Request::get("/x").header("Authorization", authorization);
        let status = world.handle(request).status.as_u16();
        let asked = world.others.take();
        (
            status,
            asked.iter().filter(|url| url.contains("authorise")).count(),
        )
    };
    assert_eq!([ask("good"), ask("good")], [(200, 1), (200, 0)]);
    assert_eq!([ask("bad"), ask("bad")], [(403, 1), (403, 0)]);
    world.seconds(4);
    assert_eq!([ask("good"), ask("bad")], [(200, 0), (403, 0)]);
    world.seconds(1);
    assert_eq!([ask("good"), ask("bad")], [(200, 1), (403, 1)]);
}

/// A token for the backend is kept for as long as it says, and thrown away when the backend refuses it.
const TOKENS: &str = r#"<policies><inbound>
  <cache-lookup-value key="token" variable-name="token" />
  <choose><when condition="@(!context.Variables.ContainsKey("token"))">
    <send-request mode="new" response-variable-name="answer" timeout="5" ignore-error="false">
      <set-url>https://profile.example/token</set-url><set-method>POST</set-method>
    </send-request>
    <set-variable name="token" value="@((string)((IResponse)context.Variables["answer"]).Body.As<JObject>()["access_token"])" />
    <cache-store-value key="token" value="@((string)context.Variables["token"])" duration="@((int)((IResponse)context.Variables["answer"]).Body.As<JObject>()["expires_in"])" />
  </when></choose>
  <set-header name="Authorization" exists-action="override"><value>@("Bearer " + (string)context.Variables["token"])</value></set-header>
</inbound><outbound>
  <choose><when condition="@(context.Response.StatusCode == 401)"><cache-remove-value key="token" /></when></choose>
</outbound></policies>"#;

#[test]
fn s_5_1_s_5_2_a_token_is_used_again_until_it_expires_or_is_refused() {
    let world = World::new(TOKENS);
    let issued = std::sync::atomic::AtomicU64::new(0);
    let answer = move |call: &Call| {
        use std::sync::atomic::Ordering;
        Ok(match call.url.path() {
            "/token" => {
                let n = issued.fetch_add(1, Ordering::Relaxed) + 1;
                Response::text(
                    200,
                    format!(r#"{{"access_token":"t{n}","expires_in":"30"}}"#),
                )
            }
            // The second token is revoked.
            _ if call.headers["authorization"] == "Bearer t2" => Response::text(401, ""),
            _ => Response::text(200, call.headers["authorization"].to_str().unwrap()),
        })
    };
    world.others.answer(answer);
    assert_eq!([world.body(), world.body()], ["Bearer t1", "Bearer t1"]);
    world.seconds(29);
    assert_eq!(world.body(), "Bearer t1");
    world.seconds(1);
    assert_eq!(world.get().status, 401);
    assert_eq!(value(&world, "token"), None);
    assert_eq!(world.body(), "Bearer t3");
}
