//! Linking what a write has built: the way of all writes, and the straight one of most inserts.
//!
//! # Idea         what is to be done anyhow, then room, then the key; a plain insert that finds its key absent and its room there, in a
//!   stripe where nothing waits, is linked at once; whatever is otherwise goes on as every write does, from where it stands
//! # Costs        O(1), with a few victims, due entries and ended ones; of the straight way one look at each thing that may wait
//! # Invariants   K1 to K4
//! # Not here     what room is made of: `room`; what linking is: `change`

use super::change::Linked;
use super::room::{Newcomer, NoWay};
use super::{
    AHEAD_MIN, Condition, ENTRY_SHARE, EXPIRE_PER_WRITE, Env, Plain, Put, SHRINK_PER_WRITE,
    SWEEP_PER_WRITE, Stay, Stripe, Write, cost,
};
use crate::clock::Nanos;
use crate::entry::Draft;
use crate::hash::KeyHash;
use crate::policy::{self, Site};
use crate::shares::PoolId;
use crate::stats::RemovalCause;
use crate::table::Loc;

/// What came of that which a write does before it looks for its key.
pub(crate) struct Prelude {
    site: Option<Site>,
    now: Nanos,
    /// Whether anything left by that.
    progress: bool,
    /// Where the key's entry is linked, if it was looked for and is there: in this hold of the lock, as long as nothing has left.
    present: Option<Loc>,
}

/// What may wait in a stripe when a write begins.
const ANY: u8 = ENDED | DUE | FULL;
/// Entries whose scope has ended. None in a calm stripe.
const ENDED: u8 = 1;
/// Entries that are due. None where nobody has a deadline.
const DUE: u8 = 2;
/// What the policy is to learn, and who is to leave. Nothing where nothing has had to leave yet: the bounds were not lowered below what is
/// there either, or `expect_evictions` would have had the policy begin.
const FULL: u8 = 4;

/// What the straight way could not do: the draft, and what was begun, if anything.
pub(crate) struct Turned {
    pub(crate) draft: Draft,
    pub(crate) begun: Option<Prelude>,
}

impl Stripe {
    /// Links a draft under its key: in the place of a present entry, or in a new slot. With `yielding`, a present
    /// entry that can't stay beside its successor is evicted first. The draft stays its caller's until it is linked, so that it ends
    /// without the lock if the clock panics.
    pub(crate) fn put(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        slot: &mut Option<Draft>,
        write: &Write<'_>,
        yielding: bool,
    ) -> Put {
        let draft = slot.as_ref().expect("a write has its entry").as_ref();
        if !self.works.is_empty()
            && !write.is_alone
            && let Some(ticket) = self.wait_for_alone(hash, &draft.probe())
        {
            return Put::Busy(ticket);
        }
        let (cost, now) = (cost(draft), self.now(env, write.lifetime.reading()));
        let begun = self.begin::<ANY>(env, hash, cost, write.is_likely(), now);
        self.land(env, hash, slot, write, yielding, begun)
    }

    /// A plain write into the cache itself, as far as it goes straight on: its key is absent, and nobody in the stripe has a scope or a
    /// load, nor, with it, a deadline. Whether anything left. What turns off says how far it has come, to [`land`](Self::land), or to
    /// [`put`](Self::put) if nothing was done yet.
    #[inline(always)]
    pub(crate) fn put_straight(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        draft: Draft,
        cost: u64,
    ) -> Result<bool, Turned> {
        let (stay, now) = (Stay::FOREVER, Nanos::ZERO);
        let plain = Plain { stay, load: None };
        if !self.is_calm() {
            return Err(Turned { draft, begun: None });
        }
        if self.policy.capacity() == 0 {
            return self.go_straight::<0>(env, hash, draft, cost, plain, now);
        }
        if env.ground.is_above() {
            return Err(Turned { draft, begun: None });
        }
        self.go_straight::<FULL>(env, hash, draft, cost, plain, now)
    }

