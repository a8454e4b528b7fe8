use super::*;

fn read_text(text: &str) -> Result<Vec<Element>, Finding> {
    read(text, Dialect::Expressions, Bounds::default(), |name| {
        (name == "host").then(|| "https://h.example".to_owned())
    })
}

fn strict(text: &str) -> Result<Vec<Element>, Finding> {
    read(text, Dialect::Strict, Bounds::default(), |_| None)
}

fn code(text: &Text) -> &str {
    match &text.content {
        Content::Code(code) => code.source(),
        Content::Literal(literal) => panic!("not an expression: {literal}"),
    }
}

fn check_error(text: &str, expected: &str) {
    let finding = read_text(text).expect_err(text).to_string();
    assert!(finding.contains(expected), "{text}: {finding}");
}

#[test]
fn z_001_z_002_expressions_hold_quotes_and_angle_brackets_as_they_are_published() {
    let text = r#"<a k="@(x["b"].As<string>() && y < 3 ? ")" : '"')" l="m">@(new Uri("a<b)"))</a>"#;
    let elements = read_text(text).unwrap();
    let a = &elements[0];
    assert_eq!(
        code(&a.attribute("k").unwrap().value),
        r#"x["b"].As<string>() && y < 3 ? ")" : '"'"#
    );
    assert_eq!(a.attribute("l").unwrap().value.literal(), Some("m"));
    assert_eq!(code(a.text().unwrap()), r#"new Uri("a<b)")"#);
}

#[test]
fn z_002_an_escaped_quote_ends_no_string() {
    let elements = read_text(r#"<a k="@("a\")" + b)"/>"#).unwrap();
    assert_eq!(code(&elements[0].attributes[0].value), r#""a\")" + b"#);
}

#[test]
fn z_003_multi_statement_expressions_are_refused_with_their_place() {
    check_error(
        "<a>\n  <b k=\"@{ return 1; }\"/></a>",
        "2:9: error: multi-statement expressions not supported",
    );
    check_error("<a>@{ return 1; }</a>", "1:4: error: multi-statement");
}

#[test]
fn z_004_well_formed_variants_mean_the_same() {
    for text in [
        r#"<a k="@(x["b"] < 1 && y)"/>"#,
        "<a k=\"@(x[&quot;b&quot;] &lt; 1 &amp;&amp; y)\"/>",
        "<a k=\"@(x[&#34;b&#x22;] &lt; 1 &amp;&amp; y)\"/>",
        r#"<a k='@(x["b"] < 1 && y)'/>"#,
        r#"<a k='@(x["b"] &lt; 1 &amp;&amp; y)'/>"#,
    ] {
        let elements = read_text(text).expect(text);
        assert_eq!(code(&elements[0].attributes[0].value), r#"x["b"] < 1 && y"#);
    }
    let elements = read_text("<a><![CDATA[ @(x < y) ]]></a>").unwrap();
    assert_eq!(code(elements[0].text().unwrap()), "x < y");
}

#[test]
fn z_009_named_values_are_replaced_first_and_unknown_ones_refused() {
    let elements = read_text("<a k=\"{{host}}/x\" l='@(\"{{host}}\" + $\"{ {b} }\")'/>").unwrap();
    assert_eq!(
        elements[0].attributes[0].value.literal(),
        Some("https://h.example/x")
    );
    assert_eq!(
        code(&elements[0].attributes[1].value),
        "\"https://h.example\" + $\"{ {b} }\""
    );
    check_error(
        "<a>\n{{nothing}}</a>",
        "2:1: error: there is no named value `nothing`",
    );
}

#[test]
fn z_011_white_space_around_an_expression_is_nothing_and_other_text_an_error() {
    let elements = read_text("<a>\n  @(b\n  + c)\n </a>").unwrap();
    assert_eq!(code(elements[0].text().unwrap()), "b\n  + c");
    check_error(
        "<a>@(b) c</a>",
        "1:9: error: there is text after the expression",
    );
    check_error("<a k=\"@(b) c\"/>", "text after the expression of `k`");
    check_error(
        "<a>@(b)<!-- d --> c</a>",
        "there is text beside the expression",
    );
}

#[test]
fn z_012_what_is_left_open_is_named_with_its_place() {
    check_error(
        "<a>\n <choose>\n  <when>\n  </when>\n</a>",
        "2:2: error: <choose> is not closed: </a> comes first, at 5:1",
    );
    check_error("<a>\n <b>", "2:2: error: <b> is not closed");
    check_error("</b>", "</b> closes nothing");
    check_error("<a k=\"@(b\"/>", "1:7: error: the expression is not closed");
    check_error("<a k=\"b", "`k` of <a> has no closing quote");
    check_error("<a k=b/>", "`k` of <a> has no quoted value");
    check_error("<a", "the tag <a> is not closed");
    check_error("<!-- a", "the comment is not closed");
    check_error("a<b/>", "text outside of the elements");
}

#[test]
fn positions_are_those_of_the_given_text_behind_all_that_was_replaced() {
    let text = "<?xml version=\"1.0\"?><!-- c -->\n<a k=\"{{host}}\" l=\"@(a && b)\"> <b/>\n<c d='&'/></a>";
    let text = text.replace("'&'", "'1'");
    let elements = read_text(&text).unwrap();
    let a = &elements[0];
    let place = |line, column| Position { line, column };
    assert_eq!(a.at, place(2, 1));
    assert_eq!(a.attributes[1].at, place(2, 17));
    assert_eq!(a.attributes[1].value.at, place(2, 20));
    let Content::Code(code) = &a.attributes[1].value.content else {
        panic!()
    };
    assert_eq!(code.position(5), place(2, 27));
    let places: Vec<_> = a.elements().map(|element| element.at).collect();
    assert_eq!(places, [place(2, 32), place(3, 1)]);
}

#[test]
fn what_the_library_refuses_has_a_place_of_the_given_text() {
    let finding = read_text("<a k=\"@(x && y)\" l='{{host}}'\n  m=\"&nope;\"/>").unwrap_err();
    assert_eq!(finding.at.line, 2, "{finding}");
    let finding = read_text("<a k=\"1\"\n k=\"2\"/>").unwrap_err();
    assert!(finding.message.contains('k'), "{finding}");
}

#[test]
fn a_010_no_document_type_and_no_entity_but_the_five() {
    for text in [
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        "<!DOCTYPE a><a/>",
        "<a><!ENTITY b \"c\"></a>",
    ] {
        for read in [read_text, strict] {
            let finding = read(text).expect_err(text);
            assert!(finding.message.contains("document type"), "{finding}");
        }
    }
    assert!(strict("<a>&b;</a>").is_err());
    let elements = strict("<a>&lt;&gt;&amp;&quot;&apos;&#65;</a>").unwrap();
    assert_eq!(elements[0].literal(), "<>&\"'A");
}

#[test]
fn a_number_that_an_entity_spells_is_no_expression() {
    let elements = read_text("<a k=\"@(b)\" l=\"&#64;(0)\"/>").unwrap();
    assert_eq!(elements[0].attributes[1].value.literal(), Some("@(0)"));
    let elements = strict("<a k=\"@(0)\"/>").unwrap();
    assert_eq!(elements[0].attributes[0].value.literal(), Some("@(0)"));
}

#[test]
fn a_007_a_default_name_space_is_accepted() {
    let elements = strict("<a xmlns=\"http://x/y\" b=\"1\"><c/></a>").unwrap();
    assert_eq!((&*elements[0].name, elements[0].attributes.len()), ("a", 1));
    assert!(elements[0].element("c").is_some());
}

#[test]
fn size_depth_and_count_are_bounded() {
    let bounds = Bounds {
        bytes_max: 200,
        depth_max: 4,
        count_max: 8,
    };
    let read = |text: &str| read(text, Dialect::Strict, bounds, |_| None);
    assert!(read("<a><a><a><a></a></a></a></a>").is_ok());
    let message = |text: &str| read(text).unwrap_err().message;
    assert!(message("<a><a><a><a><a></a></a></a></a></a>").contains("deep"));
    assert!(message(&"<a/>".repeat(9)).contains("more than 8"));
    assert!(message(&format!("<a>{}</a>", " ".repeat(200))).contains("bytes"));
    assert!(message("<a b='' c='' d='' e='' f='' g='' h='' i=''/>").contains("more than 8"));
}
