//! TLS, with a certificate of a test's own authority, and curl.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::process::Command;

use super::support::{Server, settings};
use larder_serve::Tls;

const HOSTS: [&str; 6] = [
    "api.cache.cell-4-us-west-2-1.prod.a.momentohq.com",
    "api.cache.cell-us-east-1-1.prod.a.momentohq.com",
    "api.cache.cell-1-us-east-2-1.prod.a.momentohq.com",
    "api.cache.cell-ap-south-1-1.prod.a.momentohq.com",
    "api.cache.cell-ap-northeast-1-1.prod.a.momentohq.com",
    "api.cache.cell-1-eu-west-1-1.prod.a.momentohq.com",
];

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.join(format!("tls-{}-{name}.pem", std::process::id()))
}

/// Writes an authority's certificate, and one for the hosts with its key.
fn certificates() -> (PathBuf, Tls) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority
        .distinguished_name
        .push(DnType::CommonName, "the tests' authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let hosts: Vec<String> = HOSTS.iter().map(|host| (*host).to_owned()).collect();
    let params = CertificateParams::new(hosts).unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    let files = [
        (file("ca"), authority.pem()),
        (file("cert"), leaf.pem()),
        (file("key"), key.serialize_pem()),
    ];
    for (path, text) in &files {
        std::fs::write(path, text).unwrap();
    }
    let [(ca, _), (certificates, _), (key, _)] = files;
    (ca, Tls { certificates, key })
}

#[tokio::test]
async fn m_122_the_curl_lines_over_https_with_any_host() {
    let (ca, tls) = certificates();
    let mut settings = settings();
    settings.tls = Some(tls);
    let server = Server::with(&settings).await;
    let text = "?key=example_key";
    let base64 = "?key_base64=ZXhhbXBsZV9rZXk";
    let header: &[&str] = &["-H", "Authorization: RW"];
    let put: &[&str] = &["-X", "PUT", "-d", "example value"];
    let delete: &[&str] = &["-X", "DELETE"];
    let lines = [
        (text, "&ttl_seconds=300&token=RW", put.to_vec(), "204"),
        (base64, "&ttl_seconds=300", [put, header].concat(), "204"),
        (text, "&token=RW", vec![], "example value200"),
        (base64, "", header.to_vec(), "example value200"),
        (text, "&token=RW", delete.to_vec(), "204"),
        (base64, "", [delete, header].concat(), "204"),
    ];
    for ((query, more, options, expected), host) in lines.iter().zip(HOSTS) {
        let output = Command::new("curl")
            .args(["-sS", "--http1.1", "-w", "%{http_code}", "--cacert"])
            .arg(&ca)
            .arg("--connect-to")
            .arg(format!("{host}:443:127.0.0.1:{}", server.address.port()))
            .args(options)
            .arg(format!("https://{host}/cache/default-cache{query}{more}"))
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), *expected, "{said}");
    }
    // And V-7, after the deletion.
    let gone = Command::new("curl")
        .args(["-sS", "--cacert"])
        .arg(&ca)
        .arg("--connect-to")
        .arg(format!(
            "{}:443:127.0.0.1:{}",
            HOSTS[0],
            server.address.port()
        ))
        .arg(format!(
            "https://{}/cache/default-cache{text}&token=RW",
            HOSTS[0]
        ))
        .output();
    let gone = String::from_utf8(gone.await.unwrap().stdout).unwrap();
    assert!(gone.contains("Key Not Found"), "{gone}");
    // Without TLS nothing is told.
    let answer = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[test]
fn f45_files_that_are_no_certificates_are_refused() {
    let (ca, tls) = certificates();
    let key = Tls {
        key: ca,
        ..tls.clone()
    };
    assert!(key.acceptor().is_err());
    let certificates = file("absent");
    assert!(
        Tls {
            certificates,
            ..tls
        }
        .acceptor()
        .is_err()
    );
}
