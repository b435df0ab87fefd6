//! The fan-out mark of an event: which subscriptions matched, or why the fan-out failed permanently.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::ids::SubscriptionId;
use crate::domain::shared::time::Timestamp;

/// How many deliveries a mark lists. A mark of this size fits into an item of DynamoDB, which has at most 400
/// KB.
pub const MAX_NAMED: usize = 1_000;

/// The fan-out mark of an event. Written when the fan-out is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The deliveries, at most [`MAX_NAMED`].
    pub deliveries: Vec<Matched>,
    /// How many more deliveries there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unnamed: usize,
    /// Why the fan-out failed permanently, if it did: some subscription that selects the event gets no
    /// delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// When the fan-out was over.
    pub at: DateTime<Utc>,
    /// When the mark expires, in seconds since 1970.
    pub expires_at: i64,
}

/// A subscription that an event matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matched {
    /// The subscription.
    pub subscription_id: SubscriptionId,
    /// The delivery.
    pub delivery_id: DeliveryId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Mark {
    /// The mark of an event with these deliveries.
    pub fn new(
        matched: impl ExactSizeIterator<Item = Matched>,
        failed: Option<String>,
        at: DateTime<Utc>,
        expires_at: i64,
    ) -> Self {
        let unnamed = matched.len().saturating_sub(MAX_NAMED);
        Self { deliveries: matched.take(MAX_NAMED).collect(), unnamed, failed, at, expires_at }
    }
}

/// Whether the deliveries of an event have been started.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FanOutView {
    /// How far the fan-out is.
    pub status: FanOutStatus,
    /// Why the fan-out failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the fan-out was done, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// How far a fan-out is.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FanOutStatus {
    /// Deliveries may still be added.
    Pending,
    /// Every subscription that selects the event has a delivery.
    Done,
    /// Some subscription that selects the event gets no delivery of it.
    Failed,
}

/// The state of an event's fan-out, as callers see it.
#[must_use]
pub fn view(mark: Option<&Mark>) -> FanOutView {
    let (status, reason) = match mark {
        None => (FanOutStatus::Pending, None),
        Some(Mark { failed: None, .. }) => (FanOutStatus::Done, None),
        Some(Mark { failed: Some(reason), .. }) => (FanOutStatus::Failed, Some(reason.clone())),
    };
    FanOutView { status, reason, at: mark.map(|mark| Timestamp(mark.at)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_of_very_many_deliveries_still_fits_an_item() {
        let matched = (0..5_000_u32).map(|number| Matched {
            subscription_id: uuid::Uuid::from_u128(u128::from(number)).into(),
            delivery_id: DeliveryId::derive(uuid::Uuid::nil().into(), uuid::Uuid::nil().into(), number),
        });
        let matched: Vec<Matched> = matched.collect();
        let mark = Mark::new(matched.into_iter(), None, DateTime::default(), 0);
        assert_eq!((mark.deliveries.len(), mark.unnamed), (1_000, 4_000));
        assert!(serde_json::to_string(&mark).unwrap().len() < 300 * 1024);
    }

    #[test]
    fn an_events_fan_out_is_pending_done_or_failed_with_its_reason() {
        assert_eq!(json!(view(None)), json!({"status": "pending"}));
        let mut mark = Mark::new([].into_iter(), None, DateTime::default(), 0);
        assert_eq!(json!(view(Some(&mark))), json!({"status": "done", "at": "1970-01-01T00:00:00.000Z"}));
        mark.failed = Some("why".to_owned());
        assert_eq!(json!(view(Some(&mark)))["status"], "failed");
        assert_eq!(json!(view(Some(&mark)))["reason"], "why");
    }
}
