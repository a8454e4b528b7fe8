//! Hits of LRU caches of several sizes in one pass.
//!
//! # Idea         stack distances (Mattson, Gecsei, Slutz, Traiger, 1970): a request hits all caches that are larger than the number of
//!   keys asked for since its key was; a tree of partial sums (Fenwick, 1994) over the times of last requests counts those
//! # Costs        two walks of the tree a request

/// Hits at each of the capacities, in keys.
pub(crate) fn hits(ids: &[u32], capacities: &[u64]) -> Vec<u64> {
    let n_ids = ids.iter().max().map_or(0, |max| *max as usize + 1);
    let mut last = vec![None; n_ids];
    let mut latest = Sums(vec![0; ids.len() + 1]);
    let mut n_keys = 0;
    let mut hits = vec![0; capacities.len()];
    for (time, id) in ids.iter().enumerate() {
        if let Some(before) = last[*id as usize].replace(time) {
            let n_since = n_keys - latest.up_to(before);
            for (hits, capacity) in hits.iter_mut().zip(capacities) {
                *hits += u64::from(n_since < *capacity);
            }
            latest.add(before, -1);
            n_keys -= 1;
        }
        latest.add(time, 1);
        n_keys += 1;
    }
    hits
}

/// Of the times up to one, how many are the last of their key.
struct Sums(Vec<i64>);

impl Sums {
    fn add(&mut self, time: usize, by: i64) {
        let mut at = time + 1;
        while at < self.0.len() {
            self.0[at] += by;
            at += at & at.wrapping_neg();
        }
    }

    fn up_to(&self, time: usize) -> u64 {
        let (mut at, mut sum) = (time + 1, 0);
        while at > 0 {
            sum += self.0[at];
            at &= at - 1;
        }
        sum as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by a list, the latest last.
    fn naive(ids: &[u32], capacity: u64) -> u64 {
        let mut list: Vec<u32> = Vec::new();
        let mut n_hits = 0;
        for id in ids {
            match list.iter().position(|known| known == id) {
                Some(at) => {
                    n_hits += 1;
                    list.remove(at);
                }
                None if list.len() as u64 == capacity => drop(list.remove(0)),
                None => {}
            }
            list.push(*id);
        }
        n_hits
    }

    #[test]
    fn hits_are_those_of_a_list() {
        let mut word = 1_u32;
        let ids: Vec<u32> = (0..5_000)
            .map(|_| {
                word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (word >> 16) % 7 * ((word >> 20) % 40)
            })
            .collect();
        let capacities = [1, 2, 10, 50, 1_000];
        let expected: Vec<u64> = capacities.iter().map(|max| naive(&ids, *max)).collect();
        assert_eq!(hits(&ids, &capacities), expected);
    }
}
