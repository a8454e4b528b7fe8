//! Web-server access logs in the Common Log Format, and in those that add fields behind it (Combined).
//!
//! # Idea         `host ident user [day/Mon/year:h:m:s zone] "METHOD target PROTOCOL" status bytes`: the target is the key
//! # Costs        one pass over the line, no allocation
//! # Not here     which requests are cacheable: every line with a target counts

use std::time::Duration;

use crate::trace::Record;

/// Reads one line; an error says what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<Record<'_>, &'static str> {
    let open = position(line, b'[').ok_or("no date in brackets")?;
    if line[..open]
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .count()
        < 3
    {
        return Err("no host, identity and user before the date");
    }
    let (date, rest) =
        split_at_byte(&line[open + 1..], b']').ok_or("the date has no closing bracket")?;
    let at = seconds_since_1970(date).ok_or("the date is none")?;
    let rest = rest
        .trim_ascii_start()
        .strip_prefix(b"\"")
        .ok_or("no request in quotes")?;
    let quote = closing_quote(rest).ok_or("the request has no closing quote")?;
    let (request, rest) = (&rest[..quote], &rest[quote + 1..]);
    let mut words = request
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let method = words.next().ok_or("the request is empty")?;
    if !method.iter().all(u8::is_ascii_alphabetic) {
        return Err("the request has no method");
    }
    let key = words.next().ok_or("the request has no target")?;
    let mut fields = rest
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty());
    let status = fields.next().ok_or("no status")?;
    if status.len() != 3 || !status.iter().all(u8::is_ascii_digit) {
        return Err("the status is no number of three digits");
    }
    let size_bytes = match fields.next().ok_or("no size")? {
        b"-" => 0,
        digits => number(digits).ok_or("the size is no number")?,
    };
    Ok(Record {
        key,
        at: Some(Duration::from_secs(at)),
        size_bytes: Some(size_bytes),
        ttl: None,
    })
}

/// `10/Oct/2000:13:55:36 -0700` in seconds; none before 1970.
fn seconds_since_1970(date: &[u8]) -> Option<u64> {
    let (clock, zone) = split_at_byte(date, b' ')?;
    let mut parts = clock.split(|byte| matches!(byte, b'/' | b':'));
    let day = field(parts.next()?, 2, 1, 31)?;
    let month_name = parts.next()?;
    let month = 1 + MONTHS
        .iter()
        .position(|name| name.as_bytes().eq_ignore_ascii_case(month_name))?
        as u64;
    let year = field(parts.next()?, 4, 1970, 9999)?;
    let hour = field(parts.next()?, 2, 0, 23)?;
    let minute = field(parts.next()?, 2, 0, 59)?;
    // 60 is a leap second.
    let second = field(parts.next()?, 2, 0, 60)?;
    if parts.next().is_some() {
        return None;
    }
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let (sign, digits) = zone.split_first()?;
    let offset =
        field(digits.get(..2)?, 2, 0, 23)? * 3_600 + field(digits.get(2..)?, 2, 0, 59)? * 60;
    match sign {
        b'+' => local.checked_sub(offset),
        b'-' => Some(local + offset),
        _ => None,
    }
}

/// Days of the civil calendar, counted from March so that the leap day comes last in its year; after Howard Hinnant's
/// "chrono-Compatible Low-Level Date Algorithms".
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719,468 days lie between the first of March of the year 0 and the first of January 1970.
    era * 146_097 + day_of_era - 719_468
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A number of exactly `len` digits within its bounds.
fn field(digits: &[u8], len: usize, least: u64, most: u64) -> Option<u64> {
    let value = (digits.len() == len).then(|| number(digits))??;
    (least..=most).contains(&value).then_some(value)
}

fn number(digits: &[u8]) -> Option<u64> {
    // `parse` would take a sign as well.
    let plain = digits.iter().all(u8::is_ascii_digit);
    plain.then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

/// The quote that no backslash stands before: servers escape those that a client sends.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })
}

fn position(text: &[u8], byte: u8) -> Option<usize> {
    text.iter().position(|other| *other == byte)
}

fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = position(text, byte)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;

    #[track_caller]
    fn check(line: &str, key: &str, at_s: u64, size_bytes: u64) {
        let record = parse(line.as_bytes()).unwrap();
        assert_eq!(str::from_utf8(record.key), Ok(key));
        assert_eq!(record.at, Some(Duration::from_secs(at_s)));
        assert_eq!(record.size_bytes, Some(size_bytes));
    }

    #[test]
    fn lines_of_both_formats() {
        check(LINE, "/apache_pb.gif", 971_211_336, 2326);
        check(
            &format!(r#"{LINE} "http://a/b" "Agent \"4\"""#),
            "/apache_pb.gif",
            971_211_336,
            2326,
        );
        let odd = r#"::1 - - [29/Feb/2024:00:00:00 +0530] "GET /a?b=\"c\"&d HTTP/1.1" 304 -"#;
        check(odd, r#"/a?b=\"c\"&d"#, 1_709_145_000, 0);
        check(
            r#"h - - [01/Jan/1970:00:00:00 +0000] "GET /" 200 1"#,
            "/",
            0,
            1,
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, expected) in [
            ("[10", "10", "no date in brackets"),
            ("-0700]", "-0700", "the date has no closing bracket"),
            ("- frank ", "", "no host, identity and user before the date"),
            ("Oct", "Okt", "the date is none"),
            ("10/", "32/", "the date is none"),
            ("-0700", "0700", "the date is none"),
            ("-0700", "-07", "the date is none"),
            ("\"GET", "GET", "no request in quotes"),
            ("1.0\"", "1.0", "the request has no closing quote"),
            ("GET /apache_pb.gif HTTP/1.0", "", "the request is empty"),
            (
                "GET /apache_pb.gif HTTP/1.0",
                "-",
                "the request has no method",
            ),
            (
                "GET /apache_pb.gif HTTP/1.0",
                r"\x16\x03\x01 x",
                "the request has no method",
            ),
            (" /apache_pb.gif HTTP/1.0", "", "the request has no target"),
            (" 200 2326", "", "no status"),
            (" 200 ", " 2x0 ", "the status is no number of three digits"),
            (" 2326", "", "no size"),
            ("2326", "+2326", "the size is no number"),
            ("2326", "99999999999999999999", "the size is no number"),
        ] {
            assert_eq!(
                parse(LINE.replacen(from, to, 1).as_bytes()),
                Err(expected),
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn no_cut_or_changed_line_makes_it_panic() {
        for at in 0..LINE.len() {
            assert!(parse(&LINE.as_bytes()[..at]).is_err() || at > LINE.len() - 4);
            for byte in [0, b' ', b'"', b'[', b']', b'\\', b'/', 0xFF] {
                let mut line = LINE.as_bytes().to_vec();
                line[at] = byte;
                let _ = parse(&line);
            }
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        let mut expected = 0;
        for year in 1970..2401_u64 {
            let leap =
                year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let february = if leap { 29 } else { 28 };
            for (month, n_days) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
            {
                assert_eq!(days_since_1970(year, month, 1), expected, "{year}-{month}");
                expected += n_days;
            }
        }
    }
}
