//! From syntax to code: names are looked up, types agree, or the expression doesn't load.
//!
//! # Idea         one walk from the leaves; each node gives its code and its type
//! # Costs        a box a node
//! # Invariants   C1 code refers to nothing by name but variables, headers and the like; C2 it is `DEPTH_MAX` deep at most
//! # Not here     values

use super::members::{Member, Method, Type};
use super::syntax::{Kind, Operator, Syntax};
use super::value::{Part, Value};
use super::{DEPTH_MAX, Wrong};
use crate::http::HeaderName;

/// A node that can be evaluated.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) at: usize,
    pub(super) act: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Constant(Value),
    Join(Vec<Code>),
    /// `GetValueOrDefault` of the request's headers, with constants.
    Header {
        name: HeaderName,
        default: Value,
    },
    Member {
        target: Box<Code>,
        member: Member,
        is_safe: bool,
    },
    Call {
        target: Box<Code>,
        method: Method,
        arguments: Vec<Code>,
        is_safe: bool,
    },
    Index {
        target: Box<Code>,
        index: Box<Code>,
    },
    Cast {
        to: Type,
        value: Box<Code>,
    },
    NewUri(Vec<Code>),
    Not(Box<Code>),
    Binary {
        operator: Operator,
        left: Box<Code>,
        right: Box<Code>,
    },
    Choice {
        condition: Box<Code>,
        yes: Box<Code>,
        no: Box<Code>,
    },
}

/// An expression that was checked.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) code: Code,
    pub(super) ty: Type,
    pub(super) uses_response: bool,
}

struct Check {
    depth: usize,
    uses_response: bool,
}

type Found = Result<(Code, Type), Wrong>;

pub(super) fn check(syntax: &Syntax) -> Result<Checked, Wrong> {
    let mut check = Check {
        depth: 0,
        uses_response: false,
    };
    let (code, ty) = check.node(syntax)?;
    Ok(Checked {
        code,
        ty,
        uses_response: check.uses_response,
    })
}

impl Check {
    fn node(&mut self, syntax: &Syntax) -> Found {
        if self.depth >= DEPTH_MAX {
            let message = format!("the expression is more than {DEPTH_MAX} levels deep");
            return Err(Wrong::new(syntax.at, message));
        }
        self.depth += 1;
        let found = self.kind(syntax);
        self.depth -= 1;
        found
    }

    fn boxed(&mut self, syntax: &Syntax) -> Result<(Box<Code>, Type), Wrong> {
        self.node(syntax).map(|(code, ty)| (Box::new(code), ty))
    }

    /// A node whose type must be one.
    fn of(&mut self, wanted: Type, syntax: &Syntax) -> Result<Box<Code>, Wrong> {
        let (code, ty) = self.boxed(syntax)?;
        if ty == wanted {
            return Ok(code);
        }
        let message = format!("{wanted} is wanted here, and this is {ty}");
        Err(Wrong::new(syntax.at, message))
    }

    fn all(&mut self, list: &[Syntax]) -> Result<(Vec<Code>, Vec<Type>), Wrong> {
        let found = list.iter().map(|syntax| self.node(syntax));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
    }

    fn kind(&mut self, syntax: &Syntax) -> Found {
        let at = syntax.at;
        let (act, ty) = match &syntax.kind {
            Kind::Null => (Act::Constant(Value::Null), Type::Null),
            Kind::Bool(boolean) => (Act::Constant((*boolean).into()), Type::Bool),
            Kind::Int(integer) => (Act::Constant((*integer).into()), Type::Int),
            Kind::Text(text) => (Act::Constant(Value::text(text)), Type::Text),
            Kind::Char(char) => (Act::Constant(char.to_string().into()), Type::Char),
            Kind::Name(name) if name == "context" => {
                (Act::Constant(Value::Part(Part::Context)), Type::Context)
            }
            Kind::Name(name) => {
                let message = format!(
                    "`{name}` is not known here: an expression begins with `context`, `new Uri`, a literal or a bracket"
                );
                return Err(Wrong::new(at, message));
            }
            Kind::Interpolated(pieces) => self.interpolated(pieces)?,
            Kind::Member {
                target,
                name,
                is_safe,
            } => self.member(at, target, name, *is_safe)?,
            Kind::Call {
                target,
                name,
                generic,
                arguments,
                is_safe,
            } => self.call(at, target, (name, generic.as_deref()), arguments, *is_safe)?,
            Kind::Index { target, index } => {
                let (target, of) = self.boxed(target)?;
                let (index, by) = self.boxed(index)?;
                let Some(ty) = of.indexed(by) else {
                    return Err(Wrong::new(at, format!("{of} has no index that is {by}")));
                };
                (Act::Index { target, index }, ty)
            }
            Kind::Cast { to, value } => {
                let Some(wanted) = Type::named(to) else {
                    return Err(Wrong::new(at, format!("a cast to `{to}` is not supported")));
                };
                let (value, ty) = self.boxed(value)?;
                if !ty.casts_to(wanted) {
                    return Err(Wrong::new(at, format!("{ty} cannot be cast to {wanted}")));
                }
                (Act::Cast { to: wanted, value }, wanted)
            }
            Kind::New { class, arguments } => {
                let (codes, types) = self.all(arguments)?;
                match (&**class, &*types) {
                    ("Uri", [Type::Text] | [Type::Uri, Type::Text]) => {}
                    _ => {
                        let message =
                            format!("`new {class}` with these arguments is not supported");
                        return Err(Wrong::new(at, message));
                    }
                }
                (Act::NewUri(codes), Type::Uri)
            }
            Kind::Not(value) => (Act::Not(self.of(Type::Bool, value)?), Type::Bool),
            Kind::Binary {
                operator,
                left,
                right,
            } => self.binary(at, *operator, left, right)?,
            Kind::Choice { condition, yes, no } => self.choice(at, condition, yes, no)?,
        };
        Ok((Code { at, act }, ty))
    }

