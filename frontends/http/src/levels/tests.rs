//! Properties: nobody waits for a thread longer than the level may take (LE4); what waits is bounded (LE4); the wait is of the level's time.

use std::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(30);

fn far(timeout: Duration) -> LevelOptions {
    LevelOptions::new(LevelMode::L2).timeout(timeout)
}

/// Takes a thread until it is told to end, and says once it has it.
async fn occupy(pool: &Arc<Pool>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (end, ended) = mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let pool = Arc::clone(pool);
    let task = tokio::spawn(async move {
        let work = move |_| {
            let _ = begun.send(());
            let _ = ended.recv();
            Ok(())
        };
        pool.run(far(Duration::from_secs(60)), work).await.unwrap();
    });
    begins.await.unwrap();
    (end, task)
}

#[tokio::test]
async fn who_finds_no_thread_in_time_has_no_time_left() {
    let pool = Arc::new(Pool::new(2, 1));
    let (end, task) = occupy(&pool).await;
    // On the thread of the runtime, as there is no other: it must not ask.
    let (here, since) = (std::thread::current().id(), Instant::now());
    let work = move |options: LevelOptions| Ok((options, std::thread::current().id()));
    let (options, thread) = pool.run(far(SHORT), work).await.unwrap();
    assert_eq!((options, thread), (far(Duration::ZERO), here));
    // So long that no machine is so slow, and short beside what the other one may take.
    assert!(since.elapsed() < Duration::from_secs(20));
    end.send(()).unwrap();
    task.await.unwrap();
    // Then it runs elsewhere, with what the wait has left.
    let long = Duration::from_secs(60);
    let (options, thread) = pool.run(far(long), work).await.unwrap();
    assert!(!options.timeout.is_zero() && options.timeout <= long);
    assert_ne!(thread, here);
}

#[tokio::test]
async fn beyond_the_places_nobody_waits_but_what_needs_no_level_goes_on() {
    let pool = Arc::new(Pool::new(1, 8));
    let (end, task) = occupy(&pool).await;
    let refused = pool.run(far(SHORT), |_| Ok(())).await.unwrap_err();
    assert_eq!(refused, ApiError::no_place(1));
    let near = LevelOptions::new(LevelMode::L1);
    assert_eq!(pool.run(near, Ok).await.unwrap(), near);
    end.send(()).unwrap();
    task.await.unwrap();
    assert!(pool.run(far(SHORT), |_| Ok(())).await.is_ok());
}

#[tokio::test]
async fn a_panic_is_an_error_and_gives_its_place_back() {
    let pool = Pool::new(1, 1);
    for _ in 0..2 {
        let panics = |_| -> Result<(), ApiError> { panic!("as planned") };
        assert_eq!(pool.run(far(SHORT), panics).await, Err(ApiError::INTERNAL));
    }
}
