//! A recovery: redelivers the failed or skipped deliveries of a subscription within a time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::{Delivery, Status};
use crate::domain::shared::ids::{RecoveryId, SubscriptionId, TenantId};
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::time::Timestamp;
use crate::error::Error;

/// The statuses that a recovery includes by default.
const DEFAULT_STATUSES: [Status; 2] = [Status::Failed, Status::Skipped];

/// Which deliveries a recovery includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Criteria {
    /// Only deliveries of events from this time on.
    pub from: DateTime<Utc>,
    /// Only deliveries of events up to this time.
    pub to: DateTime<Utc>,
    /// Only deliveries in one of these states, which are all final.
    pub statuses: Vec<Status>,
}

impl Criteria {
    /// Reads a request. Also returns whether it is a dry run, which only counts.
    ///
    /// # Errors
    /// `Unprocessable` with every mistake.
    pub fn parse(body: &Value, now: DateTime<Utc>) -> Result<(Self, bool), Error> {
        ObjectReader::whole(body, |fields| Self::read(fields, now))
    }

    /// Reads the members of a request.
    pub fn read(fields: &mut ObjectReader<'_>, now: DateTime<Utc>) -> Option<(Self, bool)> {
        fields.require("from");
        let from = fields.time("from");
        fields.describe("to", "Deliveries of events up to this time. Default: now.");
        let to = fields.time("to").unwrap_or(now);
        fields.describe("status", "Deliveries in this state. Default: `failed` and `skipped`.");
        let mut final_statuses = Status::ALL.to_vec();
        final_statuses.retain(|(_, status)| !status.is_open());
        let status = fields.one_of("status", &final_statuses);
        fields.describe("dryRun", "Whether the deliveries are only counted.");
        let is_dry = fields.boolean_or("dryRun", false);
        if from.is_some_and(|from| from > to) {
            fields.wrong("from", "must not be after to");
        }
        let statuses = status.map_or_else(|| DEFAULT_STATUSES.to_vec(), |status| vec![status]);
        Some((Self { from: from?, to, statuses }, is_dry))
    }

    /// Whether the recovery includes a delivery. Tests are never included, because they have no event.
    #[must_use]
    pub fn takes(&self, row: &Delivery, now: DateTime<Utc>) -> bool {
        row.event_id.is_some() && self.statuses.contains(&row.status) && !row.has_expired(now)
    }
}

/// A recovery as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// The id.
    pub id: RecoveryId,
    /// The owning tenant.
    pub tenant_id: TenantId,
    /// The subscription whose deliveries are recovered.
    pub subscription_id: SubscriptionId,
    /// Which deliveries are recovered.
    #[serde(rename = "wanted")]
    pub criteria: Criteria,
    /// How many deliveries matched when it began, as far as counted.
    pub matched: u64,
    /// Whether more deliveries matched than were counted.
    pub matched_is_lower_bound: bool,
    /// How many deliveries have been redelivered so far.
    pub requeued: u64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was completed. `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// How many times it was written.
    pub revision: u64,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

impl Recovery {
    /// The recovery as callers see it.
    #[must_use]
    pub fn view(&self) -> RecoveryView {
        RecoveryView {
            id: self.id,
            subscription_id: self.subscription_id,
            status: if self.completed_at.is_some() { Progress::Completed } else { Progress::Running },
            from: Timestamp(self.criteria.from),
            to: Timestamp(self.criteria.to),
            statuses: self.criteria.statuses.clone(),
            matched: self.matched,
            matched_is_lower_bound: self.matched_is_lower_bound,
            requeued: self.requeued,
            created_at: Timestamp(self.created_at),
            completed_at: self.completed_at.map(Timestamp),
        }
    }
}

/// A recovery: many deliveries that are sent again.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Recovery"))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryView {
    /// The recovery's id.
    pub id: RecoveryId,
    /// The subscription whose deliveries are sent again.
    pub subscription_id: SubscriptionId,
    /// How far the recovery is.
    pub status: Progress,
    /// Deliveries of events from this time on.
    pub from: Timestamp,
    /// Deliveries of events up to this time.
    pub to: Timestamp,
    /// Deliveries in one of these states.
    pub statuses: Vec<Status>,
    /// How many deliveries matched when the recovery began, as far as counted.
    pub matched: u64,
    /// Whether more deliveries matched than were counted.
    pub matched_is_lower_bound: bool,
    /// How many deliveries have been sent again so far.
    pub requeued: u64,
    /// When the recovery began.
    pub created_at: Timestamp,
    /// When the recovery was completed.
    pub completed_at: Option<Timestamp>,
}

/// How far a recovery is.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Deliveries are still being sent again.
    Running,
    /// Every delivery that matched was looked at.
    Completed,
}

/// The answer to a dry run: what a recovery would send again.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Always `true`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub dry_run: bool,
    /// How many deliveries match, as far as counted.
    pub matched: u64,
    /// Whether more deliveries match than were counted.
    pub matched_is_lower_bound: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-09T10:30:00Z".parse().unwrap()
    }

    fn parse(body: &Value) -> Result<(Criteria, bool), Vec<String>> {
        Criteria::parse(body, now())
            .map_err(|error| error.errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn by_default_failed_and_skipped_deliveries_up_to_now_are_recovered() {
        let (criteria, is_dry) = parse(&json!({"from": "2026-01-09T00:00:00Z"})).unwrap();
        assert_eq!((criteria.to, is_dry), (now(), false));
        assert_eq!(criteria.statuses, [Status::Failed, Status::Skipped]);
    }

    #[test]
    fn every_mistake_is_reported() {
        let mut mistakes =
            parse(&json!({"to": "now", "status": "retrying", "dryRun": 1, "colour": "red"})).unwrap_err();
        mistakes.sort();
        assert_eq!(mistakes, ["colour", "dryRun", "from", "status", "to"]);
        let reversed = json!({"from": "2026-01-09T10:00:00Z", "to": "2026-01-09T09:00:00Z"});
        assert_eq!(parse(&reversed).unwrap_err(), ["from"]);
    }
}
