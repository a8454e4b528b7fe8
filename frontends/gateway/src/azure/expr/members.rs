//! The closed table of types and members.
//!
//! # Idea         a type and a name give what is meant and its type; what isn't here doesn't load
//! # Costs        a match
//! # Invariants   M1 every entry is read by `eval` for the values of its type
//! # Not here     syntax

use std::fmt;

/// The type of an expression, as the check knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// `object`: of a variable.
    Any,
    Null,
    Bool,
    Int,
    Char,
    Text,
    Texts,
    Jwt,
    Uri,
    Response,
    Body,
    /// `JObject`
    Json,
    /// `JToken`
    Token,
    Context,
    Request,
    Headers,
    Variables,
    Url,
    Query,
    Api,
    Product,
    Subscription,
}

/// What is read of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Request,
    Response,
    Variables,
    Api,
    Product,
    Subscription,
    Headers,
    IpAddress,
    Method,
    Url,
    Path,
    Query,
    ServiceUrl,
    Key,
    Id,
    AbsoluteUri,
    Subject,
    Body,
    StatusCode,
}

/// What is called on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Of headers and queries: name and default.
    Get,
    /// Of variables: name and default.
    GetVariable(Type),
    ContainsKey,
    Split,
    AsJwt,
    ToLower,
    ToText,
    BodyText,
    BodyJson,
}

/// The names of all members.
const MEMBERS: [&str; 19] = [
    "AbsoluteUri",
    "Api",
    "Body",
    "Headers",
    "Id",
    "IpAddress",
    "Key",
    "Method",
    "Path",
    "Product",
    "Query",
    "Request",
    "Response",
    "ServiceUrl",
    "StatusCode",
    "Subject",
    "Subscription",
    "Url",
    "Variables",
];

