//! Settings that are refused, and what is said of them.

use crate::commands::{LOOKUP, told};
use crate::support::Folder;

#[tokio::test]
async fn settings_that_cannot_be_meant_are_refused_with_what_would_be_right() {
    let api = |id: &str, rest: &str| {
        format!("[[azure.apis]]\nid = {id:?}\ndocument = \"a.xml\"\n{rest}\n")
    };
    let hosts = "[backends]\nhosts = [\"https://profiles.example/\"]\n";
    for (settings, says) in [
        (
            hosts.to_owned(),
            "backends.hosts: \"https://profiles.example/\" can't be meant; it has to be a name",
        ),
        (
            "[backends]\nauthorities = \"nowhere.pem\"\n".into(),
            "nowhere.pem",
        ),
        (
            api("a", "backend = \"127.0.0.1:9999\""),
            "it has to be a URL of http or https",
        ),
        (
            api("a", "backend = \"ftp://backend.example/\""),
            "it has to be a URL of http or https",
        ),
        (
            api("a", "prefix = \"a\""),
            "azure.apis: a: its prefix \"a\" has to begin with a slash",
        ),
        (
            api("a", "prefix = \"/x\"") + &api("b", "prefix = \"/x/\""),
            "azure.apis: b: its prefix \"/x/\" is that of a as well",
        ),
        (
            api("a", "prefix = \"/x\"") + &api("a", "prefix = \"/y\""),
            "azure.apis: a: there are two of this id",
        ),
        (
            "admin = \"9080\"\n".into(),
            "it has to be an address and a port",
        ),
        ("requests_max = 0\n".into(), "0 is below 1"),
        ("bodies_max = 0\n".into(), "0 is below 1"),
        ("bodies_bytes_max = 0\n".into(), "0 is below 1"),
        ("[backends]\nconnect_ms = 0\n".into(), "0 is below 1"),
        ("[backends]\nanswer_bytes_max = 0\n".into(), "0 is below 1"),
        ("[apigee]\nitems_max = 0\n".into(), "0 is below 1"),
        (
            "[apigee.caches.tokens]\nttl_seconds = 0\n".into(),
            "apigee.caches.tokens.ttl_seconds: 0 is below 1",
        ),
        (
            (0..101)
                .map(|idx| format!("[apigee.caches.c{idx}]\n"))
                .collect(),
            "apigee.caches.c99: there are as many caches as there may be",
        ),
    ] {
        let folder = Folder::new().with("a.xml", LOOKUP);
        let folder = folder.with("gateway.toml", &settings);
        let (code, out, errors) = told(&["check", folder.text()]).await;
        assert_eq!((code, &*out), (Some(2), ""), "{settings}");
        assert!(errors.contains(says), "{settings}{errors}");
    }
    // What would be left out of account is refused as well.
    let written = Folder::new()
        .with("a.xml", LOOKUP)
        .with("gateway.toml", &api("a", ""));
    let args = [
        "check",
        written.text(),
        "--backend",
        "http://backend.example/",
    ];
    let (code, _, errors) = told(&args).await;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("--backend is for a folder of documents"),
        "{errors}"
    );
    // A port may be the scheme's own.
    let named = Folder::new().with("a.xml", LOOKUP).with(
        "gateway.toml",
        "[backends]\nhosts = [\"a.example\", \"B.example:443\", \"[::1]:80\", \"10.0.0.7\"]\n",
    );
    assert_eq!(told(&["check", named.text()]).await.0, Some(0));
}
