//! When an entry is to end, in the forms that policies are written in.
//!
//! # Idea         each form names a moment of the wall clock, given the moment at which it is asked; an entry's deadline is then
//!   the monotonic clock's, so that a clock that is set moves no deadline
//! # Costs        plain values
//! # Invariants   X1 a form that exists names days and times that exist
//! # Not here     entries; whose clock it is

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// When an entry is to end: a time to live, a date, a time of day, or both, in UTC.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use larder::Expiry;
///
/// let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400 * 365);
/// let after = |expiry: Expiry| {
///     let deadline = expiry.deadline(midnight).unwrap();
///     deadline.duration_since(midnight).unwrap()
/// };
/// assert_eq!(after(Expiry::after(Duration::from_secs(60))), Duration::from_secs(60));
/// assert_eq!(after(Expiry::time_of_day("00:00:01")?), Duration::from_secs(1));
/// // The next midnight, strictly after now.
/// assert_eq!(after(Expiry::time_of_day("00:00:00")?), Duration::from_secs(86_400));
/// assert_eq!(after(Expiry::date("01-02-1971")?), Duration::from_secs(86_400));
/// assert_eq!(Expiry::NEVER.deadline(midnight), None);
/// # Ok::<(), larder::ExpiryError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Never,
    After(Duration),
    Date(Date, Time),
    TimeOfDay(Time),
}

impl Expiry {
    /// Never.
    pub const NEVER: Self = Self(Form::Never);

    /// So long after it is asked; what is beyond the calendar is never.
    pub const fn after(ttl: Duration) -> Self {
        Self(Form::After(ttl))
    }

    /// At the beginning of a day: `mm-dd-yyyy`.
    ///
    /// # Errors
    /// Another format, or a day that isn't in the calendar.
    pub fn date(date: &str) -> Result<Self, ExpiryError> {
        Ok(Self(Form::Date(read_date(date)?, Time::midnight())))
    }

    /// When it is next that time of day, strictly later than now: `hh:mm:ss`.
    ///
    /// # Errors
    /// Another format, or a time that no day has.
    pub fn time_of_day(time: &str) -> Result<Self, ExpiryError> {
        Ok(Self(Form::TimeOfDay(read_time(time)?)))
    }

    /// At that time of that day.
    ///
    /// # Errors
    /// As [`date`](Self::date) and [`time_of_day`](Self::time_of_day).
    pub fn date_and_time(date: &str, time: &str) -> Result<Self, ExpiryError> {
        Ok(Self(Form::Date(read_date(date)?, read_time(time)?)))
    }

    /// The moment that is meant at `now`, perhaps in the past; `None`: never, or after the year 9999.
    pub fn deadline(&self, now: SystemTime) -> Option<SystemTime> {
        match self.0 {
            Form::Never => None,
            Form::After(ttl) => now.checked_add(ttl),
            Form::Date(date, time) => moment(date, time),
            Form::TimeOfDay(time) => {
                let now = Timestamp::try_from(now).ok()?;
                let today = now.to_zoned(TimeZone::UTC).date();
                let later = |deadline: &SystemTime| {
                    Timestamp::try_from(*deadline).is_ok_and(|deadline| deadline > now)
                };
                let tomorrow = || moment(today.checked_add(1.day()).ok()?, time);
                moment(today, time).filter(later).or_else(tomorrow)
            }
        }
    }
}

/// The moment of a time of a day in UTC; `None` at the end of the calendar.
fn moment(date: Date, time: Time) -> Option<SystemTime> {
    let zoned = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().into())
}

fn read_date(text: &str) -> Result<Date, ExpiryError> {
    let wrong = ExpiryError::Date;
    let [month, day, year] = numbers(text, b'-', [2, 2, 4]).ok_or(wrong)?;
    Date::new(year, month as i8, day as i8).map_err(|_| wrong)
}

fn read_time(text: &str) -> Result<Time, ExpiryError> {
    let wrong = ExpiryError::TimeOfDay;
    let [hour, minute, second] = numbers(text, b':', [2, 2, 2]).ok_or(wrong)?;
    Time::new(hour as i8, minute as i8, second as i8, 0).map_err(|_| wrong)
}

/// Three numbers of so many digits each, and nothing else.
fn numbers(text: &str, separator: u8, digits: [usize; 3]) -> Option<[i16; 3]> {
    let mut fields = text.as_bytes().split(|&byte| byte == separator);
    let mut numbers = [0; 3];
    for (number, n_digits) in numbers.iter_mut().zip(digits) {
        let field = fields.next()?;
        if field.len() != n_digits || !field.iter().all(u8::is_ascii_digit) {
            return None;
        }
        *number = field
            .iter()
            .fold(0, |sum, digit| 10 * sum + i16::from(digit - b'0'));
    }
    fields.next().is_none().then_some(numbers)
}

/// Why a date or a time was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpiryError {
    /// It isn't `mm-dd-yyyy`, or there is no such day.
    Date,
    /// It isn't `hh:mm:ss`, or no day has such a time.
    TimeOfDay,
}

impl fmt::Display for ExpiryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Date => "not a day of the calendar: write mm-dd-yyyy, as in 12-19-2030",
            Self::TimeOfDay => "not a time of day: write hh:mm:ss, from 00:00:00 to 23:59:59",
        })
    }
}

impl Error for ExpiryError {}

#[cfg(test)]
mod tests;
