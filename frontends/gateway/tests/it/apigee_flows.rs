//! Flows, conditions, fault rules, and policies about messages.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_gateway::http::{Request, Response};
use larder_gateway::upstream::SendError;

use crate::apigee_policies::inner;
use crate::apigee_world::{Edge, Parts, assign, key, lookup, parts, populate, told, value};

/// A policy that adds its name to a variable.
fn mark(name: &str) -> String {
    format!(
        "<AssignMessage name=\"{name}\"><AssignVariable><Name>out</Name><Template>{{out}}{name}</Template></AssignVariable><IgnoreUnresolvedVariables>true</IgnoreUnresolvedVariables></AssignMessage>"
    )
}

fn steps(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("<Step><Name>{name}</Name></Step>"))
        .collect()
}

fn segment(kind: &str, extra: &str, way_in: &str, back: &str) -> String {
    format!(
        "<{kind} name=\"f\">{extra}<Request>{}</Request><Response>{}</Response></{kind}>",
        steps(&[way_in]),
        steps(&[back])
    )
}

fn all_flows(routes: &str) -> Vec<(String, String)> {
    let names = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
    ];
    let mut files: Vec<_> = names
        .iter()
        .map(|name| (format!("apiproxy/policies/{name}.xml"), mark(name)))
        .collect();
    let flows = |first: (&str, &str), second: (&str, &str)| {
        format!(
            "<Flows>{}{}{}</Flows>",
            segment(
                "Flow",
                "<Condition>request.verb = \"POST\"</Condition>",
                "m",
                "m"
            ),
            segment(
                "Flow",
                "<Condition>request.verb = \"GET\"</Condition>",
                first.0,
                first.1
            ),
            segment("Flow", "", second.0, second.1),
        )
    };
    files.push((
        "apiproxy/flows.xml".into(),
        "<APIProxy name=\"flows\"/>".into(),
    ));
    files.push((
        "apiproxy/proxies/p.xml".into(),
        format!(
            "<ProxyEndpoint name=\"p\">{}{}{}<HTTPProxyConnection><BasePath>/flows</BasePath></HTTPProxyConnection>{routes}</ProxyEndpoint>",
            segment("PostFlow", "", "c", "l"),
            flows(("b", "k"), ("m", "m")),
            segment("PreFlow", "", "a", "j"),
        ),
    ));
    for (name, host) in [("one", "api"), ("two", "backend")] {
        files.push((
            format!("apiproxy/targets/{name}.xml"),
            format!(
                "<TargetEndpoint name=\"{name}\">{}{}{}<HTTPTargetConnection><URL>https://{host}.example/t</URL></HTTPTargetConnection></TargetEndpoint>",
                segment("PreFlow", "", "d", "g"),
                flows(("e", "h"), ("m", "m")),
                segment("PostFlow", "", "f", "i"),
            ),
        ));
    }
    files
}

fn deployed(edge: &Edge, files: &[(String, String)]) -> larder_gateway::apigee::Deployment {
    let bundle = larder_gateway::apigee::bundle::Bundle::read(
        files.iter().map(|(path, text)| (&**path, &**text)),
    );
    larder_gateway::apigee::Deployment::new(bundle.unwrap(), edge.environment.clone(), edge.reach())
        .unwrap()
}

#[test]
fn a_014_flows_run_in_the_vendors_order_and_a_rule_picks_the_target() {
    let routes = r#"<RouteRule name="x"><Condition>request.queryparam.to = "one"</Condition><TargetEndpoint>one</TargetEndpoint></RouteRule>
        <RouteRule name="y"><Condition>request.queryparam.to = "nobody"</Condition></RouteRule>
        <RouteRule name="z"><TargetEndpoint>two</TargetEndpoint></RouteRule>"#;
    let edge = Edge::new();
    let deployment = deployed(&edge, &all_flows(routes));
    let run = |path: &str| edge.handle(&deployment, Request::get(path));
    let handled = run("/flows/x?to=one");
    assert_eq!(value(&handled).as_deref(), Some("abcdefghijkl"));
    assert_eq!(handled.response.body_text(), "ok");
    run("/flows/x");
    assert_eq!(
        edge.others.take(),
        [
            "https://api.example/t/x?to=one",
            "https://backend.example/t/x"
        ]
    );
    let handled = run("/flows/x?to=nobody");
    assert_eq!(value(&handled).as_deref(), Some("abcjkl"));
    assert_eq!(handled.response.status, 200);
    assert!(edge.others.take().is_empty());
    assert_eq!(run("/flowsx").response.status, 404);
}

