//! The grammar.
//!
//! # Idea
//! ```text
//! expr    = or [ '?' expr ':' expr ]
//! or      = and { '||' and }              and  = equal { '&&' equal }
//! equal   = order { ('==' | '!=') order } order = sum { ('<=' | '<' | '>=' | '>') sum }
//! sum     = unary { '+' unary }           unary = '!' unary | '(' type ')' unary | postfix
//! postfix = primary { '.' call | '?.' call | '[' expr ']' }
//! call    = name [ '<' type '>' ] [ '(' [ expr { ',' expr } ] ')' ]
//! primary = literal | 'new' name '(' ... ')' | '(' expr ')' | name
//! ```
//! # Costs        one pass; a cast is tried before a bracket
//! # Invariants   P1 of the module above: levels and nodes are counted in the state
//! # Not here     which names there are

use winnow::Parser;
use winnow::combinator::{alt, cut_err, not, opt, peek, preceded, terminated};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{LocatingSlice, Location, Stateful, Stream};
use winnow::token::{any, literal, one_of, take_while};

use super::syntax::{Kind, Operator, Syntax};
use super::{DEPTH_MAX, NODES_MAX, Wrong};

#[derive(Debug, Clone, Default)]
struct Counts {
    depth: usize,
    n_nodes: usize,
}

type Input<'t> = Stateful<LocatingSlice<&'t str>, Counts>;
type Parsed<T> = Result<T, ErrMode<Wrong>>;

impl ParserError<Input<'_>> for Wrong {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        let rest = input.input.chars().next();
        Self::new(
            input.current_token_start(),
            match rest {
                Some(next) => format!("`{}` is not expected here", next.escape_debug()),
                None => "the expression ends too early".to_owned(),
            },
        )
    }

    fn or(self, other: Self) -> Self {
        if other.at >= self.at { other } else { self }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

pub(super) fn parse(text: &str) -> Result<Syntax, Wrong> {
    let mut input = Stateful {
        input: LocatingSlice::new(text),
        state: Counts::default(),
    };
    let parsed = preceded(space, expr).parse_next(&mut input);
    let syntax = parsed.map_err(|mode| match mode {
        ErrMode::Backtrack(wrong) | ErrMode::Cut(wrong) => wrong,
        ErrMode::Incomplete(_) => Wrong::new(text.len(), "the expression ends too early"),
    })?;
    if !input.input.is_empty() {
        return Err(Wrong::from_input(&input));
    }
    Ok(syntax)
}

fn fail<T>(at: usize, message: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Backtrack(Wrong::new(at, message)).cut())
}

fn space(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace)
        .void()
        .parse_next(input)
}

/// A sign and the space behind it.
fn sign<'t>(sign: &'static str) -> impl Parser<Input<'t>, &'t str, ErrMode<Wrong>> {
    terminated(literal(sign), space)
}

fn node(input: &mut Input<'_>, at: usize, kind: Kind) -> Parsed<Syntax> {
    input.state.n_nodes += 1;
    if input.state.n_nodes > NODES_MAX {
        return fail(
            at,
            format!("the expression has more than {NODES_MAX} parts"),
        );
    }
    Ok(Syntax { at, kind })
}

/// Goes one level deeper.
fn nested<'t, T>(
    input: &mut Input<'t>,
    mut inner: impl FnMut(&mut Input<'t>) -> Parsed<T>,
) -> Parsed<T> {
    if input.state.depth >= DEPTH_MAX {
        let message = format!("the expression is more than {DEPTH_MAX} levels deep");
        return fail(input.current_token_start(), message);
    }
    input.state.depth += 1;
    let parsed = inner(input);
    input.state.depth -= 1;
    parsed
}

fn expr(input: &mut Input<'_>) -> Parsed<Syntax> {
    nested(input, |input| {
        let condition = binary(0, input)?;
        if opt(sign("?")).parse_next(input)?.is_none() {
            return Ok(condition);
        }
        let (at, condition) = (condition.at, Box::new(condition));
        let yes = Box::new(cut_err(expr).parse_next(input)?);
        cut_err(sign(":")).parse_next(input)?;
        let no = Box::new(cut_err(expr).parse_next(input)?);
        node(input, at, Kind::Choice { condition, yes, no })
    })
}

