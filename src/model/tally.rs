//! Look-ups that are counted for two tenants of one cache, in tables with a single place.

use crate::sync::Arc;
use crate::tally::{Counts, Event, Table, Tally, sum, sum_by_old_totals};

/// What a faulty one does in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miscount {
    /// Nothing.
    None,
    /// Who sums reads the totals before it holds the tables.
    TotalsFirst,
    /// A thread that ends folds without its table's lock.
    FoldUnlocked,
}

/// A cache, two tenants, and the tables of two threads.
#[allow(missing_debug_implementations)]
pub struct Books {
    cache: Arc<Tally>,
    tenants: [Arc<Tally>; 2],
    tables: [Table; 2],
    fault: Miscount,
}

impl Books {
    /// Nothing counted.
    pub fn new(fault: Miscount) -> Arc<Books> {
        let cache = Tally::numbered(1, None);
        let tenants = [2, 3].map(|number| Tally::numbered(number, Some(&cache)));
        Arc::new(Books {
            cache,
            tenants,
            tables: [Table::new(), Table::new()],
            fault,
        })
    }

    /// A thread counts a hit of a tenant's.
    pub fn count(&self, thread: usize, tenant: usize) {
        let (table, tally) = (&self.tables[thread], &self.tenants[tenant]);
        if !table.count(tally.id(), Event::Hit) {
            table.count_anew(tally, Event::Hit);
        }
    }

    /// A thread ends.
    pub fn end(&self, thread: usize) {
        if self.fault == Miscount::FoldUnlocked {
            self.tables[thread].clear_without_lock(&self.tenants);
        } else {
            self.tables[thread].clear();
        }
    }

    /// The hits of the whole cache.
    pub fn of_cache(&self) -> u64 {
        self.sum(&self.cache).of(Event::Hit)
    }

    /// The hits of a tenant.
    pub fn of_tenant(&self, tenant: usize) -> u64 {
        self.sum(&self.tenants[tenant]).of(Event::Hit)
    }

    fn sum(&self, tally: &Tally) -> Counts {
        if self.fault == Miscount::TotalsFirst {
            sum_by_old_totals(tally, self.tables.iter())
        } else {
            sum(tally, self.tables.iter())
        }
    }
}
