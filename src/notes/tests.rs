use super::*;

fn take(notes: &Notes, tails: &mut Tails) -> Vec<u64> {
    let mut seen = Vec::new();
    notes.take(tails, |word| seen.push(word));
    seen
}

#[test]
fn words_come_out_once_in_their_order() {
    let (notes, mut tails) = Notes::new(1);
    assert!(take(&notes, &mut tails).is_empty());
    for round in 0..5 {
        let words: Vec<u64> = (1..=40).map(|n| round * 100 + n).collect();
        words.iter().for_each(|&word| notes.leave(9, word));
        assert_eq!(take(&notes, &mut tails), words);
        assert!(take(&notes, &mut tails).is_empty(), "N1");
    }
}

#[test]
fn a_ring_keeps_the_latest_that_fit() {
    let (notes, mut tails) = Notes::new(1);
    (1..=1000).for_each(|word| notes.leave(1, word));
    assert_eq!(
        take(&notes, &mut tails),
        (1000 - WORDS as u64 + 1..=1000).collect::<Vec<_>>()
    );
}

#[test]
fn threads_spread_over_the_rings() {
    let (notes, mut tails) = Notes::new(4);
    (0..8).for_each(|thread| notes.leave(thread, u64::from(thread) + 1));
    let used = notes
        .rings
        .iter()
        .filter(|ring| ring.head.load(Ordering::Relaxed) == 2)
        .count();
    assert_eq!(used, 4);
    let mut seen = take(&notes, &mut tails);
    seen.sort_unstable();
    assert_eq!(seen, (1..=8).collect::<Vec<_>>());
}

#[test]
fn a_head_that_wraps_or_goes_back_yields_nothing_twice() {
    let (notes, mut tails) = Notes::new(1);
    let head = &notes.rings[0].head;
    head.store(u32::MAX - 2, Ordering::Relaxed);
    assert!(take(&notes, &mut tails).is_empty());
    (1..=6).for_each(|word| notes.leave(1, word));
    assert_eq!(take(&notes, &mut tails), [1, 2, 3, 4, 5, 6]);
    // A slow reader of a shared ring stores a head from before the others' words.
    (7..=9).for_each(|word| notes.leave(1, word));
    head.store(1, Ordering::Relaxed);
    let mut seen = take(&notes, &mut tails);
    seen.extend(take(&notes, &mut tails));
    assert!(seen.iter().all(|word| (7..=9).contains(word)), "{seen:?}");
    let n = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), n, "N1");
}

#[test]
fn no_word_is_taken_twice_while_readers_write() {
    const WORDS_EACH: u64 = if cfg!(miri) { 200 } else { 50_000 };
    let (notes, mut tails) = Notes::new(2);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|thread| {
                let notes = &notes;
                scope.spawn(move || {
                    (1..=WORDS_EACH).for_each(|n| notes.leave(thread, n << 2 | u64::from(thread)));
                })
            })
            .collect();
        while !readers.iter().all(|reader| reader.is_finished()) {
            notes.take(&mut tails, |word| seen.push(word));
        }
    });
    notes.take(&mut tails, |word| seen.push(word));
    let n = seen.len();
    assert!(n > 0);
    assert!(
        seen.iter()
            .all(|word| word & 3 < 3 && (1..=WORDS_EACH).contains(&(word >> 2))),
        "words are whole"
    );
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), n, "N1");
}
