//! The entries of scopes: filed with their like, and swept out when their scope has ended.

use super::{Env, Stripe, cost, pool_of};
use crate::clock::Nanos;
use crate::entry::{Block, BlockRef};
use crate::hash::KeyHash;
use crate::lineage::{Epoch, Generation, Local, PlaceWord, VERSIONS_LOG2, floor_of};
use crate::members::{Holding, ScopeIdx, WalkId, Walked};
use crate::rings::Token;
use crate::shares::PoolId;
use crate::stats::RemovalCause;
use crate::sync::Arc;
use crate::table::Loc;

/// Where a write is to land, as it was when the call began.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    pub(crate) word: PlaceWord,
    /// Read before the word.
    pub(crate) epoch: Epoch,
    pub(crate) local: &'a Local,
}

/// What `sweep` did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swept {
    /// Entries that were taken out.
    pub(crate) steps: usize,
    /// Scopes that were looked at in vain, if the budget ended that.
    pub(crate) looks: usize,
    /// Whether nothing is left that is known, or could be, unreachable.
    pub(crate) done: bool,
}

impl Stripe {
    /// Files an entry that was just linked; or takes it out again if its scope has ended, as if the write had come just before that.
    pub(super) fn enter(
        &mut self,
        env: &Env<'_>,
        loc: Loc,
        hash: KeyHash,
        home: Home<'_>,
        admitted: Admitted,
    ) {
        let generation = admitted.and_then(|generation| {
            if generation.is_some() || self.members.scope(home.word).n_entries > 0 {
                return Ok(generation);
            }
            // The last others of the scope have made room for this one.
            generation_now(env, home)
        });
        let Ok(generation) = generation else {
            let writer = self.table.writer(&env.front.table);
            let pool = PoolId::from_bits(home.word.pool());
            // What belongs to nobody was claimed by nobody.
            if let Some(block) = writer.block(loc).filter(|_| pool != PoolId::ROOT) {
                env.ground.shares.give_entry_back(pool);
                env.ground.shares.give_back(pool, cost(block));
            }
            return self.leave(env, loc, hash, RemovalCause::Invalidated);
        };
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return;
        };
        if let Some(member) = block.member() {
            let make = || generation.expect("without a record, there is one from above");
            let joined = self.members.join(home.word, make, hash, cost(block));
            member.set_at((joined.token.bits(), joined.scope.bits()));
            let (entry, pool) = (cost(block), pool_of(block));
            self.count_in(env, entry, pool, joined.is_first_of_pool);
        }
    }

    /// Whether the scope of a write is still what it was when the call began; its generation, if it has no record here.
    pub(super) fn admit(&mut self, env: &Env<'_>, home: Home<'_>) -> Admitted {
        // Drawn before the scope is seen to live, so that its next life begins above.
        if self.version < floor_of(home.word.id())
            || (self.version + 1).trailing_zeros() >= VERSIONS_LOG2
        {
            self.version = env.ground.registry.next_versions();
        }
        if self.members.scope(home.word).n_entries == 0 {
            return generation_now(env, home);
        }
        if env.ground.registry.epoch() == home.epoch || home.local.holds(home.word) {
            Ok(None)
        } else {
            Err(ScopeEnded)
        }
    }

    /// Versions grow by key: those of a stripe do, and a life of a scope begins above the versions of all before it, which may
    /// have been in other stripes. A stripe draws them in blocks.
    #[inline(always)]
    pub(super) fn next_version(&mut self, env: &Env<'_>) {
        self.version += 1;
        if self.version.trailing_zeros() >= VERSIONS_LOG2 {
            self.version = env.ground.registry.next_versions() + 1;
        }
    }

    /// Takes an entry that was just unlinked out of its like.
    pub(super) fn part_from_scope(
        &mut self,
        env: &Env<'_>,
        block: BlockRef<'_>,
        cause: RemovalCause,
    ) {
        if let Some((token, scope)) = membership(block) {
            let left = self.members.leave(token, scope, cost(block));
            let (cost, pool) = (cost(block), pool_of(block));
            self.count_out(env, cost, pool, left.is_last_of_pool, cause);
            self.pending.lives.extend(left.generation);
        }
    }

    /// The successor of an entry takes its place among its like.
    pub(super) fn succeed(&mut self, env: &Env<'_>, loc: Loc, old: &Block) {
        let writer = self.table.writer(&env.front.table);
        let (Some(block), old) = (writer.block(loc), old.as_ref()) else {
            return;
        };
        if let (Some(new), Some(before)) = (block.member(), old.member()) {
            new.set_at(before.at());
            if let Some((_, scope)) = membership(old) {
                let (before, after, pool) = (cost(old), cost(block), pool_of(block));
                self.members.resize(scope, before, after);
                self.count_change(env, before, after, pool);
            }
        }
    }

    /// Takes out what belongs to scopes that have ended: looks at `budget` scopes, and takes `budget` entries.
    #[inline]
    pub(crate) fn sweep(&mut self, env: &Env<'_>, budget: usize) -> Swept {
        if self.members.len() == 0 {
            return Swept {
                steps: 0,
                looks: 0,
                done: true,
            };
        }
        self.sweep_dead(env, budget)
    }

    fn sweep_dead(&mut self, env: &Env<'_>, budget: usize) -> Swept {
        let epoch = env.ground.registry.epoch();
        let sought = self.members.seek_dead(epoch.bits(), budget, |life| {
            !env.ground.registry.is_over(life)
        });
        let mut steps = 0;
        let mut emptier = None;
        while steps < budget {
            let Some((hash, token)) = self.members.next_dead() else {
                break;
            };
            let loc = self
                .table
                .writer(&env.front.table)
                .find_member(hash, token.bits());
            debug_assert!(loc.is_some(), "K4: a member is linked");
            let Some(loc) = loc else { break };
            let cause = self.cause_with_scope(env, loc);
            self.leave(env, loc, hash, cause);
            emptier = Some(hash);
            steps += 1;
        }
        if let Some(hash) = emptier {
            self.shrink(env, hash);
        }
        Swept {
            steps,
            looks: if sought || steps > 0 { 0 } else { budget },
            done: sought && self.members.next_dead().is_none(),
        }
    }

    /// Why an entry leaves whose scope has ended: what was over before that is no part of what ended.
    fn cause_with_scope(&mut self, env: &Env<'_>, loc: Loc) -> RemovalCause {
        let writer = self.table.writer(&env.front.table);
        let was_over = |block: BlockRef<'_>| {
            let due = block.earliest();
            due != Nanos::MAX
                && membership(block).is_some_and(|(_, scope)| {
                    let ended_at = self.members.generation(scope).ended_at();
                    ended_at.is_some_and(|ended_at| due <= ended_at)
                })
        };
        if writer.block(loc).is_some_and(was_over) {
            RemovalCause::Expired
        } else {
            RemovalCause::Invalidated
        }
    }

    /// Why an entry leaves that was due at that time: its scope may have ended before, without its having been swept since.
    pub(super) fn cause_when_due(
        &self,
        env: &Env<'_>,
        scope: Option<ScopeIdx>,
        due: Nanos,
    ) -> RemovalCause {
        let ended_before = scope.is_some_and(|scope| {
            let life = self.members.generation(scope);
            env.ground.registry.is_over(life)
                && life.ended_at().is_some_and(|ended_at| ended_at < due)
        });
        if ended_before {
            RemovalCause::Invalidated
        } else {
            RemovalCause::Expired
        }
    }

    /// What a scope holds here.
    pub(crate) fn holding(&self, word: PlaceWord) -> Holding {
        self.members.scope(word)
    }

    pub(crate) fn begin_walk(&mut self, word: PlaceWord) -> Option<WalkId> {
        self.members.begin_walk(word)
    }

    /// Counts of the next entries of a walk.
    pub(crate) fn walk_on(
        &mut self,
        env: &Env<'_>,
        id: WalkId,
        n_max: usize,
        out: &mut Vec<Block>,
    ) -> Walked {
        let mut named = Vec::new();
        let walked = self.members.walk_on(id, n_max, &mut named);
        let writer = self.table.writer(&env.front.table);
        out.extend(named.into_iter().filter_map(|(hash, token)| {
            let loc = writer.find_member(hash, token.bits())?;
            writer.block(loc).map(BlockRef::acquire)
        }));
        walked
    }

    pub(crate) fn end_walk(&mut self, id: WalkId) {
        self.members.end_walk(id);
    }

    /// Lets the lists of members give back memory that is to spare.
    pub(crate) fn shrink_members(&mut self, env: &Env<'_>, budget: usize) {
        let writer = self.table.writer(&env.front.table);
        self.members.shrink(budget, |hash, old, new| {
            let block = writer
                .find_member(hash, old.bits())
                .and_then(|loc| writer.block(loc))
                .expect("K4: a member is linked");
            let (_, scope) = membership(block).expect("a member has its words");
            block
                .member()
                .expect("a member has its words")
                .set_at((new.bits(), scope.bits()));
            scope
        });
    }
}

/// The generation of a scope that a write is for, if it has no record here yet.
pub(super) type Admitted = Result<Option<Arc<Generation>>, ScopeEnded>;

/// The life where a write is to land, if that is there still.
fn generation_now(env: &Env<'_>, home: Home<'_>) -> Admitted {
    let stands = env.ground.registry.epoch() == home.epoch;
    let generation = home.local.generation_of(home.word, stands);
    generation.map(Some).ok_or(ScopeEnded)
}

/// The scope of a write has ended since the call began.
#[derive(Debug)]
pub(super) struct ScopeEnded;

pub(super) fn membership(block: BlockRef<'_>) -> Option<(Token, ScopeIdx)> {
    let (token, scope) = block.member()?.at();
    Some((Token::from_bits(token)?, ScopeIdx::from_bits(scope)?))
}
