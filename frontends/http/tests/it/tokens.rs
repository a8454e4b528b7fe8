//! Minting tokens, and what is refused of what looks like one.

use std::time::Duration;

use super::support::{Answer, CACHE, EPOCH, Server, secret, settings, vendor};
use larder_http::auth::{Claims, Keyring, SigningKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};

async fn mint(server: &Server, token: &str, body: Value) -> Answer {
    let target = format!("/tokens?token={token}");
    let body = body.to_string();
    server.send("POST", &target, &[], body.as_bytes()).await
}

pub(crate) async fn mint_for(server: &Server, role: &str, ttl: u64) -> String {
    let body = json!({ "permissions": [{ "role": role }], "ttl_seconds": ttl });
    let answer = mint(server, "ADM", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body.escape_ascii());
    answer.json()["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn minted(server: &Server, role: &str) -> String {
    mint_for(server, role, 3600).await
}

fn many(n: usize) -> Vec<Value> {
    let one = |at| json!({ "role": "readonly", "key": format!("k{at}") });
    (0..n).map(one).collect()
}

#[tokio::test]
async fn m_060_a_token_allows_something_and_nothing_twice() {
    let server = Server::start().await;
    for permissions in [
        json!([]),
        json!([{ "role": "readonly" }, { "role": "readwrite" }]),
        json!([{ "role": "readonly", "cache": "c", "key": "a" },
               { "role": "writeonly", "cache": "c", "key_base64": "YQ" }]),
    ] {
        let body = json!({ "permissions": permissions, "ttl_seconds": 60 });
        mint(&server, "ADM", body).await.is(400, "InvalidArgument");
    }
    let different =
        json!([{ "role": "readonly", "key": "a" }, { "role": "readonly", "key_prefix": "a" }]);
    let body = json!({ "permissions": different, "ttl_seconds": 60 });
    assert_eq!(mint(&server, "ADM", body).await.status, 201);
}

#[tokio::test]
async fn m_061_a_token_lives_and_at_most_25_hours() {
    let server = Server::start().await;
    let permissions = json!([{ "role": "readonly" }]);
    for ttl in [
        json!(null),
        json!(-1),
        json!(0),
        json!(90_001),
        json!(1.5),
        json!("60"),
    ] {
        let body = json!({ "permissions": permissions, "ttl_seconds": ttl });
        mint(&server, "ADM", body).await.is(400, "InvalidArgument");
    }
    let body = json!({ "permissions": permissions });
    mint(&server, "ADM", body).await.is(400, "InvalidArgument");
    let body = json!({ "permissions": permissions, "ttl_seconds": 90_000 });
    assert_eq!(mint(&server, "ADM", body).await.status, 201);
}

#[tokio::test]
async fn m_062_a_name_has_at_most_64_characters() {
    let server = Server::start().await;
    for (n, status) in [(64, 201), (65, 400)] {
        let id = "\u{e9}".repeat(n);
        let body = json!({ "permissions": many(1), "ttl_seconds": 60, "id": id });
        assert_eq!(mint(&server, "ADM", body).await.status, status);
    }
}

#[tokio::test]
async fn m_063_the_vendors_tokens_have_ten_permissions_at_most() {
    let server = Server::with(&vendor()).await;
    for (n, status) in [(10, 201), (11, 400)] {
        let body = json!({ "permissions": many(n), "ttl_seconds": 60 });
        assert_eq!(mint(&server, "ADM", body).await.status, status);
    }
    let open = Server::start().await;
    let body = json!({ "permissions": many(11), "ttl_seconds": 60 });
    assert_eq!(mint(&open, "ADM", body).await.status, 201);
    let mut settings = vendor();
    settings.permissions_max = Some(larder_http::Bound::At(20));
    let server = Server::with(&settings).await;
    let body = json!({ "permissions": many(20), "ttl_seconds": 60 });
    assert_eq!(mint(&server, "ADM", body).await.status, 201);
}

#[tokio::test]
async fn m_065_m_066_a_super_user_mints_what_is_then_good_for_what_it_says() {
    let server = Server::start().await;
    let body = json!({ "permissions": [{ "role": "readwrite", "cache": "other", "key_prefix": "p" }],
                       "ttl_seconds": 60 });
    for token in ["RW", "RO", "WO"] {
        let answer = mint(&server, token, body.clone()).await;
        answer.is(403, "PermissionDenied");
    }
    let answer = mint(&server, "ADM", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["expires_at"], EPOCH + 60);
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let target = format!("/cache/other?key=p1&ttl_seconds=60&token={token}");
    server.put(&target, "x").await.is_stored();
    let target = format!("/cache/other?key=q1&token={token}");
    server.get(&target).await.is(403, "PermissionDenied");
    mint(
        &server,
        &token,
        json!({ "permissions": many(1), "ttl_seconds": 6 }),
    )
    .await
    .is(403, "PermissionDenied");
    server.tick(Duration::from_secs(60));
    server.get(&target).await.is(401, "Unauthenticated");
}

#[tokio::test]
async fn m_066_without_a_key_nothing_is_signed() {
    let mut settings = settings();
    settings.signing_keys.clear();
    let server = Server::with(&settings).await;
    let body = json!({ "permissions": many(1), "ttl_seconds": 60 });
    mint(&server, "ADM", body)
        .await
        .is(400, "FailedPrecondition");
    let large = vec![b'['; (1 << 20) + 1];
    let answer = server.send("POST", "/tokens?token=ADM", &[], &large).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn m_065_keys_rotate() {
    let mut settings = settings();
    let server = Server::with(&settings).await;
    let old = minted(&server, "readonly").await;
    settings.signing_keys = vec![secret("k2", "b"), secret("k1", "a")];
    server.app.reload(&settings).unwrap();
    let new = minted(&server, "readonly").await;
    let status = async |token: &str| {
        let target = format!("{CACHE}?key=a&token={token}");
        server.get(&target).await.status
    };
    assert_eq!((status(&old).await, status(&new).await), (404, 404));
    settings.signing_keys = vec![secret("k2", "b")];
    server.app.reload(&settings).unwrap();
    assert_eq!((status(&old).await, status(&new).await), (401, 404));
    // Two keys may have one name, as when only the secret was changed.
    settings.signing_keys = vec![secret("k2", "c"), secret("k2", "b")];
    server.app.reload(&settings).unwrap();
    let newest = minted(&server, "readonly").await;
    assert_eq!((status(&new).await, status(&newest).await), (404, 404));
}

/// The files of a key pair, as the settings name it.
fn pair(algorithm: &str, name: &str) -> SigningKey {
    let kind = match algorithm {
        "EdDSA" => &PKCS_ED25519,
        _ => &PKCS_ECDSA_P256_SHA256,
    };
    let pair = KeyPair::generate_for(kind).unwrap();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |end: &str| folder.join(format!("{name}-{}.{end}", std::process::id()));
    std::fs::write(file("pub"), pair.public_key_pem()).unwrap();
    std::fs::write(file("key"), pair.serialize_pem()).unwrap();
    SigningKey {
        id: name.into(),
        algorithm: algorithm.into(),
        secret: None,
        secret_file: None,
        public_key_file: Some(file("pub")),
        private_key_file: Some(file("key")),
    }
}

#[tokio::test]
async fn m_065_tokens_are_signed_by_secrets_or_by_pairs_of_keys() {
    for (algorithm, name) in [("EdDSA", "ed"), ("ES256", "ec")] {
        let mut settings = settings();
        settings.signing_keys = vec![pair(algorithm, name)];
        let server = Server::with(&settings).await;
        let token = minted(&server, "readonly").await;
        let target = format!("{CACHE}?key=a&token={token}");
        server.get(&target).await.is(404, "KeyNotFound");
        // Who has the public key alone checks, and signs nothing.
        settings.signing_keys[0].private_key_file = None;
        let server = Server::with(&settings).await;
        server.get(&target).await.is(404, "KeyNotFound");
        let body = json!({ "permissions": many(1), "ttl_seconds": 60 });
        mint(&server, "ADM", body)
            .await
            .is(400, "FailedPrecondition");
    }
}

fn part(value: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn f45_what_looks_like_a_token_is_refused() {
    let mut settings = settings();
    let public = pair("ES256", "mixed");
    settings.signing_keys.push(public.clone());
    let server = Server::with(&settings).await;
    let good = minted(&server, "readwrite").await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let claims = json!({ "account": "acct", "exp": EPOCH + 60, "super_user": true });
    let none = |alg: &str| {
        format!(
            "{}.{}.",
            part(&json!({ "alg": alg, "typ": "JWT" })),
            part(&claims)
        )
    };
    let mut flipped = good.clone().into_bytes();
    let at = flipped.len() - 10;
    flipped[at] ^= 1;
    let mut candidates = vec![
        none("none"),
        none("None"),
        none("HS256"),
        format!("{}{signature}", none("none")),
        format!("{signed}."),
        signed.to_owned(),
        good[..good.len() - 1].to_owned(),
        String::from_utf8(flipped).unwrap(),
        format!("{good}.{signature}"),
        "%E2%82%AC".into(),
        "x".repeat(20_000),
        ".".repeat(1000),
    ];
    // Signed well, but with another key, for another account, with a wrong kind of end, or by the public key's text as a secret.
    let text = std::fs::read(public.public_key_file.as_ref().unwrap()).unwrap();
    let mut as_secret = secret("mixed", "a");
    as_secret.secret = Some({
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    });
    let claims = |account: &str| Claims {
        account: account.into(),
        exp: EPOCH + 60,
        nbf: None,
        jti: None,
        region: None,
        super_user: true,
        permissions: Vec::new(),
    };
    let sign = |key: SigningKey, claims: &Claims| {
        Keyring::new(&[], &[key], None)
            .unwrap()
            .mint(claims)
            .unwrap()
    };
    candidates.push(sign(secret("k1", "z"), &claims("acct")));
    candidates.push(sign(secret("k9", "a"), &claims("acct")));
    candidates.push(sign(secret("k1", "a"), &claims("nobody")));
    candidates.push(sign(as_secret, &claims("acct")));
    let early = Claims {
        nbf: Some(EPOCH + 1),
        ..claims("acct")
    };
    let early = sign(secret("k1", "a"), &early);
    candidates.push(early.clone());
    let fine = sign(secret("k1", "a"), &claims("acct"));
    let target = format!("{CACHE}?key=a&token={fine}");
    server.get(&target).await.is(404, "KeyNotFound");
    let n_tenants = server.app.engine().cache.tenants().len();
    for token in candidates {
        let target = format!("{CACHE}?key=a&token={token}");
        let answer = server.get(&target).await;
        answer.is(401, "Unauthenticated");
        assert!(!answer.message().contains(&token));
    }
    assert_eq!(server.app.engine().cache.tenants().len(), n_tenants);
    let target = format!("{CACHE}?key=a&token={early}");
    let answer = server.get(&target).await;
    assert_eq!(answer.message(), "the token is not good yet");
    server.tick(Duration::from_secs(1));
    server.get(&target).await.is(404, "KeyNotFound");
    // A token says nothing of what it doesn't limit.
    let said = larder_serve::from_base64(fine.split('.').nth(1).unwrap().as_bytes());
    let said: Value = serde_json::from_slice(&said.unwrap()).unwrap();
    let names: Vec<_> = said.as_object().unwrap().keys().collect();
    assert_eq!(names, ["account", "exp", "permissions", "super_user"]);
}
