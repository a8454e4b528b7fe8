//! What the eviction policy knew goes along.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;

use super::*;

const CAPACITY: u64 = 4000;

fn small() -> Cache<u64> {
    let builder = Cache::builder().max_entries(CAPACITY).stripes(2);
    builder.build().unwrap()
}

impl Codec for u64 {
    const NAME: &'static str = "u64";
    type Decoded<'a> = u64;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend(self.to_le_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<u64, CodecError> {
        bytes
            .try_into()
            .map(u64::from_le_bytes)
            .map_err(|_| CodecError)
    }
}

/// Popular keys, among a scan of keys that come once.
fn play(cache: &Cache<u64>, seed: u64, n: u64) -> f64 {
    let mut draws = SmallRng::seed_from_u64(seed);
    let zipf = Zipf::new(20_000.0, 0.9).unwrap();
    let mut n_hits = 0;
    for index in 0..n {
        let key = if index % 3 == 0 {
            seed << 40 | 1 << 39 | index
        } else {
            draws.sample(zipf) as u64
        };
        if cache.get(key).is_some() {
            n_hits += 1;
        } else {
            cache.insert(key, key).unwrap();
        }
    }
    n_hits as f64 / n as f64
}

#[test]
fn the_hit_ratio_goes_on_where_it_was() {
    let old = small();
    play(&old, 1, 200_000);
    let stream = stream(&old);
    let new = small();
    let restored = back(&new, &stream, SECOND);
    assert!(restored.entries >= CAPACITY - 200, "{restored:?}");
    // The same entries without what was known of them, in the order of their keys' hashes.
    let naive = small();
    for entry in old.iter() {
        let &[crate::Part::Uint(key)] = &entry.key().to_vec()[..] else {
            panic!("keys are numbers");
        };
        naive.insert(key as u64, *entry).unwrap();
    }
    let n = 2 * CAPACITY;
    let (went_on, came_back, forgot) = (play(&old, 2, n), play(&new, 2, n), play(&naive, 2, n));
    assert!((went_on - came_back).abs() < 0.01, "{went_on} {came_back}");
    assert!(came_back > forgot + 0.01, "{came_back} {forgot}");
}

#[test]
fn what_was_learned_comes_back_as_it_was() {
    let old = small();
    play(&old, 1, 100_000);
    let learned = old.inner().store.learned();
    assert!(learned.capacity() > CAPACITY / 2);
    let new = small();
    back(&new, &stream(&old), SECOND);
    // The first eviction makes use of it.
    for key in 0..CAPACITY {
        new.insert(1 << 50 | key, 0).unwrap();
    }
    let again = new.inner().store.learned();
    let sum = |learned: &crate::policy::Learned| learned.sums().iter().sum::<f32>();
    let (before, after) = (sum(&learned), sum(&again));
    assert!(after > before * 0.5, "{before} {after}");
}
