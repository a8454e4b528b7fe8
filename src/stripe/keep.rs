//! What of a stripe is kept beyond the process, and comes back.

use super::scopes::membership;
use super::{Env, Stripe};
use crate::entry::Block;
use crate::lineage::Generation;
use crate::policy::{Learned, Meta, Past};
use crate::sync::Arc;
use crate::table::Cursor;

/// A count of an entry, what the policy knows of it, and the life of its scope, if it isn't in the root.
pub(crate) type Kept = (Block, Past, Option<Arc<Generation>>);

impl Stripe {
    /// The entries of the next segment from `cursor` on, due ones as well.
    pub(crate) fn keep_entries(
        &mut self,
        env: &Env<'_>,
        cursor: Cursor,
        out: &mut Vec<Kept>,
    ) -> Option<Cursor> {
        let (policy, members) = (&self.policy, &self.members);
        let writer = self.table.writer(&env.front.table);
        writer.collect(cursor, env.rehash(), |block, meta| {
            let past = policy.past(Meta::from_bits(meta));
            let scope = membership(block.as_ref()).map(|(_, scope)| scope);
            let life = scope.map(|scope| Arc::clone(members.generation(scope)));
            out.push((block, past, life));
        })
    }

    /// Adds what the policy has learned.
    pub(crate) fn add_learned(&self, to: &mut Learned) {
        self.policy.add_learned(to);
    }

    /// Lets the policy begin with what others have learned, if it has learned nothing itself.
    pub(crate) fn expect(&mut self, learned: &Arc<Learned>, n_stripes: usize) {
        self.policy.expect(learned, n_stripes);
    }
}
