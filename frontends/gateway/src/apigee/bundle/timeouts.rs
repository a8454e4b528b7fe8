//! How long a target's connection and answer may take, as its properties say.
//!
//! # Idea         the vendor's names: `connect.timeout.millis`, `io.timeout.millis`; other properties mean nothing here
//! # Costs        once a bundle
//! # Invariants   T1 a timeout is never zero, and short enough to be added to any time
//! # Not here     what holds where nothing is said

use std::time::Duration;

use crate::finding::Finding;
use crate::xml::Element;

/// How long a target may take, so far as its endpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Option<Duration>,
    /// For the whole answer.
    pub answer: Option<Duration>,
}

/// Longer than anybody waits: a day.
const MILLIS_MAX: u64 = 86_400_000;

impl Timeouts {
    /// Reads them from a target endpoint.
    ///
    /// # Errors
    /// A property that is no number of milliseconds.
    pub(super) fn of(endpoint: &Element) -> Result<Self, Finding> {
        let connection = endpoint.element("HTTPTargetConnection");
        let properties = connection.and_then(|connection| connection.element("Properties"));
        let mut timeouts = Self::default();
        for property in properties.into_iter().flat_map(Element::elements) {
            let name = property.attribute("name");
            let name = name.and_then(|name| name.value.literal()).map(str::trim);
            let place = match name {
                Some("connect.timeout.millis") => &mut timeouts.connect,
                Some("io.timeout.millis") => &mut timeouts.answer,
                _ => continue,
            };
            let millis = property.literal().parse::<u64>().ok();
            let millis = millis.filter(|millis| (1..=MILLIS_MAX).contains(millis));
            let wrong = || {
                let name = name.unwrap_or_default();
                let message = format!("`{name}` must be from 1 to {MILLIS_MAX} milliseconds");
                Finding::error(property.at, message).with_code("InvalidTimeout")
            };
            *place = Some(Duration::from_millis(millis.ok_or_else(wrong)?));
        }
        Ok(timeouts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{self, Bounds, Dialect};

    fn timeouts(properties: &str) -> Result<Timeouts, String> {
        let text = format!(
            "<TargetEndpoint name=\"t\"><HTTPTargetConnection><Properties>{properties}</Properties></HTTPTargetConnection></TargetEndpoint>"
        );
        let element = xml::read_one(&text, Dialect::Strict, Bounds::default(), |_| None).unwrap();
        Timeouts::of(&element).map_err(|finding| finding.to_string())
    }

    #[test]
    fn a_014_timeouts_of_targets_are_milliseconds_above_zero() {
        let read = timeouts(
            r#"<Property name="io.timeout.millis"> 250 </Property><Property name="keepalive.timeout.millis">x</Property><Property name="connect.timeout.millis">3000</Property>"#,
        );
        let expected = Timeouts {
            connect: Some(Duration::from_secs(3)),
            answer: Some(Duration::from_millis(250)),
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(timeouts(""), Ok(Timeouts::default()));
        for wrong in ["", "0", "-1", "1.5", "soon", "86400001"] {
            let property = format!("<Property name=\"io.timeout.millis\">{wrong}</Property>");
            let refused = timeouts(&property).unwrap_err();
            assert!(refused.contains("InvalidTimeout"), "{refused}");
        }
    }
}
