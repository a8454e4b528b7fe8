//! Evaluation of code for one request.
//!
//! # Idea         a walk over checked code; what C# throws an exception for is an error, with the byte of the node
//! # Costs        a step a node
//! # Invariants   P2, P3 of the module above; V1 a reference never leaves the authority of its base, nor its path unless that is allowed
//! # Not here     what an error does to the request; how texts are joined: module `text`

mod operators;
mod text;

use std::sync::Arc;

use serde_json::Value as Json;

use self::operators::{cast, compare};
use self::text::TEXT_BYTES_FIRST;
use super::check::{Act, Code};
use super::facts::Facts;
use super::members::{Member, Method, Type};
use super::reference::{parse_url, stays};
use super::syntax::Operator;
use super::value::{Claims, Part, Value};
use super::{FUEL, Wrong};
use crate::http;

struct Eval<'r> {
    facts: &'r Facts<'r>,
    /// The first that is missing of what the value is made of. What decides between values is no part of them.
    lack: Option<Lack>,
    fuel: u64,
}

/// That something is missing of what a value is made of, and at which byte.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lack {
    /// Null is joined to a text.
    Null(usize),
    /// A variable is read that lacks a part itself.
    Variable(usize),
}

impl From<Lack> for Wrong {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Null(at) => Self::new(
                at,
                "a part of the key is null: all without it would share one entry",
            ),
            Lack::Variable(at) => Self::new(
                at,
                "a part of this variable was null when it was set: all without it would share one entry",
            ),
        }
    }
}

type Evaluated = Result<Value, Wrong>;

pub(super) fn evaluate(code: &Code, facts: &Facts<'_>) -> Result<(Value, Option<Lack>), Wrong> {
    let mut eval = Eval::new(facts);
    Ok((eval.code(code)?, eval.lack))
}

/// The text of what code evaluates to.
pub(super) fn text(code: &Code, facts: &Facts<'_>) -> Result<(String, Option<Lack>), Wrong> {
    let mut text = String::with_capacity(TEXT_BYTES_FIRST);
    let mut eval = Eval::new(facts);
    eval.write(code, &mut text)?;
    Ok((text, eval.lack))
}

impl<'r> Eval<'r> {
    fn new(facts: &'r Facts<'r>) -> Self {
        Self {
            facts,
            lack: None,
            fuel: FUEL,
        }
    }
}

