//! The table of floors: which module may import from which.
//!
//! # Idea         a module has a number; it imports from smaller numbers only, so each floor can be tested without those above
//! # Invariants   F1 every module of the engine stands in the table, once

/// What the table says of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Downward, or within one module.
    Allowed,
    /// To the same floor or a higher one.
    Upward { from: u8, to: u8 },
    /// The target is no module: an item of the crate's root, which stands above all.
    Root,
    /// The importing module isn't in the table.
    Unlisted,
}

/// Judges an import of `crate::TARGET` in `module`.
pub(crate) fn judge(module: &str, target: &str) -> Verdict {
    // The door lies below the lowest floor: locks and atomics come from there alone, on that floor as well.
    if module == ROOT || module == target || target == DOOR {
        return Verdict::Allowed;
    }
    match (floor(module), floor(target)) {
        (None, _) => Verdict::Unlisted,
        (Some(_), None) => Verdict::Root,
        (Some(from), Some(to)) if to < from => Verdict::Allowed,
        (Some(from), Some(to)) => Verdict::Upward { from, to },
    }
}

/// The floor of a module of the engine, by its name below `crate::`.
pub(crate) fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(floor, _)| *floor)
}

/// Whether a module may hold `unsafe`.
pub(crate) fn may_be_unsafe(module: &str) -> bool {
    UNSAFE.contains(&module)
}

/// The crate's root, `src/lib.rs`: it names everything.
pub(crate) const ROOT: &str = "lib";

/// The one door to locks, atomics, barriers and the system's time.
pub(crate) const DOOR: &str = "sync";

const FLOORS: [(u8, &[&str]); 10] = [
    (
        0,
        &[
            "sync", "clock", "contain", "error", "hash", "terms", "tally",
        ],
    ),
    (
        1,
        &[
            "key",
            "entry",
            "reclaim",
            "rings",
            "gcra",
            "notes",
            "lineage",
            "scope_parts",
            "expiry",
            "turn",
        ],
    ),
    (
        2,
        &[
            "lanes", "table", "wheel", "policy", "budget", "limits", "stats", "members", "shares",
            "flight", "codec",
        ],
    ),
    (3, &["publish", "stripe", "curve", "hot_keys", "common"]),
    (4, &["store", "charter"]),
    (5, &["cache", "limiter"]),
    (6, &["scope", "builder", "janitor", "model"]),
    (7, &["tenant", "level"]),
    (8, &["snapshot"]),
    (9, &[ROOT]),
];

// `model` is what the model checker drives the others through; it exists under its cfg alone.
const UNSAFE: [&str; 6] = ["entry", "reclaim", "table", "store", "model", DOOR];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_go_down_only() {
        assert_eq!(judge("wheel", "rings"), Verdict::Allowed);
        assert_eq!(judge("wheel", "wheel"), Verdict::Allowed);
        assert_eq!(judge(ROOT, "snapshot"), Verdict::Allowed);
        assert_eq!(judge("wheel", "policy"), Verdict::Upward { from: 2, to: 2 });
        assert_eq!(judge("hash", "store"), Verdict::Upward { from: 0, to: 4 });
        assert_eq!(judge("hash", "clock"), Verdict::Upward { from: 0, to: 0 });
        assert_eq!(judge("clock", "sync"), Verdict::Allowed);
        assert_eq!(judge("sync", "clock"), Verdict::Upward { from: 0, to: 0 });
        assert_eq!(judge("store", "Cache"), Verdict::Root);
        assert_eq!(judge("helpers", "clock"), Verdict::Unlisted);
    }

    #[test]
    fn each_module_stands_once() {
        let mut names: Vec<&str> = FLOORS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let n_all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_all);
        assert!(UNSAFE.iter().all(|module| floor(module).is_some()));
    }
}
