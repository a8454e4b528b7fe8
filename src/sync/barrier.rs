//! The asymmetric barrier between a reader that publishes a hazard and a writer that is about to free.
//!
//! # Idea         A reader stores its hazard and loads again; a writer unlinks and then looks at the hazards. One of the
//!   two must see the other, which takes a store-load barrier on both sides. Readers are many, so theirs is
//!   made free: on Linux the writer's `membarrier` runs a full barrier on every core that runs this process.
//! # Costs        reader, light form: no instruction; writer: one system call, about 3 us with several threads running
//! # Invariants   B1 the form is decided once, before the first hazard is published, and never changes
//!   B2 `heavy` returns true only after a full barrier that began after the call did; after false
//!   (a filter that came later forbids the call) nothing may be freed
//! # Not here     the hazards themselves: module `reclaim`
//!
//! | form | reader | writer | used |
//! |---|---|---|---|
//! | light | store, compiler fence | `membarrier` (private expedited) | Linux, where registration succeeds |
//! | fence | store, full fence | full fence | elsewhere; loom; `--cfg engine_barrier="fence"` |
//! | swap | one sequentially consistent swap | full fence | ThreadSanitizer, which knows no fences; `--cfg engine_barrier="swap"` |

#[cfg(not(engine_loom))]
use super::Mutex;
use super::atomic::{AtomicPtr, Ordering, compiler_fence, fence};
#[cfg(not(engine_loom))]
use super::atomic::{AtomicU8, AtomicU64};

/// How the two sides are ordered; see the table of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    Light = 1,
    Fence = 2,
    Swap = 3,
}

/// Publishes `value` in `slot`, so that every load after this call is ordered after the publication, provided that
/// the other side calls [`heavy`] between its unlinking and its look at `slot`.
#[inline(always)]
pub(crate) fn publish<T>(slot: &AtomicPtr<T>, value: *mut T, form: Form) {
    if form == Form::Light {
        // Release: what was read under the name that this one overwrites was read before; pairs with a writer's look.
        slot.store(value, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    } else {
        publish_heavily(slot, value, form);
    }
}

#[cold]
fn publish_heavily<T>(slot: &AtomicPtr<T>, value: *mut T, form: Form) {
    if form == Form::Swap {
        // SeqCst: pairs with the sequentially consistent look at the slot in `reclaim`.
        slot.swap(value, Ordering::SeqCst);
    } else {
        // Release: as in the light form.
        slot.store(value, Ordering::Release);
        // SeqCst: pairs with the fence in `heavy`.
        fence(Ordering::SeqCst);
    }
}

/// The form that is in force in this process.
#[cfg(engine_loom)]
pub(crate) fn form() -> Form {
    Form::Fence
}

/// The writer's side: a full barrier.
#[cfg(engine_loom)]
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    true
}

#[cfg(not(engine_loom))]
static FORM: AtomicU8 = AtomicU8::new(0);

/// The form that is in force in this process.
#[cfg(not(engine_loom))]
#[inline(always)]
pub(crate) fn form() -> Form {
    // Relaxed: a cache calls `decide` before it exists, and whoever holds a cache got it after that.
    if FORM.load(Ordering::Relaxed) == Form::Light as u8 {
        Form::Light
    } else {
        form_slowly()
    }
}

#[cfg(not(engine_loom))]
#[cold]
fn form_slowly() -> Form {
    match FORM.load(Ordering::Relaxed) {
        1 => Form::Light,
        3 => Form::Swap,
        _ => Form::Fence,
    }
}

/// Chooses the form, once for the process (B1).
#[cfg(not(engine_loom))]
pub(crate) fn decide() -> Form {
    static DECISION: super::OnceLock<Form> = super::OnceLock::new();
    *DECISION.get_or_init(|| {
        let form = if cfg!(engine_barrier = "swap") {
            Form::Swap
        } else if cfg!(engine_barrier = "fence") || !register() {
            Form::Fence
        } else {
            Form::Light
        };
        FORM.store(form as u8, Ordering::Relaxed);
        form
    })
}

/// Registers this process for the private expedited barrier; false where the kernel or a filter says no.
#[cfg(all(not(engine_loom), target_os = "linux"))]
fn register() -> bool {
    membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
}

#[cfg(all(not(engine_loom), not(target_os = "linux")))]
fn register() -> bool {
    false
}

#[cfg(all(not(engine_loom), target_os = "linux"))]
#[allow(unsafe_code)]
fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// The writer's side: returns after a full barrier on every core that runs a thread of this process. Calls that wait
/// for one another share one system call (B2). Called outside all locks.
#[cfg(not(engine_loom))]
pub(crate) fn heavy() -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static STARTED: AtomicU64 = AtomicU64::new(0);
    static FINISHED: AtomicU64 = AtomicU64::new(0);

    // SeqCst: the caller's unlinking comes before this fence, and what it reads afterwards after the barrier.
    fence(Ordering::SeqCst);
    if form() != Form::Light {
        return true;
    }
    // SeqCst: a call numbered above this one increments STARTED after this load, so it begins after we arrived.
    let arrived = STARTED.load(Ordering::SeqCst);
    let _turn = ONE_AT_A_TIME.lock();
    // Acquire: pairs with the release below, by the thread whose barrier serves us.
    if FINISHED.load(Ordering::Acquire) > arrived {
        return true;
    }
    // SeqCst: pairs with the load of `arrived` by those who come later.
    let ticket = STARTED.fetch_add(1, Ordering::SeqCst) + 1;
    let done = system_barrier();
    if done {
        // Release: pairs with the acquire above.
        FINISHED.store(ticket, Ordering::Release);
    }
    done
}

#[cfg(all(not(engine_loom), target_os = "linux"))]
fn system_barrier() -> bool {
    membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

#[cfg(all(not(engine_loom), not(target_os = "linux")))]
fn system_barrier() -> bool {
    true
}

#[cfg(all(test, not(engine_loom), not(miri)))]
mod tests;
