//! The shelf of a stripe, with memory for its next block.

use std::alloc::Layout;
use std::mem;

use crate::entry::{self, Husk, Husks};

/// A shelf for one piece of memory.
#[allow(missing_debug_implementations)]
pub struct Shelf(entry::Shelf);

impl Shelf {
    /// An empty shelf.
    pub fn new() -> Shelf {
        Shelf(entry::Shelf::new())
    }

    /// Puts a piece there, if the shelf is empty. Whether it did.
    pub fn fill(&self) -> bool {
        let layout = Layout::from_size_align(64, 16).expect("a small block");
        let mut husks = Husks::default();
        husks.push(Husk::allocate(layout).expect("there is memory"));
        self.0.fill(&mut husks);
        husks.len() == 0
    }

    /// Takes what is there. Whether there was anything.
    pub fn take(&self) -> bool {
        kept(self.0.take())
    }

    /// The same by a look and then a write, which is what the model's failing twin does.
    pub fn take_in_two_steps(&self) -> bool {
        kept(self.0.take_in_two_steps())
    }
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf::new()
    }
}

/// Not freed, so that two who take one piece fail by an assertion (M2).
fn kept(husk: Option<Husk>) -> bool {
    husk.map(mem::forget).is_some()
}
