//! Words that one writer shows at once to readers that write nothing.
//!
//! # Idea         a sequence lock (Lamport, "Concurrent Reading and Writing", CACM 1977): the count is odd while words change, and a
//!   reader that sees the same even count before and after has seen words that belong together
//! # Costs        reading: the words and the count twice; no store
//! # Invariants   LB1 writers are excluded from each other by the caller; LB2 a retired board is never read
//! # Not here     what the words mean

#[cfg(not(engine_loom))]
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// The count of a board that shows nothing. Even, so that showing goes on from it.
const RETIRED: u64 = 0;

/// A board that is made when there is something to show for the first time.
#[cfg(not(engine_loom))]
#[derive(Debug)]
pub(super) struct LateBoard<const N: usize>(OnceLock<Box<Board<N>>>);

#[cfg(not(engine_loom))]
impl<const N: usize> LateBoard<N> {
    pub(super) fn new() -> LateBoard<N> {
        LateBoard(OnceLock::new())
    }

    /// See [`Board::show`].
    pub(super) fn show(&self, words: &[u64; N]) {
        self.0.get_or_init(|| Box::new(Board::new())).show(words);
    }

    /// See [`Board::retire`].
    pub(super) fn retire(&self) {
        if let Some(board) = self.0.get() {
            board.retire();
        }
    }

    /// See [`Board::read`].
    #[inline]
    pub(super) fn read(&self) -> Option<[u64; N]> {
        self.0.get()?.read()
    }
}

/// `N` words, shown or retired.
#[derive(Debug)]
pub(crate) struct Board<const N: usize> {
    count: AtomicU64,
    /// The count from which the next showing goes on, for the writer alone.
    latest: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Board<N> {
    /// A retired board.
    pub(crate) fn new() -> Board<N> {
        Board {
            count: AtomicU64::new(RETIRED),
            latest: AtomicU64::new(RETIRED),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Shows these words.
    pub(crate) fn show(&self, words: &[u64; N]) {
        let latest = self.latest.load(Ordering::Relaxed);
        self.count.store(latest + 1, Ordering::Relaxed);
        // Release: a reader that sees one of the words below, and passes its fence, sees the odd count as well.
        fence(Ordering::Release);
        for (slot, &word) in self.words.iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
        self.latest.store(latest + 2, Ordering::Relaxed);
        // Release: pairs with the acquiring load in `read`, so that the words are seen with their count.
        self.count.store(latest + 2, Ordering::Release);
    }

    /// Shows nothing from now on.
    pub(crate) fn retire(&self) {
        self.count.store(RETIRED, Ordering::Relaxed);
    }

    /// The words, if some are shown and none changed meanwhile.
    #[inline]
    pub(crate) fn read(&self) -> Option<[u64; N]> {
        // Acquire: pairs with the release in `show`.
        let before = self.count.load(Ordering::Acquire);
        if before == RETIRED || before % 2 == 1 {
            return None;
        }
        let words = self.words();
        // Acquire: pairs with the release fence in `show`: the second look at the count is not older than the words.
        fence(Ordering::Acquire);
        (self.count.load(Ordering::Relaxed) == before).then_some(words)
    }

    /// As `read`, without the second look: what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn read_once(&self) -> Option<[u64; N]> {
        let before = self.count.load(Ordering::Acquire);
        (before != RETIRED && before % 2 == 0).then(|| self.words())
    }

    #[inline]
    fn words(&self) -> [u64; N] {
        std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed))
    }
}
