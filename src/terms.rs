//! What a write may say of its entry besides key and value: how long it lives, when it is stale, of which kind its bytes are.
//!
//! # Idea         plain values that callers build; the engine turns them into deadlines under its lock
//! # Costs        none
//! # Not here     deadlines (module `stripe`), the terms of tenants (module `charter`)

use std::time::Duration;

/// How long an entry is to live.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::Ttl;
///
/// let minute = Duration::from_secs(60);
/// // Absent after a minute.
/// let plain = Ttl::after(minute);
/// // Fresh for a minute, and then stale for five: it is served, while one caller of `get_or_insert_with` loads it anew.
/// let stale = Ttl::after(minute).stale(5 * minute);
/// // Loaded anew by one caller from four fifths of the minute on, so that a hot entry never becomes stale; and up to a tenth
/// // of the minute shorter, so that entries which are written together don't end together.
/// let ahead = Ttl::after(minute).refresh_ahead(0.8).jitter(0.1);
/// # let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
/// # for ttl in [plain, stale, ahead] { cache.insert_with("key", "value", ttl)?; }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ttl {
    pub(crate) span: Span,
    pub(crate) stale: Duration,
    /// The share of the fresh time after which it is loaded anew; 1: at its end.
    pub(crate) ahead: f64,
    /// The share of the fresh time that it may be shorter by.
    pub(crate) jitter: f64,
    /// Whether it is cut to what is allowed, whatever the terms say of longer ones.
    pub(crate) is_clamped: bool,
}

/// How long an entry is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Default,
    Keep,
    Never,
    After(Duration),
}

impl Ttl {
    /// As long as the cache, the named cache or the tenant says for entries without a time to live of their own.
    pub const DEFAULT: Self = Self::of(Span::Default);

    /// As the entry that it replaces: until its deadline, and stale and loaded anew when that would have been, whatever is said besides.
    /// [`DEFAULT`](Self::DEFAULT) where none is replaced. The time to idle begins anew, as with each write.
    pub const KEEP: Self = Self::of(Span::Keep);

    /// For ever, as far as the terms of its tenant allow.
    pub const NEVER: Self = Self::of(Span::Never);

    /// So long; zero is refused by the write.
    ///
    /// It counts from the write to the nanosecond. Where all of an entry's times are above 4.1 s, it counts from the kernel's last tick
    /// before that, which saves a fifth of an insert: the entry may end so much earlier (1 to 10 ms, more only right after a pause of
    /// the machine), and never later.
    #[inline]
    pub const fn after(ttl: Duration) -> Self {
        Self::of(Span::After(ttl))
    }

    #[inline]
    const fn of(span: Span) -> Self {
        Self {
            span,
            stale: Duration::ZERO,
            ahead: 1.0,
            jitter: 0.0,
            is_clamped: false,
        }
    }

    /// The same, and so long stale afterwards. A stale entry is found by each look-up, until it is absent at the end of both times;
    /// `get_or_insert_with` and its like have one caller load it anew, and `lookup` says that it is stale.
    #[must_use]
    pub const fn stale(self, stale: Duration) -> Self {
        Self { stale, ..self }
    }

    /// The same, but loaded anew by one caller of `get_or_insert_with` from this share of the fresh time on (above 0; 1 and more:
    /// not before it is stale). Other callers get the entry as a fresh one meanwhile.
    #[must_use]
    pub const fn refresh_ahead(self, share: f64) -> Self {
        let ahead = if share.is_nan() { 1.0 } else { share };
        Self { ahead, ..self }
    }

    /// The same, but shorter by up to this share of the fresh time (0 to 1), drawn for each entry.
    #[must_use]
    pub const fn jitter(self, share: f64) -> Self {
        let jitter = if share.is_nan() { 0.0 } else { share };
        Self { jitter, ..self }
    }

    /// The same, but cut to the longest that the tenant or the named cache allows ([`Limits::ttl_max`](crate::Limits::ttl_max)) where it
    /// is longer, also where such are refused otherwise.
    #[must_use]
    pub const fn clamped(self) -> Self {
        Self {
            is_clamped: true,
            ..self
        }
    }

    /// Whether entries of it carry when they are to be loaded anew.
    pub(crate) fn is_refreshed(&self) -> bool {
        !self.stale.is_zero() || self.ahead < 1.0
    }
}

impl Default for Ttl {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<Duration> for Ttl {
    #[inline]
    fn from(ttl: Duration) -> Self {
        Self::after(ttl)
    }
}

/// What kind of value an entry's bytes are. The engine stores it with the entry and reads nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Tag {
    /// Bytes of no further meaning; what every write says that says nothing.
    #[default]
    Bytes = 0,
    /// Text in UTF-8.
    Text = 1,
    /// True or false.
    Boolean = 2,
    /// A whole number.
    Integer = 3,
    /// A floating-point number.
    Float = 4,
    /// A JSON text.
    Json = 5,
}

impl Tag {
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Text,
            2 => Self::Boolean,
            3 => Self::Integer,
            4 => Self::Float,
            5 => Self::Json,
            _ => Self::Bytes,
        }
    }
}

/// What a write says of its entry. A [`Ttl`], a [`Duration`] or a [`Tag`] alone turns into it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// How long the entry is to live.
    pub ttl: Ttl,
    /// What kind of value it is.
    pub tag: Tag,
    /// Whether it is a copy of what a further level has.
    pub(crate) is_copy: bool,
}

impl WriteOptions {
    /// The default time to live, and plain bytes.
    pub const fn new() -> Self {
        Self {
            ttl: Ttl::DEFAULT,
            tag: Tag::Bytes,
            is_copy: false,
        }
    }

    /// Whether they say nothing.
    #[inline]
    pub(crate) fn say_nothing(&self) -> bool {
        let Ttl { span, jitter, .. } = self.ttl;
        let is_plain = self.tag == Tag::Bytes && !self.is_copy;
        is_plain && jitter <= 0.0 && !self.ttl.is_refreshed() && matches!(span, Span::Default)
    }

    /// The time to live, if that is all they say, and it's a span that nothing shortens.
    #[inline]
    pub(crate) fn span_alone(&self) -> Option<Duration> {
        let Ttl { span, jitter, .. } = self.ttl;
        let is_plain = self.tag == Tag::Bytes && !self.is_copy;
        let is_alone = is_plain && jitter <= 0.0 && !self.ttl.is_refreshed();
        match span {
            Span::After(span) if is_alone && !span.is_zero() => Some(span),
            _ => None,
        }
    }

    /// The same with this time to live.
    #[must_use]
    #[inline]
    pub fn ttl(self, ttl: impl Into<Ttl>) -> Self {
        Self {
            ttl: ttl.into(),
            ..self
        }
    }

    /// The same with this tag.
    #[must_use]
    pub const fn tag(self, tag: Tag) -> Self {
        Self { tag, ..self }
    }

    /// The same of a copy.
    pub(crate) const fn copy(self) -> Self {
        Self {
            is_copy: true,
            ..self
        }
    }
}

impl From<Ttl> for WriteOptions {
    fn from(ttl: Ttl) -> Self {
        Self::new().ttl(ttl)
    }
}

impl From<Duration> for WriteOptions {
    #[inline]
    fn from(ttl: Duration) -> Self {
        Self::new().ttl(ttl)
    }
}

impl From<Tag> for WriteOptions {
    fn from(tag: Tag) -> Self {
        Self::new().tag(tag)
    }
}
