//! How long PopulateCache keeps a value, and what it can't keep.

use std::time::{Duration, SystemTime};

use larder::{ManualClock, MemoryLevel};
use larder_gateway::apigee::CacheSettings;
use larder_gateway::apigee::read::read;

use crate::apigee_policies::{in_cache, inner};
use crate::apigee_world::{Edge, assign, parts, populate, populate_for};

/// How long an entry is kept with these settings: the seconds after which it's gone.
fn check_expiry(edge: &Edge, expiry: &str, seconds: u64) {
    let policies = [assign("v"), populate_for(&inner(), expiry)];
    let handled = edge.run(&parts(&policies), "/x?d=60&bad=soon&none=0");
    assert_eq!(handled.response.status, 200, "{expiry}");
    if seconds > 0 {
        edge.seconds(seconds - 1);
        assert_eq!(edge.get(&inner()).as_deref(), Some("v"), "{expiry}");
        edge.seconds(1);
    }
    assert_eq!(edge.get(&inner()), None, "{expiry}");
}

fn block(children: &str) -> String {
    format!("<ExpirySettings>{children}</ExpirySettings>")
}

const MONTH: u64 = 2_592_000;

#[test]
fn a_083_a_084_a_reference_comes_before_the_literal() {
    let edge = Edge::new();
    let of = |name: &str, literal: &str| {
        block(&format!(
            "<TimeoutInSeconds ref=\"request.queryparam.{name}\">{literal}</TimeoutInSeconds>"
        ))
    };
    check_expiry(&edge, &of("d", "300"), 60);
    for unusable in ["missing", "bad", "none"] {
        check_expiry(&edge, &of(unusable, "300"), 300);
        check_expiry(&edge, &of(unusable, ""), MONTH);
    }
}

#[test]
fn a_085_a_086_the_old_element_works_and_seconds_win_over_dates() {
    let edge = Edge::new();
    check_expiry(
        &edge,
        &block("<TimeoutInSec ref=\"request.queryparam.d\">120</TimeoutInSec>"),
        120,
    );
    let all = "<TimeOfDay>00:00:05</TimeOfDay><TimeoutInSeconds>90</TimeoutInSeconds><ExpiryDate>12-19-2030</ExpiryDate>";
    check_expiry(&edge, &block(all), 90);
}

/// 2030-12-18 at a time of the day, in seconds.
fn on_the_18th(seconds: u64) -> Edge {
    Edge::born(SystemTime::UNIX_EPOCH + Duration::from_secs(1_923_782_400 + seconds))
}

#[test]
fn a_087_a_088_dates_and_times_of_day_are_in_utc() {
    check_expiry(
        &on_the_18th(86_000),
        &block("<ExpiryDate>12-19-2030</ExpiryDate>"),
        400,
    );
    let both = "<ExpiryDate>12-19-2030</ExpiryDate><TimeOfDay>01:00:00</TimeOfDay>";
    check_expiry(&on_the_18th(86_000), &block(both), 4_000);
}

#[test]
fn a_083_a_084_a_087_a_reference_to_a_date_or_a_time_comes_before_its_literal() {
    let check = |query: &str, children: &str, seconds: u64| {
        let edge = on_the_18th(86_000);
        let policies = [assign("v"), populate_for(&inner(), &block(children))];
        edge.run(&parts(&policies), &format!("/x?{query}"));
        edge.seconds(seconds - 1);
        let before = edge.get(&inner());
        assert_eq!(before.as_deref(), Some("v"), "{query} {children}");
        edge.seconds(1);
        assert_eq!(edge.get(&inner()), None, "{query} {children}");
    };
    let date = r#"<ExpiryDate ref="request.queryparam.date">12-20-2030</ExpiryDate>"#;
    let time = r#"<TimeOfDay ref="request.queryparam.time">00:00:10</TimeOfDay>"#;
    let both = format!("{date}{time}");
    check("date=12-19-2030", date, 400);
    check("time=01:00:00", time, 4_000);
    check("date=12-19-2030&time=01:00:00", &both, 4_000);
    for unusable in ["", "date=&time=", "date=2030-12-19&time=1"] {
        check(unusable, date, 86_800);
        check(unusable, time, 410);
        check(unusable, &both, 86_810);
        let bare = r#"<ExpiryDate ref="request.queryparam.date"/>"#;
        check(unusable, bare, MONTH);
    }
}