    fn interpolated(&mut self, pieces: &[Syntax]) -> Result<(Act, Type), Wrong> {
        let (codes, types) = self.all(pieces)?;
        for (piece, ty) in pieces.iter().zip(types) {
            if !ty.may_be_text() {
                return Err(Wrong::new(
                    piece.at,
                    format!("{ty} cannot be part of a text"),
                ));
            }
        }
        Ok((Act::Join(codes), Type::Text))
    }

    fn member(
        &mut self,
        at: usize,
        target: &Syntax,
        name: &str,
        is_safe: bool,
    ) -> Result<(Act, Type), Wrong> {
        let (target, of) = self.boxed(target)?;
        let Some((member, ty)) = of.member(name) else {
            let known = told(of.members());
            return Err(Wrong::new(
                at,
                format!("{of} has no member `{name}` here: {known}"),
            ));
        };
        self.uses_response |= member == Member::Response;
        let act = Act::Member {
            target,
            member,
            is_safe,
        };
        Ok((act, ty))
    }

    fn call(
        &mut self,
        at: usize,
        target: &Syntax,
        (name, generic): (&str, Option<&str>),
        arguments: &[Syntax],
        is_safe: bool,
    ) -> Result<(Act, Type), Wrong> {
        let (target, of) = self.boxed(target)?;
        let (arguments, types) = self.all(arguments)?;
        let Some((method, ty)) = of.method(name, generic, &types) else {
            let known = told(of.methods().iter().copied());
            let message = format!("{of} has no method `{name}` with these arguments here: {known}");
            return Err(Wrong::new(at, message));
        };
        if let (Type::Headers, Some(act)) = (of, header(&arguments)) {
            return Ok((act, ty));
        }
        let act = Act::Call {
            target,
            method,
            arguments,
            is_safe,
        };
        Ok((act, ty))
    }

    fn binary(
        &mut self,
        at: usize,
        operator: Operator,
        left: &Syntax,
        right: &Syntax,
    ) -> Result<(Act, Type), Wrong> {
        let (left, of) = self.boxed(left)?;
        let (right, with) = self.boxed(right)?;
        let ty = match operator {
            Operator::Add => {
                let joins = of == Type::Text || with == Type::Text;
                (joins && of.may_be_text() && with.may_be_text()).then_some(Type::Text)
            }
            Operator::Equal | Operator::NotEqual => {
                let same = of == with && matches!(of, Type::Text | Type::Int | Type::Bool);
                let null = matches!((of, with), (Type::Null, other) | (other, Type::Null) if other.is_nullable());
                (same || null).then_some(Type::Bool)
            }
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
                (of == Type::Int && with == Type::Int).then_some(Type::Bool)
            }
            Operator::And | Operator::Or => {
                (of == Type::Bool && with == Type::Bool).then_some(Type::Bool)
            }
        };
        let Some(ty) = ty else {
            let sign = operator.sign();
            let message = format!(
                "`{sign}` is not for {of} and {with}: a cast, as (string) or (int), may make them what it is for"
            );
            return Err(Wrong::new(at, message));
        };
        let act = Act::Binary {
            operator,
            left,
            right,
        };
        Ok((act, ty))
    }

    fn choice(
        &mut self,
        at: usize,
        condition: &Syntax,
        yes: &Syntax,
        no: &Syntax,
    ) -> Result<(Act, Type), Wrong> {
        let condition = self.of(Type::Bool, condition)?;
        let (yes, first) = self.boxed(yes)?;
        let (no, second) = self.boxed(no)?;
        let ty = match (first, second) {
            (first, second) if first == second => first,
            (Type::Null, other) | (other, Type::Null) if other.is_nullable() => other,
            _ => {
                let message = format!("one choice is {first} and the other {second}");
                return Err(Wrong::new(at, message));
            }
        };
        Ok((Act::Choice { condition, yes, no }, ty))
    }
}

/// What there is instead.
fn told(known: impl Iterator<Item = &'static str>) -> String {
    let known: Vec<_> = known.collect();
    match known.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", known.join(", ")),
    }
}

/// The reading of a header whose name and default are known; names that no header has are left to the evaluation.
fn header(arguments: &[Code]) -> Option<Act> {
    let mut constants = arguments.iter().map(|argument| match &argument.act {
        Act::Constant(value) => Some(value),
        _ => None,
    });
    let Value::Text(name) = constants.next()?? else {
        return None;
    };
    let default = match constants.next() {
        Some(default) => default?.clone(),
        None => Value::Null,
    };
    let name = HeaderName::try_from(&**name).ok()?;
    Some(Act::Header { name, default })
}
