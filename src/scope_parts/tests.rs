use super::*;

const AT: Standpoint<'static> = Standpoint {
    organization: "apifactory",
    environment: "test",
    application: "weatherapi",
    proxy: "default",
    target: "tgt",
    flow: Flow::Proxy,
};

const IN_TARGET: Standpoint<'static> = Standpoint {
    flow: Flow::Target,
    ..AT
};

fn check(level: ScopeLevel, at: &Standpoint<'_>, expected: &[&str]) {
    let parts = scope_parts(level, at).unwrap();
    assert_eq!(parts.as_slice(), expected);
    assert_eq!(parts.to_string(), expected.join("__"));
}

fn check_missing(level: ScopeLevel, at: &Standpoint<'_>, missing: StandpointName) {
    assert_eq!(
        scope_parts(level, at),
        Err(ScopePartsError { level, missing })
    );
}

#[test]
fn a22_a23_exclusive_is_the_endpoint_whose_flow_runs_and_the_default() {
    assert_eq!(ScopeLevel::default(), ScopeLevel::Exclusive);
    let front = ["apifactory", "test", "weatherapi"];
    check(
        ScopeLevel::Exclusive,
        &AT,
        &[&front[..], &["default"]].concat(),
    );
    check(
        ScopeLevel::Exclusive,
        &IN_TARGET,
        &[&front[..], &["tgt"]].concat(),
    );
}

#[test]
fn a24_a48_global_is_the_environment() {
    check(ScopeLevel::Global, &AT, &["apifactory", "test"]);
    let other = Standpoint {
        application: "otherapi",
        ..AT
    };
    assert_eq!(
        scope_parts(ScopeLevel::Global, &AT),
        scope_parts(ScopeLevel::Global, &other)
    );
    let prod = Standpoint {
        environment: "prod",
        ..AT
    };
    assert_ne!(
        scope_parts(ScopeLevel::Global, &AT),
        scope_parts(ScopeLevel::Global, &prod)
    );
}

#[test]
fn a25_a44_application_is_one_proxys() {
    check(
        ScopeLevel::Application,
        &AT,
        &["apifactory", "test", "weatherapi"],
    );
    check(
        ScopeLevel::Application,
        &IN_TARGET,
        &["apifactory", "test", "weatherapi"],
    );
}

#[test]
fn a26_a35_proxy_is_the_endpoint_that_took_the_request() {
    for at in [AT, IN_TARGET] {
        check(
            ScopeLevel::Proxy,
            &at,
            &["apifactory", "test", "weatherapi", "default"],
        );
    }
}

#[test]
fn a27_a35_target_is_empty_until_it_is_chosen() {
    check(
        ScopeLevel::Target,
        &IN_TARGET,
        &["apifactory", "test", "weatherapi", "tgt"],
    );
    let unchosen = Standpoint { target: "", ..AT };
    check(
        ScopeLevel::Target,
        &unchosen,
        &["apifactory", "test", "weatherapi", ""],
    );
    assert_eq!(
        scope_parts(ScopeLevel::Target, &unchosen)
            .unwrap()
            .to_string(),
        "apifactory__test__weatherapi__"
    );
}

#[test]
fn a46_a47_endpoints_of_one_name_share() {
    let proxy = Standpoint {
        target: "default",
        ..AT
    };
    let target = Standpoint {
        flow: Flow::Target,
        ..proxy
    };
    let parts = scope_parts(ScopeLevel::Exclusive, &proxy);
    assert_eq!(scope_parts(ScopeLevel::Exclusive, &target), parts);
    assert_eq!(scope_parts(ScopeLevel::Proxy, &proxy), parts);
}

#[test]
fn a49_each_endpoint_has_its_own() {
    let admin = Standpoint {
        proxy: "admin",
        ..AT
    };
    let same = |level| scope_parts(level, &AT) == scope_parts(level, &admin);
    assert!(same(ScopeLevel::Application));
    assert!(!same(ScopeLevel::Proxy));
    assert!(!same(ScopeLevel::Exclusive));
    let second = Standpoint {
        target: "second",
        ..IN_TARGET
    };
    assert_ne!(
        scope_parts(ScopeLevel::Target, &IN_TARGET),
        scope_parts(ScopeLevel::Target, &second)
    );
}

