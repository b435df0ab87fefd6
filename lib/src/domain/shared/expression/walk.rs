//! Walks a document along a path, node by node, and stops when the caller says so.
//!
//! A walk keeps only its position, never a list of what a segment selected. Each level of the stack is a
//! level of the document, of which there are at most [`MAX_DEPTH`](super::MAX_DEPTH).

use serde_json::Value;

use super::Failure;
use super::budget::Budget;
use super::document::Node;
use super::logic;
use super::syntax::{Segment, Selector, Slice};

/// A walk. `found` is called with each node that the path selects, in the order of RFC 9535, and stops the
/// walk by `true`.
struct Walk<'b, F> {
    budget: &'b mut Budget,
    found: F,
    /// Whether a node was left out because it is too deep.
    is_cut: bool,
}

/// Walks along the segments. Whether `found` stopped the walk.
///
/// # Errors
/// The budget is used up, `found` fails, or `found` did not stop the walk and a node was too deep.
pub(super) fn walk<'d>(
    segments: &[Segment],
    root: Node<'d>,
    budget: &mut Budget,
    found: impl FnMut(Node<'d>, &mut Budget) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let mut walk = Walk { budget, found, is_cut: false };
    walk.budget.visit(1)?;
    let has_found = walk.along(segments, root, 0)?;
    if !has_found && walk.is_cut { Err(Failure::Depth) } else { Ok(has_found) }
}

impl<'d, F: FnMut(Node<'d>, &mut Budget) -> Result<bool, Failure>> Walk<'_, F> {
    fn along(&mut self, segments: &[Segment], node: Node<'d>, depth: u8) -> Result<bool, Failure> {
        match segments.split_first() {
            None => (self.found)(node, self.budget),
            Some((Segment { descends: true, selector }, rest)) => self.descend(selector, rest, node, depth),
            Some((Segment { descends: false, selector }, rest)) => self.select(selector, rest, node, depth),
        }
    }

    /// Selects from the node itself first, then from each of its descendants.
    fn descend(
        &mut self,
        selector: &Selector,
        rest: &[Segment],
        node: Node<'d>,
        depth: u8,
    ) -> Result<bool, Failure> {
        if self.select(selector, rest, node, depth)? {
            return Ok(true);
        }
        self.each_child(node, depth, |walk, child, depth| walk.descend(selector, rest, child, depth))
    }

    fn select(
        &mut self,
        selector: &Selector,
        rest: &[Segment],
        node: Node<'d>,
        depth: u8,
    ) -> Result<bool, Failure> {
        let go_on = |walk: &mut Self, child, depth| walk.along(rest, child, depth);
        match selector {
            Selector::Name(name) => self.one(node, depth, node.member(name), go_on),
            Selector::Index(index) => self.one(node, depth, node.entry(*index), go_on),
            Selector::Wildcard => self.each_child(node, depth, go_on),
            Selector::Slice(slice) => {
                let entries = node.entries().unwrap_or_default();
                for index in slice.indexes(entries.len()) {
                    if self.one(node, depth, entries.get(index), go_on)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Selector::Filter(logic) => self.each_child(node, depth, |walk, child, depth| {
                Ok(logic::holds(logic, child, depth, walk.budget)? && go_on(walk, child, depth)?)
            }),
        }
    }

    /// Visits a child, if there is one.
    fn one(
        &mut self,
        parent: Node<'d>,
        depth: u8,
        child: Option<&'d Value>,
        go_on: impl FnOnce(&mut Self, Node<'d>, u8) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        self.budget.visit(1)?;
        match (child, parent.below(depth)) {
            (Some(child), Some(depth)) => go_on(self, Node::Value(child), depth),
            (Some(_), None) => {
                self.is_cut = true;
                Ok(false)
            }
            (None, _) => Ok(false),
        }
    }

    /// Visits each child, until one stops the walk.
    fn each_child(
        &mut self,
        node: Node<'d>,
        depth: u8,
        mut go_on: impl FnMut(&mut Self, Node<'d>, u8) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        for child in node.entries().into_iter().flatten() {
            if self.one(node, depth, Some(child), &mut go_on)? {
                return Ok(true);
            }
        }
        for (_, child) in node.members() {
            if self.one(node, depth, Some(child), &mut go_on)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Slice {
    /// The indexes that the slice selects in a list of `length` entries (RFC 9535, 2.3.4.2.2).
    fn indexes(self, length: usize) -> impl Iterator<Item = usize> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let normal = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
        let last = length.saturating_sub(1);
        let (first, end) = if self.step >= 0 {
            let start = normal(self.start.unwrap_or(0)).clamp(0, length);
            (start, normal(self.end.unwrap_or(length)).clamp(0, length))
        } else {
            let start = self.start.map_or(last, |start| normal(start).clamp(-1, last));
            (start, self.end.map_or(-1, |end| normal(end).clamp(-1, last)))
        };
        let step = self.step;
        let is_inside = move |index: &i64| if step > 0 { *index < end } else { step < 0 && *index > end };
        std::iter::successors(Some(first), move |index| index.checked_add(step))
            .take_while(is_inside)
            .filter_map(|index| usize::try_from(index).ok())
    }
}
