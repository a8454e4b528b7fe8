//! What is judged: a cache behind two traits, of which the real one is an implementation.
//!
//! # Idea         a subject gives each thread of a history a guest, and guests answer calls. The real one passes them on to a
//!   `larder::Cache` and its scopes; wrappers with faults stand before it (`plants`)
//! # Not here     who calls, and when (`crew`); the calls themselves (`view`)

use std::sync::Arc;
use std::time::Duration;

use larder::{Cache, OwnedScope, Scope};

use crate::call::{Answer, Call, Cell, Place};
use crate::content::{Content, Owner, Within};
use crate::draw::Draw;
use crate::pace::{HandClock, Line, pause};
use crate::view::{Asked, View as _};

/// A cache, or what poses as one.
pub(crate) trait Subject: Send + Sync {
    /// A thread's way to it in one history.
    fn guest<'s>(&'s self, seat: Seat) -> Box<dyn Guest + 's>;
}

/// Answers calls.
pub(crate) trait Guest {
    fn perform(&self, call: &Call) -> Answer;
}

/// A thread's place at a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) history: u64,
    /// Whether the thread asks for scopes anew with each call.
    pub(crate) asks_anew: bool,
}

/// The cache itself.
#[derive(Debug)]
pub(crate) struct Real<V: Content + ?Sized> {
    cache: Cache<V>,
    line: Arc<Line>,
    tick_ns: u64,
}

impl<V: Content + ?Sized> Real<V> {
    /// A cache that is large enough for all that it is given, whose entries end so many ticks after their last use, if they do, and that
    /// is otherwise drawn from a seed.
    pub(crate) fn new(seed: u64, idle: Option<u64>, line: &Arc<Line>) -> Real<V> {
        let mut draw = Draw::new(seed);
        let tick_ns = draw.of(&[1, 1000, 1_000_000, 70_000_000, 3_600_000_000_000]);
        let mut builder = Cache::builder()
            .max_bytes(1 << 30)
            .stripes(1 << draw.below(3))
            .weigher(|_, _: &V| {
                pause();
                1
            })
            .clock(HandClock {
                line: Arc::clone(line),
                tick_ns,
            });
        if let Some(ticks) = idle {
            builder = builder.time_to_idle(Duration::from_nanos(ticks * tick_ns));
        }
        if draw.below(2) == 0 {
            builder = builder.listener(|_, _, _| pause());
        }
        Real {
            cache: builder.build().expect("the configuration is constant"),
            line: Arc::clone(line),
            tick_ns,
        }
    }

    fn outer(&self) -> Scope<'_, V> {
        self.cache.scope("outer").expect("the name is good")
    }

    fn inner<'c>(outer: &Scope<'c, V>) -> Scope<'c, V> {
        outer.scope("inner").expect("the name is good")
    }
}

impl<V: Content + ?Sized> Subject for Real<V> {
    fn guest<'s>(&'s self, seat: Seat) -> Box<dyn Guest + 's> {
        let held = || {
            let outer = self.outer();
            let inner = Self::inner(&outer);
            [outer.into_owned(), inner.into_owned()]
        };
        Box::new(Caller {
            real: self,
            history: seat.history,
            held: (!seat.asks_anew).then(held),
        })
    }
}

struct Caller<'r, V: Content + ?Sized> {
    real: &'r Real<V>,
    history: u64,
    /// The scopes, outer and inner, unless they are asked for anew.
    held: Option<[OwnedScope<V>; 2]>,
}

impl<V: Content + ?Sized> Caller<'_, V> {
    /// The operations are the same in each place, but the types that have them aren't.
    fn perform_at(&self, cell: Cell, call: &Call) -> Answer {
        let real = self.real;
        let asked = Asked {
            owner: Owner {
                history: self.history,
                cell,
            },
            tick_ns: real.tick_ns,
            line: &real.line,
        };
        match (cell.place, &self.held) {
            (Place::Root, _) => Within::Cache(&real.cache).perform(asked, call),
            (Place::Outer, Some([outer, _])) => Within::Owned(outer).perform(asked, call),
            (Place::Inner, Some([_, inner])) => Within::Owned(inner).perform(asked, call),
            (Place::Outer, None) => Within::Scope(&real.outer()).perform(asked, call),
            (Place::Inner, None) => Within::Scope(&Real::inner(&real.outer())).perform(asked, call),
        }
    }

    fn invalidate(&self, place: Place) {
        match (place, &self.held) {
            (Place::Root, _) => {}
            (Place::Outer, Some([outer, _])) => outer.invalidate(),
            (Place::Inner, Some([_, inner])) => inner.invalidate(),
            (Place::Outer, None) => self.real.outer().invalidate(),
            (Place::Inner, None) => Real::inner(&self.real.outer()).invalidate(),
        }
    }

    fn clear(&self, place: Place) {
        match (place, &self.held) {
            (Place::Root, _) => self.real.cache.clear(),
            (Place::Outer, Some([outer, _])) => outer.clear(),
            (Place::Inner, Some([_, inner])) => inner.clear(),
            (Place::Outer, None) => self.real.outer().clear(),
            (Place::Inner, None) => Real::inner(&self.real.outer()).clear(),
        }
    }
}

impl<V: Content + ?Sized> Guest for Caller<'_, V> {
    fn perform(&self, call: &Call) -> Answer {
        match call {
            Call::Invalidate(place) => self.invalidate(*place),
            Call::Clear(place) => self.clear(*place),
            Call::Maintain => {
                self.real.cache.maintain(MAINTAIN_STEPS);
            }
            // The clock is moved by whoever owns the line.
            Call::Advance(_) => {}
            Call::GetMany(cells) => match cells.first() {
                Some(cell) => return self.perform_at(*cell, call),
                None => return Answer::Entries(Vec::new()),
            },
            call => {
                if let Some(cell) = call.cell() {
                    return self.perform_at(cell, call);
                }
            }
        }
        Answer::Done
    }
}

const MAINTAIN_STEPS: usize = 64;