#[test]
fn e9_a_wider_level_is_another_list_not_a_part_of_the_narrower() {
    let levels = [
        ScopeLevel::Global,
        ScopeLevel::Application,
        ScopeLevel::Proxy,
    ];
    let lists = levels.map(|level| scope_parts(level, &AT).unwrap());
    for (idx, list) in lists.iter().enumerate() {
        assert_eq!(list.as_slice().len(), idx + 2);
        assert!(lists[..idx].iter().all(|wider| wider != list));
    }
}

#[test]
fn p1_lists_that_render_alike_are_not_equal() {
    let one = Standpoint {
        organization: "a__b",
        environment: "c",
        ..AT
    };
    let two = Standpoint {
        organization: "a",
        environment: "b__c",
        ..AT
    };
    let [one, two] = [one, two].map(|at| scope_parts(ScopeLevel::Global, &at).unwrap());
    assert_eq!(one.to_string(), two.to_string());
    assert_ne!(one, two);
}

#[test]
fn p2_a_missing_name_is_told() {
    use StandpointName::*;

    let levels = [
        ScopeLevel::Global,
        ScopeLevel::Application,
        ScopeLevel::Proxy,
        ScopeLevel::Target,
        ScopeLevel::Exclusive,
    ];
    for level in levels {
        let no_organization = Standpoint {
            organization: "",
            ..AT
        };
        check_missing(level, &no_organization, Organization);
        let no_environment = Standpoint {
            environment: "",
            ..AT
        };
        check_missing(level, &no_environment, Environment);
        let no_application = Standpoint {
            application: "",
            ..AT
        };
        if level == ScopeLevel::Global {
            check(level, &no_application, &["apifactory", "test"]);
        } else {
            check_missing(level, &no_application, Application);
        }
    }
    let no_proxy = Standpoint { proxy: "", ..AT };
    check_missing(ScopeLevel::Proxy, &no_proxy, Proxy);
    check_missing(ScopeLevel::Exclusive, &no_proxy, Proxy);
    let no_target = Standpoint {
        target: "",
        ..IN_TARGET
    };
    check_missing(ScopeLevel::Target, &no_target, Target);
    check_missing(ScopeLevel::Exclusive, &no_target, Target);
    let error = scope_parts(ScopeLevel::Exclusive, &no_target).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the level Exclusive needs the name of the target endpoint, which is empty"
    );
}

#[test]
fn a28_a43_a_given_prefix_wins_and_needs_no_names() {
    let nowhere = Standpoint::default();
    let prefix = KeyPrefix::of_policy("UserToken", ScopeLevel::Global, &nowhere).unwrap();
    assert_eq!(prefix, KeyPrefix::Prefix("UserToken"));
    assert_eq!(prefix.to_string(), "UserToken");
    assert_eq!(KeyPrefix::Plain.to_string(), "");
}

#[test]
fn a1_an_empty_prefix_counts_as_absent() {
    let prefix = KeyPrefix::of_policy("", ScopeLevel::default(), &AT).unwrap();
    assert_eq!(
        prefix,
        KeyPrefix::Scope(scope_parts(ScopeLevel::Exclusive, &AT).unwrap())
    );
    assert!(KeyPrefix::of_policy("", ScopeLevel::Global, &Standpoint::default()).is_err());
}

#[test]
fn e13_a41_a_scope_and_a_prefix_that_render_alike_differ() {
    let scope = KeyPrefix::of_policy("", ScopeLevel::Global, &AT).unwrap();
    let prefix = KeyPrefix::of_policy("apifactory__test", ScopeLevel::Global, &AT).unwrap();
    assert_eq!(scope.to_string(), prefix.to_string());
    assert_ne!(scope, prefix);
}

#[test]
fn a117_names_of_another_context_take_the_place_of_the_current_ones() {
    let other = Standpoint {
        application: "otherapi",
        proxy: "front",
        ..AT
    };
    let meant = Standpoint {
        application: "weatherapi",
        proxy: "default",
        ..other
    };
    assert_eq!(
        scope_parts(ScopeLevel::Exclusive, &meant)
            .unwrap()
            .to_string(),
        "apifactory__test__weatherapi__default"
    );
}
