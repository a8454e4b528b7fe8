//! Documents: what loads, and what doesn't.

use larder_gateway::azure::read::read;
use larder_gateway::http::Request;

use crate::world::{Around, World, telling};

const FRAGMENT_CACHING: &str = include_str!("../../examples/policies/fragment-caching.xml");
const VERSIONING: &str = include_str!("../../examples/policies/transparent-versioning.xml");

/// The findings, each as text.
fn findings(text: &str) -> Vec<String> {
    match read(text, &Around) {
        Ok(document) => panic!("{text} loads: {document:?}"),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

fn check(text: &str, expected: &str) {
    let findings = findings(text);
    assert!(
        findings.iter().any(|finding| finding.contains(expected)),
        "{text}: {findings:?}"
    );
}

fn loads(text: &str) {
    if let Err(findings) = read(text, &Around) {
        panic!("{text}: {findings:?}");
    }
}

#[test]
fn z_001_the_published_policies_load_as_they_are() {
    let document = read(FRAGMENT_CACHING, &Around).unwrap();
    assert_eq!((document.inbound.len(), document.outbound.len()), (3, 1));
    assert!(roxmltree_refuses(FRAGMENT_CACHING) && roxmltree_refuses(VERSIONING));
}

fn roxmltree_refuses(text: &str) -> bool {
    use larder_gateway::xml::{Bounds, Dialect, read};
    read(text, Dialect::Strict, Bounds::default(), |_| None).is_err()
}

#[test]
fn z_004_a_well_formed_variant_runs_alike() {
    let escaped = r#"<inbound><return-response><set-body>@(&quot;a&quot; + (1 &lt; 2 &amp;&amp; true))</set-body></return-response></inbound>"#;
    let single = "<inbound><return-response><set-body>@(\"a\" + (1 < 2 && true))</set-body></return-response></inbound>";
    for text in [escaped, single] {
        assert_eq!(World::new(text).body(), "aTrue");
    }
}

#[test]
fn z_005_base_comments_and_the_four_sections() {
    let document = read(
        "<policies><!-- a --><inbound><base /><!-- b -- c --></inbound><backend><base/></backend>
         <outbound><base /></outbound><on-error><base /><set-status code=\"500\"/></on-error></policies>",
        &Around,
    );
    let document = document.unwrap();
    assert!(document.inbound.is_empty() && document.backend.is_empty() && !document.is_fragment);
    assert_eq!(document.on_error.len(), 1);
    check(
        "<policies><inbound/><inbound/></policies>",
        "<inbound> is there twice",
    );
    check(
        "<policies><inner/></policies>",
        "<inner> is not known in <policies>",
    );
}

#[test]
fn z_006_a_bare_section_is_a_document() {
    let document = read(VERSIONING, &Around).unwrap();
    assert_eq!(document.inbound.len(), 3);
    assert!(document.outbound.is_empty() && !document.is_fragment);
}

#[test]
fn z_007_what_is_unknown_or_missing_is_named() {
    check(
        "<inbound><cache-lookup-values key='k'/></inbound>",
        "<cache-lookup-values> is not a policy",
    );
    check(
        "<inbound><cache-lookup-value key='k' variable-name='v' kind='x'/></inbound>",
        "no attribute `kind`",
    );
    check(
        "<inbound><cache-lookup-value variable-name='v'/></inbound>",
        "has no `key`, which is required",
    );
    check(
        "<inbound><cache-lookup-value key='k'/></inbound>",
        "has no `variable-name`",
    );
    check(
        "<inbound><cache-store-value key='k' value='v'/></inbound>",
        "has no `duration`",
    );
    check(
        "<inbound><cache-store-value key='k' duration='1'/></inbound>",
        "has no `value`",
    );
    check("<inbound><cache-remove-value/></inbound>", "has no `key`");
    check(
        "<inbound><set-variable name='a'/></inbound>",
        "has no `value`",
    );
    check(
        "<inbound><cache-value key='k' variable-name='v'/></inbound>",
        "has no <value>",
    );
    check("<inbound><choose/></inbound>", "<choose> has no <when>");
    check("<inbound><send-request/></inbound>", "has no <set-url>");
    check(
        "<inbound><cache-lookup-value key='k' variable-name='v'><x/></cache-lookup-value></inbound>",
        "<x> is not known in <cache-lookup-value>: take it out",
    );
    check(
        "<policies><inbund/></policies>",
        "<inbund> is not known in <policies>; known are backend, inbound, on-error, outbound",
    );
    check(
        "<inbound><send-request><set-uri>https://a.example/</set-uri></send-request></inbound>",
        "known are set-body, set-header, set-method, set-url",
    );
    check(
        "<inbound><cache-remove-value key='a' key='b'/></inbound>",
        "attribute 'key' is already defined",
    );
    check("<inbound>text</inbound>", "<inbound> holds a text");
    // All of them, not only the first, each with its place.
    let all = findings("<inbound>\n <a/>\n <cache-remove-value/>\n</inbound>");
    assert_eq!(all.len(), 2);
    assert!(
        all[0].starts_with("2:2: error") && all[1].starts_with("3:2: error"),
        "{all:?}"
    );
}

#[test]
fn z_008_expressions_where_none_may_be() {
    let lookup = |attributes: &str| format!("<cache-lookup-value {attributes} />");
    check(
        &lookup(r#"key="k" variable-name="@("v")""#),
        "`variable-name` of <cache-lookup-value> cannot be an expression",
    );
    check(
        &lookup(r#"key="k" variable-name="v" caching-type="@("internal")""#),
        "`caching-type`",
    );
    let quota = |attributes: &str| format!("<quota-by-key {attributes} />");
    loads(&quota(
        r#"calls="1" renewal-period="300" counter-key="@("k")" increment-condition="@(true)""#,
    ));
    for wrong in [
        r#"calls="@(1)" renewal-period="300" counter-key="k""#,
        r#"bandwidth="@(1)" renewal-period="300" counter-key="k""#,
        r#"calls="1" renewal-period="@(300)" counter-key="k""#,
        r#"calls="1" renewal-period="300" counter-key="k" first-period-start="@("x")""#,
    ] {
        check(&quota(wrong), "cannot be an expression");
    }
    check(
        "<rate-limit calls='@(1)' renewal-period='1' />",
        "`calls` of <rate-limit> cannot be an expression",
    );
}

#[test]
fn z_009_named_values_stand_in_for_text() {
    let text = telling("", r#""{{profile-service}}""#);
    assert_eq!(World::new(&text).body(), "https://profile.example");
    check(
        "<inbound>\n<set-variable name='a' value='{{unknown}}'/></inbound>",
        "2:31: error: there is no named value `unknown`",
    );
}

#[test]
fn z_010_policies_run_in_order_and_the_backend_between_the_sections() {
    let send = |path: &str| {
        format!("<send-request><set-url>https://profile.example/{path}</set-url></send-request>")
    };
    let document = format!(
        "<policies><outbound>{}</outbound><inbound>{}{}</inbound><backend>{}</backend></policies>",
        send("4"),
        send("1"),
        send("2"),
        send("3"),
    );
    let world = World::new(&document);
    world.get();
    let asked = world.others.take();
    let paths: Vec<&str> = asked
        .iter()
        .map(|url| url.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths, ["1", "2", "3", "x", "4"]);
    // Where it is said when, it's then, and once.
    let document = format!(
        "<backend>{}<forward-request timeout='5' />{}</backend>",
        send("1"),
        send("2")
    );
    let world = World::new(&document);
    world.get();
    let asked = world.others.take();
    let paths: Vec<&str> = asked
        .iter()
        .map(|url| url.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths, ["1", "x", "2"]);
}

#[test]
fn z_011_white_space_in_and_around_expressions() {
    let text = "<inbound><return-response><set-body>\n  @(\n \"a\"\n  + 1 )\n </set-body></return-response></inbound>";
    assert_eq!(World::new(text).body(), "a1");
    check(
        "<set-body>@(\"a\") b</set-body>",
        "text after the expression",
    );
    let literal = "<inbound><return-response><set-body>\n  plain text \n</set-body></return-response></inbound>";
    assert_eq!(World::new(literal).body(), "plain text");
}

#[test]
fn z_012_a_fragment_is_accepted_and_an_open_element_named() {
    let document = read(
        "<!-- a -->\n<set-variable name='a' value='1' />\n<!-- b -->\n<base />\n<choose><when condition='@(true)'/></choose>",
        &Around,
    );
    let document = document.unwrap();
    assert!(document.is_fragment);
    assert_eq!(document.inbound.len(), 2);
    let open = VERSIONING.replace("</choose>", "");
    check(&open, "6:5: error: <choose> is not closed");
    check("", "the document has no element");
}

#[test]
fn z_035_an_expression_that_is_not_in_the_subset_does_not_load() {
    check(
        "<set-variable name='a' value='@(DateTime.Now)' />",
        "1:33: error: `DateTime` is not known",
    );
    check(
        "<choose><when condition='@(1)' /></choose>",
        "a condition, which is true or false, is wanted here, and this is an int",
    );
    check(
        "<cache-store-value key='k' value='1' duration='@(true)' />",
        "a whole number is wanted",
    );
    check(
        "<set-variable name='a' value='@(context.Request)' />",
        "a value is wanted",
    );
}

#[test]
fn z_003_statements_are_refused() {
    check(
        "<inbound>\n<set-body>@{\n return 1; }</set-body></inbound>",
        "2:11: error: multi-statement expressions not supported",
    );
}

#[test]
fn an_on_error_section_sees_what_failed_and_may_answer() {
    let document = r#"<policies><inbound><set-variable name="a" value="@(context.Variables["missing"])" /></inbound>
      <on-error><choose><when condition="@(context.Response.StatusCode == 500)">
        <return-response><set-status code="503" reason="Later" /><set-body>sorry</set-body></return-response>
      </when></choose></on-error></policies>"#;
    let response = World::new(document).handle(Request::get("/x"));
    assert_eq!(
        (response.status.as_u16(), response.reason.as_deref()),
        (503, Some("Later"))
    );
    assert_eq!(response.body_text(), "sorry");
    let twice = document.replace(
        "<choose>",
        r#"<set-variable name="a" value="@(context.Variables["b"])" /><choose>"#,
    );
    assert_eq!(World::new(&twice).get().status, 500);
}

#[test]
fn a_trace_tells_step_by_step() {
    let document = telling(
        r#"<cache-store-value key="k" value="v" duration="5" /><cache-lookup-value key="k" variable-name="v" />"#,
        "1",
    );
    let (_, trace) = World::new(&document).trace();
    assert!(trace.contains("cache-store-value: stored: k"), "{trace}");
    assert!(
        trace.contains("cache-lookup-value: hit: k -> v = \"v\""),
        "{trace}"
    );
    assert!(trace.contains("return-response: answers 200"), "{trace}");
}
