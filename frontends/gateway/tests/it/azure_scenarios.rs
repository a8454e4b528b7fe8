//! The scenarios of the specification, S-1 and S-2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_gateway::http::{Call, Request, Response};
use larder_gateway::trace::Trace;
use larder_gateway::upstream::SendError;

use crate::world::{World, api, settings};

const PROFILE: &str = r#"{ "username" : "Bob Smith", "Status" : "Gold" }"#;
const FLIGHT: &str = r#"{
  "airline" : "Air Canada",
  "flightno" : "871",
  "status" : "ON TIME",
  "gate" : "B40",
  "terminal" : "2A",
  "userprofile" : "$userprofile$"
}"#;

fn bearer(subject: &str) -> Request {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"{subject}"}}"#);
    let token = format!(
        "Bearer {}.{}.{}",
        part(r#"{"alg":"HS256"}"#),
        part(&claims),
        part("s")
    );
    Request::get("/flights/871").header("Authorization", &token)
}

/// Profiles and flights.
fn airline(call: &Call) -> Result<Response, SendError> {
    let user = call.url.path().strip_prefix("/UserProfile/");
    Ok(match (call.url.host_str(), user) {
        (Some("profile.example"), Some("u42")) => Response::text(200, PROFILE),
        (Some("profile.example"), Some(user)) => {
            Response::text(200, format!(r#"{{ "username" : "{user}" }}"#))
        }
        _ => Response::text(200, FLIGHT),
    })
}

fn fragment_caching() -> World {
    let world = World::new(include_str!("../../examples/policies/fragment-caching.xml"));
    world.others.answer(airline);
    world
}

const P: &str = "https://profile.example/UserProfile/u42";
const F: &str = "https://backend.example/svc/flights/871";

fn inserted(profile: &str) -> String {
    FLIGHT.replace("\"$userprofile$\"", profile)
}

pub(crate) fn value(world: &World, key: &str) -> Option<(String, u64)> {
    let tenant = world.engine.tenant(world.gateway.tenant()).unwrap();
    let entry = tenant.default_cache().unwrap().get(key)?;
    let seconds = entry.ttl().unwrap().as_secs();
    Some((String::from_utf8(entry.to_vec()).unwrap(), seconds))
}

#[test]
fn s_1_1_a_first_request_fetches_and_stores_the_profile() {
    let world = fragment_caching();
    let response = world.handle(bearer("u42"));
    assert_eq!(response.status, 200);
    assert_eq!(response.body_text(), inserted(PROFILE));
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(json["userprofile"]["username"], "Bob Smith");
    assert_eq!(world.others.take(), [P, F]);
    assert_eq!(
        value(&world, "userprofile-u42"),
        Some((PROFILE.to_owned(), 100_000))
    );
}

#[test]
fn s_1_2_a_second_request_asks_for_the_flight_alone() {
    let world = fragment_caching();
    let first = world.handle(bearer("u42"));
    world.seconds(10);
    world.others.take();
    assert_eq!(world.handle(bearer("u42")), first);
    assert_eq!(world.others.take(), [F]);
    assert_eq!(value(&world, "userprofile-u42").unwrap().1, 99_990);
}

#[test]
fn s_1_3_another_user_has_a_profile_of_their_own() {
    let world = fragment_caching();
    world.handle(bearer("u42"));
    world.others.take();
    let response = world.handle(bearer("u43"));
    assert_eq!(response.body_text(), inserted(r#"{ "username" : "u43" }"#));
    assert_eq!(
        world.others.take(),
        ["https://profile.example/UserProfile/u43", F]
    );
    assert!(
        value(&world, "userprofile-u42").is_some() && value(&world, "userprofile-u43").is_some()
    );
}

#[test]
fn s_1_4_the_profile_is_kept_for_its_duration() {
    let world = fragment_caching();
    world.handle(bearer("u42"));
    world.others.take();
    world.seconds(99_999);
    assert_eq!(world.handle(bearer("u42")).status, 200);
    assert_eq!(world.others.take(), [F]);
    world.seconds(1);
    assert_eq!(world.handle(bearer("u42")).status, 200);
    assert_eq!(world.others.take(), [P, F]);
    assert_eq!(value(&world, "userprofile-u42").unwrap().1, 100_000);
}

#[test]
fn s_1_5_after_a_wipe_the_profile_is_fetched_again() {
    let world = fragment_caching();
    world.handle(bearer("u42"));
    world.others.take();
    world.engine.tenant(world.gateway.tenant()).unwrap().flush();
    assert_eq!(world.handle(bearer("u42")).body_text(), inserted(PROFILE));
    assert_eq!(world.others.take(), [P, F]);
    assert!(value(&world, "userprofile-u42").is_some());
}

#[test]
fn s_1_6_a_profile_that_takes_too_long_is_an_error_without_a_guard() {
    let world = fragment_caching();
    world.others.answer(|_| Err(SendError::TimedOut));
    assert_eq!(world.handle(bearer("u42")).status, 500);
    assert_eq!(world.others.last().within.as_secs(), 10);
    assert_eq!(world.others.take(), [P]);
    assert_eq!(value(&world, "userprofile-u42"), None);
}

#[test]
fn s_1_7_an_answer_of_any_status_is_cached_and_inserted_raw() {
    let world = fragment_caching();
    let missing = |call: &Call| match call.url.host_str() {
        Some("profile.example") => Ok(Response::text(404, "no such user")),
        _ => Ok(Response::text(200, FLIGHT)),
    };
    world.others.answer(missing);
    let response = world.handle(bearer("u42"));
    assert_eq!(
        (response.status.as_u16(), response.body_text()),
        (200, inserted("no such user"))
    );
    assert_eq!(
        value(&world, "userprofile-u42"),
        Some(("no such user".to_owned(), 100_000))
    );

    // The guarded variant of the policy neither caches nor inserts it.
    let guarded = World::new(include_str!(
        "../../examples/policies/fragment-caching-guarded.xml"
    ));
    guarded.others.answer(missing);
    let claims = serde_json::json!({ "sub": "u42", "exp": 4_102_444_800_u64 });
    let key = jsonwebtoken::EncodingKey::from_secret(b"secret-secret-secret-secret");
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let signed =
        || Request::get("/flights/871").header("Authorization", &format!("Bearer {token}"));
    assert_eq!(guarded.handle(signed()).body_text(), inserted("null"));
    assert_eq!(value(&guarded, "userprofile-u42"), None);
    guarded.others.answer(airline);
    assert_eq!(guarded.handle(signed()).body_text(), inserted(PROFILE));
    assert_eq!(guarded.handle(bearer("u42")).status, 401);
}

#[test]
fn s_1_8_a_body_without_the_marker_stays_as_it_is() {
    let world = fragment_caching();
    world.others.answer(|call| match call.url.host_str() {
        Some("profile.example") => airline(call),
        _ => Ok(Response::text(200, "{}")),
    });
    assert_eq!(world.handle(bearer("u42")).body_text(), "{}");
    assert!(value(&world, "userprofile-u42").is_some());
}

#[test]
fn s_1_9_without_a_token_nothing_is_asked() {
    let world = fragment_caching();
    assert_eq!(world.handle(Request::get("/flights/871")).status, 500);
    assert!(world.others.take().is_empty());
    assert_eq!(world.engine.cache().stats().inserted, 0);
}

/// So many requests at once; their answers.
fn at_once(world: &World, n: usize, request: impl Fn() -> Request) -> Vec<Response> {
    world.block_on(async {
        let mut requests: Vec<_> = (0..n)
            .map(|_| Box::pin(world.gateway.handle(request(), Trace::off())))
            .collect();
        let mut responses = Vec::new();
        std::future::poll_fn(|cx| {
            requests.retain_mut(|request| match request.as_mut().poll(cx) {
                std::task::Poll::Ready(handled) => {
                    responses.push(handled.response);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if requests.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        responses
    })
}

#[test]
fn s_1_10_twenty_requests_at_once_are_all_answered() {
    let world = fragment_caching();
    let responses = at_once(&world, 20, || bearer("u42"));
    assert!(
        responses
            .iter()
            .all(|response| response.body_text() == inserted(PROFILE))
    );
    let profiles = world.others.take().iter().filter(|url| *url == P).count();
    assert!((1..=20).contains(&profiles));
    assert_eq!(world.engine.cache().stats().live_entries, 1);
}

#[test]
fn s_1_11_without_find_and_replace_the_body_is_the_backends() {
    let text = include_str!("../../examples/policies/fragment-caching.xml");
    let start = text.find("<find-and-replace").unwrap();
    let end = start + text[start..].find("/>").unwrap() + 2;
    let world = World::new(&format!("{}{}", &text[..start], &text[end..]));
    world.others.answer(airline);
    world.handle(bearer("u42"));
    world.others.take();
    let response = world.handle(bearer("u42"));
    assert_eq!(response.body_text(), FLIGHT);
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(json["userprofile"], "$userprofile$");
    assert_eq!(world.others.take(), [F]);
}

/// Answers the configuration of keys, and says where else a request went.
pub(crate) fn configured(
    k1: &'static str,
    k2: &'static str,
) -> impl Fn(&Call) -> Result<Response, SendError> {
    move |call| {
        Ok(match call.url.path() {
            "/svc/api/ClientConfig/K1" | "/svc/api/TenantGroup/K1" => Response::text(200, k1),
            "/svc/api/ClientConfig/K2" | "/svc/api/TenantGroup/K2" => Response::text(200, k2),
            path => Response::text(200, format!("{}{path}", call.url.host_str().unwrap_or(""))),
        })
    }
}

pub(crate) fn with_service(document: &str) -> World {
    let mut api = api(document);
    api.api.service_url = Some("https://api.example/svc/".parse().unwrap());
    World::with_apis(vec![api])
}

fn versioning() -> World {
    let world = with_service(include_str!(
        "../../examples/policies/transparent-versioning.xml"
    ));
    world.others.answer(configured("v2", "v1"));
    world
}

pub(crate) fn customers(world: &World, key: &str) -> Response {
    world.handle(Request::get("/customers").header("Ocp-Apim-Subscription-Key", key))
}

const CONFIG: &str = "https://api.example/svc/api/ClientConfig/K1";

#[test]
fn s_2_1_a_first_request_asks_for_the_version() {
    let world = versioning();
    assert_eq!(
        customers(&world, "K1").body_text(),
        "api.example/svc/api/v2/customers"
    );
    assert_eq!(
        world.others.take(),
        [CONFIG, "https://api.example/svc/api/v2/customers"]
    );
    assert_eq!(
        value(&world, "clientversion-K1"),
        Some(("v2".to_owned(), 100_000))
    );
}

#[test]
fn s_2_2_a_second_request_knows_the_version() {
    let world = versioning();
    customers(&world, "K1");
    world.others.take();
    assert_eq!(
        customers(&world, "K1").body_text(),
        "api.example/svc/api/v2/customers"
    );
    assert_eq!(
        world.others.take(),
        ["https://api.example/svc/api/v2/customers"]
    );
}

#[test]
fn s_2_3_another_key_has_a_version_of_its_own() {
    let world = versioning();
    customers(&world, "K1");
    assert_eq!(
        customers(&world, "K2").body_text(),
        "api.example/svc/api/v1/customers"
    );
    assert!(
        value(&world, "clientversion-K1").is_some() && value(&world, "clientversion-K2").is_some()
    );
}

#[test]
fn s_2_4_a_change_is_seen_after_expiry_or_removal() {
    let world = versioning();
    customers(&world, "K1");
    world.others.answer(configured("v3", "v1"));
    assert_eq!(
        customers(&world, "K1").body_text(),
        "api.example/svc/api/v2/customers"
    );
    world.seconds(100_000);
    assert_eq!(
        customers(&world, "K1").body_text(),
        "api.example/svc/api/v3/customers"
    );
    world.others.answer(configured("v4", "v1"));
    let remover = world.beside(
        r#"<cache-remove-value key="@("clientversion-" + context.Subscription.Key)" />"#,
        settings(),
    );
    world.handle_by(&remover, Request::get("/x?subscription-key=K1"));
    assert_eq!(
        customers(&world, "K1").body_text(),
        "api.example/svc/api/v4/customers"
    );
}

#[test]
fn s_2_5_a_version_with_a_line_feed_is_no_url() {
    let world = versioning();
    world.others.answer(configured("v2\n", "v1"));
    assert_eq!(customers(&world, "K1").status, 500);
    assert_eq!(world.others.take(), [CONFIG]);
}
