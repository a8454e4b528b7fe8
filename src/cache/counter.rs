//! Values that can be added to, and appended to.

use crate::entry::{Source, Value};

/// A value that counts: `i64`, or decimal digits as `[u8]` or `str`. The trait is sealed.
pub trait Counter: Value + sealed::Counter {}

/// A value that can be appended to: `[u8]` and `str`. The trait is sealed.
pub trait Append: Value + sealed::Append {}

impl Counter for i64 {}
impl Counter for [u8] {}
impl Counter for str {}
impl Append for [u8] {}
impl Append for str {}

pub(super) mod sealed {
    use super::{Source, Value};

    pub trait Counter: Value {
        type Made: Source<Self>;
        fn number(&self) -> Option<i64>;
        fn made(number: i64) -> Self::Made;
    }

    impl Counter for i64 {
        type Made = i64;

        fn number(&self) -> Option<i64> {
            Some(*self)
        }

        fn made(number: i64) -> i64 {
            number
        }
    }

    impl Counter for str {
        type Made = String;

        /// An optional minus sign and digits, nothing else.
        fn number(&self) -> Option<i64> {
            let digits = self.strip_prefix('-').unwrap_or(self);
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| self.parse().ok()).flatten()
        }

        fn made(number: i64) -> String {
            number.to_string()
        }
    }

    impl Counter for [u8] {
        type Made = String;

        fn number(&self) -> Option<i64> {
            std::str::from_utf8(self).ok()?.number()
        }

        fn made(number: i64) -> String {
            number.to_string()
        }
    }

    pub trait Append: Value {
        type Joined: Source<Self>;
        fn joined(&self, more: &Self) -> Self::Joined;
        fn alone(more: &Self) -> Self::Joined;
    }

    impl Append for [u8] {
        type Joined = Vec<u8>;

        fn joined(&self, more: &[u8]) -> Vec<u8> {
            [self, more].concat()
        }

        fn alone(more: &[u8]) -> Vec<u8> {
            more.to_vec()
        }
    }

    impl Append for str {
        type Joined = String;

        fn joined(&self, more: &str) -> String {
            [self, more].concat()
        }

        fn alone(more: &str) -> String {
            more.to_owned()
        }
    }
}
