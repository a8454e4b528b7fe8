//! What is there of a key, and whether that is what a write asks for.

use super::{Condition, Env, Stripe};
use crate::entry::{Block, Probe};
use crate::hash::KeyHash;
use crate::table::Loc;

impl Stripe {
    /// A count of the entry that a reader asks for, after it lost too many races; of the one that the key has, if it asks for `any`.
    pub(crate) fn get(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        any: bool,
    ) -> Option<Block> {
        let writer = self.table.writer(&env.front.table);
        let block = writer.block(writer.find(hash, probe)?)?;
        (any || block.is(probe)).then(|| block.acquire())
    }

    /// Where the value of a key is linked.
    pub(super) fn find_value(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Option<Loc> {
        let writer = self.table.writer(&env.front.table);
        let loc = writer.find(hash, probe)?;
        writer.block(loc)?.is(probe).then_some(loc)
    }

    /// A count of the value that is linked there.
    pub(super) fn value_at(&mut self, env: &Env<'_>, loc: Loc) -> Option<Block> {
        let writer = self.table.writer(&env.front.table);
        let block = writer.block(loc).filter(|block| !block.is_absent())?;
        Some(block.acquire())
    }

    /// Whether what a write asks of the key's present entry holds.
    pub(super) fn holds(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        present: Option<Loc>,
        condition: Condition,
    ) -> bool {
        let writer = self.table.writer(&env.front.table);
        let value = present
            .and_then(|loc| writer.block(loc))
            .filter(|block| !block.is_absent());
        match condition {
            Condition::Always => true,
            Condition::Absent => value.is_none(),
            Condition::Present => value.is_some(),
            Condition::Version(version) => value.is_some_and(|block| block.version() == version),
            Condition::Load(id) => self.works.is_current(hash, id),
        }
    }
}
