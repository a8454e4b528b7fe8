//! Listeners that load and write, while loads and computations need the room that they make; and what may not give way for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread::{scope, yield_now};

use larder::{Cache, Change, Condition, LoadError, LoadOptions, Loaded, Refusal, Ttl, WeakCache};

use super::{Brought, ManualClock, SECOND};
use crate::tools::ends;

type Listening = Arc<OnceLock<WeakCache<[u8]>>>;
type Act = Box<dyn FnOnce(&Cache<[u8]>) + Send>;

/// A full cache whose listener does something once, when it is armed.
struct Armed {
    cache: Cache<[u8]>,
    act: Arc<Mutex<Option<Act>>>,
}

impl Armed {
    fn new() -> Self {
        let (known, act) = (Listening::default(), Arc::<Mutex<Option<Act>>>::default());
        let (inside, acts) = (Arc::clone(&known), Arc::clone(&act));
        let cache = Cache::builder()
            .max_bytes(1 << 20)
            .stripes(1)
            .listener(move |_, _, _| {
                let act = acts.lock().unwrap().take();
                let cache = inside.get().and_then(WeakCache::upgrade);
                if let (Some(act), Some(cache)) = (act, cache) {
                    act(&cache);
                }
            })
            .build()
            .unwrap();
        known.set(cache.downgrade()).ok().unwrap();
        for n in 0..2000_u32 {
            cache.insert(n, vec![0; 1000]).unwrap();
        }
        Self { cache, act }
    }

    fn arm(&self, act: impl FnOnce(&Cache<[u8]>) + Send + 'static) {
        *self.act.lock().unwrap() = Some(Box::new(act));
    }

    /// Makes entries leave until the listener is inside.
    fn provoke(&self, is_inside: &AtomicBool) {
        for n in 3000_u32.. {
            if is_inside.load(Ordering::Relaxed) {
                return;
            }
            self.cache.insert(n, vec![0; 1000]).unwrap();
        }
    }
}

fn brought(len: usize) -> Brought<Vec<u8>> {
    Ok(Loaded::Value(vec![1; len]))
}

#[test]
fn f31_f32_a_listener_that_loads_the_key_that_its_own_thread_stores_is_told_so() {
    ends("a thread that waits for itself", || {
        let armed = Armed::new();
        let is_told = Arc::new(AtomicBool::new(false));
        let loaded = armed.cache.get_or_load("k", LoadOptions::new(), || {
            let is_told = Arc::clone(&is_told);
            armed.arm(move |cache| {
                let inner = cache.get_or_load("k", LoadOptions::new(), || brought(10));
                // What is stored already is found; else the circle is seen.
                let ok = matches!(inner, Ok(Some(_)) | Err(LoadError::Reentrant));
                is_told.store(ok, Ordering::Relaxed);
            });
            brought(100_000)
        });
        assert_eq!(loaded.unwrap().unwrap().len(), 100_000);
        assert!(is_told.load(Ordering::Relaxed));
    });
}

#[test]
fn f31_f32_a_listener_and_a_load_that_needs_its_turn_dont_wait_for_each_other() {
    ends("a listener and a load", || {
        let armed = Armed::new();
        let [is_inside, is_loading] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        scope(|scope| {
            scope.spawn(|| {
                let loaded = armed.cache.get_or_load("k", LoadOptions::new(), || {
                    is_loading.store(true, Ordering::Relaxed);
                    while !is_inside.load(Ordering::Relaxed) {
                        yield_now();
                    }
                    // Time for the listener to ask for the key.
                    for _ in 0..1000 {
                        yield_now();
                    }
                    brought(100_000)
                });
                assert!(loaded.unwrap().is_some());
            });
            while !is_loading.load(Ordering::Relaxed) {
                yield_now();
            }
            let inside = Arc::clone(&is_inside);
            armed.arm(move |cache| {
                inside.store(true, Ordering::Relaxed);
                let _ = cache.get_or_load("k", LoadOptions::new(), || brought(10));
            });
            armed.provoke(&is_inside);
        });
    });
}

