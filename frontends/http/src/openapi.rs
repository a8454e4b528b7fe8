//! The OpenAPI document: every route with its parameters and the statuses that it answers.
//!
//! # Idea         a table, from which the document is built when it is asked for; a test asks the routes and compares
//! # Costs        some microseconds a request
//! # Not here     routing

use axum::extract::Request;
use axum::response::Response;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, OpenApiBuilder, Paths, Required, ResponseBuilder,
};

use crate::app::App;
use crate::error::ApiError;
use crate::respond;

/// A method of a route: its path, what it does, its parameters in the query, the type of the body that is asked for, and the statuses.
struct Row(
    &'static str,
    HttpMethod,
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static [u16],
);

const BYTES: &str = "application/octet-stream";
const JSON: &str = "application/json";
const KEY: &[&str] = &["key", "key_base64", "token"];
const TTL: &str = "ttl_seconds";
const PUT: &[&str] = &["key", "key_base64", TTL, "token"];
const PATH_PUT: &[&str] = &[TTL, "token"];
const TOKEN: &[&str] = &["token"];
const ITEM: &[u16] = &[200, 400, 401, 403, 404, 429, 500];
const WRITE: &[u16] = &[204, 400, 401, 403, 404, 429, 500];

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    use HttpMethod::{Delete, Get, Head, Post, Put};
    let item = "/cache/{cacheName}";
    let by_path = "/cache/{cacheName}/{key}";
    let mut rows = vec![
        Row(item, Get, "Gives the value of a key", KEY, "", ITEM),
        Row(item, Head, "As GET, without the value", KEY, "", ITEM),
        Row(item, Put, "Stores a value under a key", PUT, BYTES, WRITE),
        Row(item, Delete, "Removes a key", KEY, "", WRITE),
        Row(by_path, Get, "The same; the rest of the path is the key", TOKEN, "", ITEM),
        Row(by_path, Head, "The same; the rest of the path is the key", TOKEN, "", ITEM),
        Row(by_path, Put, "The same; the rest of the path is the key", PATH_PUT, BYTES, WRITE),
        Row(by_path, Delete, "The same; the rest of the path is the key", TOKEN, "", WRITE),
        Row("/caches", Get, "Lists the caches of the account", TOKEN, "", &[200, 400, 401, 403, 429, 500]),
        Row("/caches/{cacheName}", Put, "Makes a cache", TOKEN, "", &[201, 400, 401, 403, 409, 429, 500]),
        Row("/caches/{cacheName}", Delete, "Deletes a cache with its items", TOKEN, "", WRITE),
        Row("/caches/{cacheName}/flush", Post, "Removes all items of a cache", TOKEN, "", WRITE),
        Row("/tokens", Post, "Mints a token", TOKEN, JSON, &[201, 400, 401, 403, 413, 429, 500]),
    ];
    for (path, summary) in [
        ("/caches/{cacheName}/items/set-if", "Stores a value if the present one is as asked"),
        ("/caches/{cacheName}/items/increment", "Adds to a number"),
        ("/caches/{cacheName}/items/ttl", "Tells or changes how long an item has to live"),
        ("/caches/{cacheName}/items/exists", "Whether keys are there"),
        ("/caches/{cacheName}/items/get-batch", "Gives the values of keys"),
        ("/caches/{cacheName}/items/set-batch", "Stores values under keys"),
    ] {
        rows.push(Row(path, Post, summary, TOKEN, JSON, ITEM));
    }
    rows
}

/// The document.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    let mut paths = Paths::new();
    for Row(path, method, summary, query, body, statuses) in rows() {
        let mut operation = OperationBuilder::new().summary(Some(summary));
        let in_path = path.split('/').filter_map(|part| {
            part.strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
        });
        for name in in_path {
            operation = operation.parameter(parameter(name, ParameterIn::Path));
        }
        for name in query {
            operation = operation.parameter(parameter(name, ParameterIn::Query));
        }
        if !body.is_empty() {
            let content = ContentBuilder::new().build();
            let builder = RequestBodyBuilder::new().content(body, content);
            operation = operation.request_body(Some(builder.build()));
        }
        for status in statuses {
            let response = response(*status, path, &method);
            operation = operation.response(status.to_string(), response);
        }
        paths.add_path_operation(path, vec![method], operation);
    }
    let none: [&str; 0] = [];
    let by_header = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let by_query = ApiKey::Query(ApiKeyValue::new("token"));
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(by_header))
        .security_scheme("token", SecurityScheme::ApiKey(by_query))
        .build();
    OpenApiBuilder::new()
        .info(Info::new("Larder", env!("CARGO_PKG_VERSION")))
        .paths(paths)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new("bearer", none),
            SecurityRequirement::new("token", none),
        ]))
        .build()
}

/// A parameter with its type: a document with one that has none is not valid. Of `key` and `key_base64` one is needed, and of the tokens
/// of query and header, which a document can't say.
fn parameter(name: &str, within: ParameterIn) -> Parameter {
    let (of_type, minimum) = match name {
        TTL => (Type::Integer, Some(1)),
        _ => (Type::String, None),
    };
    let is_needed = within == ParameterIn::Path || name == TTL;
    let schema = ObjectBuilder::new().schema_type(of_type).minimum(minimum);
    let mut parameter = Parameter::new(name);
    parameter.parameter_in = within;
    parameter.required = match is_needed {
        true => Required::True,
        false => Required::False,
    };
    parameter.schema = Some(schema.build().into());
    parameter
}

fn response(status: u16, path: &str, method: &HttpMethod) -> utoipa::openapi::Response {
    let meaning = axum::http::StatusCode::from_u16(status);
    let meaning = meaning.ok().and_then(|status| status.canonical_reason());
    let response = ResponseBuilder::new().description(meaning.unwrap_or(""));
    let is_value = path.starts_with("/cache/");
    let content = match (status, method) {
        (_, HttpMethod::Head) | (204, _) => return response.build(),
        (200 | 201, _) if is_value => &[BYTES][..],
        (200 | 201, _) => &[JSON],
        _ => &[JSON, "text/plain"],
    };
    let with = |response: ResponseBuilder, kind: &&str| {
        response.content(*kind, ContentBuilder::new().build())
    };
    content.iter().fold(response, with).build()
}

/// Serves `/openapi.json`.
pub(crate) async fn document(_: App, _: Request) -> Result<Response, ApiError> {
    let document = serde_json::to_string(&openapi()).map_err(|_| ApiError::INTERNAL)?;
    Ok(respond::json(document))
}
