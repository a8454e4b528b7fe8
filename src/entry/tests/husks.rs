//! Memory that is used again.

use super::*;

/// A draft of some bytes, in a husk or in memory of its own.
fn draft_in(husk: Option<Husk>, place: u64, len: usize) -> Draft {
    let parts = Parts::plain(Probe::new(some(place), 5, b"key"));
    let plan = Plan::<[u8]>::new(parts, len).expect("it fits");
    let drafted = Draft::new::<[u8], _>(plan, husk, vec![len as u8; len]);
    drafted.expect("there is memory").0
}

/// Frees blocks of this size, so that the allocator hands those out next, and not one that is freed after them: then an
/// address tells whether a husk was used, or freed and allocated anew.
fn sate_allocator(place: u64, len: usize) {
    let drafts = [(); 8].map(|()| draft_in(None, place, len));
    drafts.into_iter().for_each(release::<[u8]>);
}

/// What is left of a draft of bytes.
fn husk_of(draft: Draft) -> Husk {
    // SAFETY: the block was drafted for this type.
    let releaser = unsafe { Releaser::new::<[u8]>() };
    releaser
        .release(draft.into_block())
        .expect("it was the only count")
}

#[test]
fn a_husk_of_the_right_size_is_used_again_and_one_of_another_is_not() {
    let old = draft_in(None, 0, 100);
    let (base, charge_bytes) = (old.as_ref().as_ptr().addr(), old.as_ref().charge_bytes());
    let husk = husk_of(old);
    assert_eq!(
        (husk.base().addr().get(), husk.bytes()),
        (base, charge_bytes)
    );
    sate_allocator(0, 100);
    let again = draft_in(Some(husk), 0, 100);
    assert_eq!(again.as_ref().as_ptr().addr(), base);
    assert_eq!(value::<[u8]>(&again), [100; 100]);

    // Another key, another place, another version: nothing of the first entry is left in it.
    let husk = husk_of(again);
    let layout = husk.layout();
    let member = draft_in(Some(husk), 7, 84);
    assert_eq!(
        member.as_ref().as_ptr().addr(),
        base,
        "16 bytes for the place instead"
    );
    let words = member.as_ref().member().expect("it has a place");
    assert_eq!((member.as_ref().place(), words.at()), (7, (0, 0)));
    assert_eq!((member.as_ref().token(), member.as_ref().version()), (0, 0));

    for len in [0, 83, 85, 101, 500] {
        let is_elsewhere = |()| {
            let husk = husk_of(draft_in(None, 7, 84));
            assert_eq!(husk.layout(), layout);
            let unused = husk.base().addr().get();
            sate_allocator(7, len);
            let other = draft_in(Some(husk), 7, len);
            assert_ne!(other.as_ref().layout::<[u8]>().0, layout);
            assert_eq!(value::<[u8]>(&other), vec![len as u8; len]);
            let address = other.as_ref().as_ptr().addr();
            release::<[u8]>(other);
            address != unused
        };
        // Beside other threads the allocator may hand out the same memory all the same: not each time.
        assert!([(); 20].map(is_elsewhere).contains(&true), "{len}");
    }
    release::<[u8]>(member);
}

#[test]
fn husks_come_back_last_first_with_what_they_are_charged() {
    let mut husks = Husks::default();
    let mut pushed = Vec::new();
    for len in [100, 0, 5000, 100] {
        let husk = husk_of(draft_in(None, 0, len));
        pushed.push((husk.base(), husk.layout()));
        let before = husks.bytes();
        let charge_bytes = husk.bytes();
        husks.push(husk);
        assert_eq!(husks.bytes(), before + charge_bytes);
        assert_eq!(husks.len(), pushed.len());
    }
    while let Some(husk) = husks.pop() {
        assert_eq!(Some((husk.base(), husk.layout())), pushed.pop());
        if pushed.len() == 2 {
            // The others end with the list.
            break;
        }
    }
    assert_eq!(husks.len(), 2);
    let rest: u64 = pushed
        .iter()
        .map(|(_, layout)| allocated_bytes(layout.size()))
        .sum();
    assert_eq!(husks.bytes(), rest);
    drop(husks);
    assert!(Husks::default().pop().is_none());
}

#[test]
fn lists_of_husks_are_joined() {
    let list = |lens: &[usize]| {
        let mut husks = Husks::default();
        for &len in lens {
            husks.push(husk_of(draft_in(None, 0, len)));
        }
        husks
    };
    let sizes = |mut husks: Husks| {
        let mut sizes = Vec::new();
        while let Some(husk) = husks.pop() {
            sizes.push(husk.layout().size());
        }
        assert_eq!((husks.len(), husks.bytes()), (0, 0));
        sizes
    };
    let alone = [10, 200, 3000, 50].map(|len| sizes(list(&[len]))[0]);
    let mut husks = list(&[]);
    husks.append(list(&[]));
    husks.append(list(&[10, 200]));
    husks.append(list(&[]));
    husks.append(list(&[3000]));
    assert_eq!(husks.len(), 3);
    assert_eq!(husks.pop().map(|husk| husk.layout().size()), Some(alone[2]));
    husks.append(list(&[50]));
    assert_eq!(sizes(husks), [alone[3], alone[1], alone[0]]);
    let mut emptied = list(&[10]);
    drop(emptied.pop());
    emptied.push(husk_of(draft_in(None, 0, 50)));
    emptied.append(list(&[200]));
    assert_eq!(sizes(emptied), [alone[1], alone[3]]);
}

#[test]
fn a_source_that_panics_ends_its_husk_and_nothing_else() {
    let husk = husk_of(draft_in(None, 0, 3));
    // It is asked for the third time, and has nothing to say.
    let gone = Fickle(std::cell::Cell::new(2), [b"", b"abc"]);
    let plan = Plan::<[u8]>::new(parts(b"key"), 3).expect("it fits");
    let drafts = || Draft::new::<[u8], _>(plan, Some(husk), gone).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(drafts)).is_err());
    // The allocator may hand the same memory out again.
    let next = draft_in(None, 0, 3);
    assert_eq!(value::<[u8]>(&next), [3; 3]);
    release::<[u8]>(next);
}
