//! Transparent versioning: clients ask one address; which version of the API answers is looked up once for each and kept.
//!
//! `cargo run -p larder-gateway --example versioning`

mod stage;

use stage::{Asked, Failure, Stage, settings};

pub(crate) fn main() -> Result<(), Failure> {
    stage::run(scenario(&mut stage::print))
}

/// Plays the scenario.
pub(crate) async fn scenario(out: &mut (dyn FnMut(&str) + Send)) -> Result<(), Failure> {
    let asked = Asked::default();
    let api = asked.backend("api", answer).await?;
    let hosts = [("api.example", api)];
    let settings = settings(
        "transparent-versioning.xml",
        "http://api.example/svc/",
        &hosts,
        &["K1", "K2"],
    )?;
    let mut stage = Stage::new(&settings, asked, out).await?;

    for key in ["K1", "K1", "K2", "K2"] {
        let sent = ("Ocp-Apim-Subscription-Key", key);
        stage.get("/customers", sent, key).await?;
    }
    stage
        .explain("/customers", ("Ocp-Apim-Subscription-Key", "K1"))
        .await
}

fn answer(path: &str) -> (u16, String) {
    match path {
        "/svc/api/ClientConfig/K1" => (200, "v2".to_owned()),
        "/svc/api/ClientConfig/K2" => (200, "v1".to_owned()),
        "/svc/api/v1/customers" => (200, "customers, as version 1 has them".to_owned()),
        "/svc/api/v2/customers" => (200, "customers, as version 2 has them".to_owned()),
        _ => (404, "no such path".to_owned()),
    }
}
