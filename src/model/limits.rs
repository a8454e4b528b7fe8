//! A tenant with a few tokens that never come back: leases, and the board, without a meter and without time.

use crate::limits::{Board, Cell, Taken};
use crate::sync::{Arc, Mutex};

/// What a faulty tenant does in two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwoSteps {
    /// Nothing.
    None,
    /// Taking from a lease.
    Take,
    /// Calling a lease in.
    CallIn,
}

/// Tokens of both dimensions, at a desk and in the leases of two threads.
#[derive(Debug)]
pub struct Tenant {
    cells: [Cell; 2],
    desk: Mutex<[u64; 2]>,
    fault: TwoSteps,
}

impl Tenant {
    /// So many tokens, of which the first thread has one of each on loan.
    pub fn open(tokens: [u64; 2], fault: TwoSteps) -> Arc<Tenant> {
        let cells = [Cell::new(), Cell::new()];
        cells[0].lend([1, 1]);
        let left = tokens.map(|n| n - 1);
        Arc::new(Tenant {
            cells,
            desk: Mutex::new(left),
            fault,
        })
    }

    /// Admits as a tenant's limits do: from the lease, else at the desk, which calls in before it refuses and lends on
    /// the way out.
    pub fn admit(&self, thread: usize, cost: [u64; 2]) -> bool {
        let taken = match self.fault {
            TwoSteps::Take => self.cells[thread].take_in_two_steps(cost),
            _ => self.cells[thread].take(cost[0], cost[1], || true),
        };
        if taken != Taken::No {
            return true;
        }
        let mut desk = self.desk.lock();
        self.call_in(thread, &mut desk);
        if !fits(&desk, cost) {
            self.call_in(1 - thread, &mut desk);
        }
        if !fits(&desk, cost) {
            return false;
        }
        *desk = [0, 1].map(|at| desk[at] - cost[at]);
        let lease = desk.map(|left| left.min(1));
        *desk = [0, 1].map(|at| desk[at] - lease[at]);
        self.cells[thread].lend(lease);
        true
    }

    /// Calls all leases in; what is left then.
    pub fn left(&self) -> [u64; 2] {
        let mut desk = self.desk.lock();
        self.call_in(0, &mut desk);
        self.call_in(1, &mut desk);
        *desk
    }

    fn call_in(&self, idx: usize, desk: &mut [u64; 2]) {
        let left = match self.fault {
            TwoSteps::CallIn => self.cells[idx].call_in_in_two_steps(),
            _ => self.cells[idx].call_in(),
        };
        *desk = [0, 1].map(|at| desk[at] + left[at]);
    }
}

fn fits(left: &[u64; 2], cost: [u64; 2]) -> bool {
    cost[0] <= left[0] && cost[1] <= left[1]
}

/// A board of two words.
#[derive(Debug)]
pub struct Slate(Board<2>);

impl Slate {
    /// Shows a one in both words.
    pub fn new() -> Arc<Slate> {
        let board = Board::new();
        board.show(&[1, 1]);
        Arc::new(Slate(board))
    }

    /// Shows a number in both words.
    pub fn show(&self, number: u64) {
        self.0.show(&[number, number]);
    }

    /// Shows nothing.
    pub fn retire(&self) {
        self.0.retire();
    }

    /// What is shown.
    pub fn read(&self) -> Option<[u64; 2]> {
        self.0.read()
    }

    /// What is shown, looked at once.
    pub fn read_once(&self) -> Option<[u64; 2]> {
        self.0.read_once()
    }
}
