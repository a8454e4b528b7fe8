//! Loads by tasks: what a future that is dropped leaves behind, what who is chosen finds, and time-outs.

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use larder::{Cache, Entry, LoadError, LoadOptions, Lookup, Ttl};

use super::{Brought, Failed, Loaded, SECOND, by_hand};
use crate::tools::{Census, Counted, maintain_fully};

/// Counts how often a task is woken.
#[derive(Default)]
struct Bell(AtomicU64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rings(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

type Answer = Result<Option<Entry<Counted>>, Failed<Counted>>;

/// A task that is polled by hand.
struct Task<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + Send + 'a>>,
    bell: Arc<Bell>,
}

impl<'a> Task<'a> {
    /// Asks for "k" with that loader.
    fn load(
        cache: &'a Cache<Counted>,
        load: impl Future<Output = Brought<Counted>> + Send + 'a,
    ) -> Self {
        Self {
            future: Box::pin(cache.get_or_load_async("k", LoadOptions::new(), load)),
            bell: Arc::default(),
        }
    }

    /// The number that it was given, if it has come to its end.
    fn poll(&mut self) -> Poll<Option<u64>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let answer = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        answer.map(|answer| answer.unwrap().map(|entry| entry.number))
    }
}

/// Gives that value when it is polled for the second time.
fn brings(census: &Census, number: u64) -> impl Future<Output = Brought<Counted>> + Send + use<> {
    let mut value = Some(census.value(number));
    let mut n_polls = 0;
    poll_fn(move |_| {
        n_polls += 1;
        match value.take_if(|_| n_polls > 1) {
            Some(value) => Poll::Ready(Ok(Loaded::Value(value))),
            None => Poll::Pending,
        }
    })
}

/// Nobody loads "k", and whoever comes does so at once.
fn check_free(cache: &Cache<Counted>, census: &Census) {
    let impatient = LoadOptions::new().timeout(Duration::ZERO);
    let loaded = cache.get_or_insert_with("k", impatient, || census.value(99));
    assert_eq!(loaded.unwrap().number, 99);
    assert_eq!(cache.remove("k").map(|entry| entry.number), Some(99));
    maintain_fully(cache);
    assert_eq!((census.alive(), cache.len()), (0, 0));
}

#[test]
fn f30_a_future_that_is_never_polled_has_begun_nothing() {
    let (cache, _clock) = by_hand::<Counted>();
    let census = Census::default();
    drop(Task::load(&cache, brings(&census, 1)));
    check_free(&cache, &census);
}

#[test]
fn f30_a_leader_that_is_dropped_hands_on_to_who_has_waited_longest() {
    let (cache, _clock) = by_hand::<Counted>();
    let census = Census::default();
    let mut leader = Task::load(&cache, pending());
    let mut first = Task::load(&cache, brings(&census, 1));
    let mut second = Task::load(&cache, brings(&census, 2));
    for task in [&mut leader, &mut first, &mut second] {
        assert!(task.poll().is_pending());
    }
    assert_eq!((first.bell.rings(), second.bell.rings()), (0, 0));
    drop(leader);
    assert_eq!((first.bell.rings(), second.bell.rings()), (1, 0));
    // It leads by now, and its loader is polled for the first time.
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    assert_eq!(first.poll(), Poll::Ready(Some(1)));
    assert_eq!(
        (second.bell.rings(), second.poll()),
        (1, Poll::Ready(Some(1)))
    );
    assert_eq!(cache.remove("k").map(|entry| entry.number), Some(1));
    drop((first, second));
    check_free(&cache, &census);
}

#[test]
fn f30_who_is_dropped_while_waiting_or_chosen_leaves_the_others_as_they_are() {
    let (cache, _clock) = by_hand::<Counted>();
    let census = Census::default();
    let mut leader = Task::load(&cache, pending());
    let mut tasks: Vec<_> = (1..=4)
        .map(|number| Task::load(&cache, brings(&census, number)))
        .collect();
    assert!(leader.poll().is_pending());
    for task in &mut tasks {
        assert!(task.poll().is_pending());
    }
    // Waiting, with others before and behind it.
    drop(tasks.remove(1));
    // The first is chosen, and dropped before it is polled: the next one is chosen then.
    drop(leader);
    assert_eq!(tasks[0].bell.rings(), 1);
    drop(tasks.remove(0));
    assert_eq!((tasks[0].bell.rings(), tasks[1].bell.rings()), (1, 0));
    assert!(tasks[0].poll().is_pending());
    // Leading, with its loader begun.
    drop(tasks.remove(0));
    assert_eq!(tasks[0].bell.rings(), 1);
    drop(tasks);
    check_free(&cache, &census);
}

