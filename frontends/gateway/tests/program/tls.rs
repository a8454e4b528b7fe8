//! TLS towards backends: with an authority of the settings, by the name of the host.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;

use axum::Router;
use larder_serve::{Connections, Tls};

use crate::support::{ANY, Backend, Folder, Gateway, NOTHING};

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_over_tls_is_trusted_by_its_authority_and_its_name() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["secure.example".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    let files = Folder::new()
        .with("authority.pem", &authority.pem())
        .with("leaf.pem", &leaf.pem())
        .with("key.pem", &key.serialize_pem());
    let tls = Tls {
        certificates: files.0.join("leaf.pem"),
        key: files.0.join("key.pem"),
    };
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(async || "over TLS");
    tokio::spawn(larder_serve::serve(
        listener,
        Some(tls.acceptor().unwrap()),
        Connections::default(),
        router,
        std::future::pending(),
    ));
    let plain = Backend::saying("plain").await;
    let answer = async |host: &str, is_trusted: bool| {
        let gateway = Gateway::with(NOTHING, &plain, |settings| {
            let url = format!("https://{host}/");
            settings.azure.apis[0].backend = Some(url.parse().unwrap());
            let addresses = &mut settings.backends.addresses;
            addresses.insert(host.to_owned(), address);
            settings.backends.authorities = is_trusted.then(|| files.0.join("authority.pem"));
        })
        .await;
        let answer = gateway.get("/").await;
        (answer.status, answer.body)
    };
    assert_eq!(
        answer("secure.example", true).await,
        (200, "over TLS".into())
    );
    assert_eq!(answer("secure.example", false).await.0, 502);
    assert_eq!(answer("another.example", true).await.0, 502);
}
