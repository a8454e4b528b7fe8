//! InvalidateCache.

use larder_gateway::apigee::CacheSettings;

use crate::apigee_policies::{in_cache, inner};
use crate::apigee_world::{Edge, Parts, invalidate, key, parts, scoped};

#[test]
fn a_110_a_111_a_112_the_exact_key_goes_and_an_absent_one_is_no_fault() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    edge.put(&key("p", &["x", "y"]), "deeper");
    for switch in ["", "<PurgeChildEntries>false</PurgeChildEntries>"] {
        edge.put(&inner(), "v");
        let handled = edge.run(&parts(&[invalidate(&format!("{}{switch}", inner()))]), "/x");
        assert_eq!(
            (handled.response.status.as_u16(), edge.get(&inner())),
            (200, None)
        );
        let again = edge.run(&parts(&[invalidate(&inner())]), "/x");
        assert_eq!(
            (
                again.response.status.as_u16(),
                again.context.get("invalidatecache.I.failed")
            ),
            (200, None)
        );
    }
    assert_eq!(edge.get(&key("p", &["x", "y"])).as_deref(), Some("deeper"));
}

fn purge(inner: &str) -> String {
    format!("{inner}<PurgeChildEntries>true</PurgeChildEntries>")
}

#[test]
fn a_113_a_purge_takes_all_under_the_prefix_and_no_other() {
    let edge = Edge::new();
    let keys = [
        ("User", vec!["x"]),
        ("User", vec!["y"]),
        ("User", vec!["y", "z"]),
        ("UserToken", vec!["x"]),
        ("Other", vec!["x"]),
    ];
    for (prefix, fragments) in &keys {
        edge.put(&key(prefix, fragments), "v");
    }
    edge.invalidate(&purge(&key("User", &["x"])));
    let left: Vec<bool> = keys
        .iter()
        .map(|(prefix, fragments)| edge.get(&key(prefix, fragments)).is_some())
        .collect();
    assert_eq!(left, [false, false, false, true, true]);
}

#[test]
fn a_114_a_115_a_purge_of_a_scope_takes_that_scope_alone() {
    let edge = Edge::new();
    for scope in ["Global", "Application", "Exclusive"] {
        edge.put(&scoped(scope, &["u1"]), "v");
        edge.put(&scoped(scope, &["u2"]), "v");
    }
    edge.invalidate(&purge(&scoped("Global", &["u1"])));
    let there = |scope: &str, user: &str| edge.get(&scoped(scope, &[user])).is_some();
    assert_eq!(
        [there("Global", "u1"), there("Global", "u2")],
        [false, false]
    );
    for scope in ["Application", "Exclusive"] {
        assert_eq!(
            [there(scope, "u1"), there(scope, "u2")],
            [true, true],
            "{scope}"
        );
    }
}

#[test]
fn a_116_a_purge_stays_within_its_cache() {
    let edge = Edge::new();
    edge.environment
        .create_cache("tokens", CacheSettings::default())
        .unwrap();
    edge.put(&in_cache("tokens"), "named");
    edge.put(&inner(), "shared");
    edge.invalidate(&purge(&inner()));
    assert_eq!(edge.get(&inner()), None);
    assert_eq!(edge.get(&in_cache("tokens")).as_deref(), Some("named"));
}

fn invalidate_from(edge: &Edge, parts: Parts, inner: &str) {
    edge.run(&parts.running(&[&invalidate(inner)]), "/x");
}

#[test]
fn a_117_a_118_names_in_the_context_replace_the_current_ones() {
    let edge = Edge::new();
    let other = || Parts::of("otherapi", "admin", "elsewhere");
    let context = |children: &str| format!("<CacheContext>{children}</CacheContext>");
    edge.put(&scoped("Exclusive", &["x"]), "v");
    let names = context("<APIProxyName>weatherapi</APIProxyName><ProxyName>default</ProxyName>");
    invalidate_from(&edge, other(), &scoped("Exclusive", &["x"]));
    assert!(edge.get(&scoped("Exclusive", &["x"])).is_some());
    invalidate_from(
        &edge,
        other(),
        &format!("{}{names}", scoped("Exclusive", &["x"])),
    );
    assert_eq!(edge.get(&scoped("Exclusive", &["x"])), None);

    let here = || Parts::of("weatherapi", "default", "tgt").in_target();
    edge.put_as(&here(), &scoped("Target", &["x"]), "v");
    let names = context("<APIProxyName>weatherapi</APIProxyName><TargetName>tgt</TargetName>");
    invalidate_from(
        &edge,
        other(),
        &format!("{}{names}", scoped("Target", &["x"])),
    );
    assert_eq!(edge.get_as(&here(), &scoped("Target", &["x"])), None);
}

#[test]
fn a_119_a_120_a_context_beside_a_prefix_or_without_names_changes_nothing() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    let context = "<CacheContext><APIProxyName>nowhere</APIProxyName></CacheContext>";
    edge.invalidate(&format!("{}{context}", inner()));
    assert_eq!(edge.get(&inner()), None);
    edge.put(&scoped("Exclusive", &["x"]), "v");
    let empty = "<CacheContext><APIProxyName/><ProxyName></ProxyName><TargetName/></CacheContext>";
    edge.invalidate(&format!("{}{empty}", scoped("Exclusive", &["x"])));
    assert_eq!(edge.get(&scoped("Exclusive", &["x"])), None);
}
