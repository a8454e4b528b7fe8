//! Memory for a stripe's next block, which threads take without the lock.

use std::sync::Arc;

use larder::model::{Shelf, check};
use loom::thread;

fn taken_by_two(take: fn(&Shelf) -> bool) {
    check(move || {
        let shelf = Arc::new(Shelf::new());
        let mut filled = usize::from(shelf.fill());
        let other = Arc::clone(&shelf);
        let second = thread::spawn(move || usize::from(take(&other)));
        // One thread fills, which takes as well.
        let mut taken = usize::from(take(&shelf));
        filled += usize::from(shelf.fill());
        taken += second.join().expect("the other ends");
        taken += usize::from(shelf.take());
        assert_eq!(taken, filled, "each piece is taken once");
    });
}

#[test]
fn memory_is_taken_off_a_shelf_once() {
    taken_by_two(Shelf::take);
}

#[test]
#[should_panic(expected = "each piece is taken once")]
fn twin_a_shelf_that_is_emptied_in_two_steps_gives_twice() {
    taken_by_two(Shelf::take_in_two_steps);
}