#[test]
fn a_089_a_time_of_day_is_the_next_one() {
    let half_past_two = 14 * 3600 + 30 * 60;
    let time = block("<TimeOfDay>14:30:00</TimeOfDay>");
    check_expiry(&on_the_18th(half_past_two - 1), &time, 1);
    check_expiry(&on_the_18th(half_past_two), &time, 86_400);
}

#[test]
fn a_090_a_date_in_the_past_stores_nothing_and_takes_the_older_entry() {
    for past in ["12-18-2030", "12-17-2030", "01-01-1999"] {
        let edge = on_the_18th(10);
        edge.put(&inner(), "old");
        check_expiry(
            &edge,
            &block(&format!("<ExpiryDate>{past}</ExpiryDate>")),
            0,
        );
    }
}

#[test]
fn a_091_a_094_a_096_settings_that_cannot_be() {
    let wrong = |expiry: &str| read(&populate_for(&inner(), expiry)).expect_err(expiry);
    for date in ["2021-22-99", "13-01-2030", "1-2-2030"] {
        wrong(&block(&format!("<ExpiryDate>{date}</ExpiryDate>")));
    }
    wrong(&block("<TimeOfDay>25:00:00</TimeOfDay>"));
    for seconds in ["0", "-1", "-120", "x", "1.5"] {
        wrong(&block(&format!(
            "<TimeoutInSeconds>{seconds}</TimeoutInSeconds>"
        )));
    }
    wrong(&block(
        "<TimeoutInSeconds>1</TimeoutInSeconds><TimeoutInSeconds>2</TimeoutInSeconds>",
    ));
    wrong(&format!(
        "{0}{0}",
        block("<TimeoutInSeconds>1</TimeoutInSeconds>")
    ));
}

#[test]
fn a_092_without_settings_the_caches_own_expiry_holds_or_thirty_days() {
    let edge = Edge::new();
    for nothing in [
        "",
        "<ExpirySettings/>",
        "<ExpirySettings><!-- none --></ExpirySettings>",
    ] {
        check_expiry(&edge, nothing, MONTH);
        let (_, warnings) = read(&populate_for(&inner(), nothing)).unwrap();
        assert_eq!(warnings.len(), 1, "{nothing}");
    }
    let settings = CacheSettings {
        expiry: Some(larder::Expiry::after(Duration::from_secs(50))),
        ..CacheSettings::default()
    };
    edge.environment.create_cache("tokens", settings).unwrap();
    edge.run(
        &parts(&[assign("v"), populate_for(&in_cache("tokens"), "")]),
        "/x",
    );
    edge.seconds(49);
    assert!(edge.get(&in_cache("tokens")).is_some());
    edge.seconds(1);
    assert!(edge.get(&in_cache("tokens")).is_none());
}

#[test]
fn a_093_a_095_bounds_of_the_time_to_live() {
    let edge = Edge::new();
    check_expiry(
        &edge,
        &block("<TimeoutInSeconds>2592000</TimeoutInSeconds>"),
        MONTH,
    );
    check_expiry(
        &edge,
        &block("<TimeoutInSeconds>2678400</TimeoutInSeconds>"),
        MONTH,
    );
    check_expiry(
        &edge,
        &block("<TimeoutInSeconds>99999999999999999999999</TimeoutInSeconds>"),
        MONTH,
    );
    check_expiry(&edge, &block("<TimeoutInSeconds>1</TimeoutInSeconds>"), 1);
    let by_reference = block("<TimeoutInSeconds ref=\"long\"/>");
    let long = assign("99999999999").replace("flowVar", "long");
    edge.run(
        &parts(&[
            assign("v"),
            long.replace("name=\"A\"", "name=\"A2\""),
            populate_for(&inner(), &by_reference),
        ]),
        "/x",
    );
    edge.seconds(MONTH);
    assert_eq!(edge.get(&inner()), None);
}

