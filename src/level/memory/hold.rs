//! Calls that are stopped at will.

use std::fmt;
use std::time::Duration;

use super::{LevelCall, MemoryLevel};

pub(super) struct Held {
    id: u64,
    call: LevelCall,
    is_done: bool,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Awaited,
    Reached,
    Released,
}

impl MemoryLevel {
    /// Stops the next call of a kind before it does its work, until the hold is released.
    #[must_use]
    pub fn hold_before(&self, call: LevelCall) -> Hold {
        self.hold(call, false)
    }

    /// Stops the next call of a kind after it has done its work and before it answers, until the hold is released.
    #[must_use]
    pub fn hold_after(&self, call: LevelCall) -> Hold {
        self.hold(call, true)
    }

    fn hold(&self, call: LevelCall, is_done: bool) -> Hold {
        let mut state = self.shared.state.lock();
        state.last_hold += 1;
        let id = state.last_hold;
        state.holds.push(Held {
            id,
            call,
            is_done,
            stage: Stage::Awaited,
        });
        Hold {
            level: self.clone(),
            id,
        }
    }

    /// Waits where a hold is, if there is one.
    pub(super) fn stop(&self, call: LevelCall, is_done: bool) {
        let mut state = self.shared.state.lock();
        let holds = &mut state.holds;
        let held = holds.iter_mut().find(|held| {
            (held.call, held.is_done) == (call, is_done) && held.stage == Stage::Awaited
        });
        let Some(held) = held else {
            return;
        };
        held.stage = Stage::Reached;
        let id = held.id;
        self.shared.moved.notify_all();
        while (state.holds.iter()).any(|held| held.id == id && held.stage != Stage::Released) {
            self.shared.moved.wait_for(&mut state, LOOK_AGAIN);
        }
        state.holds.retain(|held| held.id != id);
    }
}

/// A call of a [`MemoryLevel`] that is stopped, or is to be. Dropping it releases the call.
pub struct Hold {
    level: MemoryLevel,
    id: u64,
}

impl Hold {
    /// Waits until a call has come to where it is stopped.
    pub fn wait(&self) {
        let shared = &self.level.shared;
        let mut state = shared.state.lock();
        while (state.holds.iter()).any(|held| held.id == self.id && held.stage == Stage::Awaited) {
            shared.moved.wait_for(&mut state, LOOK_AGAIN);
        }
    }

    /// Lets the call go on; none is stopped if none has come.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.level.shared.state.lock();
        let id = self.id;
        state
            .holds
            .retain(|held| held.id != id || held.stage == Stage::Reached);
        for held in state.holds.iter_mut().filter(|held| held.id == id) {
            held.stage = Stage::Released;
        }
        self.level.shared.moved.notify_all();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

/// Between two looks of who waits for a hold, should a wake-up be missed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
