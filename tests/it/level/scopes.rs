//! Scopes in the level: keys that are apart, purges, what is made anew.

use super::*;

#[test]
fn e58_keys_in_the_level_are_apart_by_name_space_tenant_cache_and_key() {
    let world = World::new();
    let [node] = world.nodes();
    let other = Levels::new(world.level.clone(), b"tes");
    let tenants = ["a", "b"].map(|name| node.cache.create_tenant(name, Limits::default()).unwrap());
    let mut views = Vec::new();
    for levels in [&node.levels, &other] {
        for tenant in &tenants {
            let cache = match tenant.cache("c") {
                Ok(cache) => cache,
                Err(_) => tenant.create_cache("c", Limits::default()).unwrap(),
            };
            let default = tenant.default_cache().unwrap();
            let nested = default.scope().scope("c").unwrap();
            let prefix = default.scope().prefix("c").unwrap();
            let scopes = [cache.scope(), default.scope(), nested, prefix];
            views.extend(scopes.map(|scope| levels.view(scope, L2)));
        }
    }
    let keys: [&[u8]; 6] = [b"k", b"\0", b"\r\n", b"\xFF\x01", b"c", b"test"];
    let all = || views.iter().flat_map(|view| keys.map(|key| (view, key)));
    for (number, (view, key)) in (0_u64..).zip(all()) {
        view.put(key, number.to_le_bytes(), Ttl::DEFAULT).unwrap();
    }
    for (number, (view, key)) in (0_u64..).zip(all()) {
        assert_eq!(view.get(key).as_deref(), Some(&number.to_le_bytes()[..]));
    }
}

#[test]
fn e59_a_purge_is_one_change_in_the_level_whatever_it_holds() {
    let world = World::new();
    let [one, two] = world.nodes();
    let view = one.view(L2);
    let nested = one.cache.scope("s").unwrap().scope("n").unwrap();
    let sibling = one.cache.scope(("s", "n")).unwrap();
    let [nested, sibling] = [nested, sibling].map(|scope| one.levels.view(scope, L2));
    for number in 0..1000_u64 {
        for view in [&view, &nested, &sibling] {
            view.put(number, b"v", Ttl::DEFAULT).unwrap();
        }
    }
    let before = world.calls();
    view.purge().unwrap();
    let [gets, sets, deletes, ends] = world.calls();
    assert_eq!([gets, sets, deletes, ends - 1], before);
    for number in 0..1000_u64 {
        assert!(view.get(number).is_none() && nested.get(number).is_none());
        assert!(sibling.get(number).is_some());
    }
    assert!(two.view(L1L2).get(5).is_none());
    assert_eq!(
        (one.levels.stats().ended, two.levels.stats().ended),
        (2000, 1)
    );
    view.put(5, b"new", Ttl::DEFAULT).unwrap();
    assert_eq!(two.view(L1L2).get(5).as_deref(), Some(&b"new"[..]));
    nested.purge().unwrap();
    assert!(view.get(5).is_some());
}

#[test]
fn e59_lost_generations_bring_nothing_back() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L2);
    view.put("k", b"purged", Ttl::DEFAULT).unwrap();
    view.purge().unwrap();
    view.put("l", b"current", Ttl::DEFAULT).unwrap();
    world.level.lose_generations();
    assert!(view.get("k").is_none() && view.get("l").is_none());
    view.put("k", b"new", Ttl::DEFAULT).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"new"));
}

#[test]
fn e4_a_cache_that_is_made_anew_is_empty_in_the_level_too() {
    let world = World::new();
    let [node] = world.nodes();
    let tenant = node.cache.create_tenant("t", Limits::default()).unwrap();
    for mode in [L1L2, L2] {
        let cache = tenant.create_cache("c", Limits::default()).unwrap();
        let old = node.levels.view(cache.scope(), mode);
        old.put("k", b"old", Ttl::DEFAULT).unwrap();
        assert!(tenant.delete_cache("c"));
        old.purge().unwrap();
        let cache = tenant.create_cache("c", Limits::default()).unwrap();
        let new = node.levels.view(cache.scope(), mode);
        assert!(new.get("k").is_none());
        new.put("k", b"new", Ttl::DEFAULT).unwrap();
        // The view of what was deleted does nothing and finds nothing.
        assert!(old.put("k", b"older", Ttl::DEFAULT).is_err());
        assert_eq!(old.remove("k"), Ok(false));
        assert!(old.get("k").is_none() && old.ttl("k").is_err());
        assert_eq!(get(&new, "k"), bytes(b"new"));
        tenant.delete_cache("c");
        old.purge().unwrap();
    }
}

#[test]
fn e4_a_put_into_a_cache_that_is_deleted_meanwhile_is_not_found_in_the_next_one() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [node] = world.nodes();
        let tenant = node.cache.create_tenant("t", Limits::default()).unwrap();
        let make = || tenant.create_cache("c", Limits::default()).unwrap().scope();
        let old = node.levels.view(make(), mode);
        let hold = world.level.hold_before(LevelCall::Set);
        let new = std::thread::scope(|scope| {
            let put = scope.spawn(|| old.put("k", b"old", MINUTE).unwrap_err());
            hold.wait();
            tenant.delete_cache("c");
            old.purge().unwrap();
            let new = node.levels.view(make(), mode);
            hold.release();
            let refusal = put.join().unwrap().refusal;
            assert_eq!(refusal, LevelRefusal::Refused(larder::Refusal::Closed));
            new
        });
        assert!(new.get("k").is_none());
    }
}
