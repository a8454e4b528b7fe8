//! Whom to believe of those who know which servers there are.
//!
//! # Idea         each says the epoch of what it knows, a number that grows with each failover. Who knows less than was known before was cut
//!   off, and is believed only if most have answered and none knows more: then they were set up anew
//! # Costs        none
//! # Invariants   NW1 while fewer than most answer, what is known never becomes older
//! # Not here     what the epochs are: modules `sentinel` and `cluster`

/// See the module.
#[derive(Debug)]
pub(super) struct Newest<T> {
    known: u64,
    n_asked: usize,
    n_answers: usize,
    best: Option<(u64, T)>,
}

impl<T> Newest<T> {
    /// Of so many who are asked, where an epoch is known.
    pub(super) fn new(known: u64, n_asked: usize) -> Self {
        Self {
            known,
            n_asked,
            n_answers: 0,
            best: None,
        }
    }

    /// What one of them knows; given back if it is to be believed at once.
    pub(super) fn offer(&mut self, epoch: u64, offered: T) -> Option<T> {
        self.n_answers += 1;
        if epoch >= self.known {
            return Some(offered);
        }
        if self.best.as_ref().is_none_or(|(best, _)| epoch > *best) {
            self.best = Some((epoch, offered));
        }
        None
    }

    /// What is to be believed after all were asked.
    pub(super) fn best(self) -> Option<(u64, T)> {
        self.best.filter(|_| 2 * self.n_answers > self.n_asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom to believe of those who say these epochs, by their numbers, where so many are asked.
    fn believed(known: u64, epochs: &[u64], n_asked: usize) -> Option<usize> {
        let mut newest = Newest::new(known, n_asked);
        let offers = epochs.iter().enumerate();
        let at_once = offers
            .filter_map(|(n, &epoch)| newest.offer(epoch, n))
            .next();
        at_once.or_else(|| newest.best().map(|(_, n)| n))
    }

    #[test]
    fn f49_who_was_cut_off_is_not_believed_unless_most_know_no_more() {
        for (known, epochs, n_asked, expected) in [
            (0, &[0, 3][..], 2, Some(0)),
            (3, &[2, 3, 4], 3, Some(1)),
            (3, &[2], 3, None),
            (3, &[2], 2, None),
            (3, &[], 1, None),
            (3, &[0], 1, Some(0)),
            (3, &[1, 2], 3, Some(1)),
            (3, &[2, 1, 1, 0], 4, Some(0)),
        ] {
            let told = format!("{known} {epochs:?} of {n_asked}");
            assert_eq!(believed(known, epochs, n_asked), expected, "{told}");
        }
    }
}