/// The operators of each level, loosest first; of two that begin alike the longer one comes first.
const LEVELS: [&[Operator]; 5] = [
    &[Operator::Or],
    &[Operator::And],
    &[Operator::Equal, Operator::NotEqual],
    &[
        Operator::AtMost,
        Operator::Less,
        Operator::AtLeast,
        Operator::More,
    ],
    &[Operator::Add],
];

fn binary(level: usize, input: &mut Input<'_>) -> Parsed<Syntax> {
    let Some(operators) = LEVELS.get(level) else {
        return unary(input);
    };
    let mut left = binary(level + 1, input)?;
    loop {
        let mut operator = None;
        for &candidate in *operators {
            if opt(sign(candidate.sign())).parse_next(input)?.is_some() {
                operator = Some(candidate);
                break;
            }
        }
        let Some(operator) = operator else {
            return Ok(left);
        };
        let right =
            Box::new(cut_err(|input: &mut Input<'_>| binary(level + 1, input)).parse_next(input)?);
        let (at, left_side) = (left.at, Box::new(left));
        let kind = Kind::Binary {
            operator,
            left: left_side,
            right,
        };
        left = node(input, at, kind)?;
    }
}

fn unary(input: &mut Input<'_>) -> Parsed<Syntax> {
    nested(input, |input| {
        let at = input.current_token_start();
        if opt(terminated(('!', not('=')), space))
            .parse_next(input)?
            .is_some()
        {
            let value = Box::new(cut_err(unary).parse_next(input)?);
            return node(input, at, Kind::Not(value));
        }
        if let Some(to) = opt(cast).parse_next(input)? {
            let value = Box::new(cut_err(unary).parse_next(input)?);
            return node(input, at, Kind::Cast { to, value });
        }
        postfix(input)
    })
}

/// `(type)`, where what follows is an operand: else it's a name in brackets.
fn cast(input: &mut Input<'_>) -> Parsed<String> {
    let operand = alt((
        one_of(('(', '"', '\'', '$', '_', '-')).void(),
        one_of(|next: char| next.is_alphanumeric()).void(),
    ));
    let name = (sign("("), name, sign(")")).map(|(_, name, _)| name);
    terminated(name, peek(operand)).parse_next(input)
}

fn name(input: &mut Input<'_>) -> Parsed<String> {
    let start = one_of(|first: char| first.is_alphabetic() || first == '_');
    let rest = take_while(0.., |next: char| next.is_alphanumeric() || next == '_');
    let name = (start, rest).take().map(str::to_owned);
    terminated(name, space).parse_next(input)
}

fn arguments(input: &mut Input<'_>) -> Parsed<Vec<Syntax>> {
    sign("(").parse_next(input)?;
    let mut arguments = Vec::new();
    if opt(sign(")")).parse_next(input)?.is_some() {
        return Ok(arguments);
    }
    loop {
        arguments.push(cut_err(expr).parse_next(input)?);
        if opt(sign(",")).parse_next(input)?.is_none() {
            cut_err(sign(")")).parse_next(input)?;
            return Ok(arguments);
        }
    }
}

fn postfix(input: &mut Input<'_>) -> Parsed<Syntax> {
    let mut target = primary(input)?;
    loop {
        let at = input.current_token_start();
        if let Some(dot) = opt(alt((sign("?."), sign(".")))).parse_next(input)? {
            target = member(input, target, at, dot.starts_with('?'))?;
        } else if opt(sign("[")).parse_next(input)?.is_some() {
            let index = Box::new(cut_err(expr).parse_next(input)?);
            cut_err(sign("]")).parse_next(input)?;
            let target_box = Box::new(target);
            target = node(
                input,
                at,
                Kind::Index {
                    target: target_box,
                    index,
                },
            )?;
        } else {
            return Ok(target);
        }
    }
}

fn member(input: &mut Input<'_>, target: Syntax, at: usize, is_safe: bool) -> Parsed<Syntax> {
    let target = Box::new(target);
    let name = cut_err(name).parse_next(input)?;
    let generic = (sign("<"), self::name, sign(">"), peek('(')).map(|(_, name, ..)| name);
    let generic = opt(generic).parse_next(input)?;
    let kind = match opt(arguments).parse_next(input)? {
        Some(arguments) => Kind::Call {
            target,
            name,
            generic,
            arguments,
            is_safe,
        },
        None => Kind::Member {
            target,
            name,
            is_safe,
        },
    };
    node(input, at, kind)
}

fn primary(input: &mut Input<'_>) -> Parsed<Syntax> {
    let at = input.current_token_start();
    if opt(sign("(")).parse_next(input)?.is_some() {
        let inner = cut_err(expr).parse_next(input)?;
        cut_err(sign(")")).parse_next(input)?;
        return Ok(inner);
    }
    if opt('"').parse_next(input)?.is_some() {
        let text = characters('"', input)?;
        return node(input, at, Kind::Text(text));
    }
    if opt("$\"").parse_next(input)?.is_some() {
        let pieces = nested(input, interpolated)?;
        return node(input, at, Kind::Interpolated(pieces));
    }
    if opt('\'').parse_next(input)?.is_some() {
        let text = characters('\'', input)?;
        let mut characters = text.chars();
        return match (characters.next(), characters.next()) {
            (Some(character), None) => node(input, at, Kind::Char(character)),
            _ => fail(at, "a character is one between single quotes"),
        };
    }
    let number = (
        opt('-'),
        take_while(1.., '0'..='9'),
        not(one_of(('.', 'a'..='z', 'A'..='Z'))),
    );
    if let Some(digits) = opt(terminated(number.take(), space)).parse_next(input)? {
        return match digits.parse() {
            Ok(number) => node(input, at, Kind::Int(number)),
            Err(_) => fail(at, "the number is too large"),
        };
    }
    let name = name(input)?;
    let kind = match &*name {
        "null" => Kind::Null,
        "true" => Kind::Bool(true),
        "false" => Kind::Bool(false),
        "new" => {
            let class = cut_err(self::name).parse_next(input)?;
            let arguments = cut_err(arguments).parse_next(input)?;
            Kind::New { class, arguments }
        }
        _ => Kind::Name(name),
    };
    node(input, at, kind)
}

/// What stands up to a closing quote, which is taken too.
fn characters(quote: char, input: &mut Input<'_>) -> Parsed<String> {
    let mut text = String::new();
    loop {
        let at = input.current_token_start();
        let next: Parsed<char> = any.parse_next(input);
        match next {
            Err(_) => return fail(at, "the text is not closed"),
            Ok(next) if next == quote => break,
            Ok('\\') => text.push(escaped(at, input)?),
            Ok(next) => text.push(next),
        }
    }
    space(input)?;
    Ok(text)
}

fn escaped(at: usize, input: &mut Input<'_>) -> Parsed<char> {
    let next: Parsed<char> = any.parse_next(input);
    Ok(match next.unwrap_or(' ') {
        '"' => '"',
        '\'' => '\'',
        '\\' => '\\',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'u' => {
            let digits: Parsed<&str> =
                take_while(4, |next: char| next.is_ascii_hexdigit()).parse_next(input);
            let code = digits
                .ok()
                .and_then(|digits| u32::from_str_radix(digits, 16).ok());
            match code.and_then(char::from_u32) {
                Some(character) => character,
                None => return fail(at, "`\\u` is followed by four digits of a character"),
            }
        }
        _ => return fail(at, "this escape is not supported"),
    })
}

/// The pieces of an interpolated text, its closing quote included.
fn interpolated(input: &mut Input<'_>) -> Parsed<Vec<Syntax>> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut text_at = input.current_token_start();
    loop {
        let at = input.current_token_start();
        let checkpoint = input.checkpoint();
        let doubled = opt(alt(("{{".value('{'), "}}".value('}')))).parse_next(input)?;
        if let Some(brace) = doubled {
            text.push(brace);
            continue;
        }
        let next: Parsed<char> = any.parse_next(input);
        match next {
            Err(_) => return fail(at, "the text is not closed"),
            Ok('\\') => text.push(escaped(at, input)?),
            Ok('}') => {
                input.reset(&checkpoint);
                return fail(at, "`}` closes nothing; write `}}`");
            }
            Ok(next @ ('{' | '"')) => {
                if !text.is_empty() {
                    let literal = Kind::Text(std::mem::take(&mut text));
                    pieces.push(node(input, text_at, literal)?);
                }
                space(input)?;
                if next == '"' {
                    return Ok(pieces);
                }
                pieces.push(cut_err(expr).parse_next(input)?);
                cut_err('}').parse_next(input)?;
                text_at = input.current_token_start();
            }
            Ok(next) => text.push(next),
        }
    }
}
