//! Policy documents, bundles, flows and faults.

use larder_gateway::apigee::read::read;

use crate::apigee_world::{Edge, assign, invalidate, key, lookup, parts, populate, told};

fn check(text: &str, expected: &str) {
    match read(text) {
        Ok(policy) => panic!("{text} loads: {policy:?}"),
        Err(findings) => {
            let found = findings
                .iter()
                .any(|finding| finding.to_string().contains(expected));
            assert!(found, "{text}: {findings:?}");
        }
    }
}

fn inner() -> String {
    key("p", &["x"])
}

#[test]
fn a_001_the_vendors_sample_with_its_blanks_loads() {
    let sample = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<LookupCache async="false" continueOnError="false" enabled="true" name="Lookup-Cache-1">
    <DisplayName>Lookup Cache 1</DisplayName>
    <Properties/>
    <CacheKey>
        <Prefix/>
        <KeyFragment ref=""/>
    </CacheKey>
    <CacheResource/>
    <Scope>Exclusive</Scope>
    <CacheLookupTimeoutInSeconds/>
    <AssignTo>flowVar</AssignTo>
</LookupCache>"#;
    let (policy, _) = read(sample).unwrap();
    assert_eq!(
        (&*policy.name, &*policy.display_name),
        ("Lookup-Cache-1", "Lookup Cache 1")
    );
    let key = match &policy.act {
        larder_gateway::apigee::policy::Act::Lookup(lookup) => &lookup.key,
        other => panic!("{other:?}"),
    };
    assert!(key.resource.is_none() && key.fragments.is_empty() && key.prefix.is_empty());
}

#[test]
fn a_002_a_004_attributes_and_names_have_defaults() {
    let (policy, _) = read(&lookup(&inner())).unwrap();
    assert!(policy.enabled && !policy.continue_on_error);
    assert_eq!(*policy.display_name, *policy.name);
}

#[test]
fn a_003_a_name_is_of_few_characters() {
    let named = |name: &str| lookup(&inner()).replace("name=\"L\"", &format!("name=\"{name}\""));
    for good in ["A b-c_d.9", &"x".repeat(255)] {
        assert!(read(&named(good)).is_ok(), "{good}");
    }
    for bad in ["", " ", "a/b", "a:b", "\u{e9}", &"x".repeat(256)] {
        check(&named(bad), "`name` must be of letters");
    }
    check(
        &lookup(&inner()).replace(" name=\"L\"", ""),
        "has no `name`",
    );
}

#[test]
fn a_005_a_policy_that_is_switched_off_does_nothing() {
    let edge = Edge::new();
    let off = |policy: String| policy.replace("name=", "enabled=\"false\" name=");
    let handled = edge.run(
        &parts(&[assign("v"), off(populate(&inner())), off(lookup(&inner()))]),
        "/x",
    );
    assert_eq!(told(&handled, "cachehit"), None);
    assert_eq!(told(&handled, "cachekey"), None);
    assert_eq!(edge.get(&inner()), None);
}

#[test]
fn a_006_what_is_required() {
    let text = |kind: &str, inner: &str| format!("<{kind} name=\"N\">{inner}</{kind}>");
    check(&text("LookupCache", &inner()), "has no <AssignTo>");
    check(&text("PopulateCache", &inner()), "has no <Source>");
    check(
        &text("LookupCache", "<AssignTo>v</AssignTo>"),
        "has no <CacheKey>",
    );
    check(
        &text("PopulateCache", "<Source>v</Source>"),
        "has no <CacheKey>",
    );
    check(&text("InvalidateCache", ""), "has no <CacheKey>");
}

#[test]
fn a_007_order_unknown_children_and_a_name_space_do_not_matter() {
    let text = format!(
        "<LookupCache xmlns=\"http://www.sap.com/apimgmt\" name=\"L\"><AssignTo>out</AssignTo><Properties/><FaultRules/><Odd a=\"b\"><C/></Odd>{}</LookupCache>",
        inner()
    );
    assert!(read(&text).is_ok());
}

#[test]
fn a_008_white_space_around_texts_is_nothing() {
    let edge = Edge::new();
    edge.put(&inner(), "v");
    let pretty = "<CacheKey>\n  <Prefix>\n p \n</Prefix>\n <KeyFragment>\n x\n </KeyFragment></CacheKey>\n<Scope> Global </Scope>";
    assert_eq!(edge.get(pretty).as_deref(), Some("v"));
}

#[test]
fn a_009_a_scope_is_one_of_five_words() {
    for word in ["global", "GLOBAL", "Environment", "Global,"] {
        check(
            &lookup(&format!("<Scope>{word}</Scope>{}", inner())),
            "is no scope",
        );
    }
}

