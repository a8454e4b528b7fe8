//! What a reload changes, and what a reload that fails doesn't.

use larder_gateway::program::{App, CacheEntry, Settings};

use crate::bundles::bundle;
use crate::support::Folder;

fn settings(folder: &Folder, ttl_seconds: u64) -> Settings {
    let mut settings = Settings {
        folder: folder.0.clone(),
        ..Settings::default()
    };
    let entry = CacheEntry {
        ttl_seconds: Some(ttl_seconds),
        ..CacheEntry::default()
    };
    settings.apigee.bundles = vec![".".into()];
    settings.apigee.caches.insert("tokens".into(), entry);
    settings
}

fn told(app: &App) -> Vec<(String, bool)> {
    let described = app.site().environment().described().into_iter();
    let minute = larder::Expiry::after(std::time::Duration::from_secs(60));
    let is_minute =
        |expiry: Option<larder::Expiry>| format!("{expiry:?}") == format!("{:?}", Some(minute));
    described
        .map(|(name, settings)| (name, is_minute(settings.expiry)))
        .collect()
}

#[test]
fn z_153_a_reload_that_fails_leaves_the_caches_as_they_were() {
    let folder = bundle("http://backend.example/", "tokens");
    let app = App::new(&settings(&folder, 60), |_| ()).unwrap();
    let before = vec![("tokens".to_owned(), true)];
    assert_eq!(told(&app), before);
    let mut changed = settings(&folder, 30);
    changed
        .apigee
        .caches
        .insert("more".into(), CacheEntry::default());
    let folder = folder.with("apiproxy/policies/Look.xml", "<LookupCache name=\"Look\"/>");
    let site = app.site();
    assert!(app.reload(&changed).is_err());
    assert_eq!(told(&app), before);
    assert!(std::sync::Arc::ptr_eq(&site, &app.site()));
    // As soon as the documents are right, the same settings hold.
    std::fs::remove_dir_all(&folder.0).unwrap();
    let fresh = bundle("http://backend.example/", "tokens");
    changed.folder.clone_from(&fresh.0);
    app.reload(&changed).unwrap();
    let after = vec![("more".to_owned(), false), ("tokens".to_owned(), false)];
    assert_eq!(told(&app), after);
}