#[test]
fn a_015_a_step_under_the_condition_of_a_miss_runs_once() {
    let edge = Edge::new();
    let mut made = parts(&[lookup(&inner()), assign("v"), populate(&inner())]);
    let step = "<Step><Condition>lookupcache.L.cachehit is false</Condition><Name>P</Name></Step>";
    made.proxy_in = vec!["L".into(), "A".into(), step.into()];
    let inserted = || edge.environment.engine().cache().stats().inserted;
    assert_eq!(told(&edge.run(&made, "/x"), "cachehit"), Some(false.into()));
    assert_eq!(inserted(), 1);
    let handled = edge.run(&made, "/x");
    assert_eq!(
        (told(&handled, "cachehit"), inserted()),
        (Some(true.into()), 1)
    );
}

fn faulting(rules: &str) -> Parts {
    let answer = r#"<AssignMessage name="Answer"><Set><Headers><Header name="X-Fault">{fault.name}</Header></Headers>
        <Payload contentType="text/plain">handled {fault.name}</Payload><StatusCode>422</StatusCode></Set></AssignMessage>"#;
    let mut made = parts(&[populate(&inner()), answer.to_owned(), mark("Other")]);
    made.proxy_in = vec!["P".into()];
    made.more = rules.to_owned();
    made
}

#[test]
fn a_016_a_fault_rule_answers_in_place_of_the_500() {
    let rule = |name: &str, condition: &str, step: &str| {
        format!(
            "<FaultRule name=\"{name}\"><Condition>{condition}</Condition><Step><Name>{step}</Name></Step></FaultRule>"
        )
    };
    let edge = Edge::new();
    let rules = format!(
        "<FaultRules>{}{}</FaultRules>",
        rule("a", "fault.name = \"EntryCannotBeCached\"", "Answer"),
        rule("b", "fault.name = \"CacheNotFound\"", "Other")
    );
    let handled = edge.run(&faulting(&rules), "/x");
    assert_eq!(
        (
            handled.response.status.as_u16(),
            &*handled.response.body_text()
        ),
        (422, "handled EntryCannotBeCached")
    );
    assert_eq!(handled.response.headers["x-fault"], "EntryCannotBeCached");
    assert!(edge.others.take().is_empty());
    let other = format!(
        "<FaultRules>{}</FaultRules>",
        rule("b", "fault.name = \"CacheNotFound\"", "Answer")
    );
    assert_eq!(edge.run(&faulting(&other), "/x").response.status, 500);
    let default =
        "<DefaultFaultRule name=\"d\"><Step><Name>Answer</Name></Step></DefaultFaultRule>";
    assert_eq!(
        edge.run(&faulting(&format!("{other}{default}")), "/x")
            .response
            .status,
        422
    );
}

#[test]
fn a_017_the_token_example_runs_end_to_end() {
    let edge = Edge::new();
    let key = key(
        "UserToken",
        &["apiAccessToken", "$request.queryparam.client_id"],
    );
    let callout = r#"<ServiceCallout name="Fetch"><Request clearPayload="true"><Set><Verb>POST</Verb>
        <Payload contentType="application/json">{"client": "{request.queryparam.client_id}"}</Payload></Set></Request>
        <Response>tokenResponse</Response><Timeout>3000</Timeout>
        <HTTPTargetConnection><URL>https://profile.example/token</URL></HTTPTargetConnection></ServiceCallout>"#;
    let extract = r#"<AssignMessage name="Extract"><AssignVariable><Name>flowVar</Name><Ref>tokenResponse.content</Ref></AssignVariable></AssignMessage>"#;
    let send = r#"<AssignMessage name="Send"><AssignTo type="request"/><Set><Headers><Header name="Authorization">Bearer {flowVar}</Header></Headers></Set></AssignMessage>"#;
    let mut made = parts(&[
        lookup(&key).replace("<AssignTo>out", "<AssignTo>flowVar"),
        callout.to_owned(),
        extract.to_owned(),
        populate(&key),
        send.to_owned(),
    ]);
    let missed = |name: &str| {
        format!(
            "<Step><Name>{name}</Name><Condition>lookupcache.L.cachehit = false</Condition></Step>"
        )
    };
    made.proxy_in = vec![
        "L".into(),
        missed("Fetch"),
        missed("Extract"),
        missed("P"),
        "Send".into(),
    ];
    let n = AtomicU64::new(0);
    edge.others.answer(move |call| {
        Ok(match call.url.host_str() {
            Some("profile.example") => Response::text(
                200,
                format!("token{}", n.fetch_add(1, Ordering::Relaxed) + 1),
            ),
            _ => Response::text(200, call.headers["authorization"].to_str().unwrap()),
        })
    });
    let run = |client: &str| {
        edge.run(&made, &format!("/x?client_id={client}"))
            .response
            .body_text()
    };
    assert_eq!(run("abc"), "Bearer token1");
    let asked = edge.others.take();
    assert_eq!(
        asked,
        [
            "POST https://profile.example/token",
            "https://backend.example/base/x?client_id=abc"
        ]
    );
    // A hit is sent without a fetch.
    assert_eq!(run("abc"), "Bearer token1");
    assert_eq!(edge.others.take().len(), 1);
    assert_eq!(run("other"), "Bearer token2");
    edge.seconds(120);
    assert_eq!(run("abc"), "Bearer token3");
}