impl Type {
    /// The type of a name in angle brackets or a cast.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "int" => Self::Int,
            "bool" => Self::Bool,
            "IResponse" => Self::Response,
            _ => return None,
        })
    }

    /// Whether a value of it may be null.
    pub(super) fn is_nullable(self) -> bool {
        !matches!(self, Self::Bool | Self::Int | Self::Char)
    }

    /// Whether a value of it can be joined to a text.
    pub(super) fn may_be_text(self) -> bool {
        matches!(
            self,
            Self::Any
                | Self::Null
                | Self::Bool
                | Self::Int
                | Self::Char
                | Self::Text
                | Self::Uri
                | Self::Json
                | Self::Token
        )
    }

    pub(super) fn may_be_integer(self) -> bool {
        matches!(self, Self::Any | Self::Int | Self::Text | Self::Token)
    }

    /// Whether a variable can hold a value of it.
    pub(super) fn may_be_kept(self) -> bool {
        self.may_be_text() || matches!(self, Self::Jwt | Self::Response | Self::Texts)
    }

    /// The member of a name, and its type.
    pub(super) fn member(self, name: &str) -> Option<(Member, Type)> {
        Some(match (self, name) {
            (Self::Context, "Request") => (Member::Request, Self::Request),
            (Self::Context, "Response") => (Member::Response, Self::Response),
            (Self::Context, "Variables") => (Member::Variables, Self::Variables),
            (Self::Context, "Api") => (Member::Api, Self::Api),
            (Self::Context, "Product") => (Member::Product, Self::Product),
            (Self::Context, "Subscription") => (Member::Subscription, Self::Subscription),
            (Self::Request, "Headers") => (Member::Headers, Self::Headers),
            (Self::Request, "IpAddress") => (Member::IpAddress, Self::Text),
            (Self::Request, "Method") => (Member::Method, Self::Text),
            (Self::Request, "Url") => (Member::Url, Self::Url),
            (Self::Url, "Path") => (Member::Path, Self::Text),
            (Self::Url, "Query") => (Member::Query, Self::Query),
            (Self::Api, "ServiceUrl") => (Member::ServiceUrl, Self::Uri),
            (Self::Subscription, "Key") => (Member::Key, Self::Text),
            (Self::Product, "Id") => (Member::Id, Self::Text),
            (Self::Uri, "AbsoluteUri") => (Member::AbsoluteUri, Self::Text),
            (Self::Jwt, "Subject") => (Member::Subject, Self::Text),
            (Self::Response, "Body") => (Member::Body, Self::Body),
            (Self::Response, "StatusCode") => (Member::StatusCode, Self::Int),
            _ => return None,
        })
    }

    /// The names of its members.
    pub(super) fn members(self) -> impl Iterator<Item = &'static str> {
        MEMBERS
            .into_iter()
            .filter(move |name| self.member(name).is_some())
    }

    /// Its methods, as they are called.
    pub(super) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Headers | Self::Query => &["GetValueOrDefault(string, string)"],
            Self::Variables => &[
                "ContainsKey(string)",
                "GetValueOrDefault<type>(string, type)",
            ],
            Self::Text => &["Split(char)", "AsJwt()", "ToLower()"],
            Self::Uri => &["ToString()"],
            Self::Body => &["As<string>()", "As<JObject>()"],
            _ => &[],
        }
    }

    /// The method of a name with these arguments, and the type of what it returns.
    pub(super) fn method(
        self,
        name: &str,
        generic: Option<&str>,
        arguments: &[Type],
    ) -> Option<(Method, Type)> {
        use Type::{Char, Text};
        Some(match (self, name, generic, arguments) {
            (Self::Headers | Self::Query, "GetValueOrDefault", None, [Text] | [Text, Text]) => {
                (Method::Get, Text)
            }
            (Self::Variables, "ContainsKey", None, [Text]) => (Method::ContainsKey, Self::Bool),
            (Self::Variables, "GetValueOrDefault", Some(generic), arguments) => {
                let wanted = Self::named(generic)?;
                match arguments {
                    [Text] => {}
                    [Text, default] if *default == wanted => {}
                    [Text, Self::Null] if wanted.is_nullable() => {}
                    _ => return None,
                }
                (Method::GetVariable(wanted), wanted)
            }
            (Text, "Split", None, [Char]) => (Method::Split, Self::Texts),
            (Text, "AsJwt", None, []) => (Method::AsJwt, Self::Jwt),
            (Text, "ToLower", None, []) => (Method::ToLower, Text),
            (Self::Uri, "ToString", None, []) => (Method::ToText, Text),
            (Self::Body, "As", Some("string"), []) => (Method::BodyText, Text),
            (Self::Body, "As", Some("JObject"), []) => (Method::BodyJson, Self::Json),
            _ => return None,
        })
    }

    /// What indexing gives, by the index's type.
    pub(super) fn indexed(self, index: Type) -> Option<Type> {
        Some(match (self, index) {
            (Self::Variables, Self::Text) => Self::Any,
            (Self::Texts, Self::Int) => Self::Text,
            (Self::Json | Self::Token, Self::Text) => Self::Token,
            _ => return None,
        })
    }

    /// Whether a value of it may be cast to another.
    pub(super) fn casts_to(self, to: Type) -> bool {
        match to {
            Self::Text => matches!(self, Self::Any | Self::Token | Self::Text | Self::Null),
            Self::Int => matches!(self, Self::Any | Self::Token | Self::Text | Self::Int),
            Self::Bool => matches!(self, Self::Any | Self::Token | Self::Bool),
            Self::Response => matches!(self, Self::Any | Self::Response | Self::Null),
            _ => false,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "an object",
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Char => "a char",
            Self::Text => "a string",
            Self::Texts => "a string[]",
            Self::Jwt => "a Jwt",
            Self::Uri => "a Uri",
            Self::Response => "an IResponse",
            Self::Body => "a message's Body",
            Self::Json => "a JObject",
            Self::Token => "a JToken",
            Self::Context => "the context",
            Self::Request => "context.Request",
            Self::Headers => "context.Request.Headers",
            Self::Variables => "context.Variables",
            Self::Url => "context.Request.Url",
            Self::Query => "context.Request.Url.Query",
            Self::Api => "context.Api",
            Self::Product => "context.Product",
            Self::Subscription => "context.Subscription",
        })
    }
}
