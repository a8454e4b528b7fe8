//! Views of scopes against endings of them.

use std::sync::Arc;

use larder::model::{Family, Fault, check};
use loom::thread;

/// One thread ends a scope; another uses a view of it meanwhile, and again when it has ended for sure.
fn ended_once(fault: Fault, is_parent: bool) {
    check(move || {
        let family = Arc::new(Family::new(fault));
        let a = family.view(None, b"a").expect("open");
        let b = family.view(Some(&a), b"b").expect("open");
        let old = family.word(&b);
        let life = family.life(if is_parent { &a } else { &b });
        let other = Arc::clone(&family);
        let ender = thread::spawn(move || other.invalidate(&life));
        let meanwhile = family.word(&b);
        assert!(meanwhile >= old, "a view went back");
        ender.join().expect("the ender ends");
        let after = family.word(&b);
        assert!(after > old, "what had ended is used");
        assert!(after >= meanwhile, "a view went back");
    });
}

#[test]
fn a_view_uses_nothing_that_had_ended() {
    ended_once(Fault::None, false);
}

#[test]
fn a_view_uses_nothing_whose_parent_had_ended() {
    ended_once(Fault::None, true);
}

#[test]
#[should_panic(expected = "what had ended is used")]
fn twin_a_count_before_the_mark_leaves_a_view_behind() {
    ended_once(Fault::CountFirst, false);
}

/// Two threads use one view after an ending, and a third may end the scope once more.
fn refreshed_by_two(fault: Fault, ends_again: bool) {
    check(move || {
        let family = Arc::new(Family::new(fault));
        let view = family.view(None, b"a").expect("open");
        let old = family.word(&view);
        let fresh = ends_again.then(|| {
            let life = family.life(&view);
            let other = Arc::clone(&family);
            thread::spawn(move || other.invalidate(&life))
        });
        if !ends_again {
            family.invalidate(&family.life(&view));
        }
        let (other, shared) = (Arc::clone(&family), view.clone());
        let second = thread::spawn(move || [0; 2].map(|_| other.word(&shared)));
        let mine = [0; 2].map(|_| family.word(&view));
        let theirs = second.join().expect("the other ends");
        for [first, then] in [mine, theirs] {
            assert!(then >= first, "a view went back");
            assert!(ends_again || first > old, "what had ended is used");
        }
        if let Some(ender) = fresh {
            ender.join().expect("the ender ends");
        }
        let last = family.word(&view);
        assert!(last > old, "what had ended is used");
        for word in [mine, theirs].concat() {
            assert!(word == old || word == last, "one ending, one next life");
        }
    });
}

#[test]
fn two_that_refresh_a_view_agree() {
    refreshed_by_two(Fault::None, false);
}

#[test]
fn two_that_use_a_view_while_it_ends_agree_in_the_end() {
    refreshed_by_two(Fault::None, true);
}

#[test]
#[should_panic(expected = "what had ended is used")]
fn twin_an_epoch_before_the_word_shows_the_old_word() {
    refreshed_by_two(Fault::EpochFirst, false);
}

/// Who has used the next life isn't followed by one who uses the old: here the same thread, through an older view.
fn followed(fault: Fault) {
    check(move || {
        let family = Arc::new(Family::new(fault));
        let older = family.view(None, b"a").expect("open");
        let old = family.word(&older);
        let life = family.life(&older);
        let other = Arc::clone(&family);
        let ender = thread::spawn(move || other.invalidate(&life));
        let newer = family.view(None, b"a").expect("open");
        let word = family.word(&newer);
        assert!(family.word(&older) >= word, "the old life follows the new");
        ender.join().expect("the ender ends");
        assert!(family.word(&older) > old && family.word(&newer) > old);
    });
}

#[test]
fn the_old_life_does_not_follow_the_new() {
    followed(Fault::None);
}

#[test]
#[should_panic(expected = "the old life follows the new")]
fn twin_a_count_after_the_unlocking_lets_the_old_life_follow() {
    followed(Fault::CountLate);
}

/// The same, when the next life was found by another thread, through a view that both use.
#[test]
fn the_old_life_does_not_follow_the_new_that_another_has_found() {
    check(|| {
        let family = Arc::new(Family::new(Fault::None));
        let shared = family.view(None, b"a").expect("open");
        let own = family.view(None, b"a").expect("open");
        let life = family.life(&shared);
        let (other, theirs) = (Arc::clone(&family), shared.clone());
        let ender = thread::spawn(move || {
            other.invalidate(&life);
            other.word(&theirs)
        });
        let word = family.word(&shared);
        assert!(family.word(&own) >= word, "the old life follows the new");
        let last = ender.join().expect("the ender ends");
        assert_eq!([&shared, &own].map(|view| family.word(view)), [last; 2]);
    });
}

/// The same for a closing: once one view is nowhere, all are.
fn closed(fault: Fault) {
    check(move || {
        let family = Arc::new(Family::new(fault));
        let [first, second] = [b"a", b"b"].map(|name| family.view(None, name).expect("open"));
        let unrelated = family.view(None, b"o").expect("open");
        family.invalidate(&family.life(&unrelated));
        // The second view has seen that ending, the first one hasn't.
        assert!(family.word(&second).is_some());
        let other = Arc::clone(&family);
        let closer = thread::spawn(move || other.close());
        if family.word(&first).is_none() {
            assert!(family.word(&second).is_none(), "a closing is taken back");
        }
        closer.join().expect("the closer ends");
        assert!(family.word(&first).is_none() && family.word(&second).is_none());
        assert!(family.view(None, b"a").is_none());
    });
}

#[test]
fn a_closing_is_not_taken_back() {
    closed(Fault::None);
}

#[test]
#[should_panic(expected = "a closing is taken back")]
fn twin_a_closing_that_is_not_waited_for_is_taken_back() {
    closed(Fault::NoGate);
}

/// The last view of a scope goes while another thread asks for the scope: there is one life of it at a time.
#[test]
fn a_name_that_goes_is_had_again() {
    check(|| {
        let family = Arc::new(Family::new(Fault::None));
        let first = family.view(None, b"a").expect("open");
        let old = family.word(&first);
        let leaver = thread::spawn(move || drop(first));
        let second = family.view(None, b"a").expect("open");
        let word = family.word(&second);
        assert!(word >= old);
        leaver.join().expect("the leaver ends");
        let third = family.view(None, b"a").expect("open");
        assert_eq!(family.word(&third), word, "two lives of one name");
    });
}
