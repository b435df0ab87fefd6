//! Expressions of a subscription or config that failed, as they are stored and shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The stored record of expressions that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterErrors {
    /// How often an expression failed.
    #[serde(rename = "filterErrors", skip_serializing_if = "is_zero")]
    pub count: u64,
    /// When an expression last failed.
    #[serde(rename = "filterErrorsAt", skip_serializing_if = "Option::is_none")]
    pub last_at: Option<DateTime<Utc>>,
    /// What was wrong with it, with its place.
    #[serde(rename = "filterErrorsMessage", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl FilterErrors {
    /// `filterErrors` as callers see it. `None` without failures and mistakes. `mistakes` are those of broken
    /// expressions, and come first. A failure before the owner's last change is not shown.
    #[must_use]
    pub fn view(
        &self,
        mistakes: impl Iterator<Item = String>,
        changed_at: DateTime<Utc>,
    ) -> Option<FilterErrorsView> {
        let mistakes: Vec<String> = mistakes.collect();
        let last_at = self.last_at.filter(|last| *last >= changed_at);
        let count = if last_at.is_some() { self.count } else { 0 };
        let failed = self.message.clone().filter(|_| last_at.is_some());
        let message = if mistakes.is_empty() { failed? } else { mistakes.join("; ") };
        Some(FilterErrorsView { count, last_at: last_at.map(Timestamp), message })
    }
}

/// Filters, and other expressions, that failed or would be refused now. They match nothing.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FilterErrors"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterErrorsView {
    /// How often an expression failed; up to a minute old.
    pub count: u64,
    /// When an expression last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Which expression, and what is wrong with it.
    pub message: String,
}

/// `filterErrors` of an owner without counts of its own, as a trigger: its broken expressions only. Its
/// failures are counted at the config by which the event came.
pub(crate) fn broken(mistakes: impl Iterator<Item = String>) -> Option<FilterErrorsView> {
    FilterErrors::default().view(mistakes, DateTime::default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(hour.saturating_mul(3_600), 0).unwrap()
    }

    #[test]
    fn failures_are_shown_until_their_owner_is_changed() {
        let stored =
            FilterErrors { count: 3, last_at: Some(at(5)), message: Some("filters[0] fails".into()) };
        let view = stored.view(std::iter::empty(), at(4)).unwrap();
        assert_eq!(
            json!(view),
            json!({"count": 3, "lastAt": "1970-01-01T05:00:00.000Z", "message": "filters[0] fails"})
        );
        assert_eq!(stored.view(std::iter::empty(), at(6)), None);
        assert_eq!(FilterErrors::default().view(std::iter::empty(), at(0)), None);
    }

    #[test]
    fn broken_expressions_are_shown_before_they_are_evaluated() {
        let view = FilterErrors::default().view(["filters[1]: no".to_owned()].into_iter(), at(4)).unwrap();
        assert_eq!(json!(view), json!({"count": 0, "message": "filters[1]: no"}));
    }
}
