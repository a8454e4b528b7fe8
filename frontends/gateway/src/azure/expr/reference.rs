//! URLs in expressions: references that stay below their base.
//!
//! # Idea         the URL library resolves; what it resolved to is compared with the base, part by part
//! # Costs        a parse
//! # Invariants   U1 what parsers repair in silence (control characters, space at the ends) is refused; U2 a reference that stays has the
//!   scheme, user, host and port of its base
//! # Not here     who may be asked

use url::Url;

/// Whether a text has nothing in it that parsers of URLs drop or repair.
pub(crate) fn is_clean_url(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.trim() == text
}

pub(super) fn parse_url(text: &str, base: Option<&Url>) -> Result<Url, String> {
    if !is_clean_url(text) {
        return Err("the URL has a control character or space at an end".to_owned());
    }
    Url::options()
        .base_url(base)
        .parse(text)
        .map_err(|error| format!("{text:?} is no URL: {error}"))
}

/// Whether what a reference led to is below its base.
pub(super) fn stays(base: &Url, url: &Url, may_climb: bool) -> Result<(), String> {
    let authority = |url: &Url| {
        let port = url.port_or_known_default();
        (url.scheme().to_owned(), url.authority().to_owned(), port)
    };
    if authority(base) != authority(url) {
        return Err("the reference leads to another host".to_owned());
    }
    let directory = base
        .path()
        .rfind('/')
        .map_or("", |slash| &base.path()[..=slash]);
    if !may_climb && !url.path().starts_with(directory) {
        return Err("the reference leaves the path of its base".to_owned());
    }
    Ok(())
}
