//! validate-jwt, and reloads.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use larder_gateway::azure::read::read;
use larder_gateway::http::Request;

use crate::world::{World, api, settings, telling};

/// The set of keys that documents of tests name: one secret, with an id.
pub(crate) const KEY_SET: &str = r#"{"keys":[{"kty":"oct","kid":"one","alg":"HS256","k":"b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlcg"}]}"#;
const SECRET: &[u8] = b"secret-secret-secret-secret";
const OTHER: &[u8] = b"other-secret-other-secret-other";
/// The moment at which the tests' clock is born.
const NOW: u64 = 1_767_225_600;

fn token(secret: &[u8], claims: &str, algorithm: Algorithm) -> String {
    let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
    jsonwebtoken::encode(
        &Header::new(algorithm),
        &claims,
        &EncodingKey::from_secret(secret),
    )
    .unwrap()
}

fn validating(attributes: &str, inner: &str) -> World {
    World::new(&telling(
        &format!(
            r#"<validate-jwt header-name="Authorization" {attributes}>{inner}</validate-jwt>
            <send-request><set-url>https://profile.example/</set-url></send-request>"#
        ),
        r#"context.Request.Headers.GetValueOrDefault("Authorization","").Split(' ')[1].AsJwt()?.Subject"#,
    ))
}

const KEYS: &str = "<issuer-signing-keys><key>{{signing-key}}</key></issuer-signing-keys>";

fn status(world: &World, authorization: &str) -> u16 {
    let request = Request::get("/x").header("Authorization", authorization);
    world.handle(request).status.as_u16()
}

#[test]
fn z_151_a_good_token_passes_and_a_bad_one_stops_the_rest() {
    let world = validating("", KEYS);
    let claims = format!(r#"{{"sub":"u42","exp":{}}}"#, NOW + 10);
    let good = token(SECRET, &claims, Algorithm::HS256);
    let request = Request::get("/x").header("Authorization", &format!("Bearer {good}"));
    assert_eq!(world.handle(request).body_text(), "u42");
    assert_eq!(world.others.take().len(), 1);

    let unsigned = good.rsplit_once('.').unwrap().0;
    let none = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer x.y.z".to_owned(),
        format!("Basic {good}"),
        format!("Bearer {unsigned}."),
        format!("Bearer {none}"),
        format!("Bearer {}", token(OTHER, &claims, Algorithm::HS256)),
        format!(
            "Bearer {}",
            token(SECRET, r#"{"sub":"u42"}"#, Algorithm::HS256)
        ),
        format!(
            "Bearer {}",
            token(SECRET, &format!(r#"{{"exp":{NOW}}}"#), Algorithm::HS256)
        ),
        format!(
            "Bearer {}",
            token(
                SECRET,
                &format!(r#"{{"exp":{},"nbf":{}}}"#, NOW + 10, NOW + 5),
                Algorithm::HS256
            )
        ),
        format!(
            "Bearer {}",
            token(SECRET, r#"{"exp":"never"}"#, Algorithm::HS256)
        ),
    ] {
        assert_eq!(status(&world, &bad), 401, "{bad}");
    }
    assert_eq!(world.get().status, 401);
    assert!(world.others.take().is_empty());
    world.seconds(10);
    assert_eq!(status(&world, &format!("Bearer {good}")), 401);
}

#[test]
fn z_151_issuers_audiences_key_sets_and_skew() {
    let claims = format!(
        r#"{{"sub":"u","exp":{},"iss":"me","aud":["a","b"]}}"#,
        NOW + 10
    );
    let signed = format!("Bearer {}", token(SECRET, &claims, Algorithm::HS512));
    let check = |attributes: &str, inner: &str, expected: u16| {
        let inner = format!("{KEYS}{inner}");
        assert_eq!(
            status(&validating(attributes, &inner), &signed),
            expected,
            "{attributes} {inner}"
        );
    };
    check(
        "",
        "<issuers><issuer>you</issuer><issuer>me</issuer></issuers>",
        200,
    );
    check("", "<issuers><issuer>you</issuer></issuers>", 401);
    check("", "<audiences><audience>b</audience></audiences>", 200);
    check("", "<audiences><audience>c</audience></audiences>", 401);
    check(r#"require-scheme="Bearer""#, "", 200);
    check(r#"require-scheme="Token""#, "", 401);
    check(
        r#"failed-validation-httpcode="403" require-scheme="Token""#,
        "",
        403,
    );

    let by_set = validating("", "<jwks-file>keys.json</jwks-file>");
    let claims = format!(r#"{{"sub":"u","exp":{}}}"#, NOW + 10);
    let signed = format!("Bearer {}", token(OTHER, &claims, Algorithm::HS256));
    assert_eq!(status(&by_set, &signed), 200);
    let late = validating(r#"clock-skew="60""#, KEYS);
    let signed = format!("Bearer {}", token(SECRET, &claims, Algorithm::HS256));
    late.seconds(69);
    assert_eq!(status(&late, &signed), 200);
    late.seconds(1);
    assert_eq!(status(&late, &signed), 401);

    for wrong in [
        "",
        "<jwks-file>none.json</jwks-file>",
        "<issuer-signing-keys><key>*</key></issuer-signing-keys>",
    ] {
        let text = format!("<validate-jwt>{wrong}</validate-jwt>");
        assert!(read(&text, &crate::world::Around).is_err(), "{text}");
    }
}

#[test]
fn z_153_a_reload_keeps_the_cache_and_the_counters() {
    let first = telling(
        r#"<rate-limit-by-key calls="2" renewal-period="60" counter-key="k" /><cache-store-value key="k" value="v" duration="9" />"#,
        "1",
    );
    let second = telling(
        r#"<rate-limit-by-key calls="2" renewal-period="60" counter-key="k" /><cache-lookup-value key="k" variable-name="v" />"#,
        r#"(string)context.Variables["v"]"#,
    );
    let world = World::new(&first);
    assert_eq!(world.body(), "1");
    let gateway = world
        .gateway
        .reloaded(world.reach(), settings(), vec![api(&second)]);
    assert_eq!(
        world.handle_by(&gateway, Request::get("/x")).body_text(),
        "v"
    );
    assert_eq!(world.handle_by(&gateway, Request::get("/x")).status, 429);
    // The old one goes on with what it has.
    assert_eq!(world.get().status, 429);
}
