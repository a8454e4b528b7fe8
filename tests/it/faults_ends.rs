//! Faults 34 to 36, of `docs/faults.md`: values whose end is troublesome, threads that end, entries that are held.

use std::sync::{Arc, OnceLock, Weak};
use std::thread::spawn;

use larder::{Cache, Entry};

use crate::tools::{Census, Counted, ends, maintain_fully, panics};

/// Panics when it ends, if it's told to.
struct Grenade {
    _counted: Counted,
    live: bool,
}

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!self.live, "provoked");
    }
}

#[test]
fn f34_values_whose_drop_panics_leave_the_cache_whole() {
    let census = Census::default();
    let grenade = |number: u64, live| Grenade {
        _counted: census.value(number),
        live,
    };
    // So small a bound that what leaves is freed by the very call that took it out.
    let cache: Cache<Grenade> = Cache::builder()
        .max_bytes(40_000)
        .stripes(1)
        .weigher(|_, _| 500)
        .build()
        .unwrap();
    for i in 0..500u64 {
        let _ = panics(|| drop(cache.insert(i, grenade(i, i % 7 == 0)).unwrap()));
        let _ = panics(|| drop(cache.remove(i / 2)));
        assert!(cache.weight() <= 40_000);
    }
    maintain_fully(&cache);
    assert_eq!(census.alive(), cache.len(), "what has left has ended");
    assert!(cache.stats().panics > 0);
    // No lock was left behind.
    cache.insert("k", grenade(0, false)).unwrap();
    assert!(cache.remove("k").is_some());
    drop(cache);
    assert_eq!(census.alive(), 0);
}

#[test]
fn f34_clear_takes_everything_out_though_a_drop_panics() {
    let census = Census::default();
    let cache: Cache<Grenade> = Cache::builder()
        .max_bytes(200_000)
        .stripes(1)
        .weigher(|_, _| 20)
        .build()
        .unwrap();
    for i in 0..200u64 {
        cache
            .insert(
                i,
                Grenade {
                    _counted: census.value(i),
                    live: i % 50 == 3,
                },
            )
            .unwrap();
    }
    // A call may end early by such a panic; the next goes on.
    for _ in 0..10 {
        let _ = panics(|| cache.clear());
    }
    maintain_fully(&cache);
    let left = cache.len();
    drop(cache);
    assert_eq!(
        (left, census.alive()),
        (0, 0),
        "entries that stayed, and values that leaked"
    );
}

/// Calls its cache when it ends.
struct Clingy {
    cache: Weak<OnceLock<Cache<Clingy>>>,
    number: u64,
}

impl Drop for Clingy {
    fn drop(&mut self) {
        let Some(known) = self.cache.upgrade() else {
            return;
        };
        let Some(cache) = known.get() else { return };
        cache.maintain(2);
        let _ = cache.get(self.number);
        if self.number < 1_000_000 {
            let again = Clingy {
                cache: Weak::new(),
                number: 1_000_000 + self.number,
            };
            let _ = cache.insert(("again", self.number), again);
        }
        cache.remove(("again", self.number / 2));
    }
}

fn check_clingy(has_listener: bool) {
    let known = Arc::<OnceLock<Cache<Clingy>>>::default();
    let mut builder = Cache::builder()
        .max_bytes(40_000)
        .stripes(1)
        .weigher(|_, _: &Clingy| 500);
    if has_listener {
        builder = builder.listener(|_, entry: Entry<Clingy>, _| drop(entry));
    }
    assert!(known.set(builder.build().unwrap()).is_ok());
    let cache = known.get().unwrap();
    for number in 0..2_000 {
        let _ = cache.insert(
            number % 300,
            Clingy {
                cache: Arc::downgrade(&known),
                number,
            },
        );
        assert!(cache.weight() <= 40_000);
    }
    cache.clear();
    maintain_fully(cache);
    assert_eq!(cache.stats().panics, 0);
}

#[test]
fn f34_values_whose_drop_calls_the_cache_do_not_hang_it() {
    ends("a drop that calls the cache", || check_clingy(false));
}

#[test]
fn f34_values_whose_drop_calls_a_cache_with_a_listener_do_not_hang_it() {
    ends("a drop that calls a cache with a listener", || {
        check_clingy(true)
    });
}

#[test]
fn f35_a_thread_that_ends_or_panics_while_it_reads_leaves_nothing_behind() {
    struct AtExit(Cache<Counted>, Census);
    impl Drop for AtExit {
        fn drop(&mut self) {
            // The thread's place among the readers may be gone by now.
            self.0.insert("exit", self.1.value(5)).unwrap();
            assert_eq!(self.0.get("exit").unwrap().number, 5);
            assert_eq!(self.0.read("exit", |value| value.number), Some(5));
        }
    }
    thread_local!(static LAST: std::cell::RefCell<Option<AtExit>> = const { std::cell::RefCell::new(None) });

    let census = Census::default();
    let cache: Cache<Counted> = Cache::builder()
        .max_entries(100)
        .stripes(1)
        .build()
        .unwrap();
    cache.insert("k", census.value(1)).unwrap();
    for _ in 0..20 {
        let (reader, counts) = (cache.clone(), census.clone());
        spawn(move || {
            LAST.set(Some(AtExit(reader.clone(), counts)));
            assert!(panics(|| {
                reader.read("k", |_| panic!("provoked"));
            }));
            // Nested, and out of all levels at once.
            assert!(panics(|| {
                reader.read("k", |_| {
                    reader.read("k", |_| reader.remove_if("k", |_| panic!("provoked")))
                });
            }));
        })
        .join()
        .unwrap();
    }
    assert_eq!(
        census.alive() as u64,
        cache.stats().inserted - cache.stats().replaced + pending(&cache, &census)
    );
    drop(cache.remove("k"));
    drop(cache.remove("exit"));
    maintain_fully(&cache);
    assert_eq!(census.alive(), 0, "no reader names anything any longer");
}

/// Values that have left and are not freed yet.
fn pending(cache: &Cache<Counted>, census: &Census) -> u64 {
    (census.alive() - cache.len()) as u64
}

#[test]
fn f36_an_insert_ends_though_every_entry_is_held() {
    ends("an insert into a cache of held entries", || {
        let census = Census::default();
        let cache: Cache<Counted> = Cache::builder().max_entries(20).stripes(2).build().unwrap();
        let mut held = Vec::new();
        for i in 0..200u64 {
            cache.insert(i, census.value(i)).unwrap();
            held.push(cache.get(i).expect("a newcomer stays for a while"));
        }
        assert_eq!(cache.len(), 20);
        assert!(held.iter().zip(0..).all(|(entry, i)| entry.number == i));
        assert_eq!(census.alive(), 200, "handles keep their values");
        // Held by readers, too: their memory can't come back while they look.
        let bytes: Cache<[u8]> = Cache::builder()
            .max_bytes(64 << 10)
            .stripes(1)
            .build()
            .unwrap();
        bytes.insert("k", vec![1; 30 << 10]).unwrap();
        bytes.read("k", |value| {
            // It is evicted or refused; either ends, and the bound holds.
            for i in 0..50u64 {
                let _ = bytes.insert(i, vec![2; 20 << 10]);
                assert!(bytes.weight() <= 64 << 10);
            }
            assert!(value.iter().all(|&byte| byte == 1));
        });
        bytes.insert("k", vec![3; 30 << 10]).unwrap();
    });
}
