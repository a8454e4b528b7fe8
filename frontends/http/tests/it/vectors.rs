//! V-1 to V-7, as the specification writes them.

use super::support::{Server, parse};

#[tokio::test]
async fn v_1_v_2_v_3_v_4_v_5_v_6_v_7_the_vectors_one_after_the_other() {
    let server = Server::start().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let by_header = [form, ("Authorization", "RW")];
    let by_query = "/cache/default-cache?key=example_key&token=RW";
    let by_base64 = "/cache/default-cache?key_base64=ZXhhbXBsZV9rZXk";

    let target = "/cache/default-cache?key=example_key&ttl_seconds=300&token=RW";
    let first = server.send("PUT", target, &[form], b"example value").await;
    first.is_stored();
    let target = "/cache/default-cache?key_base64=ZXhhbXBsZV9rZXk&ttl_seconds=300";
    let second = server
        .send("PUT", target, &by_header, b"example value")
        .await;
    second.is_stored();
    let stats = server.app.engine().cache.stats();
    assert_eq!((stats.live_entries, stats.replaced), (1, 1));

    server.get(by_query).await.is_value("example value");
    let fourth = server.send("GET", by_base64, &by_header, b"").await;
    fourth.is_value("example value");
    server.delete(by_query).await.is_stored();
    let sixth = server.send("DELETE", by_base64, &by_header, b"").await;
    sixth.is_stored();
    let seventh = server.get(by_query).await;
    seventh.is(404, "KeyNotFound");
    assert!(seventh.message().contains("Key Not Found"));
}

#[tokio::test]
async fn m_012_several_requests_on_one_connection_and_a_body_in_chunks() {
    let server = Server::start().await;
    let put = "PUT /cache/default-cache?key=a&ttl_seconds=60&token=RW HTTP/1.1\r\nHost: x\r\n\
               Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
    let get = "GET /cache/default-cache?key=a&token=RW HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = get.replace("Host: x", "Host: x\r\nConnection: close");
    let answers = server.raw(format!("{put}{get}{last}").as_bytes()).await;
    let text = String::from_utf8(answers).unwrap();
    let statuses: Vec<&str> = text
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &text[at + 9..at + 12])
        .collect();
    assert_eq!(statuses, ["204", "200", "200"]);
    let tail = text.rfind("HTTP/1.1").unwrap();
    parse(&text.as_bytes()[tail..]).is_value("abcdefg");
}
