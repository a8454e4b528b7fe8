//! Conditions of steps, flows, routes and fault rules.
//!
//! # Idea
//! ```text
//! or    = and { ('or' | '||') and }         and = not { ('and' | '&&') not }
//! not   = ('not' | '!') not | test          test = '(' or ')' | operand [ operator operand ]
//! operator = '=' '==' 'is' 'equals' | '!=' 'isnot' 'is not' 'notequals' | ':=' 'equalscaseinsensitive'
//!          | '>' 'greaterthan' | '<' 'lesserthan' | '>=' 'greaterthanorequals' | '<=' 'lesserthanorequals'
//!          | '~' 'matches' 'like' | '~/' 'matchespath' 'likepath' | '=|' 'startswith'
//! operand  = variable | "text" | number | true | false | null
//! ```
//! # Costs        one pass to read, one walk a use
//! # Invariants   Q1 reading and walking go `DEPTH_MAX` levels deep at most
//! # Not here     what variables there are; the vendor's '~~', which takes expressions of Java's

use winnow::Parser;
use winnow::ascii::Caseless;
use winnow::combinator::{alt, cut_err, not, opt, repeat, terminated};
use winnow::error::{ContextError, ErrMode};
use winnow::stream::{LocatingSlice, Location, Stateful};
use winnow::token::{one_of, take_till, take_while};

use super::var::Var;

/// A condition that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Test(Operand, Operator, Operand),
    /// A variable alone: whether it's true.
    Holds(Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Variable(String),
    Value(Var),
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    EqualInAnyCase,
    More,
    Less,
    AtLeast,
    AtMost,
    Matches,
    MatchesPath,
    StartsWith,
}

/// Levels of brackets and negations.
const DEPTH_MAX: usize = 32;

type Input<'t> = Stateful<LocatingSlice<&'t str>, usize>;
type Parsed<T> = Result<T, ErrMode<ContextError>>;

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// The byte at which it can't be one.
    ///
    /// # Examples
    /// ```
    /// use larder_gateway::apigee::condition::Condition;
    ///
    /// let condition = Condition::new("lookupcache.LC.Get-X.cachehit is false and (a = \"1\" or not b)")?;
    /// assert!(condition.holds(&|name| (name != "b").then(|| match name {
    ///     "a" => "1".into(),
    ///     _ => false.into(),
    /// })));
    /// assert!(Condition::new("a = (").is_err());
    /// # Ok::<(), usize>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, usize> {
        let mut input = Stateful {
            input: LocatingSlice::new(text),
            state: 0,
        };
        let parsed = space(&mut input).and_then(|()| any_of(&mut input));
        let at = input.current_token_start();
        match parsed {
            Ok(node) if input.input.is_empty() => Ok(Self(node)),
            _ => Err(at),
        }
    }

    /// Whether it holds.
    pub fn holds(&self, get: &dyn Fn(&str) -> Option<Var>) -> bool {
        holds(&self.0, get)
    }
}

fn space(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace)
        .void()
        .parse_next(input)
}

fn sign<'t>(sign: &'static str) -> impl Parser<Input<'t>, (), ErrMode<ContextError>> {
    terminated(sign, space).void()
}

/// A word in any case, behind which none of a name follows.
fn word<'t>(word: &'static str) -> impl Parser<Input<'t>, (), ErrMode<ContextError>> {
    (Caseless(word), not(one_of(is_name_part)), space).void()
}

fn is_name_part(part: char) -> bool {
    part.is_alphanumeric() || matches!(part, '.' | '-' | '_')
}

fn any_of(input: &mut Input<'_>) -> Parsed<Node> {
    let mut nodes = vec![all_of(input)?];
    while opt(alt((sign("||"), word("or"))))
        .parse_next(input)?
        .is_some()
    {
        nodes.push(cut_err(all_of).parse_next(input)?);
    }
    Ok(one_or(nodes, Node::Any))
}

fn all_of(input: &mut Input<'_>) -> Parsed<Node> {
    let mut nodes = vec![negated(input)?];
    while opt(alt((sign("&&"), word("and"))))
        .parse_next(input)?
        .is_some()
    {
        nodes.push(cut_err(negated).parse_next(input)?);
    }
    Ok(one_or(nodes, Node::All))
}

fn one_or(mut nodes: Vec<Node>, many: impl Fn(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => node,
        (_, last) => many(nodes.into_iter().chain(last).collect()),
    }
}

fn negated(input: &mut Input<'_>) -> Parsed<Node> {
    if input.state >= DEPTH_MAX {
        return Err(ErrMode::Cut(ContextError::new()));
    }
    input.state += 1;
    let bang = (sign("!"), not(one_of('='))).void();
    let node = match opt(alt((bang, word("not")))).parse_next(input)? {
        Some(()) => Node::Not(Box::new(cut_err(negated).parse_next(input)?)),
        None => test(input)?,
    };
    input.state -= 1;
    Ok(node)
}

fn test(input: &mut Input<'_>) -> Parsed<Node> {
    if opt(sign("(")).parse_next(input)?.is_some() {
        let inner = cut_err(any_of).parse_next(input)?;
        cut_err(sign(")")).parse_next(input)?;
        return Ok(inner);
    }
    let left = operand(input)?;
    Ok(match opt(operator).parse_next(input)? {
        Some(operator) => Node::Test(left, operator, cut_err(operand).parse_next(input)?),
        None => Node::Holds(left),
    })
}