#[test]
fn f30_who_is_chosen_and_finds_a_value_sets_the_others_free() {
    let (cache, _clock) = by_hand::<Counted>();
    let census = Census::default();
    let mut leader = Task::load(&cache, pending());
    let mut first = Task::load(&cache, brings(&census, 1));
    let mut second = Task::load(&cache, brings(&census, 2));
    for task in [&mut leader, &mut first, &mut second] {
        assert!(task.poll().is_pending());
    }
    drop(leader);
    assert!(cache.insert("k", census.value(7)).unwrap().is_none());
    assert_eq!(first.poll(), Poll::Ready(Some(7)));
    assert_eq!(
        (second.bell.rings(), second.poll()),
        (1, Poll::Ready(Some(7)))
    );
    assert_eq!(cache.remove("k").map(|entry| entry.number), Some(7));
    drop((first, second));
    check_free(&cache, &census);
}

#[test]
fn f04_a_removal_before_the_lead_was_handed_on_overtakes_nobody() {
    let (cache, _clock) = by_hand::<Counted>();
    let census = Census::default();
    let mut leader = Task::load(&cache, pending());
    let mut first = Task::load(&cache, brings(&census, 1));
    for task in [&mut leader, &mut first] {
        assert!(task.poll().is_pending());
    }
    assert!(cache.remove("k").is_none());
    drop(leader);
    assert!(first.poll().is_pending(), "its loader is polled");
    assert_eq!(first.poll(), Poll::Ready(Some(1)));
    assert_eq!(cache.remove("k").map(|entry| entry.number), Some(1));
    drop(first);
    check_free(&cache, &census);
}

