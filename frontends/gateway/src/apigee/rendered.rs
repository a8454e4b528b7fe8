//! What a rendered key may have been made of.
//!
//! # Idea         parts are joined by two underscores, and may have such themselves: whoever names a key by its rendered form means each key
//!   that is rendered so
//! # Costs        2^n readings for n places where a part may end, and no more than [`READINGS_MAX`]; one, if there are more than
//!   [`PARTS_MAX`] parts
//! # Invariants   R1 the reading with the most parts comes first, which is the only one where no part has two underscores
//! # Not here     which of the parts are a scope

/// The most readings; what has more is taken by those with the most parts.
const READINGS_MAX: usize = 256;

/// The most parts that are joined with others.
const PARTS_MAX: usize = 64;

/// The parts that a rendered key may have, in each way.
pub(super) fn readings(rendered: &str) -> Vec<Vec<&str>> {
    let most: Vec<&str> = rendered.split("__").collect();
    if most.len() > PARTS_MAX {
        return vec![most];
    }
    let mut found = Vec::new();
    let mut parts = Vec::new();
    read(rendered, &mut parts, &mut found);
    found
}

/// The readings that begin with these parts. It goes as deep as there are parts.
fn read<'r>(rest: &'r str, parts: &mut Vec<&'r str>, found: &mut Vec<Vec<&'r str>>) {
    let ends = (0..rest.len()).filter(|&at| rest.as_bytes()[at..].starts_with(b"__"));
    for end in ends {
        if found.len() >= READINGS_MAX {
            return;
        }
        parts.push(&rest[..end]);
        read(&rest[end + 2..], parts, found);
        parts.pop();
    }
    if found.len() < READINGS_MAX {
        let last = parts.iter().copied().chain([rest]);
        found.push(last.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_155_a_rendered_key_may_be_of_more_or_fewer_parts() {
        let check = |rendered: &str, expected: &[&[&str]]| {
            let mut found = readings(rendered);
            assert_eq!(found[0], rendered.split("__").collect::<Vec<_>>());
            found.sort();
            let mut expected: Vec<_> = expected.iter().map(|parts| parts.to_vec()).collect();
            expected.sort();
            assert_eq!(found, expected, "{rendered}");
        };
        check("a", &[&["a"]]);
        check("", &[&[""]]);
        check("a__b", &[&["a", "b"], &["a__b"]]);
        check("a___b", &[&["a", "_b"], &["a_", "b"], &["a___b"]]);
        check(
            "a__b__c",
            &[
                &["a", "b", "c"],
                &["a", "b__c"],
                &["a__b", "c"],
                &["a__b__c"],
            ],
        );
    }

    #[test]
    fn a_155_readings_of_a_long_key_are_bounded() {
        assert_eq!(readings(&"_".repeat(PARTS_MAX)).len(), READINGS_MAX);
        assert_eq!(readings(&"__".repeat(PARTS_MAX)).len(), 1);
    }
}