#[test]
fn expiry_1_expiry_2_expiry_3_expiry_4_expiry_5_expiry_7_expiry_9_expiry_10_what_a_block_holds() {
    let cases = [
        ("<TimeoutInSeconds>120</TimeoutInSeconds>", Some(0)),
        ("<TimeoutInSeconds>86400</TimeoutInSeconds>", Some(0)),
        ("<ExpiryDate>12-19-2021</ExpiryDate>", Some(0)),
        (
            "<TimeoutInSeconds>1</TimeoutInSeconds><TimeoutInSeconds>1</TimeoutInSeconds>",
            None,
        ),
        ("<!-- only a comment -->", Some(1)),
        ("<ExpiryDate>2021-22-99</ExpiryDate>", None),
        (
            "<ExpiryDate>12-19-2021</ExpiryDate><TimeoutInSeconds>9</TimeoutInSeconds>",
            Some(1),
        ),
        ("<TimeoutInSec>120</TimeoutInSec>", Some(1)),
        ("<TimeoutInSeconds>2678400</TimeoutInSeconds>", Some(1)),
    ];
    for (children, warnings) in cases {
        let found = read(&populate_for(&inner(), &block(children))).ok();
        assert_eq!(
            found.map(|(_, warnings)| warnings.len()),
            warnings,
            "{children}"
        );
    }
}

#[test]
fn expiry_6_expiry_8_one_block_at_most_and_none_warns() {
    let warnings = |settings: &str| {
        let found = read(&populate_for(&inner(), settings)).ok();
        found.map(|(_, warnings)| warnings.len())
    };
    let one = block("<TimeoutInSeconds>120</TimeoutInSeconds>");
    assert_eq!(warnings(&one), Some(0));
    assert_eq!(warnings(&format!("{one}{one}")), None);
    assert_eq!(warnings(""), Some(1));
}

#[test]
fn a_097_a_100_what_cannot_be_stored_faults_and_keeps_the_old_entry() {
    let edge = Edge::new();
    edge.put(&inner(), "old");
    for source in ["missing", "request", "tokenResponse"] {
        let policies = [populate(&inner()).replace("flowVar", source)];
        let handled = edge.run(&parts(&policies), "/x");
        assert_eq!(handled.response.status, 500, "{source}");
        assert_eq!(
            handled.context.get("fault.name"),
            Some("EntryCannotBeCached".into())
        );
        assert_eq!(
            handled.context.get("populatecache.P.failed"),
            Some(true.into())
        );
        assert!(
            handled
                .response
                .body_text()
                .contains("policies.populatecache.EntryCannotBeCached")
        );
        assert_eq!(edge.get(&inner()).as_deref(), Some("old"));
    }
}

#[test]
fn a_098_a_value_that_is_too_long_stays_in_the_process() {
    let clock = ManualClock::new();
    let level = MemoryLevel::with_clock(clock.clone());
    let (one, two) = (Edge::node(&level, &clock), Edge::node(&level, &clock));
    let fits = "x".repeat(262_144);
    one.put(&inner(), &fits);
    assert_eq!(two.get(&inner()).map(|value| value.len()), Some(262_144));
    one.put(&inner(), &format!("{fits}x"));
    assert_eq!(one.get(&inner()).map(|value| value.len()), Some(262_145));
    clock.advance(Duration::from_secs(1));
    assert_eq!(two.get(&inner()), None);
}

#[test]
fn a_099_success_sets_no_variables() {
    let handled = Edge::new().run(&parts(&[assign("v"), populate(&inner())]), "/x");
    for name in [
        "populatecache.P.failed",
        "populatecache.P.cachekey",
        "fault.name",
    ] {
        assert_eq!(handled.context.get(name), None, "{name}");
    }
}
