//! Compares values, at a cost that depends on their size.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::Failure;
use super::budget::Budget;
use super::document::Node;

/// How many times as long the search of a byte takes as its comparison.
const SEARCHED_WEIGHT: usize = 4;

/// Whether two nodes have the same value. Numbers are compared by value: 1 equals 1.0.
pub(in crate::domain) fn equal(
    left: Node<'_>,
    right: Node<'_>,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    match (left, right) {
        (Node::Value(left), Node::Value(right)) => equal_values(left, right, budget),
        // A whole document is compared member by member.
        (Node::Document(_), other) | (other, Node::Document(_)) => {
            let whole = if matches!(left, Node::Document(_)) { left } else { right };
            budget.visit(1)?;
            let is_object = other.value().is_none_or(Value::is_object);
            if !is_object || whole.len() != other.len() {
                return Ok(false);
            }
            for (name, value) in whole.members() {
                let same = match other.member(name) {
                    Some(found) => equal_values(value, found, budget)?,
                    None => false,
                };
                if !same {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// The recursion is no deeper than the JSON parser reads: 128 levels.
fn equal_values(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Failure> {
    budget.visit(1)?;
    match (left, right) {
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Number(left), Value::Number(right)) => {
            Ok(order_numbers(left, right) == Some(Ordering::Equal))
        }
        (Value::String(left), Value::String(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            budget.weigh(left.len())?;
            Ok(left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal_values(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (name, value) in left {
                let same = match right.get(name) {
                    Some(found) => equal_values(value, found, budget)?,
                    None => false,
                };
                if !same {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => Ok(false),
    }
}

/// The order of two numbers or of two texts (RFC 9535, 2.3.5.2.2). Other values have none.
pub(super) fn order(
    left: Node<'_>,
    right: Node<'_>,
    budget: &mut Budget,
) -> Result<Option<Ordering>, Failure> {
    if let (Some(left), Some(right)) = (left.text(), right.text()) {
        budget.weigh(left.len().min(right.len()))?;
        return Ok(Some(left.cmp(right)));
    }
    budget.visit(1)?;
    let number = |node: Node<'_>| match node.value() {
        Some(Value::Number(number)) => Some(number.clone()),
        _ => None,
    };
    Ok(number(left).zip(number(right)).and_then(|(left, right)| order_numbers(&left, &right)))
}

fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i128(), right.as_i128()) {
        return Some(left.cmp(&right));
    }
    left.as_f64()?.partial_cmp(&right.as_f64()?)
}

/// Whether a text contains a text, or a list has an entry.
pub(in crate::domain) fn contains(
    found: Node<'_>,
    wanted: &Value,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    if let (Some(text), Some(part)) = (found.text(), wanted.as_str()) {
        // A search takes longer than a comparison.
        let bytes = text.len().saturating_add(part.len());
        budget.weigh(bytes.saturating_mul(SEARCHED_WEIGHT))?;
        return Ok(text.contains(part));
    }
    for entry in found.entries().into_iter().flatten() {
        if equal_values(entry, wanted, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts the comparison of `bytes` bytes of text.
pub(in crate::domain) fn text_bytes(bytes: usize, budget: &mut Budget) -> Result<(), Failure> {
    budget.weigh(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(left: &Value, right: &Value) -> bool {
        equal(Node::Value(left), Node::Value(right), &mut Budget::default()).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!(1), &json!(1.0)) && same(&json!(-0.0), &json!(0)));
        assert!(!same(&json!(u64::MAX), &json!(u64::MAX - 1)));
        assert!(!same(&json!(1), &json!("1")) && !same(&json!(null), &json!(false)));
        assert!(same(&json!({"a": [1, {"b": null}]}), &json!({"a": [1.0, {"b": null}]})));
        assert!(!same(&json!({"a": 1}), &json!({"b": 1})) && !same(&json!([1]), &json!([1, 1])));
    }

    #[test]
    fn a_comparison_costs_by_the_size_of_the_values() {
        let large = Value::from("x".repeat(128 * 1_000));
        let mut budget = Budget::default();
        assert_eq!(equal(Node::Value(&large), Node::Value(&large), &mut budget), Ok(true));
        assert_eq!(budget.spent().0, 1_002);
        let other = json!("y");
        let mut budget = Budget::default();
        assert_eq!(equal(Node::Value(&large), Node::Value(&other), &mut budget), Ok(false));
        assert_eq!(budget.spent().0, 1, "different lengths need no comparison");
        let list = json!(vec![0; 60_000]);
        assert_eq!(contains(Node::Value(&list), &json!(1), &mut Budget::default()), Err(Failure::Visits));
    }
}
