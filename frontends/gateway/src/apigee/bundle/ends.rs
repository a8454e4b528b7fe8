//! What a proxy's paths begin with, and whom targets and routes ask.
//!
//! # Idea         what no request would meet, or nobody would be asked by, is an error where it is written
//! # Costs        once a bundle
//! # Invariants   N1 a target has a URL; N2 a route that names nobody was meant so
//! # Not here     whether the target that a route names is there

use url::Url;

use crate::finding::Finding;
use crate::xml::Element;

/// What the paths of a proxy begin with; nothing for all.
///
/// # Errors
/// It begins with no slash, as every path does.
pub(super) fn base_path(proxy: &Element) -> Result<String, Finding> {
    let Some(base) = inner(proxy, "HTTPProxyConnection", "BasePath") else {
        return Ok(String::new());
    };
    let path = base.literal();
    match path.is_empty() || path.starts_with('/') {
        true => Ok(path.to_owned()),
        false => Err(Finding::error(base.at, "<BasePath> must begin with `/`")),
    }
}

/// Where a target is.
///
/// # Errors
/// It isn't said, or is no URL, or one with variables.
pub(super) fn url(target: &Element) -> Result<String, Finding> {
    let Some(said) = inner(target, "HTTPTargetConnection", "URL") else {
        let message =
            "<TargetEndpoint> has no <URL> in an <HTTPTargetConnection>, which is required";
        return Err(Finding::error(target.at, message));
    };
    let text = said.literal();
    if text.contains('{') {
        let message = "<URL> of a target has variables, which only that of a <ServiceCallout> may";
        return Err(Finding::error(said.at, message));
    }
    let url = Url::parse(text).ok();
    match url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        Some(_) => Ok(text.to_owned()),
        None => {
            let message = "<URL> must be one of http or https, such as https://backend.example/v1";
            Err(Finding::error(said.at, message))
        }
    }
}

/// Which target a route names; `None`: nobody is asked.
///
/// # Errors
/// It has a URL in place of a target.
pub(super) fn target(route: &Element) -> Result<Option<String>, Finding> {
    let named = route.element("TargetEndpoint").map(Element::literal);
    let named = named.filter(|name| !name.is_empty());
    let url = route.element("URL").filter(|url| !url.literal().is_empty());
    match (named, url) {
        (None, Some(url)) => {
            let message = "<URL> is not known in <RouteRule>: write a <TargetEndpoint> with it, and name that";
            Err(Finding::error(url.at, message))
        }
        (named, _) => Ok(named.map(str::to_owned)),
    }
}

fn inner<'e>(endpoint: &'e Element, connection: &str, name: &str) -> Option<&'e Element> {
    endpoint.element(connection)?.element(name)
}
