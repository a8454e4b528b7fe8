//! Those who wait for one flight, in the order in which they came.
//!
//! # Idea         a doubly linked list in one vector, so that who gives up leaves from the middle at once
//! # Costs        enlist, choose and leave: O(1), and the vector's growth; 32 bytes a place
//! # Invariants   Q1 a place belongs to one ticket from `enlist` to `vacate`, whether it is in the list or was taken off it
//! # Not here     locks, and who is woken when

use std::mem;
use std::task::Waker;

use crate::sync::Sleeper;

/// No place.
const NIL: u32 = u32::MAX;

/// Who stands in a place, to be woken.
#[derive(Debug)]
pub(super) enum Who {
    /// Enlisted, and busy elsewhere: it looks at the flight before it sleeps.
    Awake,
    Thread(Sleeper),
    Task(Waker),
}

/// The place of one ticket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

#[derive(Debug)]
struct Slot {
    prev: u32,
    /// In the list, the one behind; of a vacant slot, the next vacant one.
    next: u32,
    who: Who,
}

#[derive(Debug)]
pub(super) struct Queue {
    slots: Vec<Slot>,
    first: u32,
    last: u32,
    vacant: u32,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            first: NIL,
            last: NIL,
            vacant: NIL,
        }
    }

    /// Adds a place at the end; `None` where there is no memory for it.
    pub(super) fn enlist(&mut self) -> Option<Place> {
        let place = self.claim()?;
        let last = mem::replace(&mut self.last, place);
        match self.slots.get_mut(last as usize) {
            Some(last) => last.next = place,
            None => self.first = place,
        }
        self.slots[place as usize].prev = last;
        Some(Place(place))
    }

    /// Takes the first place off the list, with who stands there. The place stays its ticket's.
    pub(super) fn choose(&mut self) -> Option<(Place, Who)> {
        if self.first == NIL {
            return None;
        }
        let place = Place(self.first);
        self.unlink(place);
        Some((place, self.stand(place, Who::Awake)))
    }

    /// Says who stands in a place, and gives back who stood there.
    pub(super) fn stand(&mut self, place: Place, who: Who) -> Who {
        mem::replace(&mut self.slots[place.0 as usize].who, who)
    }

    pub(super) fn who(&self, place: Place) -> &Who {
        &self.slots[place.0 as usize].who
    }

    /// Takes a place off the list and ends it; gives back who stood there.
    pub(super) fn leave(&mut self, place: Place) -> Who {
        self.unlink(place);
        self.vacate(place)
    }

    /// Ends a place that is off the list.
    pub(super) fn vacate(&mut self, place: Place) -> Who {
        let who = self.stand(place, Who::Awake);
        self.slots[place.0 as usize].next = mem::replace(&mut self.vacant, place.0);
        who
    }

    /// All who stand in the list, from the first to the last; ends all places.
    pub(super) fn into_all(mut self) -> impl Iterator<Item = Who> {
        std::iter::from_fn(move || self.choose().map(|(_, who)| who))
    }

    fn claim(&mut self) -> Option<u32> {
        if self.vacant != NIL {
            let place = self.vacant;
            let slot = &mut self.slots[place as usize];
            self.vacant = mem::replace(&mut slot.next, NIL);
            return Some(place);
        }
        let place = u32::try_from(self.slots.len()).ok()?;
        if place == NIL {
            return None;
        }
        self.slots.try_reserve(1).ok()?;
        self.slots.push(Slot {
            prev: NIL,
            next: NIL,
            who: Who::Awake,
        });
        Some(place)
    }

    fn unlink(&mut self, place: Place) {
        let slot = &mut self.slots[place.0 as usize];
        let prev = mem::replace(&mut slot.prev, NIL);
        let next = mem::replace(&mut slot.next, NIL);
        match self.slots.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => self.first = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => self.last = prev,
        }
    }
}

#[cfg(all(test, not(engine_loom)))]
impl Queue {
    /// How many are in the list.
    pub(super) fn len(&self) -> usize {
        self.follow(self.first).count()
    }

    /// Checks that the list closes, and that no place is both in it and vacant; O(slots).
    pub(super) fn validate(&self, n_off: usize) {
        let mut before = NIL;
        for place in self.follow(self.first) {
            assert_eq!(self.slots[place as usize].prev, before);
            before = place;
        }
        assert_eq!(self.last, before);
        let mut places: Vec<u32> = self
            .follow(self.first)
            .chain(self.follow(self.vacant))
            .collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(
            places.len() + n_off,
            self.slots.len(),
            "Q1: a place is lost or given twice"
        );
    }

    fn follow(&self, from: u32) -> impl Iterator<Item = u32> {
        let next = |place: &u32| Some(self.slots[*place as usize].next);
        let at = (from != NIL).then_some(from);
        // One more than there are: a list that doesn't close is seen, and doesn't hang the test.
        std::iter::successors(at, move |place| next(place).filter(|next| *next != NIL))
            .take(self.slots.len() + 1)
    }
}
