//! What a slot remembers of its entry: 20 bits, and the pure functions readers apply to them.

use crate::hash::KeyHash;

/// Coarse time of the policy: 1..=255 in turn, and 0 for "longer ago than can be told".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tick(u8);

/// How many different running ticks there are before they repeat.
pub(super) const TICK_CYCLE: u32 = 255;

/// The age at which a tick is pinned to OLDEST; slots must be visited within `TICK_CYCLE - PIN_AGE` ticks.
pub(super) const PIN_AGE: u32 = 127;

impl Tick {
    /// The tick of everything that is too old to be dated.
    pub(crate) const OLDEST: Tick = Tick(0);

    /// A tick from where its bits were published.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Tick {
        Tick(bits as u8)
    }

    /// The bits to publish.
    #[inline]
    pub(crate) fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// The running tick after `count` ticks since birth.
    pub(super) fn of_count(count: u64) -> Tick {
        Tick((count % u64::from(TICK_CYCLE)) as u8 + 1)
    }

    /// The tick that ran so many ticks before this one, less than `PIN_AGE`.
    pub(super) fn before(self, age: u32) -> Tick {
        debug_assert!(self != Tick::OLDEST && age < PIN_AGE);
        Tick(((u32::from(self.0) - 1 + TICK_CYCLE - age) % TICK_CYCLE) as u8 + 1)
    }

    /// Ticks from this one to `now`, at most `PIN_AGE`.
    pub(super) fn age(self, now: Tick) -> u32 {
        debug_assert!(now != Tick::OLDEST, "the running tick is never OLDEST");
        if self == Tick::OLDEST {
            return PIN_AGE;
        }
        let ahead = u32::from(now.0) + TICK_CYCLE - u32::from(self.0);
        // Both lie in 1..=255, so one conditional subtraction is the remainder.
        let age = if ahead >= TICK_CYCLE {
            ahead - TICK_CYCLE
        } else {
            ahead
        };
        age.min(PIN_AGE)
    }
}

/// Metadata of one slot.
///
/// | bits | content |
/// |---|---|
/// | 0..8 | tick of the last use that was written |
/// | 8..11 | frequency step |
/// | 11..15 | octave of the last reuse age in ticks, plus one; 0 = never reused |
/// | 15..20 | size class |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Meta(u32);

const META_BITS: u32 = 20;
const CLASS_SHIFT: u32 = 8;
const CLASS_BITS: u32 = 7;
const SIZE_SHIFT: u32 = 15;

/// Frequency step and octave of the last reuse age together: 7 bits, step lowest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Class(u8);

impl Class {
    pub(super) fn new(step: u32, octave: u32) -> Class {
        debug_assert!(
            step <= super::tuning::FREQ_MAX,
            "frequency steps fit three bits"
        );
        debug_assert!(
            octave <= super::tuning::OCTAVE_MAX,
            "octaves fit the learned table"
        );
        Class((step | octave << 3) as u8)
    }
    pub(super) fn from_bits(bits: u32) -> Class {
        Class((bits & 127) as u8)
    }
    pub(super) fn bits(self) -> u32 {
        u32::from(self.0)
    }
    pub(super) fn step(self) -> u32 {
        u32::from(self.0 & 7)
    }
    pub(super) fn octave(self) -> u32 {
        u32::from(self.0 >> 3)
    }
    /// The class after a reuse at `age` ticks.
    pub(super) fn reused(self, age: u32, spice: u32) -> Class {
        Class::new(step_up(self.step(), spice), octave_of(age))
    }
}

/// The octave code of a reuse age in ticks: 1 for below two ticks, 2 for below four, and so on.
fn octave_of(age: u32) -> u32 {
    (1 + age.max(1).ilog2()).min(super::tuning::OCTAVE_MAX)
}

/// Frequency steps stand for 0, 1, 2, 3-4, 5-8, 9-16, ... uses: the wider steps are taken by chance.
fn step_up(step: u32, spice: u32) -> u32 {
    let wide = (1u32 << step.saturating_sub(2)) - 1;
    let up = u32::from(spice & wide == 0);
    (step + up).min(super::tuning::FREQ_MAX)
}

