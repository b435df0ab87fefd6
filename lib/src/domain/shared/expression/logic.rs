//! Evaluates the expression of a filter selector (RFC 9535, 2.3.5) on a node.

use std::cmp::Ordering;

use serde_json::Value;

use super::Failure;
use super::budget::Budget;
use super::compare::{equal, order};
use super::document::Node;
use super::syntax::{Comparison, Logic, Operand, Query, Step};

/// A side of a comparison. `Nothing` is that of RFC 9535, 2.4.1.
enum Side<'d> {
    Node(Node<'d>),
    Made(Value),
    Nothing,
}

/// Whether a node, which is at `depth`, passes.
pub(super) fn holds(logic: &Logic, node: Node<'_>, depth: u8, budget: &mut Budget) -> Result<bool, Failure> {
    match logic {
        Logic::Any(parts) => {
            for part in parts {
                if holds(part, node, depth, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Logic::All(parts) => {
            for part in parts {
                if !holds(part, node, depth, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Logic::Not(part) => Ok(!holds(part, node, depth, budget)?),
        Logic::Exists(query) => Ok(find(query, node, depth, budget)?.is_some()),
        Logic::Compare(left, comparison, right) => {
            budget.visit(1)?;
            let left = side(left, node, depth, budget)?;
            let right = side(right, node, depth, budget)?;
            compare(&left, *comparison, &right, budget)
        }
    }
}

/// The node that the query leads to, if there is one.
fn find<'d>(
    query: &Query,
    node: Node<'d>,
    mut depth: u8,
    budget: &mut Budget,
) -> Result<Option<Node<'d>>, Failure> {
    let mut at = node;
    for step in &query.0 {
        budget.visit(1)?;
        let child = match step {
            Step::Name(name) => at.member(name),
            Step::Index(index) => at.entry(*index),
        };
        let Some(child) = child else { return Ok(None) };
        depth = at.below(depth).ok_or(Failure::Depth)?;
        at = Node::Value(child);
    }
    Ok(Some(at))
}

fn side<'d>(
    operand: &'d Operand,
    node: Node<'d>,
    depth: u8,
    budget: &mut Budget,
) -> Result<Side<'d>, Failure> {
    Ok(match operand {
        Operand::Literal(value) => Side::Node(Node::Value(value)),
        Operand::Query(query) => find(query, node, depth, budget)?.map_or(Side::Nothing, Side::Node),
        Operand::Count(query) => Side::Made(u8::from(find(query, node, depth, budget)?.is_some()).into()),
        Operand::Length(of) => {
            budget.visit(1)?;
            match side(of, node, depth, budget)? {
                Side::Node(node) => length(node, budget)?.map_or(Side::Nothing, Side::Made),
                Side::Made(_) | Side::Nothing => Side::Nothing,
            }
        }
    })
}

/// The length of a text (in characters), a list or an object. Other values have none (RFC 9535, 2.4.4).
fn length(node: Node<'_>, budget: &mut Budget) -> Result<Option<Value>, Failure> {
    if let Some(text) = node.text() {
        budget.weigh(text.len())?;
        return Ok(Some(text.chars().count().into()));
    }
    let has_children = node.value().is_none_or(|value| value.is_array() || value.is_object());
    Ok(has_children.then(|| node.len().into()))
}

fn compare(
    left: &Side<'_>,
    comparison: Comparison,
    right: &Side<'_>,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    let (left, right) = (left.node(), right.node());
    let (Some(left), Some(right)) = (left, right) else {
        let both = left.is_none() && right.is_none();
        return Ok(match comparison {
            Comparison::Equal | Comparison::AtMost | Comparison::AtLeast => both,
            Comparison::NotEqual => !both,
            Comparison::Less | Comparison::More => false,
        });
    };
    match comparison {
        Comparison::Equal => equal(left, right, budget),
        Comparison::NotEqual => Ok(!equal(left, right, budget)?),
        Comparison::Less => Ok(order(left, right, budget)? == Some(Ordering::Less)),
        Comparison::More => Ok(order(left, right, budget)? == Some(Ordering::Greater)),
        Comparison::AtMost => {
            Ok(order(left, right, budget)? == Some(Ordering::Less) || equal(left, right, budget)?)
        }
        Comparison::AtLeast => {
            Ok(order(left, right, budget)? == Some(Ordering::Greater) || equal(left, right, budget)?)
        }
    }
}

impl Side<'_> {
    fn node(&self) -> Option<Node<'_>> {
        match self {
            Self::Node(node) => Some(*node),
            Self::Made(value) => Some(Node::Value(value)),
            Self::Nothing => None,
        }
    }
}
