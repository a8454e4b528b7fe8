//! Snapshots of several threads to one path.

use super::*;

#[test]
fn snapshots_to_one_path_at_a_time_all_come_through() {
    let dir = std::env::temp_dir().join(format!("larder-beside-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = &dir.join("warm");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cache = moody(&[0]);
                for _ in 0..200 {
                    // None takes another's file for one that was left.
                    cache.snapshot(path).unwrap();
                    assert!(moody(&[]).restore(path).unwrap().is_whole);
                }
            });
        }
    });
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    std::fs::remove_dir_all(&dir).unwrap();
}
