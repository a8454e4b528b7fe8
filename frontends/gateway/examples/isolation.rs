//! Tenant isolation: which hardware a subscription's requests go to is looked up once and kept; a group that isn't allowed is refused.
//!
//! `cargo run -p larder-gateway --example isolation`

mod stage;

use stage::{Asked, Failure, Stage, settings};

pub(crate) fn main() -> Result<(), Failure> {
    stage::run(scenario(&mut stage::print))
}

/// Plays the scenario.
pub(crate) async fn scenario(out: &mut (dyn FnMut(&str) + Send)) -> Result<(), Failure> {
    let asked = Asked::default();
    let api = asked.backend("api", group).await?;
    let a = asked
        .backend("hw-a", |_| (200, "served by hw-a".to_owned()))
        .await?;
    let b = asked
        .backend("hw-b", |_| (200, "served by hw-b".to_owned()))
        .await?;
    let hosts = [
        ("api.example", api),
        ("hw-a.backend.example", a),
        ("hw-b.backend.example", b),
    ];
    let mut settings = settings(
        "tenant-isolation.xml",
        "http://api.example/svc/",
        &hosts,
        &["K1", "K2", "K3"],
    )?;
    let named = &mut settings.azure.named_values;
    named.insert("scheme".to_owned(), "http".to_owned());
    named.insert("backend-domain".to_owned(), ".backend.example".to_owned());
    let mut stage = Stage::new(&settings, asked, out).await?;

    // The group of K3 is on hardware that nobody allowed.
    for key in ["K1", "K1", "K2", "K2", "K3"] {
        let sent = ("Ocp-Apim-Subscription-Key", key);
        stage.get("/orders", sent, key).await?;
    }
    stage
        .explain("/orders", ("Ocp-Apim-Subscription-Key", "K2"))
        .await
}

fn group(path: &str) -> (u16, String) {
    match path {
        "/svc/api/TenantGroup/K1" => (200, "hw-a".to_owned()),
        "/svc/api/TenantGroup/K2" => (200, "hw-b".to_owned()),
        "/svc/api/TenantGroup/K3" => (200, "evil".to_owned()),
        _ => (404, "no such path".to_owned()),
    }
}
