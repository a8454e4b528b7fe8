//! RO1, and that no more is kept than may be.

use super::*;

#[test]
fn room_comes_back_empty_when_the_last_handle_is_dropped_and_not_before() {
    // One test, since what is kept is the process's.
    let value = vec![7; LONG_BYTES];
    let room = copy(&value);
    let at = room.as_ptr();
    let lent = lend(room);
    let part = lent.slice(1..);
    drop(lent);
    let other = of(LONG_BYTES);
    assert_ne!(other.as_ptr(), at);
    assert_eq!(part[..], value[1..]);
    drop((part, other));
    let again = of(LONG_BYTES);
    assert_eq!((again.as_ptr(), again.len()), (at, 0));
    give_back(again);
    // What is too short for a value isn't grown.
    assert!(of(LONG_BYTES + 1).capacity() > LONG_BYTES);
    let again = of(LONG_BYTES);
    assert_eq!(again.as_ptr(), at);
    assert!(KEPT.lock().is_empty());
    for n_bytes in [LONG_BYTES - 1, KEPT_BYTES_MAX + 1] {
        drop(lend(copy(&vec![7; n_bytes])));
        assert!(KEPT.lock().is_empty());
    }
    // The longer ones stay.
    for n_bytes in [LONG_BYTES, KEPT_BYTES_MAX, LONG_BYTES] {
        (0..KEPT_MAX).for_each(|_| give_back(Vec::with_capacity(n_bytes)));
        assert_eq!(KEPT.lock().len(), KEPT_MAX);
    }
    let is_long = |room: &Vec<u8>| room.capacity() == KEPT_BYTES_MAX;
    assert!(KEPT.lock().iter().all(is_long));
}
