//! What a cache can hold, and what it can be made from.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A type that a cache can hold: any sized `T`, or `[u8]` or `str` stored inside the entry.
///
/// It is shared by every thread that gets it, and may be dropped by any of them, at any time after it left the cache:
/// so `Send + Sync + 'static`. No `Clone` is asked for, and none is done. The trait is sealed.
///
/// A value that isn't `Sync`, or that borrows, does not compile:
///
/// ```compile_fail
/// let cache: larder::Cache<std::cell::Cell<u32>> = larder::Cache::builder().max_entries(8).build().unwrap();
/// ```
/// ```compile_fail
/// let cache: larder::Cache<std::rc::Rc<u32>> = larder::Cache::builder().max_entries(8).build().unwrap();
/// ```
/// ```compile_fail
/// let text = String::from("short-lived");
/// let cache: larder::Cache<&'static str> = larder::Cache::builder().max_entries(8).build().unwrap();
/// cache.insert("key", text.as_str()).unwrap();
/// drop(text);
/// ```
pub trait Value: Stored + Send + Sync + 'static {}

impl<T: Send + Sync + 'static> Value for T {}
impl Value for [u8] {}
impl Value for str {}

/// How a value lies in a block.
///
/// # Safety
/// `size_bytes` and `ALIGN` cover what `view` gives a reference to, and `view` is right for what `Source::write_to` wrote.
pub unsafe trait Stored {
    /// The alignment of the value's first byte.
    const ALIGN: usize;

    /// Whether dropping the value runs code.
    const NEEDS_DROP: bool;

    /// Whether the value's own bytes are all there is to it.
    const INLINE: bool;

    /// The bytes of a value of `len` elements; `None` where that is more than an allocation may have.
    fn size_bytes(len: usize) -> Option<usize>;

    /// # Safety
    /// A value of `len` elements was stored at `at`.
    unsafe fn view(at: NonNull<u8>, len: usize) -> NonNull<Self>;

    /// # Safety
    /// A value of `len` elements was stored at `at`, and nobody uses it again.
    unsafe fn destroy(at: *mut u8, len: usize);
}

// SAFETY: size and alignment are the type's own.
unsafe impl<T> Stored for T {
    const ALIGN: usize = align_of::<T>();
    const NEEDS_DROP: bool = std::mem::needs_drop::<T>();
    const INLINE: bool = !Self::NEEDS_DROP;

    #[inline]
    fn size_bytes(_len: usize) -> Option<usize> {
        Some(Layout::new::<T>().size())
    }

    #[inline]
    unsafe fn view(at: NonNull<u8>, _len: usize) -> NonNull<T> {
        at.cast()
    }

    #[inline]
    unsafe fn destroy(at: *mut u8, _len: usize) {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<T>().drop_in_place() }
    }
}

// SAFETY: bytes of alignment one; `len` says how many.
unsafe impl Stored for [u8] {
    const ALIGN: usize = 1;
    const NEEDS_DROP: bool = false;
    const INLINE: bool = true;

    #[inline]
    fn size_bytes(len: usize) -> Option<usize> {
        Some(len)
    }

    #[inline]
    unsafe fn view(at: NonNull<u8>, len: usize) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(at, len)
    }

    #[inline]
    unsafe fn destroy(_at: *mut u8, _len: usize) {}
}

// SAFETY: as for `[u8]`; what `Source<str>` stores is UTF-8.
unsafe impl Stored for str {
    const ALIGN: usize = 1;
    const NEEDS_DROP: bool = false;
    const INLINE: bool = true;

    #[inline]
    fn size_bytes(len: usize) -> Option<usize> {
        Some(len)
    }

    #[inline]
    unsafe fn view(at: NonNull<u8>, len: usize) -> NonNull<str> {
        let bytes = NonNull::slice_from_raw_parts(at, len);
        // A `str` is a `[u8]` in memory, so the cast keeps the length.
        // SAFETY: the pointer is not null, since `bytes` isn't.
        unsafe { NonNull::new_unchecked(bytes.as_ptr() as *mut str) }
    }

    #[inline]
    unsafe fn destroy(_at: *mut u8, _len: usize) {}
}

/// What a value of type `V` can be made from: a `T` for a `Cache<T>`; anything that derefs to bytes or text (by
/// `AsRef`) for a `Cache<[u8]>` or `Cache<str>`, copied into the entry.
///
/// # Safety
/// `write_to` writes a whole value of `n_elements()` elements.
pub unsafe trait Source<V: ?Sized>: Sized {
    /// What has to be kept to give the source back should the insert be refused.
    type Kept;

    /// The number of elements; 1 for a sized value.
    fn n_elements(&self) -> usize;

    /// The value that it holds.
    fn as_value(&self) -> &V;

    /// # Safety
    /// `at` is aligned and has room for a value of `len` elements; `len` is what `n_elements()` answered.
    unsafe fn write_to(self, at: *mut u8, len: usize) -> Self::Kept;

