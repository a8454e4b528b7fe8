//! Fragment caching: the profile of a user is fetched once, kept, and put into every answer about flights.
//!
//! `cargo run -p larder-gateway --example fragments`

mod stage;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use stage::{Asked, Failure, Stage, settings};

pub(crate) fn main() -> Result<(), Failure> {
    stage::run(scenario(&mut stage::print))
}

/// Plays the scenario.
pub(crate) async fn scenario(out: &mut (dyn FnMut(&str) + Send)) -> Result<(), Failure> {
    let asked = Asked::default();
    let profiles = asked.backend("profiles", profile).await?;
    let flights = asked
        .backend("flights", |_| (200, FLIGHT.to_owned()))
        .await?;
    let hosts = [("profiles.example", profiles), ("flights.example", flights)];
    let mut settings = settings(
        "fragment-caching.xml",
        "http://flights.example/",
        &hosts,
        &[],
    )?;
    let service = "http://profiles.example".to_owned();
    let named = &mut settings.azure.named_values;
    named.insert("profile-service".to_owned(), service);
    let mut stage = Stage::new(&settings, asked, out).await?;

    for user in ["u42", "u42", "u43", "u42"] {
        let token = token_of(user);
        stage
            .get("/flights/871", ("Authorization", &token), user)
            .await?;
    }
    let token = token_of("u43");
    stage
        .explain("/flights/871", ("Authorization", &token))
        .await
}

const FLIGHT: &str =
    r#"{ "flightno" : "871", "status" : "ON TIME", "userprofile" : "$userprofile$" }"#;

fn profile(path: &str) -> (u16, String) {
    match path.strip_prefix("/UserProfile/") {
        Some("u42") => (
            200,
            r#"{ "username" : "Bob Smith", "Status" : "Gold" }"#.to_owned(),
        ),
        Some(user) => (200, format!(r#"{{ "username" : "{user}" }}"#)),
        None => (404, String::new()),
    }
}

/// A token without a good signature, which this policy doesn't look at; `fragment-caching-guarded.xml` does.
fn token_of(user: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"sub":"{user}"}}"#);
    format!(
        "Bearer {}.{}.{}",
        part(r#"{"alg":"HS256"}"#),
        part(&claims),
        part("none")
    )
}