#[test]
fn f31_a_loader_whose_end_asks_for_its_own_key_loads_it() {
    struct Asks(Cache<Counted>, Census);
    impl Drop for Asks {
        fn drop(&mut self) {
            let loaded = self.0.get_or_insert_with("k", SECOND, || self.1.value(5));
            assert_eq!(loaded.map(|entry| entry.number).ok(), Some(5));
        }
    }
    // Dropped while it loads, and ended by its own failure: either way it leads nobody any more when it ends.
    for fails in [false, true] {
        let (cache, _clock) = by_hand::<Counted>();
        let census = Census::default();
        let asks = Asks(cache.clone(), census.clone());
        let load = poll_fn(move |_| {
            let _asks = &asks;
            match fails {
                true => Poll::Ready(Err("fails")),
                false => Poll::Pending,
            }
        });
        let mut leader = Task::load(&cache, load);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(leader.future.as_mut().poll(&mut context).is_ready(), fails);
        drop(leader);
        assert_eq!(cache.get("k").map(|entry| entry.number), Some(5));
        drop(cache);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn f30_a_reload_that_is_dropped_leaves_the_stale_one_and_pauses() {
    let (cache, clock) = by_hand::<Counted>();
    let census = Census::default();
    let ttl = Ttl::after(SECOND).stale(100 * SECOND);
    cache.insert_with("k", census.value(1), ttl).unwrap();
    clock.advance(SECOND);
    let mut reload = Task::load(&cache, pending());
    assert!(reload.poll().is_pending());
    drop(reload);
    assert_eq!(
        Task::load(&cache, pending()).poll(),
        Poll::Ready(Some(1)),
        "paused"
    );
    clock.advance(SECOND);
    let mut reload = Task::load(&cache, brings(&census, 2));
    assert!(reload.poll().is_pending());
    assert_eq!(
        Task::load(&cache, pending()).poll(),
        Poll::Ready(Some(1)),
        "one loads"
    );
    assert_eq!(reload.poll(), Poll::Ready(Some(2)));
    drop(reload);
    assert!(matches!(cache.lookup("k"), Lookup::Hit(entry) if entry.number == 2));
    drop(cache);
    assert_eq!(census.alive(), 0);
}

#[test]
fn e49_a_time_out_that_no_task_can_keep_is_refused_before_anything_is_loaded() {
    let (cache, clock) = by_hand::<u64>();
    let ask = |options: LoadOptions| {
        let unused = poll_fn(|_| -> Poll<Brought<u64>> { unreachable!("it is refused") });
        let load = pin!(cache.get_or_load_async("k", options, unused));
        match load.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.map(|entry| entry.map(|entry| *entry)),
            Poll::Pending => panic!("there is nothing to wait for"),
        }
    };
    let stale = Ttl::after(SECOND).stale(SECOND);
    let timed = LoadOptions::from(stale).timeout(SECOND);
    assert_eq!(ask(timed), Err(LoadError::TaskTimeout));
    // What a look-up settles, it settles.
    cache.insert_with("k", 1, stale).unwrap();
    assert_eq!(ask(timed), Ok(Some(1)));
    clock.advance(SECOND);
    assert_eq!(ask(timed), Err(LoadError::TaskTimeout));
    let zero = LoadOptions::from(Duration::ZERO);
    assert!(matches!(ask(zero), Err(LoadError::Invalid(_))));
    // Neither is a failed load: whoever comes loads at once.
    let loaded = cache.get_or_insert_with("k", stale, || 2).unwrap();
    assert_eq!((*loaded, cache.stats().loads), (2, 1));
}

/// What a load answers that has a value or fails, its loader polled once at most.
fn value_or_failure(
    cache: &Cache<u64>,
    load: impl Future<Output = Result<u64, &'static str>>,
) -> Poll<Result<u64, Failed<u64>>> {
    let load = pin!(cache.try_get_or_insert_with_async("k", Ttl::DEFAULT, load));
    let answer = load.poll(&mut Context::from_waker(Waker::noop()));
    answer.map(|answer| answer.map(|entry| *entry))
}

#[test]
fn e46_a_future_that_has_a_value_or_fails_is_loaded_as_by_a_thread() {
    let (cache, _clock) = by_hand::<u64>();
    let failed = value_or_failure(&cache, async { Err("no connection") });
    assert_eq!(failed, Poll::Ready(Err(LoadError::Loader("no connection"))));
    // That there is nothing is no answer here: it is loaded all the same.
    let absent = cache.get_or_load("k", Ttl::DEFAULT, || -> Brought<u64> {
        Ok(Loaded::Absent(SECOND))
    });
    assert!(absent.unwrap().is_none());
    let loaded = value_or_failure(&cache, async { Ok(1) });
    assert_eq!(loaded, Poll::Ready(Ok(1)));
    let unused = poll_fn(|_| -> Poll<Result<u64, _>> { unreachable!("it is there") });
    assert_eq!(value_or_failure(&cache, unused), Poll::Ready(Ok(1)));
    assert_eq!(cache.remove("k").as_deref(), Some(&1));
    // One that waits, of a loader that may answer that there is nothing, then loads itself.
    let nothing = async {
        let mut n_polls = 0;
        poll_fn(|_| {
            n_polls += 1;
            if n_polls > 1 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Ok::<_, &str>(Loaded::<u64>::Absent(SECOND))
    };
    let mut first = pin!(cache.get_or_load_async("k", Ttl::DEFAULT, nothing));
    let mut second =
        pin!(cache.try_get_or_insert_with_async("k", Ttl::DEFAULT, async { Ok::<_, &str>(2) }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(matches!(first.poll(&mut context), Poll::Ready(Ok(None))));
    match second.poll(&mut context) {
        Poll::Ready(answer) => assert_eq!(*answer.unwrap(), 2),
        Poll::Pending => panic!("nobody loads any more"),
    }
}

#[test]
fn a_future_holds_its_loader_twice_at_most() {
    /// A loader of some size, as one that holds what it has read so far.
    async fn large() -> [u8; 16 << 10] {
        let read = [1; 16 << 10];
        std::future::ready(()).await;
        read
    }
    let (cache, _clock) = by_hand::<u64>();
    let loader = size_of_val(&large());
    let sum = |read: [u8; 16 << 10]| read.iter().map(|&byte| u64::from(byte)).sum();
    let load = async { Ok::<_, &str>(Loaded::Value(sum(large().await))) };
    let load = cache.get_or_load_async("k", Ttl::DEFAULT, load);
    let beside = size_of_val(&load).saturating_sub(2 * loader);
    assert!(beside < 2048, "{beside} bytes beside twice {loader}");
    let load = async { Ok::<u64, &str>(sum(large().await)) };
    let load = cache.try_get_or_insert_with_async("k", Ttl::DEFAULT, load);
    let beside = size_of_val(&load).saturating_sub(2 * loader);
    assert!(beside < 2048, "{beside} bytes beside twice {loader}");
}
