//! Who asks.

use larder_gateway::azure::Settings;
use larder_gateway::http::{Request, StatusCode};

use crate::world::{World, settings, telling};

fn required() -> Settings {
    Settings {
        subscription_required: true,
        ..settings()
    }
}

#[test]
fn z_036_the_key_is_known_and_removed_before_the_backend_is_asked() {
    let world = World::with("<inbound/>", required(), None);
    let request =
        Request::get("/x?a=1&subscription-key=K2&b=2").header("Ocp-Apim-Subscription-Key", "K1");
    assert_eq!(world.handle(request).status, 200);
    let call = world.others.last();
    assert_eq!(call.url.as_str(), "https://backend.example/svc/x?a=1&b=2");
    assert!(!call.headers.contains_key("ocp-apim-subscription-key"));

    let tell = World::with(&telling("", "context.Subscription.Key"), required(), None);
    assert_eq!(tell.get_as("K1").body_text(), "K1");
    // The header comes first; without it the parameter.
    let both = Request::get("/x?subscription-key=K2").header("Ocp-Apim-Subscription-Key", "K1");
    assert_eq!(tell.handle(both).body_text(), "K1");
    assert_eq!(
        tell.handle(Request::get("/x?subscription-key=K2"))
            .body_text(),
        "K2"
    );
}

#[test]
fn z_036_an_unknown_key_is_refused_before_any_policy() {
    for settings in [required(), settings()] {
        let policy = r#"<send-request><set-url>https://profile.example/</set-url></send-request>"#;
        let world = World::with(
            &format!("<inbound>{policy}</inbound><on-error>{policy}</on-error>"),
            settings,
            None,
        );
        let refused = world.get_as("K3");
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(refused.body_text().contains("401"));
        assert!(world.others.take().is_empty());
    }
}

#[test]
fn z_037_no_key_is_refused_or_leaves_the_subscription_null() {
    assert_eq!(
        World::with("<inbound/>", required(), None).get().status,
        401
    );
    assert!(Settings::default().subscription_required);
    let world = World::new(&telling("", "context.Subscription == null"));
    assert_eq!(world.body(), "True");
    assert_eq!(
        World::new(&telling("", "context.Subscription.Key"))
            .get()
            .status,
        500
    );
}

#[test]
fn z_039_the_product_of_the_subscription() {
    assert_eq!(
        World::new(&telling("", "context.Product.Id"))
            .get_as("K1")
            .body_text(),
        "gold"
    );
    assert_eq!(
        World::new(&telling("", "context.Product.Id")).get().status,
        500
    );
}
