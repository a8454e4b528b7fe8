//! Views held over a deletion, and deletions that race with everything else.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder::{AdmitError, Cache, Limits, Refusal, ScopeError, TenantError, Usage};

use super::guaranteed;
use crate::tools::{SetAtEnd, maintain_fully};

fn cache() -> Cache<u64> {
    let builder = Cache::builder().max_entries(10_000);
    builder.stripes(4).build().unwrap()
}

/// Everything that a view over a deletion is asked for in vain.
macro_rules! check_closed {
    ($view:expr, $what:expr) => {
        let (view, what) = (&$view, $what);
        let refused = view.insert("k", 1).unwrap_err();
        assert_eq!(refused.refusal, Refusal::Closed, "{what}");
        assert_eq!(refused.value, 1, "{what}");
        assert!(view.get("k").is_none(), "{what}");
        assert!(view.remove("k").is_none(), "{what}");
        assert!(!view.contains_key("k"), "{what}");
        assert_eq!(view.ttl("k"), None, "{what}");
        assert_eq!(view.set_ttl("k", None), Ok(false), "{what}");
        assert_eq!((view.len(), view.iter().count()), (0, 0), "{what}");
        assert_eq!(view.retain(|_| false), 0, "{what}");
        view.clear();
    };
}

#[test]
fn e4_views_held_over_a_deletion_refuse_and_never_come_back_to_life() {
    let cache = cache();
    for by_tenant in [false, true] {
        let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
        let named = tenant.create_cache("c", Limits::default()).unwrap();
        let default = tenant.default_cache().unwrap();
        let scope = named.scope().scope("s").unwrap().into_owned();
        let deep = scope.scope("t").unwrap().into_owned();
        named.insert("k", 0).unwrap();
        scope.insert("k", 0).unwrap();
        deep.insert("k", 0).unwrap();
        default.insert("k", 0).unwrap();
        let iter = named.iter();
        if by_tenant {
            assert!(cache.delete_tenant("acme"));
        } else {
            assert!(tenant.delete_cache("c"));
        }
        assert_eq!(iter.count(), 0);
        // Before and after the name belongs to another.
        for is_anew in [false, true] {
            if is_anew {
                let anew = if by_tenant {
                    cache.create_tenant("acme", Limits::default()).unwrap()
                } else {
                    tenant.clone()
                };
                let anew = anew.create_cache("c", Limits::default()).unwrap();
                anew.insert("k", 2).unwrap();
                let scope = anew.scope().scope("s").unwrap();
                scope.insert("k", 2).unwrap();
            }
            check_closed!(named, "named");
            check_closed!(scope, "scope");
            check_closed!(deep, "deep");
            named.flush();
            scope.invalidate();
            // A scope that this thread has had lately is found as a rule, and is nowhere; another isn't found.
            match named.scope().scope("s") {
                Ok(known) => {
                    check_closed!(known, "known");
                }
                Err(error) => assert_eq!(error, ScopeError::Closed),
            }
            let unknown = named.scope();
            assert_eq!(unknown.scope("other").err(), Some(ScopeError::Closed));
            assert!(matches!(named.admit(1), Err(AdmitError::Closed)));
            assert_eq!(named.limits(), Err(TenantError::NoSuchCache));
            let limits = Limits::default();
            assert_eq!(named.set_limits(limits), Err(TenantError::NoSuchCache));
            if by_tenant {
                check_closed!(default, "default");
                assert!(matches!(default.admit(1), Err(AdmitError::Closed)));
                let expected = Some(TenantError::NoSuchTenant);
                assert!(matches!(tenant.admit(1), Err(AdmitError::Closed)));
                assert_eq!(tenant.default_cache().err(), expected);
                assert_eq!(tenant.cache("c").err(), expected);
                assert_eq!(tenant.create_cache("d", limits).err(), expected);
                assert_eq!(tenant.limits().err(), expected);
                assert_eq!(tenant.set_limits(limits).err(), expected);
                assert!(tenant.caches().is_empty() && !tenant.delete_cache("c"));
                tenant.flush();
            } else {
                assert_eq!(default.get("k").as_deref(), Some(&0));
            }
        }
        // What the views were asked for has not touched the new owners.
        let tenant = cache.tenant("acme").unwrap();
        let anew = tenant.cache("c").unwrap();
        assert_eq!(anew.get("k").as_deref(), Some(&2));
        assert_eq!(anew.usage().entries, 2);
        cache.delete_tenant("acme");
    }
    maintain_fully(&cache);
    assert_eq!(cache.len(), 0);
}