impl Meta {
    #[inline(always)]
    pub(super) fn new(tick: Tick, class: Class, size: u8) -> Meta {
        Meta(
            u32::from(tick.0) | class.bits() << CLASS_SHIFT | u32::from(size.min(31)) << SIZE_SHIFT,
        )
    }
    /// Metadata from the low 20 of `bits`.
    pub(crate) fn from_bits(bits: u32) -> Meta {
        Meta(bits & ((1 << META_BITS) - 1))
    }
    /// The 20 bits.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
    /// The tick of the last use that was written.
    pub(crate) fn tick(self) -> Tick {
        Tick(self.0 as u8)
    }
    /// The 7 bits of class.
    #[inline]
    pub(super) fn class(self) -> Class {
        Class::from_bits(self.0 >> CLASS_SHIFT & ((1 << CLASS_BITS) - 1))
    }
    /// The same with another size class.
    pub(crate) fn with_size(self, size: u8) -> Meta {
        Meta::new(self.tick(), self.class(), size)
    }
    /// The size class.
    pub(crate) fn size(self) -> u8 {
        (self.0 >> SIZE_SHIFT) as u8
    }
}

/// The metadata after a hit at `now`; `None` if the tick stands, and nothing is to be written.
///
/// `spice` is any few bits that differ from hit to hit; its low five are used.
#[inline]
pub(crate) fn touch(meta: Meta, now: Tick, spice: u32) -> Option<Meta> {
    if meta.tick() == now {
        return None;
    }
    let class = meta.class().reused(meta.tick().age(now), spice);
    Some(Meta::new(now, class, meta.size()))
}

/// The metadata with a tick that is about to look young again pinned to `OLDEST`.
#[inline]
pub(crate) fn restamp(meta: Meta, now: Tick) -> Meta {
    if meta.tick().age(now) < PIN_AGE {
        return meta;
    }
    Meta::new(Tick::OLDEST, meta.class(), meta.size())
}

/// The size class of a charge in bytes: two classes an octave, from 32 bytes to over a megabyte.
#[inline(always)]
pub(crate) fn size_class(units: u64) -> u8 {
    let units = units.max(32);
    let octave = units.ilog2();
    // The upper half of an octave begins at the square root of two, 181/128 of its start; compared with the first bit on top.
    let half = u32::from(units << units.leading_zeros() >= 181 << 56);
    ((octave - 5) * 2 + half).min(31) as u8
}

/// A hit for the policy to learn from, in one word that is never zero.
///
/// | bits | content |
/// |---|---|
/// | 0..20 | the metadata before the hit |
/// | 20..28 | the tick of the hit, 1..=255 |
/// | 28..64 | the top 36 bits of the mixed key hash |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Note(u64);

const NOTE_KEY_SHIFT: u32 = 28;

impl Note {
    /// A note of the hit at `now` on the key of `hash`, whose metadata was `old`.
    pub(crate) fn pack(old: Meta, now: Tick, hash: u64) -> Note {
        debug_assert!(now != Tick::OLDEST, "the running tick is never OLDEST");
        let key = Key::of_hash(hash).0 << NOTE_KEY_SHIFT;
        Note(key | u64::from(now.0) << META_BITS | u64::from(old.0))
    }
    /// The word.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }
    /// The note of a word, unless it's empty or damaged.
    pub(crate) fn from_bits(bits: u64) -> Option<Note> {
        (Note(bits).now() != Tick::OLDEST).then_some(Note(bits))
    }
    pub(super) fn old(self) -> Meta {
        Meta::from_bits(self.0 as u32)
    }
    pub(super) fn now(self) -> Tick {
        Tick((self.0 >> META_BITS) as u8)
    }
    pub(super) fn key(self) -> Key {
        Key(self.0 >> NOTE_KEY_SHIFT)
    }
}

/// 36 bits that stand for a key in ghosts and sketch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key(u64);

pub(super) const KEY_BITS: u32 = 36;

impl Key {
    /// Of the short hash, which is all that is known of an entry that leaves. All keys of a stripe share some of its bits, so the product
    /// spreads the others over those.
    #[inline]
    pub(super) fn of_hash(hash: u64) -> Key {
        let short = KeyHash::from_bits(hash).short();
        let folded = u64::from(short).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Key(folded >> (64 - KEY_BITS))
    }
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}
