//! Comparisons and casts.
//!
//! # Idea         two values in, one out, and nothing else
//! # Costs        none
//! # Invariants   none
//! # Not here     which of them types allow: the check's

use serde_json::Value as Json;

use super::Evaluated;
use crate::azure::expr::Wrong;
use crate::azure::expr::members::Type;
use crate::azure::expr::syntax::Operator;
use crate::azure::expr::value::Value;

/// Whether a comparison holds; `None` of an operator that is none.
pub(super) fn compare(operator: Operator, left: &Value, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        // A number that is null is neither above nor below.
        _ => None,
    };
    Some(match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => !equal(left, right),
        Operator::Less => order.is_some_and(|order| order.is_lt()),
        Operator::AtMost => order.is_some_and(|order| order.is_le()),
        Operator::More => order.is_some_and(|order| order.is_gt()),
        Operator::AtLeast => order.is_some_and(|order| order.is_ge()),
        Operator::And | Operator::Or | Operator::Add => return None,
    })
}

fn equal(left: &Value, right: &Value) -> bool {
    left.is_null() && right.is_null() || left == right
}

/// The value as another type; what isn't one is an error.
pub(super) fn cast(at: usize, to: Type, value: Value) -> Evaluated {
    let cast = match (to, &value) {
        (Type::Text | Type::Response, value) if value.is_null() => Some(Value::Null),
        (Type::Text, Value::Text(_)) | (Type::Bool, Value::Bool(_)) => Some(value.clone()),
        (Type::Response, Value::Response(_)) => Some(value.clone()),
        (Type::Text, Value::Json(json)) if !json.is_object() && !json.is_array() => {
            value.to_text().map(Value::Text)
        }
        (Type::Int, value) => value.to_integer().map(Value::Int),
        (Type::Bool, Value::Json(json)) => match &**json {
            Json::Bool(boolean) => Some((*boolean).into()),
            Json::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" => Some(true.into()),
                "false" => Some(false.into()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    cast.ok_or_else(|| Wrong::new(at, format!("{value} is not {to}")))
}