#[test]
fn e4_what_a_deleted_cache_held_is_charged_to_nobody_but_the_tenant_until_it_is_swept() {
    let cache = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let old = tenant.create_cache("c", Limits::default()).unwrap();
    for key in 0..500u64 {
        old.insert(key, key).unwrap();
    }
    let held = tenant.usage();
    tenant.delete_cache("c");
    let new = tenant.create_cache("c", Limits::default()).unwrap();
    assert_eq!(new.usage(), Usage::default());
    assert_eq!(tenant.usage(), held, "it's not swept yet");
    maintain_fully(&cache);
    assert_eq!(tenant.usage(), Usage::default());
    assert_eq!(old.usage(), Usage::default());
}

#[test]
fn e4_creating_caches_while_their_tenant_is_deleted_leaves_nothing_behind() {
    let cache = cache();
    let rounds = if cfg!(debug_assertions) { 400 } else { 4000 };
    let made = AtomicU64::new(0);
    for round in 0..rounds {
        let tenant = cache.create_tenant("acme", guaranteed(1 << 40)).unwrap();
        tenant.create_cache("first", guaranteed(1 << 20)).unwrap();
        let start = Barrier::new(3);
        std::thread::scope(|scope| {
            for thread in 0..2u64 {
                let (cache, start, made) = (&cache, &start, &made);
                scope.spawn(move || {
                    let tenant = cache.tenant("acme").unwrap();
                    start.wait();
                    for n in 0..8u64 {
                        let name = format!("c{}", (thread + n) % 3);
                        match tenant.create_cache(&name, guaranteed(1 << 20)) {
                            Ok(named) => {
                                made.fetch_add(1, Ordering::Relaxed);
                                if let Err(refused) = named.insert(n, n) {
                                    assert_eq!(refused.refusal, Refusal::Closed);
                                }
                                if n % 2 == 0 {
                                    tenant.delete_cache(&name);
                                }
                            }
                            Err(error) => assert!(
                                matches!(
                                    error,
                                    TenantError::AlreadyExists | TenantError::NoSuchTenant
                                ),
                                "{error:?}"
                            ),
                        }
                    }
                    tenant.delete_cache("first");
                });
            }
            start.wait();
            assert!(cache.delete_tenant("acme"));
        });
        assert!(tenant.caches().is_empty(), "round {round}");
        assert!(cache.tenants().is_empty());
        maintain_fully(&cache);
        assert_eq!((tenant.usage(), cache.len()), Default::default());
    }
    assert!(made.load(Ordering::Relaxed) > 0);
    // No guarantee is left behind: with one, some day there would be no more room for this.
    cache.create_tenant("all", guaranteed(1 << 62)).unwrap();
}

#[test]
fn e4_operations_over_deletions_never_see_an_older_life() {
    let cache = cache();
    let (stop, life) = (AtomicBool::new(false), AtomicU64::new(0));
    cache.create_tenant("acme", Limits::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (cache, stop, life) = (&cache, &stop, &life);
            scope.spawn(move || {
                let (mut n_hits, mut n_closed) = (0u64, 0u64);
                while !stop.load(Ordering::Relaxed) {
                    // The life that is surely begun: what is older was deleted before this call.
                    let oldest = life.load(Ordering::SeqCst);
                    let Ok(tenant) = cache.tenant("acme") else {
                        continue;
                    };
                    let Ok(named) = tenant.cache("c") else {
                        continue;
                    };
                    for key in 0..4u64 {
                        if let Some(found) = named.get(key) {
                            n_hits += 1;
                            assert!(*found >= oldest, "{} is of an older life", *found);
                        }
                        let newest = life.load(Ordering::SeqCst);
                        if let Err(refused) = named.insert(key, newest) {
                            assert_eq!(refused.refusal, Refusal::Closed);
                            n_closed += 1;
                        }
                    }
                }
                std::hint::black_box((n_hits, n_closed));
            });
        }
        let _stop = SetAtEnd(&stop);
        let rounds = if cfg!(debug_assertions) {
            2_000
        } else {
            20_000
        };
        for round in 1..=rounds {
            if round % 16 == 0 {
                assert!(cache.delete_tenant("acme"));
                life.store(round, Ordering::SeqCst);
                cache.create_tenant("acme", Limits::default()).unwrap();
            } else {
                cache.tenant("acme").unwrap().delete_cache("c");
                life.store(round, Ordering::SeqCst);
            }
            let tenant = cache.tenant("acme").unwrap();
            let named = tenant.create_cache("c", Limits::default()).unwrap();
            named.insert(round % 4, round).unwrap();
        }
    });
    cache.delete_tenant("acme");
    maintain_fully(&cache);
    assert_eq!(cache.len(), 0);
}
