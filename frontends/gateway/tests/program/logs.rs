//! What a request leaves in the log.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::commands::program;
use crate::support::{Backend, Folder};

const POLICIES: &str = r#"<inbound>
    <cache-lookup-value key="k" variable-name="v" />
    <cache-store-value key="k" value="a secret" duration="60" />
</inbound>
"#;

#[tokio::test]
async fn each_request_is_a_span_with_its_id_route_status_and_hits() {
    let backend = Backend::saying("ok").await;
    let settings = format!(
        "listen = \"127.0.0.1:0\"\n[log]\nfilter = \"debug\"\njson = true\n[[azure.apis]]\nid = \"flights\"\ndocument = \"p.xml\"\nbackend = \"{}\"\n",
        backend.url()
    );
    let folder = Folder::new()
        .with("gateway.toml", &settings)
        .with("p.xml", POLICIES);
    let mut serving = program()
        .args(["serve", folder.text()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap()).lines();
    let mut address = None;
    while address.is_none() {
        let line = lines.next_line().await.unwrap().unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let told = line["fields"]["address"]
            .as_str()
            .or(line["address"].as_str());
        address = told.map(str::to_owned);
    }
    let mut stream = tokio::net::TcpStream::connect(address.unwrap())
        .await
        .unwrap();
    for (id, hits) in [("the-first", 0), ("the-second", 1)] {
        let request =
            format!("GET /x?token=never-told HTTP/1.1\r\nHost: g\r\nX-Request-Id: {id}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let span = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            assert!(
                !line.contains("never-told") && !line.contains("a secret"),
                "{line}"
            );
            if !line.contains("answered") {
                continue;
            }
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            break line["span"].clone();
        };
        let expected = serde_json::json!({
            "name": "request", "id": id, "method": "GET", "route": "flights", "status": 200,
            "hits": hits, "misses": 1 - hits,
        });
        assert_eq!(span, expected);
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        // The rest of this answer is read before the next request.
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\nok") {
            rest.push(stream.read_u8().await.unwrap());
        }
    }
    serving.kill().await.unwrap();
}
