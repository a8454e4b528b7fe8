//! Rust source to bare code: the same lines, with comments and texts blanked out.
//!
//! # Idea         one pass that knows comments (nested too), strings (raw, byte, C), characters and lifetimes, and nothing else
//! # Costs        linear in the file
//! # Invariants   C1 the output has the input's length, and its line breaks where the input has them
//! # Not here     what the code means

use std::ops::Range;

/// The code of `source`, with spaces for everything inside comments, strings and characters.
pub(crate) fn code(source: &[u8]) -> Vec<u8> {
    let mut out = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        let end = match token(source, at) {
            Token::Hidden(end) => {
                blank(&mut out[at..end]);
                end
            }
            Token::Shown(end) => end,
        };
        debug_assert!(end > at);
        at = end;
    }
    out
}

/// Blanks out, in `code`, the items under a `#[cfg(test)]` or a `cfg(any(test, ..))`; gives the modules these declare in files.
pub(crate) fn without_tests(code: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut out = code.to_vec();
    let mut modules = Vec::new();
    let mut at = 0;
    while let Some(begin) = find(code, b"#[cfg(", at) {
        let attribute_end = closing(code, begin + 1, b'[', b']');
        at = attribute_end;
        let condition = &code[begin..attribute_end];
        if !words(condition).any(|(_, word)| word == "test")
            || find(condition, b"not(", 0).is_some()
        {
            continue;
        }
        let mut item_end = attribute_end;
        while item_end < code.len() && !matches!(code[item_end], b';' | b'{') {
            // Further attributes of the same item: what they hold ends nothing.
            item_end = match code[item_end] {
                b'[' => closing(code, item_end, b'[', b']'),
                b'(' => closing(code, item_end, b'(', b')'),
                _ => item_end + 1,
            };
        }
        if code.get(item_end) == Some(&b'{') {
            item_end = closing(code, item_end, b'{', b'}');
        } else {
            let item: Vec<&str> = words(&code[attribute_end..item_end])
                .map(|(_, word)| word)
                .collect();
            if let Some(module) = item.windows(2).find(|pair| pair[0] == "mod") {
                modules.push(module[1].to_owned());
            }
        }
        blank(&mut out[begin..item_end.min(code.len())]);
        at = item_end;
    }
    (out, modules)
}

/// Where the bodies of modules are that `code` holds in braces.
pub(crate) fn inline_modules(code: &[u8]) -> Vec<Range<usize>> {
    let mut bodies = Vec::new();
    let mut before = "";
    for (at, word) in words(code) {
        let open = at
            + word.len()
            + code[at + word.len()..]
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
        if before == "mod" && code.get(open) == Some(&b'{') {
            bodies.push(open..closing(code, open, b'{', b'}'));
        }
        before = word;
    }
    bodies
}

/// The identifiers of `code`, each with where it begins.
pub(crate) fn words(code: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < code.len() && !is_word(code[at]) {
            at += 1;
        }
        let begin = at;
        while at < code.len() && is_word(code[at]) {
            at += 1;
        }
        let word = str::from_utf8(&code[begin..at]).ok()?;
        (!word.is_empty()).then_some((begin, word))
    })
}

/// The first place of `needle` in `code` at or after `from`.
pub(crate) fn find(code: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    code.get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|offset| from + offset)
}

/// The line of a byte, from 1.
pub(crate) fn line_of(source: &[u8], at: usize) -> usize {
    1 + source[..at].iter().filter(|byte| **byte == b'\n').count()
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Just past the bracket that closes the one at or after `from`; the end of the code if none does.
pub(crate) fn closing(code: &[u8], from: usize, open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code[from..].iter().enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return from + offset + 1;
            }
        }
    }
    code.len()
}

enum Token {
    /// To be blanked out, up to this byte.
    Hidden(usize),
    /// Code, up to this byte.
    Shown(usize),
}

fn token(source: &[u8], at: usize) -> Token {
    let rest = &source[at..];
    match rest {
        [b'/', b'/', ..] => Token::Hidden(find(source, b"\n", at).unwrap_or(source.len())),
        [b'/', b'*', ..] => Token::Hidden(block_comment_end(source, at)),
        [b'"', ..] => Token::Hidden(string_end(source, at + 1)),
        [b'\'', ..] => match character_end(rest) {
            Some(len) => Token::Hidden(at + len),
            None => Token::Shown(at + 1),
        },
        [first, ..] if is_word(*first) => {
            let len = rest.iter().take_while(|byte| is_word(**byte)).count();
            let end = at + len;
            match (&rest[..len], source.get(end)) {
                (b"r" | b"br" | b"cr", Some(b'"' | b'#')) => raw_string_end(source, end),
                (b"b" | b"c", Some(b'"')) => Token::Hidden(string_end(source, end + 1)),
                _ => Token::Shown(end),
            }
        }
        _ => Token::Shown(at + 1),
    }
}

fn block_comment_end(source: &[u8], begin: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = begin;
    while at < source.len() {
        match &source[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    source.len()
}

/// Just past the quote that ends a string whose text begins at `at`.
fn string_end(source: &[u8], mut at: usize) -> usize {
    while at < source.len() {
        match source[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

/// A raw string after its prefix, or a raw identifier (`r#type`), which is code.
fn raw_string_end(source: &[u8], at: usize) -> Token {
    let n_hashes = source[at..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    if source.get(at + n_hashes) != Some(&b'"') {
        return Token::Shown(at + n_hashes);
    }
    let mut end = vec![b'"'];
    end.resize(1 + n_hashes, b'#');
    let text = at + n_hashes + 1;
    Token::Hidden(find(source, &end, text).map_or(source.len(), |quote| quote + end.len()))
}

/// The length of the character literal that `rest` begins with; none if it's a lifetime.
fn character_end(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        // The escaped byte itself may be a quote, so the search for the closing one begins behind it.
        return find(rest, b"'", 3).map(|quote| quote + 1);
    }
    let len = str::from_utf8(&rest[1..rest.len().min(5)])
        .map_or_else(|error| error.valid_up_to(), |text| text.len());
    let first = str::from_utf8(&rest[1..1 + len]).ok()?.chars().next()?;
    (rest.get(1 + first.len_utf8()) == Some(&b'\'')).then_some(2 + first.len_utf8())
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests;
