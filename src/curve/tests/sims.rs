//! Many small caches at a rate.

use super::super::Seen;
use super::super::sims::Sims;
use super::*;

/// What a look-aside cache of unbounded size does: the first reference misses and is stored, the others hit.
struct Feed {
    known: HashMap<u64, u32>,
}

impl Feed {
    fn new() -> Feed {
        let known = HashMap::new();
        Feed { known }
    }

    fn see(&mut self, sims: &mut Sims, n: u64, size: u32) {
        let due = NEVER;
        let bytes = *self.known.entry(n).or_insert(0);
        if bytes > 0 {
            sims.see(key(n), Seen::Hit { bytes, due }, 0, 0);
        } else {
            sims.see(key(n), Seen::Miss, 0, 0);
            self.known.insert(n, size);
            sims.see(key(n), Seen::Stored { bytes: size, due }, 0, 0);
        }
    }
}

/// Misses of each size at full rate.
fn truth(max: Size, stream: &[(u64, u32)]) -> [f64; N_POINTS] {
    FACTORS.map(|factor| {
        let mut mini = Mini::new(9, max.scaled(factor));
        let missed = stream
            .iter()
            .filter(|(n, size)| !refer(&mut mini, *n, *size));
        missed.count() as f64
    })
}

/// What the documentation says.
fn memory_max(n_entries: usize) -> usize {
    n_entries * 700 + (200 << 10)
}

fn skewed(n_requests: usize, n_keys: f64, seed: u64) -> Vec<(u64, u32)> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..n_requests)
        .map(|_| {
            // Density falls with the square.
            let n = (random.random::<f64>().powi(3) * n_keys) as u64;
            (n, 100 + (key(n) % 900) as u32)
        })
        .collect()
}

fn check(max: Size, n_entries: usize, stream: &[(u64, u32)], off_max: f64) -> Sims {
    let mut sims = Sims::new(max, n_entries);
    let mut feed = Feed::new();
    for (at, (n, size)) in stream.iter().enumerate() {
        feed.see(&mut sims, *n, *size);
        if at % 1_000 == 0 {
            sims.validate();
        }
    }
    let n = stream.len() as f64;
    for (at, truth) in truth(max, stream).iter().enumerate() {
        let off = (sims.misses()[at] - truth).abs() / n;
        assert!(off < off_max, "factor {}: off by {off}", FACTORS[at]);
    }
    sims
}

#[test]
fn at_full_rate_estimates_are_counts() {
    let sims = check(entries(300), 300, &skewed(20_000, 3_000.0, 1), 0.02);
    assert_eq!((sims.rate(), sims.n_sampled()), (1.0, 20_000));
}

#[test]
fn a_rate_stands_for_all_by_entries() {
    let sims = check(entries(2_000), 500, &skewed(50_000, 20_000.0, 2), 0.04);
    assert_eq!(sims.rate(), 0.25);
    assert!(
        sims.memory_bytes() < memory_max(500),
        "{}",
        sims.memory_bytes()
    );
}

#[test]
fn a_rate_stands_for_all_by_bytes() {
    let sims = check(bytes(1_200_000), 500, &skewed(50_000, 20_000.0, 3), 0.04);
    assert!(sims.rate() < 0.25, "{}", sims.rate());
    let present = sims.residents()[2];
    assert!((350..=650).contains(&present), "{present} residents");
    assert!(
        sims.memory_bytes() < memory_max(500),
        "{}",
        sims.memory_bytes()
    );
}

#[test]
fn a_key_that_always_hits_moves_nothing_whether_sampled_or_not() {
    let max = entries(4_000);
    let cold = skewed(40_000, 20_000.0, 4);
    let mut sims = Sims::new(max, 500);
    let is_sampled = |n: &u64| key(*n) >> 32 < 1 << 29;
    let first = (200_000_u64..).find(|n| is_sampled(n)).unwrap();
    let misses = |sims: &mut Sims, hot: Option<u64>| {
        let mut feed = Feed::new();
        for (n, size) in &cold {
            feed.see(sims, *n, *size);
            hot.inspect(|hot| feed.see(sims, *hot, 100));
        }
        sims.misses()
    };
    let alone = misses(&mut sims, None);
    let beside = misses(&mut Sims::new(max, 500), Some(first));
    for (alone, beside) in alone.iter().zip(beside) {
        assert!(
            (alone - beside).abs() / 40_000.0 < 0.02,
            "{alone} and {beside}"
        );
    }
}

#[test]
fn what_was_taken_out_misses_everywhere() {
    let mut sims = Sims::new(entries(100), 100);
    let mut feed = Feed::new();
    (0..20).for_each(|n| feed.see(&mut sims, n, 1));
    (0..20).for_each(|n| sims.see(key(n), Seen::Gone, 0, 0));
    assert_eq!(sims.residents(), [0; N_POINTS]);
    sims.see(key(3), Seen::Miss, 0, 0);
    assert_eq!(sims.misses(), [21.0; N_POINTS]);
}

#[test]
fn a_miss_alone_stores_nothing() {
    let mut sims = Sims::new(entries(100), 100);
    (0..50).for_each(|n| sims.see(key(n), Seen::Miss, 0, 0));
    assert_eq!(sims.residents(), [0; N_POINTS]);
}

#[test]
fn far_larger_entries_begin_anew() {
    let mut sims = Sims::new(bytes(100_000), 100);
    let mut feed = Feed::new();
    (0..10_000).for_each(|n| feed.see(&mut sims, n, 50));
    let low = sims.rate();
    assert!(low < 0.1, "{low}");
    // Until enough of them were sampled, and then some.
    (0..120_000).for_each(|n| feed.see(&mut sims, 50_000 + n % 1_000, 1_000));
    assert!(sims.rate() > 4.0 * low, "C3: {}", sims.rate());
}

#[test]
fn another_size_is_followed() {
    let mut sims = Sims::new(entries(4_000), 1_000);
    let mut feed = Feed::new();
    (0..20_000).for_each(|n| feed.see(&mut sims, n, 1));
    sims.resize(entries(2_000));
    assert_eq!((sims.n_sampled(), sims.misses()), (0, [0.0; N_POINTS]));
    (20_000..40_000).for_each(|n| feed.see(&mut sims, n, 1));
    assert_eq!(sims.residents(), [250, 375, 500, 750, 1_000, 1_500, 2_000]);
    // Far below what is to be simulated, the rate is chosen anew.
    sims.resize(entries(400));
    (40_000..80_000).for_each(|n| feed.see(&mut sims, n, 1));
    assert_eq!(sims.residents(), [200, 300, 400, 600, 800, 1_200, 1_600]);
}
