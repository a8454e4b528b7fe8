//! Who has entries in a stripe: the scopes, and the pools that they are charged to.
//!
//! # Idea
//! Each scope with entries here has a record, found by its word and then named by place; each pool likewise. Three kinds
//! of lists, all of them `rings`': the entries of a scope, in the order in which they joined; the scopes of a pool; and
//! the scopes in the order in which they will be looked at for being dead, those that were found dead apart.
//!
//! ```text
//! entry block -- token --> ring record { hash } -- list of --> Scope { word, generation, bytes } -- list of --> Pool
//!             -- place ------------------------------------------^
//! ```
//!
//! A list record carries the hash of its entry: whoever has (hash, token) finds the entry in the table. Dead scopes are
//! sought in cycles. A cycle begins when the epoch has grown; what hasn't been looked at in it stands in front, and what
//! joins is put there too.
//!
//! # Costs
//! join: one look-up by word. leave, resize: O(1), no look-up. victims, `walk_on`, `seek_dead`: O(what was asked for).
//! 16 bytes an entry; 64 a scope and 32 a pool, each with 6 to 10 of the roster's; nothing while there are none.
//!
//! # Invariants
//! - M1 A scope is here while it has entries, a pool while it has scopes; their sums are those of their entries.
//! - M2 Of the scopes not known to be dead, exactly the first `n_unseen` haven't been looked at in this cycle.
//! - M3 A pool's `hand` is in the list of the pool's first scope.
//! - M4 A list of entries keeps the order of joining, so that walks meet nothing twice.
//! - M5 `growth_bytes` is exactly what the next `join` adds to `memory_bytes`.
//!
//! # Not here
//! Entries, generations and their epoch, limits (module `shares`), any lock.

mod roster;
mod scope;
mod walk;

use self::roster::Roster;
pub(crate) use self::scope::ScopeIdx;
use self::scope::{ByPool, ByTurn, Pool, Scope};
use self::walk::Walks;
pub(crate) use self::walk::{WalkId, Walked};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::rings::{Links, ListId, Lists, Rings, Token};

/// What an entry keeps of having joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Membership {
    /// The entry's record in the list of its scope.
    pub(crate) token: Token,
    /// The place of the scope's record.
    pub(crate) scope: ScopeIdx,
    /// Whether its pool had no entry here before.
    pub(crate) is_first_of_pool: bool,
}

/// What else ended with an entry.
#[derive(Debug)]
pub(crate) struct Left<G> {
    /// The generation of its scope, if that has no more entries here. To be dropped without the stripe's lock.
    pub(crate) generation: Option<G>,
    /// Whether its pool has no more entries here.
    pub(crate) is_last_of_pool: bool,
}

/// What a scope or a pool has in this stripe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Holding {
    /// The number of entries.
    pub(crate) n_entries: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// The members of one stripe. See the module.
#[derive(Debug)]
pub(crate) struct Members<G> {
    /// The entries, and as owners of their lists the scopes.
    entries: Rings<Roster<Scope<G>>>,
    pools: Roster<Pool>,
    /// The ends of the lists `TO_SEE` and `DEAD`.
    turns: [Links; 2],
    n_dead: usize,
    /// The bytes of those that are known to be dead.
    unreachable: u64,
    /// The newest epoch that was told, and the mark of its cycle.
    epoch: u64,
    cycle: u32,
    n_unseen: usize,
    walks: Walks,
}