#[test]
fn a_017_callouts_may_fail_and_faults_be_raised() {
    let edge = Edge::new();
    let callout = r#"<ServiceCallout name="Fetch"><Response>r</Response><Timeout>1500</Timeout>
        <HTTPTargetConnection><URL>https://profile.example/{request.queryparam.p}</URL></HTTPTargetConnection></ServiceCallout>"#;
    edge.others.answer(|_| Err(SendError::TimedOut));
    let handled = edge.run(&parts(&[callout]), "/x?p=a");
    assert_eq!(handled.response.status, 500);
    assert_eq!(
        handled.context.get("fault.name"),
        Some("ExecutionFailed".into())
    );
    assert_eq!(
        handled.context.get("servicecallout.Fetch.failed"),
        Some(true.into())
    );
    assert_eq!(edge.others.last().within.as_millis(), 1500);
    edge.others.take();
    // Who isn't on the list is not asked, whatever a variable says.
    let anywhere = callout.replace("https://profile.example/", "https://");
    assert_eq!(
        edge.run(&parts(&[anywhere]), "/x?p=evil.example")
            .response
            .status,
        500
    );
    assert!(edge.others.take().is_empty());
    // Nor does a variable lead out of the path that stands before it.
    for up in ["../admin", "%252e%252e/admin"] {
        let handled = edge.run(&parts(&[callout]), &format!("/x?p={up}"));
        assert_eq!(handled.response.status, 500, "{up}");
    }
    assert!(edge.others.take().is_empty());

    let raise = r#"<RaiseFault name="No"><FaultResponse><Set><Headers><Header name="X-Why">{request.verb}</Header></Headers>
        <Payload>no {request.queryparam.p}</Payload><StatusCode>403</StatusCode><ReasonPhrase>Never</ReasonPhrase></Set></FaultResponse></RaiseFault>"#;
    let handled = edge.run(&parts(&[raise]), "/x?p=way");
    assert_eq!(
        (
            handled.response.status.as_u16(),
            &*handled.response.body_text()
        ),
        (403, "no way")
    );
    assert_eq!(
        (
            handled.response.reason.as_deref(),
            &handled.response.headers["x-why"]
        ),
        (Some("Never"), &"GET".parse().unwrap())
    );
    assert_eq!(handled.context.get("fault.name"), Some("RaiseFault".into()));
}

#[test]
fn a_016_of_several_rules_a_proxy_takes_the_last_and_a_target_the_first() {
    let rule = |name: &str, step: &str| {
        format!("<FaultRule name=\"{name}\"><Step><Name>{step}</Name></Step></FaultRule>")
    };
    let rules = |first: &str, second: &str| {
        format!(
            "<FaultRules>{}{}</FaultRules>",
            rule("a", first),
            rule("b", second)
        )
    };
    let edge = Edge::new();
    let status = |made: &Parts, of_target: &str| {
        let mut files = made.files();
        for (path, text) in &mut files {
            if path.contains("/targets/") {
                let connection = "<HTTPTargetConnection>";
                *text = text.replace(connection, &format!("{of_target}{connection}"));
            }
        }
        let handled = edge.handle(&deployed(&edge, &files), Request::get("/weatherapi/x"));
        handled.response.status.as_u16()
    };
    assert_eq!(status(&faulting(&rules("Other", "Answer")), ""), 422);
    assert_eq!(status(&faulting(&rules("Answer", "Other")), ""), 500);
    let mut of_target = faulting("");
    of_target.target_in = std::mem::take(&mut of_target.proxy_in);
    assert_eq!(status(&of_target, &rules("Other", "Answer")), 500);
    assert_eq!(status(&of_target, &rules("Answer", "Other")), 422);
}
