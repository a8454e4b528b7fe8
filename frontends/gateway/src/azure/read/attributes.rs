//! The attributes of one element, asked for by name.
//!
//! # Idea         each question says what is allowed; what nobody asked for is unknown, and an error
//! # Costs        a short list a question
//! # Invariants   A1 `finish` is called for every element that was asked
//! # Not here     which attributes policies have

use std::cell::RefCell;
use std::time::Duration;

use crate::azure::expr::{Expression, Wanted};
use crate::azure::policy::{Caching, Setting};
use crate::finding::{Finding, Position};
use crate::http::HeaderName;
use crate::xml::{Content, Element, Text};

pub(super) struct Attributes<'e> {
    element: &'e Element,
    known: RefCell<Vec<&'static str>>,
}

/// A value that may be an expression, for a place that wants one kind.
pub(super) fn setting(text: &Text, wanted: Wanted) -> Result<Setting, Finding> {
    match &text.content {
        Content::Literal(literal) => Ok(Setting::Literal(literal.clone())),
        Content::Code(code) => Expression::compile(code, wanted).map(Setting::Code),
    }
}

impl<'e> Attributes<'e> {
    pub(super) fn of(element: &'e Element) -> Self {
        Self {
            element,
            known: RefCell::default(),
        }
    }

    fn get(&self, name: &'static str) -> Option<&'e Text> {
        self.known.borrow_mut().push(name);
        self.element.attribute(name).map(|found| &found.value)
    }

    /// Where the value of an attribute stands, or else the element.
    pub(super) fn place(&self, name: &str) -> Position {
        let found = self.element.attribute(name);
        found.map_or(self.element.at, |found| found.value.at)
    }

    fn missing(&self, name: &str) -> Finding {
        let message = format!("<{}> has no `{name}`, which is required", self.element.name);
        Finding::error(self.element.at, message)
    }

    pub(super) fn setting(
        &self,
        name: &'static str,
        wanted: Wanted,
    ) -> Result<Option<Setting>, Finding> {
        self.get(name).map(|text| setting(text, wanted)).transpose()
    }

    pub(super) fn required_setting(
        &self,
        name: &'static str,
        wanted: Wanted,
    ) -> Result<Setting, Finding> {
        self.setting(name, wanted)?
            .ok_or_else(|| self.missing(name))
    }

    /// A value that may not be an expression, and the place where it stands.
    fn plain(&self, name: &'static str) -> Result<Option<(&'e str, &'e Text)>, Finding> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.literal() {
            Some(literal) => Ok(Some((literal.trim(), text))),
            None => {
                let message = format!(
                    "`{name}` of <{}> cannot be an expression: write the text itself",
                    self.element.name
                );
                Err(Finding::error(text.at, message))
            }
        }
    }

    fn wrong(&self, name: &str, text: &Text, wanted: &str) -> Finding {
        let message = format!("`{name}` of <{}> must be {wanted}", self.element.name);
        Finding::error(text.at, message)
    }

    pub(super) fn literal(&self, name: &'static str) -> Result<Option<String>, Finding> {
        Ok(self.plain(name)?.map(|(literal, _)| literal.to_owned()))
    }

    pub(super) fn required_literal(&self, name: &'static str) -> Result<String, Finding> {
        match self.plain(name)? {
            Some(("", text)) => Err(self.wrong(name, text, "a name")),
            Some((literal, _)) => Ok(literal.to_owned()),
            None => Err(self.missing(name)),
        }
    }

    /// A value out of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Finding> {
        let Some((literal, text)) = self.plain(name)? else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == literal);
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let wrong = || self.wrong(name, text, &format!("one of {}", list.join(", ")));
        found.map(|(_, meant)| Some(*meant)).ok_or_else(wrong)
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Finding> {
        self.word(name, &[("true", true), ("false", false)])
    }

    pub(super) fn caching(&self) -> Result<Caching, Finding> {
        let words = [
            ("prefer-external", Caching::PreferExternal),
            ("external", Caching::External),
            ("internal", Caching::Internal),
        ];
        Ok(self.word("caching-type", &words)?.unwrap_or_default())
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, Finding> {
        let Some((literal, text)) = self.plain(name)? else {
            return Ok(None);
        };
        let number = literal.parse().ok().filter(|number| range.contains(number));
        let wanted = match *range.end() {
            u64::MAX => format!("a whole number from {} on", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        let wrong = || self.wrong(name, text, &wanted);
        number.map(Some).ok_or_else(wrong)
    }

    pub(super) fn required_number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, Finding> {
        self.number(name, range)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn seconds(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, Finding> {
        self.required_number(name, range).map(Duration::from_secs)
    }

    pub(super) fn header_name(&self, name: &'static str) -> Result<Option<HeaderName>, Finding> {
        let Some((literal, text)) = self.plain(name)? else {
            return Ok(None);
        };
        let wrong = |_| self.wrong(name, text, "the name of a header");
        HeaderName::try_from(literal).map(Some).map_err(wrong)
    }

    /// What nobody asked for is an error.
    pub(super) fn finish(self) -> Result<(), Finding> {
        let mut known = self.known.into_inner();
        known.sort_unstable();
        known.dedup();
        let unknown = self
            .element
            .attributes
            .iter()
            .find(|attribute| !known.contains(&&*attribute.name));
        match unknown {
            Some(attribute) => {
                let has = match known.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it may have {}", known.join(", ")),
                };
                let message = format!(
                    "<{}> has no attribute `{}`: {has}",
                    self.element.name, attribute.name
                );
                Err(Finding::error(attribute.at, message))
            }
            None => Ok(()),
        }
    }
}

/// The text of an element that has no attributes and no elements.
pub(super) fn content(element: &Element, wanted: Wanted) -> Result<Setting, Finding> {
    Attributes::of(element).finish()?;
    if let Some(inner) = element.elements().next() {
        return Err(unknown_element(inner, &element.name));
    }
    match element.text() {
        Some(text) => setting(text, wanted),
        None => Ok(Setting::Literal(String::new())),
    }
}

/// That an element isn't known where it stands.
pub(super) fn unknown_element(element: &Element, parent: &str) -> Finding {
    let right = match parent {
        "api" => "; known is operation",
        "audiences" => "; known is audience",
        "cache-lookup" => "; known are vary-by-header, vary-by-query-parameter",
        "cache-value" | "set-header" => "; known is value",
        "choose" => "; known are otherwise, when",
        "issuer-signing-keys" => "; known is key",
        "issuers" => "; known is issuer",
        "policies" | "the document" => "; known are backend, inbound, on-error, outbound",
        "rate-limit" => "; known is api",
        "return-response" => "; known are set-body, set-header, set-status",
        "send-request" => "; known are set-body, set-header, set-method, set-url",
        "validate-jwt" => "; known are audiences, issuer-signing-keys, issuers, jwks-file",
        _ => ": take it out",
    };
    let message = format!("<{}> is not known in <{parent}>{right}", element.name);
    Finding::error(element.at, message)
}

/// That a text stands where none may.
pub(super) fn no_text(element: &Element) -> Result<(), Finding> {
    match element.text() {
        Some(text) => {
            let message = format!("<{}> holds a text, and may not", element.name);
            Err(Finding::error(text.at, message))
        }
        None => Ok(()),
    }
}
