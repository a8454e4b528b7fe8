//! Messages, requests of policies' own, whole responses.

use std::io::Write;

use larder_gateway::http::{Method, Request, Response};
use larder_gateway::upstream::SendError;

use crate::world::{World, api, telling};

#[test]
fn z_140_a_variable_holds_the_value_of_an_expression_or_a_literal() {
    let set = r#"<set-variable name="a" value="x" /><set-variable name="b" value="@((string)context.Variables["a"] + 1)" />"#;
    assert_eq!(
        World::new(&telling(set, r#"(string)context.Variables["b"]"#)).body(),
        "x1"
    );
}

#[test]
fn z_141_the_first_true_branch_runs() {
    let branch = |condition: &str, value: &str| {
        format!(
            r#"<when condition="@({condition})"><set-variable name="v" value="{value}" /></when>"#
        )
    };
    let document = |first: &str, second: &str| {
        let otherwise = r#"<otherwise><set-variable name="v" value="3" /></otherwise>"#;
        let choose = format!(
            "<choose>{}{}{otherwise}</choose>",
            branch(first, "1"),
            branch(second, "2")
        );
        telling(&choose, r#"(string)context.Variables["v"]"#)
    };
    assert_eq!(World::new(&document("true", "true")).body(), "1");
    assert_eq!(World::new(&document("false", "true")).body(), "2");
    assert_eq!(World::new(&document("false", "false")).body(), "3");
}

#[test]
fn z_142_a_request_of_its_own_has_none_of_the_callers_headers() {
    let document = telling(
        r#"<send-request mode="new" response-variable-name="r" timeout="7" ignore-error="true">
            <set-url>https://profile.example/a?b=1</set-url><set-method>POST</set-method>
            <set-header name="X-Own" exists-action="override"><value>1</value><value>@("2")</value></set-header>
            <set-body>@("body " + context.Request.Method)</set-body></send-request>"#,
        r#"((IResponse)context.Variables["r"]).Body.As<string>()"#,
    );
    let world = World::new(&document);
    let response = world.handle(
        Request::get("/x")
            .header("Authorization", "secret")
            .header("X-Caller", "1"),
    );
    assert_eq!(response.body_text(), "ok");
    let call = world.others.last();
    assert_eq!(
        (call.method, call.url.as_str()),
        (Method::POST, "https://profile.example/a?b=1")
    );
    let headers: Vec<_> = call
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("x-own", "1"), ("x-own", "2")]);
    assert_eq!(
        (&call.body[..], call.within.as_secs()),
        (&b"body GET"[..], 7)
    );
}

fn failing(ignore_error: bool, url: &str) -> World {
    let document = telling(
        &format!(
            r#"<send-request response-variable-name="r" ignore-error="{ignore_error}"><set-url>{url}</set-url></send-request>"#
        ),
        r#"context.Variables["r"] == null ? "null" : "answer""#,
    );
    let document = format!(
        "<policies>{document}<on-error><set-header name='X-Error'><value>1</value></set-header></on-error></policies>"
    );
    let world = World::new(&document);
    world.others.answer(|_| Err(SendError::TimedOut));
    world
}

#[test]
fn z_143_a_failure_that_is_ignored_is_null() {
    assert_eq!(failing(true, "https://profile.example/").body(), "null");
}

#[test]
fn z_144_a_failure_that_is_not_ignored_ends_with_500_and_on_error_runs() {
    let response = failing(false, "https://profile.example/").get();
    assert_eq!(response.status, 500);
    assert!(response.headers.contains_key("x-error"));
}

#[test]
fn z_145_any_status_is_an_answer() {
    for status in [404, 500] {
        let world = failing(false, "https://profile.example/");
        world.others.answer(move |_| Ok(Response::text(status, "")));
        assert_eq!(world.body(), "answer");
    }
}

#[test]
fn z_146_the_backend_may_be_another() {
    let document =
        |url: &str| format!(r#"<inbound><set-backend-service base-url="{url}" /></inbound>"#);
    let world = World::with_apis(vec![larder_gateway::azure::ApiSettings {
        prefix: "/shop".to_owned(),
        ..api(&document("https://api.example/v2/"))
    }]);
    assert_eq!(world.handle(Request::get("/shop/a/b?c=d")).status, 200);
    assert_eq!(world.others.take(), ["https://api.example/v2/a/b?c=d"]);
    assert_eq!(world.handle(Request::get("/shopping")).status, 404);
    assert_eq!(world.handle(Request::get("/shop/%2e%2e/admin")).status, 400);
    assert!(world.others.take().is_empty());
    for bad in ["not a url", "/relative", "@(\"https://api.example/\\n\")"] {
        let document = document(bad).replace("\"@", "'@").replace(")\" /", ")' /");
        assert_eq!(World::new(&document).get().status, 500, "{bad}");
    }
}

#[test]
fn z_030_a_value_that_is_joined_to_a_url_leads_nowhere_else() {
    let joined = r#"<send-request><set-url>@("https://profile.example/users/" + context.Request.Url.Query.GetValueOrDefault("id",""))</set-url></send-request>
        <set-backend-service base-url="@("https://backend.example/" + context.Request.Url.Query.GetValueOrDefault("to",""))" />"#;
    let world = World::new(&format!("<inbound>{joined}</inbound>"));
    let asked = |query: &str| {
        let status = world.handle(Request::get(&format!("/x?{query}"))).status;
        (status.as_u16(), world.others.take().len())
    };
    assert_eq!(asked("id=u42..&to=v2"), (200, 2));
    for up in [
        "..",
        "../admin",
        "%2e%2e/admin",
        "%252e%252E/admin",
        "a/..%5cadmin",
        "x/../../admin",
    ] {
        assert_eq!(asked(&format!("id={up}")), (500, 0), "{up}");
        assert_eq!(asked(&format!("id=u42&to={up}")), (500, 1), "{up}");
    }
    // What stands behind the path is no part of it.
    assert_eq!(asked("id=u42%3fq=../x"), (200, 2));
}

fn replacing(from: &str, to: &str, body: Response) -> Response {
    let world = World::new(&format!(
        r#"<outbound><find-and-replace from="{from}" to="{to}" /></outbound>"#
    ));
    world.others.answer(move |_| Ok(body.clone()));
    world.get()
}

#[test]
fn z_147_every_occurrence_is_replaced_as_it_is() {
    let replaced = |from: &str, to: &str, body: &str| {
        replacing(from, to, Response::text(200, body)).body_text()
    };
    assert_eq!(replaced("a.", "$1", "a.b a.c ab"), "$1b $1c ab");
    assert_eq!(replaced("aa", "a", "aaaa"), "aa");
    assert_eq!(replaced("x", "", "axbx"), "ab");
    assert_eq!(replaced("none", "y", "body"), "body");
    assert_eq!(replaced("", "y", "body"), "body");
    let with_length = Response::text(200, "aa").header("Content-Length", "2");
    assert!(
        !replacing("a", "bbb", with_length)
            .headers
            .contains_key("content-length")
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn z_152_bodies_in_gzip_and_brotli_are_decoded_and_others_left_alone() {
    // "axa" in Brotli, stored as it is.
    let brotli: &[u8] = &[0x0b, 0x01, 0x80, b'a', b'x', b'a', 0x03];
    for (encoding, bytes) in [
        ("gzip", gzip("axa")),
        ("br", brotli.to_vec()),
        ("identity", b"axa".to_vec()),
    ] {
        let mut body = Response::text(200, "").header("Content-Encoding", encoding);
        body.body = bytes.into();
        let response = replacing("x", "yy", body);
        assert_eq!(response.body_text(), "ayya", "{encoding}");
        assert!(
            !response.headers.contains_key("content-encoding"),
            "{encoding}"
        );
    }
    let mut unknown = Response::text(200, "axa").header("Content-Encoding", "zstd");
    assert_eq!(replacing("x", "y", unknown.clone()), unknown);
    unknown = Response::text(200, "axa").header("Content-Encoding", "gzip");
    assert_eq!(replacing("x", "y", unknown.clone()), unknown);
    let mut bomb = Response::text(200, "").header("Content-Encoding", "gzip");
    bomb.body = gzip(&"x".repeat(40 << 20)).into();
    assert_eq!(replacing("x", "y", bomb.clone()), bomb);

    let world = World::new(r#"<outbound><find-and-replace from="x" to="y" /></outbound>"#);
    world
        .others
        .answer(|_| Ok(Response::text(200, "axa").header("Content-Encoding", "zstd")));
    assert!(world.trace().1.contains("warning: the body stays as it is"));
    // Without an occurrence the body stays in its encoding.
    let mut untouched = Response::text(200, "").header("Content-Encoding", "gzip");
    untouched.body = gzip("abc").into();
    assert_eq!(replacing("x", "y", untouched.clone()), untouched);
}

#[test]
fn z_148_an_answer_at_once_skips_the_rest() {
    let world = World::new(
        r#"<policies><inbound><return-response><set-status code="202" reason="Fine" />
          <set-header name="X-A"><value>@("1")</value></set-header><set-body>{"a": 1}</set-body></return-response></inbound>
          <outbound><set-status code="500" /></outbound></policies>"#,
    );
    let response = world.get();
    assert_eq!(
        (response.status.as_u16(), response.reason.as_deref()),
        (202, Some("Fine"))
    );
    assert_eq!(
        (
            &*response.body_text(),
            response.headers["x-a"].to_str().unwrap()
        ),
        (r#"{"a": 1}"#, "1")
    );
    assert!(world.others.take().is_empty());
}

#[test]
fn z_148_status_headers_and_body_of_request_and_response() {
    let header = |action: &str| {
        format!(
            r#"<set-header name="X-{action}" exists-action="{action}"><value>new</value></set-header>"#
        )
    };
    let headers: String = ["override", "skip", "append"].map(header).concat();
    let headers = format!(r#"{headers}<set-header name="X-delete" exists-action="delete" />"#);
    let world = World::new(&format!(
        r#"<policies><inbound>{headers}<set-method>PUT</set-method><set-body>asked</set-body></inbound>
        <outbound>{headers}<set-status code="@(200 + "" == "" ? 1 : 201)" /><set-body>told</set-body></outbound></policies>"#
    ));
    let old = |name: &str| (name.to_owned(), "old");
    let names = ["X-override", "X-skip", "X-append", "X-delete"].map(old);
    let answered = names.clone();
    world.others.answer(move |_| {
        let response = Response::text(200, "body");
        Ok(answered.iter().fold(response, |response, (name, value)| {
            response.header(name, value)
        }))
    });
    let request = names
        .iter()
        .fold(Request::get("/x"), |request, (name, value)| {
            request.header(name, value)
        });
    let response = world.handle(request);
    let call = world.others.last();
    assert_eq!((call.method, &call.body[..]), (Method::PUT, &b"asked"[..]));
    assert_eq!(
        (response.status.as_u16(), &*response.body_text()),
        (201, "told")
    );
    for headers in [&call.headers, &response.headers] {
        let all = |name: &str| {
            headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(all("x-override"), ["new"]);
        assert_eq!(all("x-skip"), ["old"]);
        assert_eq!(all("x-append"), ["old", "new"]);
        assert!(all("x-delete").is_empty());
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_an_error() {
    let document = r#"<inbound><set-header name="X-A"><value>@(context.Request.Url.Query.GetValueOrDefault("v",""))</value></set-header></inbound>"#;
    let world = World::new(document);
    assert_eq!(
        world
            .handle(Request::get("/x?v=a%0d%0aSet-Cookie:b"))
            .status,
        500
    );
    assert_eq!(world.handle(Request::get("/x?v=a")).status, 200);
}

#[test]
fn z_149_hosts_that_are_not_on_the_list_are_not_asked() {
    let world = failing(false, "https://evil.example/");
    assert_eq!(world.get().status, 500);
    assert!(world.others.take().is_empty());
    assert_eq!(failing(true, "https://evil.example/").body(), "null");
    let world = World::new(
        r#"<inbound><set-backend-service base-url="http://169.254.169.254/" /></inbound>"#,
    );
    assert_eq!(world.get().status, 500);
    assert!(world.others.take().is_empty());
}