    /// The same where it or others may have deadlines; also of a load that nobody has overtaken, whoever else loads. `now` is what
    /// [`now`](Self::now) said.
    #[inline(never)]
    pub(crate) fn put_timed(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        draft: Draft,
        cost: u64,
        plain: Plain,
        now: Nanos,
    ) -> Result<bool, Turned> {
        let is_calm = match plain.load {
            None => self.is_calm(),
            Some(id) => self.is_calm_but(true) && self.works.is_current(hash, id),
        };
        let grows = plain.stay.ends() && self.wheel.growth_bytes() > 0;
        if !is_calm || grows {
            return Err(Turned { draft, begun: None });
        }
        if self.policy.capacity() == 0 {
            return self.go_straight::<DUE>(env, hash, draft, cost, plain, now);
        }
        if env.ground.is_above() {
            return Err(Turned { draft, begun: None });
        }
        self.go_straight::<{ DUE | FULL }>(env, hash, draft, cost, plain, now)
    }

    #[inline(always)]
    fn go_straight<const WAITING: u8>(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        mut draft: Draft,
        cost: u64,
        plain: Plain,
        now: Nanos,
    ) -> Result<bool, Turned> {
        debug_assert_eq!(cost, super::cost(draft.as_ref()));
        let Plain { stay, load } = plain;
        let is_full = WAITING & FULL != 0;
        let begun = self.begin::<WAITING>(env, hash, cost, true, now);
        let writer = self.table.writer(&env.front.table);
        let (present, vacancy) = writer.seek(hash, || draft.as_ref().probe());
        if present.is_some() {
            let begun = Some(Prelude { present, ..begun });
            return Err(Turned { draft, begun });
        }
        let has_place = vacancy.is_some() || writer.growth_bytes(hash) == 0;
        // Until it is full, no more entries have paid for the policy than are there.
        let unclaimed_bytes = if is_full { self.unclaimed_bytes() } else { 0 };
        if !has_place || !self.has_room(env, cost + unclaimed_bytes) {
            let begun = Some(begun);
            return Err(Turned { draft, begun });
        }
        let capacity = if is_full { self.policy.capacity() } else { 0 };
        self.seal(env, hash, &mut draft, cost, capacity);
        if WAITING & DUE != 0 && stay.ends() {
            let deadline = stay.deadline(now);
            if draft.set_deadline(deadline) {
                draft.set_token(self.wheel.schedule(deadline, hash.bits()).bits());
            }
        }
        let (block, size) = (draft.into_block(), policy::size_class(cost - ENTRY_SHARE));
        let meta = self.enroll(env, begun.site, size, None);
        let loc = match vacancy {
            Some(vacancy) => {
                let mut writer = self.table.writer(&env.front.table);
                writer.link_in(vacancy, hash, block, meta.bits())
            }
            None => self.link_somewhere(env, hash, block, meta, 0),
        };
        if is_full {
            self.watch(env, loc);
        }
        if let Some(id) = load {
            self.end_load(hash, Condition::Load(id));
            self.note_write(hash);
        }
        if self.has_grown {
            self.claim_structure(env);
        }
        // Where places are few, somebody may have left for it.
        Ok(begun.progress || vacancy.is_none())
    }

    /// Whether a write has nothing to look after but its own entry, and what is due.
    #[inline(always)]
    fn is_calm(&self) -> bool {
        self.is_calm_but(self.works.is_empty())
    }

    /// The same, where nobody loads or that is no matter.
    #[inline(always)]
    fn is_calm_but(&self, without_works: bool) -> bool {
        self.members.len() == 0 && without_works && !self.has_grown
    }

    /// What is to be done anyhow comes first, since the line of the key's bucket was asked for a moment ago. The more is
    /// known of the stripe, the less is to be asked.
    #[inline(always)]
    fn begin<const WAITING: u8>(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        cost: u64,
        is_likely: bool,
        now: Nanos,
    ) -> Prelude {
        let (mut site, mut progress) = (None, false);
        if WAITING & FULL != 0 {
            site = self.policy.site(hash.bits());
            self.learn(env);
            self.sample_owed(env);
        }
        if WAITING & DUE != 0 {
            progress |= self.expire(env, now, EXPIRE_PER_WRITE).steps > 0;
        }
        if WAITING & ENDED != 0 {
            progress |= self.sweep(env, SWEEP_PER_WRITE).steps > 0;
        }
        self.follow_bounds(env);
        if WAITING & FULL != 0 && is_likely && self.policy.capacity() >= AHEAD_MIN {
            progress |= self.make_room_ahead(env, hash, cost, now);
        }
        Prelude {
            site,
            now,
            progress,
            present: None,
        }
    }

