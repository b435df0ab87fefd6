//! The syntax tree of a JSONPath (RFC 9535).

use serde_json::Value;

/// A segment (RFC 9535, 2.5). It selects children of a node or, if it descends, also children of its
/// descendants.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub(super) descends: bool,
    pub(super) selector: Selector,
}

/// A selector of children (RFC 9535, 2.3).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selector {
    Name(Box<str>),
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Logic),
}

/// A slice of a list: the entries from `start` to before `end`, by `step` (RFC 9535, 2.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// The expression of a filter selector (RFC 9535, 2.3.5).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Logic {
    Any(Box<[Logic]>),
    All(Box<[Logic]>),
    Not(Box<Logic>),
    /// Whether the query leads to a node.
    Exists(Query),
    Compare(Operand, Comparison, Operand),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// An operand of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    Query(Query),
    /// The number of characters, entries or members: the function `length`.
    Length(Box<Operand>),
    /// The number of nodes, 0 or 1: the function `count`.
    Count(Query),
}

/// A singular query (RFC 9535, 2.3.5.1): a path from the node under test to at most one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query(pub(super) Box<[Step]>);

/// One step of a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    Index(i64),
}
