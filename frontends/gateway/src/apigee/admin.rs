//! The paths under which an environment's caches are administered.
//!
//! # Idea         `/v1/organizations/{o}/environments/{e}/caches`, and below it a cache and its entries
//! # Costs        a lock of the environment's
//! # Invariants   M1 nothing is told or changed without an administrator's token, compared in constant time
//! # Not here     the listener: it is another than that of the traffic

use http::{Method, StatusCode};
use larder::Expiry;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};

use super::environment::{CacheSettings, CreateError, Environment};
use crate::http::{Request, Response, header};

/// Answers a request to administer caches. `None`: the path isn't one of these.
pub fn administer(
    environments: &[Environment],
    token: &str,
    request: &Request,
) -> Option<Response> {
    let rest = request.path.strip_prefix("/v1/organizations/")?;
    let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    let (organization, environment, below) = match parts.as_slice() {
        [
            organization,
            "environments",
            environment,
            "caches",
            below @ ..,
        ] => (decode(organization)?, decode(environment)?, below),
        _ => return None,
    };
    if !is_administrator(token, request) {
        return Some(told(
            StatusCode::UNAUTHORIZED,
            &json!({ "message": "an administrator's token is required" }),
        ));
    }
    let environment = environments
        .iter()
        .find(|known| known.organization() == organization && known.name() == environment);
    Some(match environment {
        Some(environment) => of_environment(environment, below, request),
        None => missing("there is no such environment"),
    })
}

fn decode(part: &str) -> Option<String> {
    Some(percent_decode_str(part).decode_utf8().ok()?.into_owned())
}

fn is_administrator(token: &str, request: &Request) -> bool {
    let sent = header(&request.headers, "authorization").unwrap_or_default();
    let sent = sent.strip_prefix("Bearer ").unwrap_or_default().as_bytes();
    let token = token.as_bytes();
    let differs = sent
        .iter()
        .zip(token)
        .fold(0, |sum, (sent, known)| sum | (sent ^ known));
    !token.is_empty() && sent.len() == token.len() && differs == 0
}

fn of_environment(environment: &Environment, below: &[&str], request: &Request) -> Response {
    let below: Option<Vec<String>> = below.iter().map(|part| decode(part)).collect();
    let Some(below) = below else {
        return told(
            StatusCode::BAD_REQUEST,
            &json!({ "message": "the path is no text" }),
        );
    };
    let below: Vec<&str> = below.iter().map(String::as_str).collect();
    match (&request.method, below.as_slice()) {
        (&Method::GET, []) => told(StatusCode::OK, &json!(environment.caches())),
        (&Method::POST, []) => create(environment, request),
        (&Method::GET, [name]) => match environment.cache_settings(name) {
            Some(settings) => told(StatusCode::OK, &description(name, &settings)),
            None => missing("there is no such cache"),
        },
        (&Method::PUT, [name]) => match settings_of(&request.body) {
            Ok(settings) if environment.update_cache(name, settings.clone()) => {
                told(StatusCode::OK, &description(name, &settings))
            }
            Ok(_) => missing("there is no such cache"),
            Err(message) => told(StatusCode::BAD_REQUEST, &json!({ "message": message })),
        },
        (&Method::DELETE, [name]) => match environment.delete_cache(name) {
            true => told(StatusCode::OK, &json!({ "name": name })),
            false => missing("there is no such cache"),
        },
        (&Method::POST, [name, "entries", key @ ..]) => clear(environment, name, key, request),
        _ => told(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({ "message": "not this way" }),
        ),
    }
}

