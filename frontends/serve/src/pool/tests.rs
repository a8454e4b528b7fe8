//! Properties: who finds no thread in time has none left (PO2); beyond the places nobody waits (PO1); a panic gives both back.

use std::sync::mpsc;
use std::thread;

use super::*;

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(60);

/// Takes a thread until it is told to end, and says once it has it.
async fn occupy(pool: &Arc<Pool>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (end, ended) = mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let pool = Arc::clone(pool);
    let task = tokio::spawn(async move {
        let work = move |_| {
            let _ = begun.send(());
            let _ = ended.recv();
        };
        pool.run(LONG, work).await.unwrap();
    });
    begins.await.unwrap();
    (end, task)
}

#[tokio::test]
async fn who_finds_no_thread_in_time_has_none_left() {
    let pool = Arc::new(Pool::with_threads(2, 1));
    let (end, task) = occupy(&pool).await;
    let (here, since) = (thread::current().id(), Instant::now());
    let work = |left| (left, thread::current().id());
    assert_eq!(pool.run(SHORT, work).await, Ok((Duration::ZERO, here)));
    // So long that no machine is so slow, and short beside what the other one may take.
    assert!(since.elapsed() < LONG / 3);
    end.send(()).unwrap();
    task.await.unwrap();
    // Then it runs elsewhere, with what the wait has left.
    let (left, thread) = pool.run(LONG, work).await.unwrap();
    assert!(!left.is_zero() && left <= LONG);
    assert_ne!(thread, here);
}

#[tokio::test]
async fn beyond_the_places_nobody_waits() {
    let pool = Arc::new(Pool::with_threads(1, 8));
    let (end, task) = occupy(&pool).await;
    let refused = pool.run(SHORT, |_| ()).await;
    assert_eq!(refused, Err(PoolError::NoPlace { n_max: 1 }));
    end.send(()).unwrap();
    task.await.unwrap();
    assert_eq!(pool.run(SHORT, |_| ()).await, Ok(()));
    // No number of places is too large.
    assert_eq!(Pool::new(usize::MAX).run(SHORT, |_| ()).await, Ok(()));
}

#[tokio::test]
async fn a_panic_is_an_error_and_gives_its_place_back() {
    let pool = Pool::with_threads(1, 1);
    for _ in 0..2 {
        let panics = pool.run(SHORT, |_| -> () { panic!("as planned") });
        assert_eq!(panics.await, Err(PoolError::Panicked));
    }
}