impl Eval<'_> {
    fn burn(&mut self, at: usize, steps: u64) -> Result<(), Wrong> {
        match self.fuel.checked_sub(steps) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(Wrong::new(at, "the evaluation takes too many steps")),
        }
    }

    fn code(&mut self, code: &Code) -> Evaluated {
        let at = code.at;
        self.burn(at, 1)?;
        match &code.act {
            Act::Constant(value) => Ok(value.clone()),
            Act::Join(pieces) => {
                let mut text = String::with_capacity(TEXT_BYTES_FIRST);
                for piece in pieces {
                    self.write(piece, &mut text)?;
                }
                Ok(text.into())
            }
            Act::Header { name, default } => match self.facts.request.headers.get(name) {
                Some(value) => Ok(Value::text(String::from_utf8_lossy(value.as_bytes()))),
                None => Ok(default.clone()),
            },
            Act::Member {
                target,
                member,
                is_safe,
            } => match self.code(target)? {
                Value::Null if *is_safe => Ok(Value::Null),
                target => self.member(at, &target, *member),
            },
            Act::Call {
                target,
                method,
                arguments,
                is_safe,
            } => {
                let target = self.code(target)?;
                if *is_safe && target.is_null() {
                    return Ok(Value::Null);
                }
                let arguments = arguments.iter().map(|argument| self.code(argument));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                self.call(at, &target, *method, &arguments)
            }
            Act::Index { target, index } => {
                let (target, index) = (self.code(target)?, self.code(index)?);
                self.index(at, &target, &index)
            }
            Act::Cast { to, value } => {
                let value = self.code(value)?;
                cast(at, *to, value)
            }
            Act::NewUri(arguments) => {
                let arguments = arguments.iter().map(|argument| self.code(argument));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                self.new_uri(at, &arguments)
            }
            Act::Not(value) => match self.aside(value)? {
                Value::Bool(boolean) => Ok((!boolean).into()),
                _ => Err(null(at, "!")),
            },
            Act::Binary {
                operator,
                left,
                right,
            } => self.binary(*operator, left, right),
            Act::Choice { condition, yes, no } => match self.aside(condition)? {
                Value::Bool(true) => self.code(yes),
                Value::Bool(false) => self.code(no),
                _ => Err(null(at, "?:")),
            },
        }
    }

    /// The value of what only decides: whatever it lacks, the result doesn't.
    fn aside(&mut self, code: &Code) -> Evaluated {
        let before = self.lack;
        let value = self.code(code);
        self.lack = before;
        value
    }

    /// A variable's value, if it is there.
    fn variable(&mut self, at: usize, name: &str) -> Option<Value> {
        let made = self.facts.variables.get_made(name)?;
        if made.lacks_part {
            self.lack.get_or_insert(Lack::Variable(at));
        }
        Some(made.value.clone())
    }

    fn member(&mut self, at: usize, target: &Value, member: Member) -> Evaluated {
        let facts = self.facts;
        let text = |text: &str| Ok(Value::text(text));
        Ok(match (target, member) {
            (Value::Part(_), Member::Request) => Value::Part(Part::Request),
            (Value::Part(_), Member::Variables) => Value::Part(Part::Variables),
            (Value::Part(_), Member::Api) => Value::Part(Part::Api),
            (Value::Part(_), Member::Headers) => Value::Part(Part::Headers),
            (Value::Part(_), Member::Url) => Value::Part(Part::Url),
            (Value::Part(_), Member::Query) => Value::Part(Part::Query),
            (Value::Part(_), Member::Response) => match facts.response {
                Some(response) => Value::Response(Arc::clone(response)),
                None => Value::Null,
            },
            (Value::Part(_), Member::Subscription) => match facts.subscription {
                Some(_) => Value::Part(Part::Subscription),
                None => Value::Null,
            },
            (Value::Part(_), Member::Product) => {
                match facts.subscription.and_then(|known| known.product.as_ref()) {
                    Some(_) => Value::Part(Part::Product),
                    None => Value::Null,
                }
            }
            (Value::Part(_), Member::Key) => {
                return text(facts.subscription.map_or("", |known| &known.key));
            }
            (Value::Part(_), Member::Id) => {
                let product = facts
                    .subscription
                    .and_then(|known| known.product.as_deref());
                return text(product.unwrap_or_default());
            }
            (Value::Part(_), Member::IpAddress) => match facts.request.client {
                Some(client) => client.to_string().into(),
                None => Value::Null,
            },
            (Value::Part(_), Member::Method) => return text(facts.request.method.as_str()),
            (Value::Part(_), Member::Path) => return text(&facts.request.path),
            (Value::Part(_), Member::ServiceUrl) => match &facts.api.service_url {
                Some(url) => Value::Uri(Arc::new(url.clone())),
                None => Value::Null,
            },
            (Value::Uri(url), Member::AbsoluteUri) => return text(url.as_str()),
            (Value::Jwt(claims), Member::Subject) => {
                claims.subject.clone().map_or(Value::Null, Value::Text)
            }
            (Value::Response(response), Member::Body) => {
                Value::Part(Part::Body(Arc::clone(response)))
            }
            (Value::Response(response), Member::StatusCode) => {
                i64::from(response.status.as_u16()).into()
            }
            _ => return Err(null(at, &format!("{member:?}"))),
        })
    }

    fn call(
        &mut self,
        at: usize,
        target: &Value,
        method: Method,
        arguments: &[Value],
    ) -> Evaluated {
        let argument = |idx: usize| arguments.get(idx).and_then(Value::to_text);
        let default = || arguments.get(1).cloned().unwrap_or_default();
        Ok(match (target, method) {
            (Value::Part(part), Method::Get) => {
                let Some(name) = argument(0) else {
                    return Err(null(at, "GetValueOrDefault"));
                };
                let found = match part {
                    Part::Query => self.facts.request.query_parameter(&name).map(Value::from),
                    _ => http::header(&self.facts.request.headers, &name).map(Value::text),
                };
                found.unwrap_or_else(default)
            }
            (Value::Part(_), Method::ContainsKey) => {
                let name = argument(0).unwrap_or_default();
                self.facts.variables.contains_key(&name).into()
            }
            (Value::Part(_), Method::GetVariable(ty)) => {
                let name = argument(0).unwrap_or_default();
                match (self.variable(at, &name), arguments.len()) {
                    (Some(value), _) => cast(at, ty, value)?,
                    (None, 2) => default(),
                    (None, _) => match ty {
                        Type::Bool => false.into(),
                        Type::Int => 0.into(),
                        _ => Value::Null,
                    },
                }
            }
            (Value::Part(Part::Body(response)), Method::BodyText) => {
                self.burn(at, response.body.len() as u64 / 1024)?;
                response.body_text().into()
            }
            (Value::Part(Part::Body(response)), Method::BodyJson) => {
                self.burn(at, response.body.len() as u64 / 1024)?;
                let json: Result<Json, _> = serde_json::from_slice(&response.body);
                match json {
                    Ok(json) if json.is_object() => Value::Json(Arc::new(json)),
                    Ok(_) => return Err(Wrong::new(at, "the body is no JSON object")),
                    Err(error) => {
                        return Err(Wrong::new(at, format!("the body is no JSON: {error}")));
                    }
                }
            }
            (Value::Text(text), Method::Split) => {
                let by = argument(0).unwrap_or_default();
                self.burn(at, text.len() as u64 / 16)?;
                Value::Texts(text.split(&*by).map(Arc::from).collect())
            }
            (Value::Text(text), Method::AsJwt) => {
                self.burn(at, text.len() as u64 / 64)?;
                match Claims::of_token(text) {
                    Some(claims) => Value::Jwt(Arc::new(claims)),
                    None => Value::Null,
                }
            }
            (Value::Text(text), Method::ToLower) => {
                self.burn(at, text.len() as u64 / 64)?;
                text.to_lowercase().into()
            }
            (Value::Uri(url), Method::ToText) => Value::text(url.as_str()),
            _ => return Err(null(at, &format!("{method:?}"))),
        })
    }

    fn index(&mut self, at: usize, target: &Value, index: &Value) -> Evaluated {
        match (target, index) {
            (Value::Part(_), Value::Text(name)) => match self.variable(at, name) {
                Some(value) => Ok(value),
                None => Err(Wrong::new(at, format!("there is no variable {name:?}"))),
            },
            (Value::Texts(texts), Value::Int(index)) => {
                let text = usize::try_from(*index)
                    .ok()
                    .and_then(|index| texts.get(index));
                match text {
                    Some(text) => Ok(Value::Text(Arc::clone(text))),
                    None => {
                        let message =
                            format!("the index {index} is out of range: {} parts", texts.len());
                        Err(Wrong::new(at, message))
                    }
                }
            }
            (Value::Json(json), Value::Text(name)) => match json.get(&**name) {
                None | Some(Json::Null) => Ok(Value::Null),
                Some(member) => {
                    self.burn(at, 16)?;
                    Ok(Value::Json(Arc::new(member.clone())))
                }
            },
            _ => Err(null(at, "[]")),
        }
    }

    fn binary(&mut self, operator: Operator, left: &Code, right: &Code) -> Evaluated {
        if operator == Operator::Add {
            let mut text = String::with_capacity(TEXT_BYTES_FIRST);
            self.write(left, &mut text)?;
            self.write(right, &mut text)?;
            return Ok(text.into());
        }
        let left = self.aside(left)?;
        match (operator, &left) {
            (Operator::And, Value::Bool(false)) | (Operator::Or, Value::Bool(true)) => {
                return Ok(left);
            }
            _ => {}
        }
        let right = self.aside(right)?;
        Ok(match compare(operator, &left, &right) {
            Some(holds) => holds.into(),
            None => right,
        })
    }

    fn new_uri(&mut self, at: usize, arguments: &[Value]) -> Evaluated {
        let url = match arguments {
            [Value::Text(text)] => parse_url(text, None),
            [Value::Uri(base), Value::Text(text)] => {
                let url = parse_url(text, Some(base)).map_err(|message| Wrong::new(at, message))?;
                stays(base, &url, self.facts.allow_path_climb).map(|()| url)
            }
            _ => return Err(null(at, "new Uri")),
        };
        match url {
            Ok(url) => Ok(Value::Uri(Arc::new(url))),
            Err(message) => Err(Wrong::new(at, message)),
        }
    }
}

fn null(at: usize, what: &str) -> Wrong {
    Wrong::new(at, format!("`{what}` of null"))
}
