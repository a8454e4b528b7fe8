//! Any entry: what goes into its block comes out as it was, wherever it lies.
//!
//! # Idea         sixteen bytes say what the entry carries and how long its key is; the rest is key and value
//! # Invariants   E4, and no part of the block reaches into another: each is written before any is read back
//! # Not here     counts and their end: `tests`, the models, the stress program

use super::*;
use crate::hash::KeyHash;
use crate::terms::Tag;

/// Runs an input, once as bytes and once as a value of the widest alignment.
#[cfg_attr(
    not(fuzzing),
    allow(unreachable_pub, reason = "the fuzzer alone reaches it")
)]
pub fn run(input: &[u8]) {
    let Some((&head, rest)) = input.split_first_chunk::<16>() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes([head[0], head[1]])).min(rest.len());
    let (key, value) = rest.split_at(len);
    check::<[u8], _>(head, key, value.to_vec(), value);
    let wide = u128::from_le_bytes(head);
    check::<u128, _>(head, key, wide, &wide);
}

fn check<V, S>(head: [u8; 16], key: &[u8], source: S, value: &V)
where
    V: Value + PartialEq + fmt::Debug + ?Sized,
    S: Source<V> + PartialEq,
{
    let [_, _, shape, flags, tag, times @ ..] = head;
    // Zero stands for the root.
    let place = u64::from_le_bytes([times[0], times[1], times[2], 0, 0, 0, 0, times[3]]).max(1);
    let tag = Tag::from_bits(tag % 6);
    let (idle, refreshed, is_copy) = (flags & 1 == 1, flags & 2 == 2, flags & 8 == 8);
    let probe = Probe::new((flags & 4 == 4).then_some(place), shape % 16, key);
    let parts = Parts {
        probe,
        idle,
        refreshed,
        tag,
        is_copy,
    };
    let plan =
        Plan::<V>::new(parts, source.n_elements()).expect("it is shorter than the header can say");
    let planned = plan.charge_bytes();
    let Ok((mut draft, _)) = Draft::new::<V, S>(plan, None, source) else {
        return;
    };
    let at = |n: usize| Nanos((1 + u64::from(times[n])) << (times[n] % 50));
    let sealed = Times {
        hard: at(4),
        idle: at(5),
        refresh: RefreshAt {
            due: at(6),
            stale: at(7),
        },
    };
    let hash = KeyHash::from_bits(u64::from_le_bytes([times[8]; 8]));
    draft.seal(hash, (u64::MAX >> 1) - 1, u16::from(times[9]));
    draft.set_times(sealed);
    let block = draft.as_ref();
    block.set_token(u32::MAX - 1);
    if let Some(member) = block.member() {
        member.set_at((7, u32::MAX));
    }
    assert_eq!(block.key_bytes(), key);
    assert!(block.is(&probe) && block.is_of(&probe));
    assert_eq!(block.place(), if flags & 4 == 4 { place } else { 0 });
    assert_eq!((block.tag(), block.has_idle()), (tag, idle));
    assert_eq!(block.is_copy(), is_copy);
    assert_eq!(block.refresh().is_some(), refreshed);
    assert_eq!(
        (block.version(), block.token()),
        ((u64::MAX >> 1) - 1, u32::MAX - 1)
    );
    assert_eq!(block.short_hash(), hash.short());
    assert_eq!(block.deadline().get(), sealed.hard);
    if idle {
        assert_eq!(block.idle().get(), sealed.idle);
    }
    if let Some(member) = block.member() {
        assert_eq!(member.at(), (7, u32::MAX));
    }
    // SAFETY: the draft was made for a `V`.
    let found = unsafe { block.value::<V>() };
    assert_eq!(found, value);
    let end = (&raw const *found).addr() + size_of_val(found) - block.as_ptr().addr();
    assert!(planned >= end as u64, "the charge covers the block");
}
