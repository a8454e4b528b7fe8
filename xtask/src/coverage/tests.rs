//! Properties: a planted gap is found in every kind of number; nothing that isn't a test, or isn't a number, closes one.

use super::*;

const SPECIFICATION: &str = "\
| id | input | expected |
|---|---|---|
| M-1 | a row | AES-256, UTF-8, ES256, HS-256, m-9, M-7a |
| Z-20 | as M-1, and E-100 | |

M-120 (choice, off): in running text, with (M-41, choice).

| V-7 | a vector | |

Expiry-settings cases (facts):

| case | verdict |
|---|---|
| first | accept |
| second | reject |

**S-1 fragments (listing).** Before the table S-1 is no step.

| step | request |
|---|---|
| 1 | one |
| 11 | eleven |

**S-3 isolation.** As S-2. Steps S-3.1 to S-3.3.
**S-4 negative.** One clause; another; a third.
## 9. Next

| 7 | no step of S-4 | |
";

fn shown(text: &str) -> Vec<String> {
    ids::of_specification(text)
        .keys()
        .map(Id::to_string)
        .collect()
}

fn named(path: &str, text: &str) -> Vec<Named> {
    names::of_source(path, text.as_bytes())
}

/// What the tests of a file name, part by part.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let tests = named("tests/it/x.rs", text);
    let found: BTreeSet<Id> = tests.iter().flat_map(|test| test.ids.clone()).collect();
    let found: Vec<String> = found.iter().map(Id::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn numbers_are_found_in_rows_in_running_text_and_by_their_place() {
    assert_eq!(
        shown(SPECIFICATION),
        [
            "M-1", "M-41", "M-120", "V-7", "expiry-1", "expiry-2", "Z-20", "S-1.1", "S-1.11",
            "S-3.1", "S-3.2", "S-3.3", "S-4.1", "S-4.2", "S-4.3", "E-100"
        ]
    );
}

#[test]
fn a_number_is_told_by_its_own_row_wherever_it_is_mentioned() {
    let known = ids::of_specification("see Z-5 and Z-6\n| M-1 | as Z-5 | |\n| Z-5 | its own | |\n");
    assert_eq!(known[&Id::new(Kind::Z, 5)], "its own");
    assert_eq!(known[&Id::new(Kind::Z, 6)], "see Z-5 and Z-6");
}

#[test]
fn faults_are_rows_with_a_bare_number() {
    let known = ids::of_faults(
        "| # | Fault |\n| --- | --- |\n| 1 | Reader races | x |\n| 40 | Rate | y |\nF-3\n",
    );
    let shown: Vec<String> = known.keys().map(Id::to_string).collect();
    assert_eq!(shown, ["F-1", "F-40"]);
}

#[test]
fn a_test_names_numbers_in_all_their_forms() {
    check("#[test]\nfn m_70_and_more() {}", &["M-70"]);
    check("#[test] fn m_070() {}", &["M-70"]);
    check("#[test] fn e10_e43_f38_any() {}", &["E-10", "E-43", "F-38"]);
    check("#[test] fn check_e41() {}", &["E-41"]);
    check("#[test] fn a_045_z_20_v_1() {}", &["V-1", "A-45", "Z-20"]);
    check("#[test] fn s_1_2_s_3_10() {}", &["S-1.2", "S-3.10"]);
    check("#[test] fn expiry_03_rejects() {}", &["expiry-3"]);
    check("#[test] fn f04_f_05() {}", &["F-4", "F-5"]);
    check(
        "mod m_070 { mod inner { #[test] fn works() {} } }",
        &["M-70"],
    );
    check(
        "mod m_070 { #[test] fn works() {} } mod m_1 { fn no() {} }",
        &["M-70"],
    );
    check(
        "proptest! { #![cfg(x)] #[test] fn e_10(a in any::<u8>()) {} }",
        &["E-10"],
    );
    check(
        "#[cfg(x)]\n// why\n#[tokio::test(flavor = \"a\")]\n#[rustfmt::skip]\npub async fn m_2() {}",
        &["M-2"],
    );
}

#[test]
fn what_looks_like_a_number_in_a_name_is_none_behind_other_words() {
    check("#[test] fn of_a_60_second_wait() {}", &[]);
    check("#[test] fn s_1_is_a_scenario_and_no_step() {}", &[]);
    check("#[test] fn e2e_x2_70() {}", &[]);
    check("#[test] fn e_99999999999() {}", &[]);
}

#[test]
fn what_is_not_run_covers_nothing() {
    check("fn e_10() {}", &[]);
    check("#[test] #[ignore] fn e_10() {}", &[]);
    check("#[ignore = \"slow\"] #[test] fn e_10() {}", &[]);
    check("// #[test] fn e_10() {}\n\"#[test] fn e_10() {}\"", &[]);
    check("#[cfg(test)] fn e_10() {}", &[]);
    check("#[test] fn a() {}\nfn e_10() {}", &[]);
}

#[test]
fn the_modules_of_a_path_name_numbers_too() {
    let tests = named("frontends/http/tests/it/m_070.rs", "#[test] fn works() {}");
    assert!(tests[0].ids.contains(&Id::new(Kind::M, 70)));
}

#[test]
fn a_planted_gap_is_found_and_only_the_owners_tests_close_it() {
    let known = ids::of_specification(SPECIFICATION);
    let elsewhere = named("tests/it/x.rs", "#[test] fn m_1_m_41_m_120_e_100() {}");
    let own = named(
        "frontends/http/tests/it/x.rs",
        "#[test] fn m_1_m_120_v_7() {}",
    );
    let [momento, _, _, engine] = &SPEC;
    assert_eq!(uncovered(momento, &known, &elsewhere).len(), 4);
    assert_eq!(uncovered(momento, &known, &own), [Id::new(Kind::M, 41)]);
    assert_eq!(uncovered(engine, &known, &elsewhere), []);
    assert_eq!(table(momento, &known, &own), 1);
}

#[test]
fn faults_belong_to_one_owner_each() {
    let text: String = (1..=50).map(|n| format!("| {n} | x | y |\n")).collect();
    let known = ids::of_faults(&text);
    for id in known.keys() {
        assert_eq!(
            FAULTS.iter().filter(|part| part.owns(*id)).count(),
            1,
            "{id}"
        );
    }
    let tests = named("tests/it/x.rs", "#[test] fn f_40_f_41() {}");
    let [engine, http, tier] = &FAULTS;
    let gaps = [engine, http, tier].map(|part| uncovered(part, &known, &tests).len());
    assert_eq!(gaps, [39, 6, 4]);
    let page = page::render(&known, &tests);
    assert!(
        page.contains("| 40 | x | tests/it/x.rs: `f_40_f_41` |"),
        "{page}"
    );
    assert!(page.contains("| 41 | x | **none** |"), "{page}");
}

#[test]
fn a_word_that_is_no_part_is_refused_and_a_gap_fails_only_the_check() {
    let failure = spec(&["moment".to_owned()]).unwrap_err();
    assert!(failure.to_string().contains("moment"));
    assert!(faults(&["engine".to_owned()]).is_err());
    assert!(verdict(3, false).is_ok());
    assert!(verdict(3, true).is_err());
    assert!(verdict(0, true).is_ok());
}

#[test]
fn e_103_what_a_frontend_asks_of_the_engine_is_shown_through_both() {
    let root = root();
    let (_, tests) = read(&root).unwrap();
    let engine = fs::read_to_string(root.join("docs/spec/engine-vocabulary.md")).unwrap();
    let named_in = |id: Id, folders: &[&str]| {
        let mut tests = tests.iter().filter(|test| test.ids.contains(&id));
        tests.any(|test| folders.iter().any(|folder| test.path.starts_with(folder)))
    };
    let mut n = 0;
    for row in engine.lines().filter(|line| line.starts_with("| E-")) {
        let mut ids = ids::mentioned(row);
        let own = ids.next().unwrap();
        let asked: Vec<Id> = ids.filter(|id| id.kind != Kind::E).collect();
        if !asked.is_empty() {
            n += 1;
            // Further levels are on top of the engine.
            let directly = ["src/", "tests/", "tiers/"];
            assert!(named_in(own, &directly), "{own} isn't shown on the engine");
        }
        for id in asked {
            let shown = named_in(id, &["frontends/"]);
            assert!(shown, "{own} is for {id}, which no frontend shows");
        }
    }
    assert!(n > 30, "{n} rows name a frontend's numbers");
}
