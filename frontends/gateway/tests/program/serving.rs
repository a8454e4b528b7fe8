//! Starting, draining, health, metrics.

use std::time::Duration;

use larder_serve::Drained;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ANY, Answer, Backend, Gateway, NOTHING, get};

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_answered_before_it_ends() {
    let backend = Backend::saying("ok").await;
    let slow = TcpListener::bind(ANY).await.unwrap();
    let url = format!("http://{}/", slow.local_addr().unwrap());
    let mut gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
    })
    .await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
        .await
        .unwrap();
    let (mut asked, _) = slow.accept().await.unwrap();
    assert_eq!(get(gateway.admin, "/health/ready").await.status, 200);
    gateway.stop.take().unwrap().send(()).unwrap();
    while get(gateway.admin, "/health/ready").await.status == 200 {}
    let stopping = get(gateway.admin, "/health/ready").await;
    assert_eq!(
        stopping.body,
        r#"{"code":"Unavailable","message":"the server is about to end"}"#
    );
    assert_eq!(get(gateway.admin, "/health/live").await.status, 200);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast";
    asked.write_all(answer).await.unwrap();
    let answer = Answer::read(&mut client, false).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "last"));
    assert_eq!(gateway.served.await.unwrap(), Drained::Wholly);
    assert!(TcpStream::connect(gateway.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_draining_is_cut_off() {
    let backend = Backend::saying("ok").await;
    let slow = TcpListener::bind(ANY).await.unwrap();
    let url = format!("http://{}/", slow.local_addr().unwrap());
    let mut gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.connections.drain = Duration::from_millis(50);
    })
    .await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
        .await
        .unwrap();
    let _asked = slow.accept().await.unwrap();
    gateway.stop.take().unwrap().send(()).unwrap();
    assert_eq!(
        gateway.served.await.unwrap(),
        Drained::CutOff { connections: 1 }
    );
    assert!(Answer::try_read(&mut client, false).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_requests_calls_and_the_cache() {
    let backend = Backend::saying("ok").await;
    let document = r#"<inbound>
        <cache-lookup-value key="k" variable-name="v" />
        <choose><when condition="@(!context.Variables.ContainsKey("v"))">
            <cache-store-value key="k" value="stored" duration="60" />
        </when></choose>
    </inbound>"#;
    let gateway = Gateway::new(document, &backend).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    let answer = get(gateway.admin, "/metrics").await;
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let has = |line: &str| assert!(answer.body.contains(line), "{line}\n{}", answer.body);
    has(r#"larder_gateway_requests_total{operation="get",status="200"} 3"#);
    has(r#"larder_gateway_calls_total{end="answered"} 3"#);
    has(r#"larder_hits_total{of="tenant",tenant="azure/7/service/region"} 2"#);
    has(r#"larder_hits_total{of="tenant",tenant="apigee/12/organization/environment"} 0"#);
    // The listener of the traffic doesn't know of it.
    assert_eq!(gateway.get("/metrics").await.body, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn z_107_operations_of_the_settings_have_limits_of_their_own() {
    let backend = Backend::saying("ok").await;
    let document = r#"<inbound>
    <rate-limit calls="100" renewal-period="60">
        <api id="api"><operation id="one" calls="1" renewal-period="60" /></api>
    </rate-limit>
</inbound>"#;
    let folder = crate::support::Folder::new().with("p.xml", document).with(
        "gateway.toml",
        &format!(
            "[[azure.subscriptions]]\nkey = \"K1\"\nid = \"first\"\n[[azure.apis]]\nid = \"api\"\ndocument = \"p.xml\"\nbackend = \"{}\"\n[[azure.apis.operations]]\nid = \"one\"\nmethod = \"GET\"\npath = \"/items/{{id}}\"\n",
            backend.url()
        ),
    );
    let read = larder_gateway::program::Settings::of_folder(&folder.0, None).unwrap();
    let gateway = Gateway::with(NOTHING, &backend, |settings| *settings = read).await;
    let get = async |path: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: g\r\nOcp-Apim-Subscription-Key: K1\r\n\r\n");
        gateway.raw(&request).await.status
    };
    assert_eq!(get("/items/7").await, 200);
    assert_eq!(get("/items/8").await, 429);
    assert_eq!(get("/items/8/parts").await, 200);
    assert_eq!(get("/other").await, 200);
}
