//! The caching policies.
//!
//! # Idea         attributes, and for `cache-value` a block
//! # Costs        once a document
//! # Invariants   L2 of the module above
//! # Not here     caches

use super::attributes::{Attributes, content, no_text, unknown_element};
use crate::azure::expr::Wanted;
use crate::azure::policy::{
    Act, CacheValue, LookupResponse, LookupValue, Policy, RemoveValue, Setting, StoreResponse,
    StoreValue,
};
use crate::finding::Finding;
use crate::http::HeaderName;
use crate::xml::Element;

/// That an element holds nothing.
fn empty(element: &Element) -> Result<(), Finding> {
    no_text(element)?;
    match element.elements().next() {
        Some(inner) => Err(unknown_element(inner, &element.name)),
        None => Ok(()),
    }
}

pub(super) fn lookup_value(element: &Element) -> Result<Act, Finding> {
    empty(element)?;
    let attributes = Attributes::of(element);
    let lookup = LookupValue {
        key: attributes.required_setting("key", Wanted::Text)?,
        variable: attributes.required_literal("variable-name")?,
        default: attributes.setting("default-value", Wanted::Value)?,
        caching: attributes.caching()?,
    };
    attributes.finish()?;
    Ok(Act::LookupValue(Box::new(lookup)))
}

pub(super) fn store_value(element: &Element) -> Result<Act, Finding> {
    empty(element)?;
    let attributes = Attributes::of(element);
    let store = StoreValue {
        key: attributes.required_setting("key", Wanted::Text)?,
        value: attributes.required_setting("value", Wanted::Value)?,
        duration: attributes.required_setting("duration", Wanted::Integer)?,
        caching: attributes.caching()?,
    };
    attributes.finish()?;
    Ok(Act::StoreValue(Box::new(store)))
}

pub(super) fn remove_value(element: &Element) -> Result<Act, Finding> {
    empty(element)?;
    let attributes = Attributes::of(element);
    let remove = RemoveValue {
        key: attributes.required_setting("key", Wanted::Text)?,
        caching: attributes.caching()?,
    };
    attributes.finish()?;
    Ok(Act::RemoveValue(remove))
}

pub(super) fn cache_value(element: &Element, block: Option<Vec<Policy>>) -> Result<Act, Finding> {
    no_text(element)?;
    let Some(block) = block else {
        let message = "<cache-value> has no <value>, which is required";
        return Err(Finding::error(element.at, message));
    };
    if let Some(other) = element.elements().find(|inner| inner.name != "value") {
        return Err(unknown_element(other, "cache-value"));
    }
    if let Some(second) = element.elements().nth(1) {
        return Err(Finding::error(second.at, "<value> is there twice"));
    }
    let attributes = Attributes::of(element);
    let value = CacheValue {
        key: attributes.required_setting("key", Wanted::Text)?,
        variable: attributes.required_literal("variable-name")?,
        expires_after: attributes.setting("expires-after", Wanted::Integer)?,
        refresh_after: attributes.setting("refresh-after", Wanted::Integer)?,
        default: attributes.setting("default-value", Wanted::Value)?,
        caching: attributes.caching()?,
        block,
    };
    attributes.finish()?;
    Ok(Act::CacheValue(Box::new(value)))
}

pub(super) fn lookup_response(element: &Element) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let mut lookup = LookupResponse {
        vary_by_headers: Vec::new(),
        vary_by_parameters: Vec::new(),
        vary_by_developer: attributes.flag("vary-by-developer")?.unwrap_or(false),
        allows_private: attributes
            .flag("allow-private-response-caching")?
            .unwrap_or(false),
        caching: attributes.caching()?,
    };
    // What clients keep is not the gateway's: of the words that say so, only the vendor's default is known.
    attributes.word("downstream-caching-type", &[("none", ())])?;
    // Groups of developers aren't known here; who says that responses differ by them gets none that are shared.
    if attributes.flag("vary-by-developer-groups")? == Some(true) {
        lookup.vary_by_developer = true;
    }
    attributes.finish()?;
    for inner in element.elements() {
        let text = match content(inner, Wanted::Text)? {
            Setting::Literal(text) => text,
            Setting::Code(code) => {
                let message = format!("<{}> cannot be an expression", inner.name);
                return Err(Finding::error(code.position(), message));
            }
        };
        match &*inner.name {
            "vary-by-header" => {
                let message = "<vary-by-header> must be the name of a header";
                let name = HeaderName::try_from(&*text);
                let name = name.map_err(|_| Finding::error(inner.at, message))?;
                lookup.vary_by_headers.push(name);
            }
            "vary-by-query-parameter" => {
                let names = text.split(';').map(|name| name.trim().to_owned());
                lookup.vary_by_parameters.extend(names);
            }
            _ => return Err(unknown_element(inner, "cache-lookup")),
        }
    }
    Ok(Act::LookupResponse(lookup))
}

pub(super) fn store_response(element: &Element) -> Result<Act, Finding> {
    empty(element)?;
    let attributes = Attributes::of(element);
    let duration = attributes.required_setting("duration", Wanted::Integer)?;
    attributes.finish()?;
    Ok(Act::StoreResponse(StoreResponse { duration }))
}