impl<G> Members<G> {
    /// No members. The seed keeps it from being known which words share a bucket.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            entries: Rings::of(Roster::new(seed)),
            pools: Roster::new(seed),
            turns: [TO_SEE, DEAD].map(Links::empty),
            n_dead: 0,
            unreachable: 0,
            epoch: 0,
            cycle: scope::FIRST_CYCLE,
            n_unseen: 0,
            walks: Walks::default(),
        }
    }

    /// The number of entries that have joined.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of scopes with entries here.
    pub(crate) fn n_scopes(&self) -> usize {
        self.entries.owners().len()
    }

    /// Files an entry under its scope. `make` gives the generation if none of the scope's entries is here yet.
    pub(crate) fn join(
        &mut self,
        word: PlaceWord,
        make: impl FnOnce() -> G,
        hash: KeyHash,
        bytes: u64,
    ) -> Membership {
        let found = self.entries.owners().find(word.bits());
        let at = match found {
            Some(at) => at,
            None => self.open(word, make()),
        };
        let token = self.entries.push_back(scope::list_of(at), hash.bits());
        let scope = self.entries.owners_mut().get_mut(at);
        scope.n_entries += 1;
        scope.bytes += bytes;
        if scope.is_dead() {
            self.unreachable += bytes;
        }
        let pool = self.pools.get_mut(scope.pool);
        pool.n_entries += 1;
        pool.bytes += bytes;
        Membership {
            token,
            scope: ScopeIdx(at),
            is_first_of_pool: pool.n_entries == 1,
        }
    }

    /// Takes an entry out; its token names nothing from here on.
    pub(crate) fn leave(&mut self, token: Token, scope: ScopeIdx, bytes: u64) -> Left<G> {
        let at = scope.0;
        let next = self.entries.after(token);
        self.walks.pass(token, next);
        let scope = self.entries.owners_mut().get_mut(at);
        scope.n_entries -= 1;
        scope.bytes -= bytes;
        if scope.is_dead() {
            self.unreachable -= bytes;
        }
        let pool_at = scope.pool;
        let pool = self.pools.get_mut(pool_at);
        pool.n_entries -= 1;
        pool.bytes -= bytes;
        let is_last_of_pool = pool.n_entries == 0;
        if pool.hand == Some(token) {
            self.set_hand(pool_at, at, next);
        }
        let emptied = self.entries.unlink(token).emptied;
        debug_assert!(emptied.is_none_or(|list| list == scope::list_of(at)));
        Left {
            generation: emptied.map(|_| self.close(at)),
            is_last_of_pool,
        }
    }

    /// What was given when the first entry of a scope joined.
    pub(crate) fn generation(&self, scope: ScopeIdx) -> &G {
        &self.entries.owners().get(scope.0).generation
    }

    /// Follows an entry that was replaced by a larger or smaller one in its place.
    pub(crate) fn resize(&mut self, scope: ScopeIdx, bytes_before: u64, bytes: u64) {
        let scope = self.entries.owners_mut().get_mut(scope.0);
        let resized = |sum: u64| sum - bytes_before + bytes;
        scope.bytes = resized(scope.bytes);
        if scope.is_dead() {
            self.unreachable = resized(self.unreachable);
        }
        let pool = self.pools.get_mut(scope.pool);
        pool.bytes = resized(pool.bytes);
    }

    /// What a scope has here.
    pub(crate) fn scope(&self, word: PlaceWord) -> Holding {
        let scopes = self.entries.owners();
        scopes
            .find(word.bits())
            .map_or(Holding::default(), |at| scopes.get(at).holding())
    }

    /// What a pool has here, in all its scopes.
    #[cfg(test)]
    pub(crate) fn pool(&self, pool: u32) -> Holding {
        self.pools
            .find(u64::from(pool))
            .map_or(Holding::default(), |at| self.pools.get(at).holding())
    }

    /// The next entries of a pool, `n_max` at most: goes on where the last call ended, round and round, so that each entry
    /// comes once a round. None comes twice in a call.
    pub(crate) fn victims(&mut self, pool: u32, n_max: usize, out: &mut Vec<(KeyHash, Token)>) {
        let Some(pool_at) = self.pools.find(u64::from(pool)) else {
            return;
        };
        let pool = self.pools.get(pool_at);
        for _ in 0..n_max.min(pool.n_entries as usize) {
            let pool = self.pools.get(pool_at);
            let Some(at) = pool.scopes.next() else {
                return;
            };
            let Some(token) = pool.hand.or_else(|| self.entries.front(scope::list_of(at))) else {
                return;
            };
            out.push((KeyHash::from_bits(self.entries.payload(token)), token));
            self.set_hand(pool_at, at, self.entries.after(token));
        }
    }

    /// Looks at the next scopes for being dead, `steps` at most; true if all have been looked at since `epoch` grew.
    /// An epoch below the newest that was told counts as that.
    pub(crate) fn seek_dead(
        &mut self,
        epoch: u64,
        steps: usize,
        is_live: impl Fn(&G) -> bool,
    ) -> bool {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.cycle = scope::next_cycle(self.cycle);
            self.n_unseen = self.n_scopes() - self.n_dead;
        }
        for _ in 0..steps {
            let mut turns = ByTurn {
                turns: &mut self.turns,
                scopes: self.entries.owners_mut(),
            };
            let Some(at) = turns.front(TO_SEE).filter(|_| self.n_unseen > 0) else {
                break;
            };
            self.n_unseen -= 1;
            turns.detach(at);
            let is_dead = !is_live(&turns.scopes.get(at).generation);
            turns.link_back(if is_dead { DEAD } else { TO_SEE }, at);
            let scope = turns.scopes.get_mut(at);
            if is_dead {
                scope.seen = scope::SEEN_DEAD;
                self.n_dead += 1;
                self.unreachable += scope.bytes;
            } else {
                scope.seen = self.cycle;
            }
        }
        self.n_unseen == 0
    }

    /// An entry of a scope that is known to be dead; the same one until it leaves.
    pub(crate) fn next_dead(&self) -> Option<(KeyHash, Token)> {
        let scope = self.turns[DEAD.0 as usize].next()?;
        let token = self.entries.front(scope::list_of(scope))?;
        Some((KeyHash::from_bits(self.entries.payload(token)), token))
    }

    /// The bytes of entries whose scope is known to be dead.
    pub(crate) fn unreachable_bytes(&self) -> u64 {
        self.unreachable
    }

    /// The bytes that all this takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.memory_bytes() + self.pools.memory_bytes() + self.walks.memory_bytes()
    }

    /// The bytes that one more entry of a scope adds to [`Members::memory_bytes`]: mostly none.
    pub(crate) fn growth_bytes(&self, word: PlaceWord) -> usize {
        let scopes = self.entries.owners();
        let entry = self.entries.growth_bytes();
        let (scope, pool) = (scopes.growth_bytes(), self.pools.growth_bytes());
        if scope + pool == 0 || scopes.find(word.bits()).is_some() {
            entry
        } else if pool == 0 || self.pools.find(u64::from(word.pool())).is_some() {
            entry + scope
        } else {
            entry + scope + pool
        }
    }

    /// Gives memory back if there is much to spare, `budget` records moved or chunks freed at most. `moved` learns an
    /// entry's hash, and its old and new token, and answers with the scope's place that the entry keeps.
    pub(crate) fn shrink(
        &mut self,
        budget: usize,
        mut moved: impl FnMut(KeyHash, Token, Token) -> ScopeIdx,
    ) {
        let (pools, walks) = (&mut self.pools, &mut self.walks);
        self.entries
            .shrink_with(budget, |scopes, payload, from, to| {
                let scope = moved(KeyHash::from_bits(payload), from, to);
                walks.rename(from, to);
                let pool = pools.get_mut(scopes.get(scope.0).pool);
                if pool.hand == Some(from) {
                    pool.hand = Some(to);
                }
            });
    }

    /// Makes the record of a scope, and of its pool if that has none either.
    fn open(&mut self, word: PlaceWord, generation: G) -> Token {
        let pool_key = u64::from(word.pool());
        let pool = match self.pools.find(pool_key) {
            Some(pool) => pool,
            None => self.pools.insert(|at| Pool::new(word.pool(), at)),
        };
        let seen = scope::cycle_before(self.cycle);
        let scopes = self.entries.owners_mut();
        let at = scopes.insert(|at| Scope::new(word, generation, pool, seen, at));
        ByPool {
            pools: &mut self.pools,
            scopes,
        }
        .link_back(scope::list_of(pool), at);
        ByTurn {
            turns: &mut self.turns,
            scopes,
        }
        .link_front(TO_SEE, at);
        self.n_unseen += 1;
        at
    }

    /// Takes the record of a scope without entries away, and that of its pool if it was the last.
    fn close(&mut self, at: Token) -> G {
        let scopes = self.entries.owners_mut();
        ByTurn {
            turns: &mut self.turns,
            scopes,
        }
        .detach(at);
        let pools = &mut self.pools;
        let emptied = ByPool { pools, scopes }.detach(at);
        let scope = scopes.remove(at);
        if emptied.is_some() {
            self.pools.remove(scope.pool);
        }
        if scope.is_dead() {
            self.n_dead -= 1;
        } else if scope.seen != self.cycle {
            self.n_unseen -= 1;
        }
        scope.generation
    }

    /// Points a pool's hand to the next entry of its first scope; past the last one, sends that scope to the end.
    fn set_hand(&mut self, pool: Token, first_scope: Token, next: Option<Token>) {
        self.pools.get_mut(pool).hand = next;
        if next.is_none() {
            let mut lists = ByPool {
                pools: &mut self.pools,
                scopes: self.entries.owners_mut(),
            };
            lists.detach(first_scope);
            lists.link_back(scope::list_of(pool), first_scope);
        }
    }
}

/// Scopes that aren't known to be dead, the next to be looked at in front; and those that are.
const TO_SEE: ListId = ListId(0);
const DEAD: ListId = ListId(1);

#[cfg(test)]
mod tests;