    /// # Safety
    /// `at` holds what `write_to` wrote, and nobody uses it again.
    unsafe fn restore(kept: Self::Kept, at: *mut u8) -> Self;
}

// SAFETY: a sized value is moved in and out as it is.
unsafe impl<T: Send + Sync + 'static> Source<T> for T {
    type Kept = ();

    #[inline]
    fn n_elements(&self) -> usize {
        1
    }

    fn as_value(&self) -> &T {
        self
    }

    #[inline]
    unsafe fn write_to(self, at: *mut u8, _len: usize) {
        // SAFETY: the caller's promise of room and alignment.
        unsafe { at.cast::<T>().write(self) }
    }

    unsafe fn restore((): (), at: *mut u8) -> T {
        // SAFETY: the caller's promise that it is whole and moved out once.
        unsafe { at.cast::<T>().read() }
    }
}

/// Copies `bytes` to `at`. An `AsRef` that answers another length than before gets its bytes cut or followed by
/// zeros: wrong, but its own doing, and no memory is touched that isn't the value's.
///
/// # Safety
/// `at` has room for `len` bytes.
#[inline]
unsafe fn copy(bytes: &[u8], at: *mut u8, len: usize) {
    let n = bytes.len().min(len);
    // SAFETY: `n <= len` bytes of room, and the block is fresh, so nothing overlaps.
    unsafe {
        at.copy_from_nonoverlapping(bytes.as_ptr(), n);
        if n < len {
            at.add(n).write_bytes(0, len - n);
        }
    }
}

// SAFETY: `copy` writes all of `len` bytes.
unsafe impl<S: AsRef<[u8]>> Source<[u8]> for S {
    type Kept = S;

    #[inline]
    fn n_elements(&self) -> usize {
        self.as_ref().len()
    }

    fn as_value(&self) -> &[u8] {
        self.as_ref()
    }

    #[inline]
    unsafe fn write_to(self, at: *mut u8, len: usize) -> S {
        // SAFETY: the caller's promise.
        unsafe { copy(self.as_ref(), at, len) };
        self
    }

    unsafe fn restore(kept: S, _at: *mut u8) -> S {
        kept
    }
}

// SAFETY: `copy` writes all of `len` bytes; text that was cut in a character is replaced by zeros, which are UTF-8.
unsafe impl<S: AsRef<str>> Source<str> for S {
    type Kept = S;

    #[inline]
    fn n_elements(&self) -> usize {
        self.as_ref().len()
    }

    fn as_value(&self) -> &str {
        self.as_ref()
    }

    #[inline]
    unsafe fn write_to(self, at: *mut u8, len: usize) -> S {
        let text = self.as_ref();
        let text = if text.len() == len { text } else { "" };
        // SAFETY: the caller's promise.
        unsafe { copy(text.as_bytes(), at, len) };
        self
    }

    unsafe fn restore(kept: S, _at: *mut u8) -> S {
        kept
    }
}

/// One of two things that a value can be made from.
pub(crate) enum OneOf<V: ?Sized, A, B> {
    First(A),
    /// The type says for which values it is a source: without that it could be one of itself.
    Second(B, PhantomData<fn() -> Box<V>>),
}

impl<V: ?Sized, A, B> OneOf<V, A, B> {
    pub(crate) fn second(second: B) -> Self {
        Self::Second(second, PhantomData)
    }
}

// SAFETY: whichever it is writes all of the value, and is restored from what it wrote.
unsafe impl<V, A, B> Source<V> for OneOf<V, A, B>
where
    V: Value + ?Sized,
    A: Source<V>,
    B: Source<V>,
{
    type Kept = OneOf<V, A::Kept, B::Kept>;

    fn n_elements(&self) -> usize {
        match self {
            Self::First(first) => first.n_elements(),
            Self::Second(second, _) => second.n_elements(),
        }
    }

    fn as_value(&self) -> &V {
        match self {
            Self::First(first) => first.as_value(),
            Self::Second(second, _) => second.as_value(),
        }
    }

    unsafe fn write_to(self, at: *mut u8, len: usize) -> Self::Kept {
        match self {
            // SAFETY: the caller's promise.
            Self::First(first) => OneOf::First(unsafe { first.write_to(at, len) }),
            // SAFETY: as above.
            Self::Second(second, _) => OneOf::second(unsafe { second.write_to(at, len) }),
        }
    }

    unsafe fn restore(kept: Self::Kept, at: *mut u8) -> Self {
        match kept {
            // SAFETY: the caller's promise; the same one of the two wrote what is there.
            OneOf::First(kept) => Self::First(unsafe { A::restore(kept, at) }),
            // SAFETY: as above.
            OneOf::Second(kept, _) => Self::second(unsafe { B::restore(kept, at) }),
        }
    }
}
