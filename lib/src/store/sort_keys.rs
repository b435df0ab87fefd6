//! Ranges of sort keys.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

/// The longest sort key, in bytes ("Quotas in Amazon DynamoDB" of the DynamoDB developer guide).
const MAX_BYTES: usize = 1024;

/// A sort key as the bound of a range. It is never empty: DynamoDB refuses an empty string as the value of a
/// key, also in conditions ("The `AttributeValue` for a key attribute cannot contain an empty string value").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bound(String);

impl Bound {
    /// The bound with that text, unless it is empty or longer than a sort key can be.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (1..=MAX_BYTES).contains(&text.len()).then_some(Self(text))
    }

    /// The sort key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Bound {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text).ok_or("is not a sort key")
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.0
    }
}

/// A range of sort keys within one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SortKeys {
    from: Start,
    to: Option<Bound>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    First,
    At(Bound),
    Behind(Bound),
}

impl SortKeys {
    /// The range from `from`, which may be empty, to `to`, both included.
    pub(super) fn between(from: &str, to: Bound) -> Self {
        Self { from: Bound::new(from).map_or(Start::First, Start::At), to: Some(to) }
    }

    /// The range behind `after`; everything if it is empty.
    pub(super) fn behind(after: &str) -> Self {
        Self { from: Bound::new(after).map_or(Start::First, Start::Behind), to: None }
    }

    /// Adds the range to a query of a partition.
    pub(super) fn of(self, partition: &str, query: QueryFluentBuilder) -> QueryFluentBuilder {
        let (from, condition) = match (self.from, self.to.is_some()) {
            (Start::First, false) => (None, "pk = :pk"),
            (Start::First, true) => (None, "pk = :pk AND sk <= :to"),
            (Start::At(from), false) => (Some(from), "pk = :pk AND sk >= :from"),
            (Start::At(from), true) => (Some(from), "pk = :pk AND sk BETWEEN :from AND :to"),
            (Start::Behind(from), _) => (Some(from), "pk = :pk AND sk > :from"),
        };
        let mut query = query
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
        for (name, bound) in [(":from", from), (":to", self.to)] {
            if let Some(bound) = bound {
                query = query.expression_attribute_values(name, AttributeValue::S(bound.0));
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_never_empty_nor_longer_than_a_sort_key() {
        assert_eq!(Bound::new(""), None);
        assert_eq!(Bound::new("a").map(String::from), Some("a".to_owned()));
        assert!(Bound::new("a".repeat(1024)).is_some());
        assert_eq!(Bound::new("a".repeat(1025)), None);
        assert!(serde_json::from_str::<Bound>(r#""""#).is_err());
    }
}
