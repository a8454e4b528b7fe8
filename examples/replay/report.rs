//! What a replay prints.
//!
//! # Idea         a name and a figure a line, so that `grep` finds it
//! # Not here     how anything was measured

use std::fmt::Write as _;

use larder::Cache;

use crate::input::Malformed;
use crate::run::Outcome;
use crate::trace::Trace;

/// The text for a replay of `trace` (called `name`) through `cache`.
pub(crate) fn text(
    name: &str,
    trace: &Trace,
    cache: &Cache<[u8]>,
    outcome: &Outcome,
    n_threads: usize,
) -> String {
    let mut lines = Lines::default();
    let total = &outcome.total;
    lines.add("trace", name.to_owned());
    lines.add(
        "",
        format!(
            "{} requests for {} objects, {} in all",
            grouped(total.n_requests),
            grouped(trace.keys.n_unique() as u64),
            bytes(trace.footprint_bytes())
        ),
    );
    lines.add("hit ratio", format!("{:.2} %", total.hit_pct()));
    if trace.has_sizes {
        lines.add("byte hit ratio", format!("{:.2} %", total.byte_hit_pct()));
    }
    let seconds = outcome.elapsed.as_secs_f64();
    let rate = total.n_requests as f64 / seconds.max(1e-9);
    let threads = if n_threads == 1 { "thread" } else { "threads" };
    lines.add(
        "requests a second",
        format!(
            "{} ({n_threads} {threads}, {seconds:.2} s)",
            grouped(rate as u64)
        ),
    );
    contents(&mut lines, cache, outcome.highest_bytes);
    if total.n_refused > 0 {
        lines.add(
            "refused",
            format!("{} inserts, by the cache", grouped(total.n_refused)),
        );
    }
    if total.n_oversize > 0 {
        lines.add(
            "not offered",
            format!(
                "{} misses of objects above --max-value",
                grouped(total.n_oversize)
            ),
        );
    }
    lines.text
}

/// What is in the cache, against its bounds, and what left it.
fn contents(lines: &mut Lines, cache: &Cache<[u8]>, highest_bytes: u64) {
    let stats = cache.stats();
    let capacity = cache.capacity();
    let entries = grouped(cache.len() as u64);
    lines.add(
        "entries",
        match capacity.max_entries {
            Some(max) => format!("{entries} of at most {}", grouped(max)),
            None => entries,
        },
    );
    let charged = cache.weight();
    lines.add(
        "bytes",
        match capacity.max_bytes {
            Some(max) => {
                let pct = 100.0 * highest_bytes as f64 / (max as f64).max(1.0);
                format!(
                    "{} of at most {}; highest {} ({pct:.1} %)",
                    bytes(charged),
                    bytes(max),
                    bytes(highest_bytes)
                )
            }
            None => format!("{}; highest {}", bytes(charged), bytes(highest_bytes)),
        },
    );
    lines.add(
        "left the cache",
        format!(
            "evicted {}, expired {}, replaced {}, removed {}, invalidated {}",
            grouped(stats.evicted),
            grouped(stats.expired),
            grouped(stats.replaced),
            grouped(stats.removed),
            grouped(stats.invalidated)
        ),
    );
}

/// The text for lines that could not be read; empty if there are none.
pub(crate) fn malformed(malformed: &Malformed) -> String {
    let mut lines = Lines::default();
    if let Some(first) = &malformed.first {
        lines.add("malformed lines", grouped(malformed.n_lines));
        lines.add(
            "",
            format!(
                "the first is line {}: {}: {}",
                first.line, first.reason, first.text
            ),
        );
    }
    lines.text
}

#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn add(&mut self, name: &str, value: String) {
        writeln!(self.text, "{name:<18} {value}").expect("a String takes all");
    }
}

/// A count with its thousands apart.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that leaves one to four digits.
pub(crate) fn bytes(n_bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n_bytes < 1024 {
        return format!("{n_bytes} B");
    }
    let mut value = n_bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::FirstMalformed;

    #[test]
    fn figures_are_readable() {
        let shown: Vec<String> = [0, 12, 999, 1_000, 1_234_567].map(grouped).to_vec();
        assert_eq!(shown, ["0", "12", "999", "1,000", "1,234,567"]);
        let shown: Vec<String> = [0, 1_023, 1_024, 3 << 19, u64::MAX].map(bytes).to_vec();
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.00 KiB", "1.50 MiB", "16384.00 PiB"]
        );
    }

    #[test]
    fn the_first_malformed_line_is_shown_with_its_number() {
        assert_eq!(malformed(&Malformed::default()), "");
        let found = malformed(&Malformed {
            n_lines: 1_200,
            first: Some(FirstMalformed {
                line: 17,
                reason: "no size",
                text: "abc".to_owned(),
            }),
        });
        assert!(
            found.contains("1,200") && found.contains("line 17: no size: abc"),
            "{found}"
        );
    }
}
