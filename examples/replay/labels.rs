//! Numbers as they stand at axes.

pub(crate) fn mib(n_bytes: u64) -> f64 {
    n_bytes as f64 / f64::from(1 << 20)
}

pub(crate) fn short(count: f64) -> String {
    if count >= 1e6 {
        format!("{} M", decimals(count / 1e6))
    } else if count >= 1e3 {
        format!("{} k", decimals(count / 1e3))
    } else {
        decimals(count)
    }
}

/// As few decimals as tell neighbouring labels apart.
pub(crate) fn decimals(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    };
    match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        _ => text,
    }
}
