//! A JSONPath as parsed.

use serde_json::Value;

/// One segment: what it selects of a node's children, or of those of all its descendants as well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub(super) descends: bool,
    pub(super) selector: Selector,
}

/// What is selected of a node's children.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Selector {
    Name(Box<str>),
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Logic),
}

/// Entries of a list from one index to before another, by steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// What a filter selector asks of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Logic {
    Any(Box<[Logic]>),
    All(Box<[Logic]>),
    Not(Box<Logic>),
    /// Whether the query leads anywhere.
    Exists(Query),
    Compare(Operand, Comparison, Operand),
}

/// How two operands are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    Query(Query),
    /// Characters, entries or members.
    Length(Box<Operand>),
    /// How many nodes: none or one.
    Count(Query),
}

/// A path from the node that a filter looks at, to at most one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query(pub(super) Box<[Step]>);

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    Index(i64),
}
