//! Memory: what is charged and held against the bound, and how the resident size grows.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use larder::{Clock, SystemClock};

use crate::alloc;
use crate::args::Args;
use crate::churn::Churn;
use crate::register::Registers;
use crate::report::Report;

/// Growth that is judged begins after this share of the time: minute 3 of 10.
const SETTLED_AT: f64 = 0.3;
/// The growth that is allowed from there to the end.
const GROWTH_MAX: f64 = 0.05;
/// Runs shorter than this are over before memory has settled; their growth is told and not judged.
const JUDGED_FROM: Duration = Duration::from_secs(300);
/// What the allocator has handed out for live values may be above the bound by this share.
const OVER_MAX: f64 = 0.02;

pub(crate) struct Watch {
    clock: SystemClock,
    end: Duration,
    report: Arc<Report>,
    most_over: f64,
    held_before: usize,
    fixed: u64,
    /// When, the resident bytes, and those that the allocator has handed out.
    rss: Vec<(f64, u64, u64)>,
}

impl Watch {
    pub(crate) fn new(args: &Args, report: Arc<Report>) -> Watch {
        Watch {
            clock: SystemClock::new(),
            end: Duration::from_secs_f64(args.minutes * 60.0),
            report,
            most_over: f64::MIN,
            held_before: alloc::held(),
            fixed: STRIPES * STRIPE_BYTES + args.threads as u64 * THREAD_BYTES,
            rss: Vec::new(),
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.clock.now().0)
    }

    pub(crate) fn goes_on(&self) -> bool {
        self.elapsed() < self.end
    }

    /// What is charged and held at this moment. Held is what the process has allocated since the beginning, less what is beside the
    /// churn's bound by right.
    pub(crate) fn look(&mut self, churn: &Churn, registers: &Registers) {
        for (charged, max) in churn.charged() {
            if charged > max {
                self.report
                    .violate(&format!("{charged} bytes are charged, of {max}"));
            }
        }
        let beside = registers.bytes() + churn.limiter_bytes() + self.fixed;
        let held = alloc::held().saturating_sub(self.held_before) as f64 - beside as f64;
        let over = held / Churn::bound() as f64 - 1.0;
        self.most_over = self.most_over.max(over);
    }

    pub(crate) fn second(&mut self) {
        self.rss.push((
            self.elapsed().as_secs_f64(),
            rss_bytes(),
            alloc::held() as u64,
        ));
    }

    pub(crate) fn finish(&self) {
        println!("torture: allocator: {}", alloc::name());
        println!(
            "torture: bytes held, less {} of what isn't charged, against the bound of {}: {:+.2} % at most",
            self.fixed,
            Churn::bound(),
            self.most_over * 100.0
        );
        if self.most_over > OVER_MAX {
            self.report.violate("more is held than the bound and 2 %");
        }
        let from = self.end.as_secs_f64() * SETTLED_AT;
        let settled: Vec<_> = self.rss.iter().filter(|sample| sample.0 >= from).collect();
        let (Some(first), Some(last)) = (settled.first(), settled.last()) else {
            return;
        };
        for sample in self.rss.iter().step_by(self.rss.len().div_ceil(12)) {
            println!(
                "torture: resident at {:>4.0} s: {} KiB, {} KiB of it handed out by the allocator",
                sample.0,
                sample.1 >> 10,
                sample.2 >> 10
            );
        }
        let growth = last.1 as f64 / first.1 as f64 - 1.0;
        println!(
            "torture: resident: {} KiB after {:.0} s, {} KiB after {:.0} s: {:+.2} %",
            first.1 >> 10,
            first.0,
            last.1 >> 10,
            last.0,
            growth * 100.0
        );
        if growth > GROWTH_MAX && self.end >= JUDGED_FROM {
            self.report.violate("the resident memory grows");
        }
    }
}

/// Stripes of all caches, and what each takes that isn't charged; and what a thread takes for its own values and names.
const STRIPES: u64 = 10;
const STRIPE_BYTES: u64 = 30 << 10;
const THREAD_BYTES: u64 = 64 << 10;

fn rss_bytes() -> u64 {
    // The second field is in pages.
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1);
    pages
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0)
        * page_bytes()
}

fn page_bytes() -> u64 {
    #[allow(unsafe_code, reason = "a call of the system's")]
    // SAFETY: it takes a number and touches no memory of ours.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4096)
}