    /// The rest of a write: a look for its key, unless that was found already, and what comes of that.
    pub(crate) fn land(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        slot: &mut Option<Draft>,
        write: &Write<'_>,
        yielding: bool,
        begun: Prelude,
    ) -> Put {
        let Prelude {
            site,
            now,
            mut progress,
            present,
        } = begun;
        let draft = slot.as_mut().expect("a write has its entry");
        let (cost, lifetime) = (cost(draft.as_ref()), &write.lifetime);
        let writer = self.table.writer(&env.front.table);
        let (present, vacancy) = match present {
            Some(loc) => (Some(loc), None),
            None => writer.seek(hash, || draft.as_ref().probe()),
        };
        let mut present = present.filter(|&loc| self.claim_or_leaves(env, loc, hash).is_some());
        // Asked after the clock has said what is present: it was that before the life ended. From here to the unlocking the entry
        // lands in the life that is there now, however soon it ends.
        let admitted = match write.home {
            None => Ok(None),
            Some(home) => self.admit(env, home),
        };
        if admitted.is_err() && !write.is_last {
            if let Some(loc) = present {
                self.unclaim(env, loc);
            }
            self.trim_all(env);
            return Put::Ended;
        }
        if write.condition != Condition::Always && !self.holds(env, hash, present, write.condition)
        {
            let value = present.and_then(|loc| {
                self.unclaim(env, loc);
                self.value_at(env, loc)
            });
            self.end_load(hash, write.condition);
            self.bytes
                .trim(&env.ground.bytes, 2 * env.ground.chunk_bytes);
            return Put::Unmet(value);
        }
        if let Some(loc) = present.take_if(|_| yielding) {
            self.leave(env, loc, hash, RemovalCause::Evicted);
        }
        let newcomer = Newcomer {
            hash,
            draft: draft.as_ref(),
            cost,
            has_place: vacancy.is_some(),
            write,
            now,
        };
        let funded = match self.fund(env, newcomer, present) {
            Err(lack) => self.make_way(env, newcomer, &mut present, lack),
            Ok(growth_bytes) => Ok(growth_bytes),
        };
        let growth_bytes = match funded {
            Ok(growth_bytes) => growth_bytes,
            Err(NoWay::Ended) => return Put::Ended,
            Err(NoWay::Short {
                has_evicted,
                giver,
                full,
            }) => {
                progress |= has_evicted;
                return Put::Short {
                    progress,
                    giver,
                    full,
                };
            }
        };
        if lifetime.has_times() {
            let writer = self.table.writer(&env.front.table);
            let replaced = present.and_then(|loc| writer.block(loc));
            draft.set_times(lifetime.times(now, replaced.filter(|block| !block.is_absent())));
        }
        self.seal(env, hash, draft, cost, self.policy.capacity());
        self.note_write(hash);
        self.end_load(hash, write.condition);
        let block = slot.take().map(Draft::into_block);
        let block = block.expect("it was there when the write began");
        let replaced = match present {
            Some(loc) => self.replace(env, loc, hash, block),
            None => {
                let newcomer = Linked {
                    hash,
                    block,
                    size: policy::size_class(cost - ENTRY_SHARE),
                    site,
                    growth_bytes,
                    vacancy,
                };
                let loc = self.link(env, newcomer, write.past);
                if lifetime.has_times() {
                    self.schedule(env, loc, hash);
                }
                if let Some(home) = write.home {
                    self.enter(env, loc, hash, home, admitted);
                }
                None
            }
        };
        if self.has_grown {
            self.claim_structure(env);
        }
        if env.ground.is_above() {
            // The bound was lowered: each write gives a little more than it takes.
            let newcomer = (hash, self.version);
            self.make_room(env, SHRINK_PER_WRITE, PoolId::ROOT, Some(newcomer), now);
            self.trim_all(env);
        }
        Put::Done(replaced)
    }

    /// An entry comes, where the policy is made for so many: its number, its stamp, its bytes.
    #[inline(always)]
    fn seal(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        draft: &mut Draft,
        cost: u64,
        capacity: usize,
    ) {
        self.next_version(env);
        self.counts.inserted += 1;
        draft.seal(hash, self.version, self.stamp(capacity));
        self.bytes.admit(cost);
    }
}
