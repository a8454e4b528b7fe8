//! Each scenario runs to its end and says what was in the cache.

#![allow(
    clippy::duplicate_mod,
    reason = "each example is a program, with a stage of its own"
)]

#[path = "../../examples/fragments.rs"]
#[allow(dead_code)]
mod fragments;
#[path = "../../examples/isolation.rs"]
#[allow(dead_code)]
mod isolation;
#[path = "../../examples/versioning.rs"]
#[allow(dead_code)]
mod versioning;

/// Lines between those of requests: what was asked, and how much was in the cache.
fn told(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n");
    let mut told = Vec::new();
    for part in text.split("\n\nGET ").skip(1) {
        let line = |start: &str| {
            let lines = part.lines().map(str::trim);
            let found = lines.filter_map(|line| line.strip_prefix(start)).next();
            found.unwrap_or_else(|| panic!("{part}")).to_owned()
        };
        let status = part.split("-> ").nth(1).unwrap();
        let status = status.split(' ').next().unwrap();
        told.push(format!(
            "{status}; {}; {}",
            line("asked: "),
            line("values from the cache: ")
        ));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn s_1_the_profile_of_a_user_is_asked_for_once() {
    let mut lines = Vec::new();
    let mut out = |line: &str| lines.push(line.to_owned());
    fragments::scenario(&mut out).await.unwrap();
    let expected = [
        "200; profiles /UserProfile/u42, flights /flights/871; 0",
        "200; flights /flights/871; 1",
        "200; profiles /UserProfile/u43, flights /flights/871; 0",
        "200; flights /flights/871; 1",
    ];
    assert_eq!(told(&lines), expected);
    let text = lines.join("\n");
    assert!(text.contains(r#""userprofile" : { "username" : "Bob Smith", "Status" : "Gold" }"#));
    assert!(
        text.contains("hit: userprofile-u43 -> userprofile"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s_2_the_version_of_a_client_is_asked_for_once() {
    let mut lines = Vec::new();
    let mut out = |line: &str| lines.push(line.to_owned());
    versioning::scenario(&mut out).await.unwrap();
    let expected = [
        "200; api /svc/api/ClientConfig/K1, api /svc/api/v2/customers; 0",
        "200; api /svc/api/v2/customers; 1",
        "200; api /svc/api/ClientConfig/K2, api /svc/api/v1/customers; 0",
        "200; api /svc/api/v1/customers; 1",
    ];
    assert_eq!(told(&lines), expected);
    assert!(
        lines
            .join("\n")
            .contains("hit: clientversion-K1 -> clientversion")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s_3_requests_of_a_tenant_reach_its_hardware_alone() {
    let mut lines = Vec::new();
    let mut out = |line: &str| lines.push(line.to_owned());
    isolation::scenario(&mut out).await.unwrap();
    let expected = [
        "200; api /svc/api/TenantGroup/K1, hw-a /orders; 0",
        "200; hw-a /orders; 1",
        "200; api /svc/api/TenantGroup/K2, hw-b /orders; 0",
        "200; hw-b /orders; 1",
        // Z-149: a group that isn't on the list of hosts.
        "500; api /svc/api/TenantGroup/K3; 0",
    ];
    assert_eq!(told(&lines), expected);
    assert!(
        lines
            .join("\n")
            .contains("hit: tenantgroup-K2 -> tenantgroup")
    );
}