fn create(environment: &Environment, request: &Request) -> Response {
    let name = request.query_parameter("name");
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return told(
            StatusCode::BAD_REQUEST,
            &json!({ "message": "`name` is missing" }),
        );
    };
    let settings = match settings_of(&request.body) {
        Ok(settings) => settings,
        Err(message) => return told(StatusCode::BAD_REQUEST, &json!({ "message": message })),
    };
    match environment.create_cache(&name, settings.clone()) {
        Ok(()) => told(StatusCode::CREATED, &description(&name, &settings)),
        Err(error) => {
            let status = match &error {
                CreateError::AlreadyExists => StatusCode::CONFLICT,
                CreateError::TooMany => StatusCode::TOO_MANY_REQUESTS,
                CreateError::Name(_) => StatusCode::BAD_REQUEST,
            };
            told(status, &json!({ "message": error.to_string() }))
        }
    }
}

fn clear(environment: &Environment, name: &str, key: &[&str], request: &Request) -> Response {
    if request.query_parameter("action").as_deref() != Some("clear") {
        return told(
            StatusCode::BAD_REQUEST,
            &json!({ "message": "`action` must be clear" }),
        );
    }
    let prefix = request.query_parameter("prefix");
    let is_there = match (key, prefix) {
        ([], None) => environment.clear(Some(name)),
        ([], Some(prefix)) => environment.clear_prefix(name, &prefix),
        ([key], _) => environment.clear_key(name, key),
        _ => return missing("there is no such path"),
    };
    match is_there {
        true => told(StatusCode::OK, &json!({ "name": name })),
        false => missing("there is no such cache"),
    }
}

fn description(name: &str, settings: &CacheSettings) -> Json {
    let mut told = settings.told.clone();
    told.insert("name".to_owned(), name.into());
    Json::Object(told)
}

/// What a body says of a cache; none says nothing.
fn settings_of(body: &[u8]) -> Result<CacheSettings, String> {
    if body.is_empty() {
        return Ok(CacheSettings::default());
    }
    let told: Map<String, Json> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let expiry = match told.get("expirySettings") {
        Some(settings) => expiry(settings)?,
        None => None,
    };
    let kilobytes = told.get("skipCacheIfElementSizeInKBExceeds");
    let kilobytes = match kilobytes {
        None | Some(Json::Null) => None,
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            Some(number.ok_or("`skipCacheIfElementSizeInKBExceeds` is no number")?)
        }
    };
    Ok(CacheSettings {
        expiry,
        element_bytes_max: kilobytes.map(|kilobytes: u64| kilobytes.saturating_mul(1024)),
        mode: None,
        told,
    })
}

fn expiry(settings: &Json) -> Result<Option<Expiry>, String> {
    if !matches!(settings, Json::Object(_) | Json::Null) {
        return Err("`expirySettings` is no object".to_owned());
    }
    if let Some(seconds) = said(settings, "timeoutInSec")? {
        return match seconds.parse() {
            Ok(seconds @ 1..) => {
                let ttl = std::time::Duration::from_secs(seconds).min(super::read::EXPIRY_MAX);
                Ok(Some(Expiry::after(ttl)))
            }
            _ => Err("`timeoutInSec` is no number of seconds above zero".to_owned()),
        };
    }
    let date = said(settings, "expiryDate")?;
    let time = said(settings, "timeOfDay")?;
    let expiry = match (date, time) {
        (Some(date), Some(time)) => Some(Expiry::date_and_time(&date, &time)),
        (Some(date), None) => Some(Expiry::date(&date)),
        (None, Some(time)) => Some(Expiry::time_of_day(&time)),
        (None, None) => None,
    };
    expiry.transpose().map_err(|error| error.to_string())
}

/// The text or number of a field; one that is null or empty says nothing.
fn said(settings: &Json, name: &str) -> Result<Option<String>, String> {
    let wrong = || format!("`{name}` must be an object whose `value` is a text or a number");
    match settings.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(field)) => match field.get("value") {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

fn told(status: StatusCode, body: &Json) -> Response {
    Response::text(status.as_u16(), body.to_string()).header("Content-Type", "application/json")
}

fn missing(message: &str) -> Response {
    told(StatusCode::NOT_FOUND, &json!({ "message": message }))
}