fn operator(input: &mut Input<'_>) -> Parsed<Operator> {
    let words = alt((
        (word("is"), word("not")).value(Operator::NotEqual),
        word("isnot").value(Operator::NotEqual),
        word("notequals").value(Operator::NotEqual),
        word("is").value(Operator::Equal),
        word("equals").value(Operator::Equal),
        word("equalscaseinsensitive").value(Operator::EqualInAnyCase),
    ));
    let orders = alt((
        word("greaterthan").value(Operator::More),
        word("lesserthan").value(Operator::Less),
        word("greaterthanorequals").value(Operator::AtLeast),
        word("lesserthanorequals").value(Operator::AtMost),
    ));
    let patterns = alt((
        alt((sign("~/"), word("matchespath"), word("likepath"))).value(Operator::MatchesPath),
        alt((sign("~"), word("matches"), word("like"))).value(Operator::Matches),
        alt((sign("=|"), word("startswith"))).value(Operator::StartsWith),
    ));
    let signs = alt((
        sign("==").value(Operator::Equal),
        sign(":=").value(Operator::EqualInAnyCase),
        sign("=").value(Operator::Equal),
        sign("!=").value(Operator::NotEqual),
        sign(">=").value(Operator::AtLeast),
        sign("<=").value(Operator::AtMost),
        sign(">").value(Operator::More),
        sign("<").value(Operator::Less),
    ));
    alt((words, orders, patterns, signs)).parse_next(input)
}

fn operand(input: &mut Input<'_>) -> Parsed<Operand> {
    let quoted = ('"', take_till(0.., '"'), cut_err('"'));
    let quoted = quoted.map(|(_, text, _): (_, &str, _)| Operand::Value(text.into()));
    let number = (
        opt('-'),
        take_while(1.., '0'..='9'),
        not(one_of(is_name_part)),
    )
        .take();
    let number = number.try_map(|digits: &str| {
        digits
            .parse()
            .map(|number: i64| Operand::Value(number.into()))
    });
    let name = repeat::<_, _, (), _, _>(1.., one_of(is_name_part)).take();
    let name = name.map(|name: &str| match name.to_ascii_lowercase().as_str() {
        "true" => Operand::Value(true.into()),
        "false" => Operand::Value(false.into()),
        "null" => Operand::Null,
        _ => Operand::Variable(name.to_owned()),
    });
    terminated(alt((quoted, number, name)), space).parse_next(input)
}

fn value(operand: &Operand, get: &dyn Fn(&str) -> Option<Var>) -> Option<Var> {
    match operand {
        Operand::Variable(name) => get(name),
        Operand::Value(value) => Some(value.clone()),
        Operand::Null => None,
    }
}

fn holds(node: &Node, get: &dyn Fn(&str) -> Option<Var>) -> bool {
    match node {
        Node::Any(nodes) => nodes.iter().any(|node| holds(node, get)),
        Node::All(nodes) => nodes.iter().all(|node| holds(node, get)),
        Node::Not(node) => !holds(node, get),
        Node::Holds(operand) => {
            let text = value(operand, get).and_then(|value| value.to_text());
            text.is_some_and(|text| &*text == "true")
        }
        Node::Test(left, operator, right) => compare(
            value(left, get).as_ref(),
            *operator,
            value(right, get).as_ref(),
        ),
    }
}

fn compare(left: Option<&Var>, operator: Operator, right: Option<&Var>) -> bool {
    let text = |var: Option<&Var>| var.and_then(Var::to_text);
    let equal = || match (left, right) {
        (None, None) => true,
        (Some(_), Some(_)) => text(left).is_some() && text(left) == text(right),
        _ => false,
    };
    let order = || {
        let integer = |var: Option<&Var>| var.and_then(Var::to_integer);
        match (integer(left), integer(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => Some(text(left)?.cmp(&text(right)?)),
        }
    };
    match operator {
        Operator::Equal => equal(),
        Operator::NotEqual => !equal(),
        Operator::EqualInAnyCase => match (text(left), text(right)) {
            (Some(left), Some(right)) => left.to_lowercase() == right.to_lowercase(),
            _ => equal(),
        },
        Operator::More => order().is_some_and(|order| order.is_gt()),
        Operator::Less => order().is_some_and(|order| order.is_lt()),
        Operator::AtLeast => order().is_some_and(|order| order.is_ge()),
        Operator::AtMost => order().is_some_and(|order| order.is_le()),
        Operator::StartsWith => match (text(left), text(right)) {
            (Some(text), Some(start)) => text.starts_with(&*start),
            _ => false,
        },
        Operator::Matches => match (text(left), text(right)) {
            (Some(text), Some(pattern)) => matches(&text, &pattern),
            _ => false,
        },
        Operator::MatchesPath => match (text(left), text(right)) {
            (Some(path), Some(pattern)) => matches_path(&path, &pattern),
            _ => false,
        },
    }
}

/// Whether a text is of a pattern, in which `*` stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(found) => rest = &rest[found + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether a path is of a pattern, in which `*` stands for one part and `**` for all that follow.
fn matches_path(path: &str, pattern: &str) -> bool {
    let mut parts = path.trim_matches('/').split('/');
    for wanted in pattern.trim_matches('/').split('/') {
        if wanted == "**" {
            return parts.next().is_some();
        }
        match parts.next() {
            Some(part) if wanted == "*" && !part.is_empty() || part == wanted => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests;
