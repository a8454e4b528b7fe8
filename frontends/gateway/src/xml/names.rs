//! Named values: texts of the settings that documents refer to.
//!
//! # Idea         they are put into the text before anything else is read of it
//! # Costs        a copy of the text
//! # Invariants   N1 what was put in counts for the place that it was put into
//! # Not here     where the values come from

use super::offsets::{Lines, Offsets};
use crate::finding::Finding;

/// Puts the configured texts in place of `{{name}}`.
pub(super) fn replace(
    text: &str,
    lines: &Lines,
    named: impl Fn(&str) -> Option<String>,
) -> Result<(String, Offsets), Finding> {
    let mut out = String::with_capacity(text.len());
    let mut offsets = Offsets::identity();
    let mut byte = 0;
    while let Some(found) = text[byte..].find("{{") {
        let start = byte + found;
        let rest = &text[start + 2..];
        let is_part = |part: char| part.is_ascii_alphanumeric() || matches!(part, '-' | '_' | '.');
        let length = rest.find(|part| !is_part(part)).unwrap_or(rest.len());
        let is_name = length > 0 && rest[length..].starts_with("}}");
        let end = if is_name {
            start + 2 + length + 2
        } else {
            start + 1
        };
        offsets.run(out.len(), byte);
        out.push_str(&text[byte..start]);
        offsets.run(out.len(), start);
        if is_name {
            let name = &rest[..length];
            let Some(value) = named(name) else {
                let message = format!(
                    "there is no named value `{name}`: azure.named_values of the settings has them"
                );
                return Err(Finding::error(lines.position(start), message));
            };
            out.push_str(&value);
        } else {
            out.push('{');
        }
        byte = end;
    }
    offsets.run(out.len(), byte);
    out.push_str(&text[byte..]);
    Ok((out, offsets))
}