#[test]
fn f31_f32_a_listener_that_inserts_doesnt_wait_for_a_computation_that_needs_its_turn() {
    ends("a listener and a computation", || {
        let armed = Armed::new();
        let [is_inside, is_alone] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        scope(|scope| {
            scope.spawn(|| {
                let mut n_calls = 0_u8;
                let computed = armed.cache.compute("k", |_| {
                    n_calls += 1;
                    if n_calls <= 8 {
                        armed.cache.insert("k", [n_calls; 3]).unwrap();
                    }
                    if n_calls == 9 {
                        is_alone.store(true, Ordering::Relaxed);
                        while !is_inside.load(Ordering::Relaxed) {
                            yield_now();
                        }
                        for _ in 0..1000 {
                            yield_now();
                        }
                    }
                    Change::Insert(vec![0; 100_000])
                });
                assert!(computed.is_ok());
            });
            while !is_alone.load(Ordering::Relaxed) {
                yield_now();
            }
            let inside = Arc::clone(&is_inside);
            armed.arm(move |cache| {
                inside.store(true, Ordering::Relaxed);
                cache.insert("k", [1; 10]).unwrap();
            });
            armed.provoke(&is_inside);
        });
    });
}

#[test]
fn f31_a_computation_doesnt_wait_for_a_task_that_its_own_thread_may_have_to_poll() {
    ends("a computation behind a task", || {
        let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
        let never = std::future::pending::<Brought<Vec<u8>>>();
        let mut load = std::pin::pin!(cache.get_or_load_async("k", LoadOptions::new(), never));
        let mut context = Context::from_waker(Waker::noop());
        assert!(load.as_mut().poll(&mut context).is_pending());
        let mut n_calls = 0_u8;
        let computed = cache.compute("k", |_| {
            n_calls += 1;
            if n_calls <= 8 {
                cache.insert("k", [n_calls]).unwrap();
            }
            Change::Insert(vec![0; 10])
        });
        assert_eq!(computed.unwrap().is.unwrap().len(), 10);
    });
}

/// A cache in which a value of more than half of it lives for a minute.
fn with_large() -> (Cache<[u8]>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(1 << 20).stripes(1);
    let cache = builder.clock(clock.clone()).build().unwrap();
    cache
        .insert_with_ttl("k", vec![1; 600_000], 60 * SECOND)
        .unwrap();
    (cache, clock)
}

#[test]
fn f21_what_depends_on_the_present_value_never_evicts_it() {
    let (cache, _clock) = with_large();
    let larger = || vec![2; 610_000];
    let is_whole = || {
        assert_eq!(cache.get("k").map(|value| value.len()), Some(600_000));
        assert_eq!(cache.ttl("k"), Some(Some(60 * SECOND)));
    };
    let kept = cache.insert_with("k", larger(), Ttl::KEEP).unwrap_err();
    assert_eq!((kept.refusal, kept.value.len()), (Refusal::NoRoom, 610_000));
    is_whole();
    for condition in [Condition::PRESENT, Condition::equal(&[1; 600_000][..])] {
        let refused = cache.put_if("k", larger(), Ttl::DEFAULT, condition);
        assert_eq!(refused.unwrap_err().refusal, Refusal::NoRoom);
        is_whole();
    }
    assert!(cache.append("k", &[2; 10], Ttl::DEFAULT).is_err());
    is_whole();
    let computed = cache.compute("k", |was| {
        assert!(was.is_some());
        Change::Insert(larger())
    });
    assert!(computed.is_err());
    is_whole();
    // Without a condition, the old value gives way at last.
    cache.insert("k", larger()).unwrap();
    assert_eq!(cache.get("k").map(|value| value.len()), Some(610_000));
}

#[test]
fn e90_stale_values_that_loads_give_are_counted_in_both_forms() {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(1 << 20);
    let cache: Cache<[u8]> = builder.clock(clock.clone()).build().unwrap();
    let ttl = Ttl::after(10 * SECOND).stale(10 * SECOND);
    cache.insert_with("k", [1], ttl).unwrap();
    clock.advance(11 * SECOND);
    let fails = || -> Brought<Vec<u8>> { Err("no") };
    let stale = cache.get_or_load("k", LoadOptions::new(), fails).unwrap();
    assert!(stale.unwrap().is_stale());
    let mut context = Context::from_waker(Waker::noop());
    let load = cache.get_or_load_async("k", LoadOptions::new(), async { fails() });
    match std::pin::pin!(load).as_mut().poll(&mut context) {
        Poll::Ready(answer) => assert!(answer.unwrap().unwrap().is_stale()),
        Poll::Pending => panic!("nobody is waited for"),
    }
    let stats = cache.stats();
    assert_eq!(
        (
            stats.hits,
            stats.stale_hits,
            stats.loads,
            stats.load_failures
        ),
        (2, 2, 1, 1)
    );
}