#[test]
fn a_011_faults_and_booleans() {
    let edge = Edge::new();
    let going_on = populate(&inner()).replace("name=", "continueOnError=\"true\" name=");
    let handled = edge.run(&parts(&[going_on, lookup(&inner())]), "/x");
    assert_eq!(handled.response.status, 200);
    assert_eq!(
        handled.context.get("populatecache.P.failed"),
        Some(true.into())
    );
    assert_eq!(told(&handled, "cachehit"), Some(false.into()));
    let handled = edge.run(&parts(&[populate(&inner()), lookup(&inner())]), "/x");
    assert_eq!(handled.response.status, 500);
    assert_eq!(told(&handled, "cachehit"), None);
    for attribute in ["continueOnError", "enabled", "async"] {
        let text = populate(&inner()).replace("name=", &format!("{attribute}=\"yes\" name="));
        check(&text, "must be true or false");
    }
}

#[test]
fn a_013_a_step_that_names_no_policy_is_an_error_with_file_and_line() {
    let mut made = parts(&[lookup(&inner())]);
    made.more =
        "\n\n<PostFlow><Request><Step><Name>Missing</Name></Step></Request></PostFlow>".to_owned();
    let findings = made.bundle().unwrap_err();
    assert_eq!(
        findings[0].to_string(),
        "apiproxy/proxies/default.xml:3:20: error: there is no policy `Missing`"
    );
    let mut files = parts(&[lookup(&inner())]).files();
    files[1].1 = files[1]
        .1
        .replace("<TargetEndpoint>tgt", "<TargetEndpoint>none");
    let bundle = larder_gateway::apigee::bundle::Bundle::read(
        files.iter().map(|(path, text)| (&**path, &**text)),
    );
    assert!(
        bundle.unwrap_err()[0]
            .to_string()
            .starts_with("apiproxy/proxies/default.xml:2:1: error: there is no target endpoint")
    );
}

#[test]
fn a_031_a_fragment_is_a_text_or_a_reference() {
    let text = lookup("<CacheKey><KeyFragment ref=\"a.b\">x</KeyFragment></CacheKey>");
    check(&text, "has a `ref` and a text");
    assert!(
        read(&lookup(
            "<CacheKey><KeyFragment ref=\"\">x</KeyFragment></CacheKey>"
        ))
        .is_ok()
    );
}

#[test]
fn a_013_a_014_endpoints_that_take_or_ask_nobody_are_errors_with_their_place() {
    let refused = |file: usize, from: &str, to: &str| {
        let mut files = parts(&[lookup(&inner())]).files();
        assert!(files[file].1.contains(from));
        files[file].1 = files[file].1.replace(from, to);
        let files = files.iter().map(|(path, text)| (&**path, &**text));
        let findings = larder_gateway::apigee::bundle::Bundle::read(files).unwrap_err();
        findings[0].to_string()
    };
    let url = "<URL>https://backend.example/base</URL>";
    for (file, from, to, expected) in [
        (1, ">/weatherapi<", ">weatherapi<", "must begin with `/`"),
        (2, url, "", "<TargetEndpoint> has no <URL>"),
        (2, "https:", "", "<URL> must be one of http or https"),
        (2, "https:", "ftp:", "<URL> must be one of http or https"),
        (
            2,
            "backend.",
            "{flow.host}.",
            "<URL> of a target has variables",
        ),
        (
            1,
            "<TargetEndpoint>tgt</TargetEndpoint>",
            url,
            "proxies/default.xml:2:21: error: <URL> is not known in <RouteRule>",
        ),
    ] {
        let found = refused(file, from, to);
        assert!(found.contains(expected), "{from} to {to}: {found}");
    }
}

#[test]
fn a_009_a_096_what_is_said_twice_is_refused() {
    let twice = |policy: String, child: &str, expected: &str| {
        let end = policy.rfind("</").unwrap();
        check(
            &format!("{}{child}{}", &policy[..end], &policy[end..]),
            &format!("<{expected}> is there twice"),
        );
    };
    let wide = format!("{}<Scope>Exclusive</Scope>", inner());
    twice(lookup(&wide), "<Scope>Global</Scope>", "Scope");
    twice(lookup(&inner()), "<AssignTo>other</AssignTo>", "AssignTo");
    twice(populate(&inner()), "<Source>other</Source>", "Source");
    twice(lookup(&inner()), &inner(), "CacheKey");
    let one = "<PurgeChildEntries>false</PurgeChildEntries>";
    let purge = "<PurgeChildEntries>true</PurgeChildEntries>";
    let removal = invalidate(&format!("{}{one}", inner()));
    twice(removal, purge, "PurgeChildEntries");
    let key = "<CacheKey><Prefix>p</Prefix><Prefix>q</Prefix></CacheKey>";
    check(&lookup(key), "<Prefix> is there twice");
}
