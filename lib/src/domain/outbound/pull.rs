//! Pull deliveries: the requests that readers fetch, and the reports that they send back.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::delivery::{Attempt, Delivery};
use super::event_type::EventType;
use super::outcome::{Failure, FailureKind, Outcome, Response, RetryAfter};
use super::subscription::Method;
use crate::domain::shared::delivery_id::DeliveryId;
use crate::domain::shared::object_reader::ObjectReader;
use crate::domain::shared::retry::MAX_DELAY_SECONDS;
use crate::domain::shared::text::cut;
use crate::domain::shared::time::Timestamp;
use crate::error::{Code, Error, Kind};

/// How much longer than the subscription's timeout a lease is, in milliseconds.
const MARGIN_MS: u64 = 30_000;

/// The maximum length of a reported answer, in characters. Only its beginning is stored.
const MAX_RESPONSE: usize = 65_536;

/// The longest response time that can be reported, in milliseconds.
const MAX_MS: u64 = 3_600_000;

/// A reader's report of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The attempt's number, if the reader gives it.
    attempt: Option<u32>,
    /// The outcome.
    outcome: Outcome,
    /// What went wrong, in the reader's words.
    error: Option<String>,
}

impl Report {
    /// Reads the members of a report.
    pub fn read(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let number = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        fields.describe("attempt", "The attempt that is reported, as it was fetched.");
        fields
            .describe("statusCode", "The status code that the receiver answered. Required without `error`.");
        fields.describe("responseTime", "How long the attempt took, in milliseconds.");
        fields.describe("error", "What went wrong, if the receiver did not answer.");
        fields.describe("response", "The beginning of what the receiver answered.");
        fields.describe("retryAfterSeconds", "The receiver's `Retry-After`, in seconds.");
        let attempt = number(fields.integer("attempt", 1, u32::MAX.into()));
        let status = fields.integer("statusCode", 100, 999).and_then(|status| u16::try_from(status).ok());
        fields.require("responseTime");
        let response_time_ms = fields.integer("responseTime", 0, MAX_MS);
        let error = fields.text("error", 1024);
        let body = fields.text("response", MAX_RESPONSE).unwrap_or_default().into_bytes();
        let retry_after = number(fields.integer("retryAfterSeconds", 0, MAX_DELAY_SECONDS.into()));
        if status.is_none() && error.is_none() && !fields.is_given("statusCode") && !fields.is_given("error")
        {
            fields.wrong("statusCode", "is required, unless error is given");
        }
        let response_time_ms = response_time_ms?;
        let outcome = match status {
            Some(status) => {
                let retry_after = retry_after.map(RetryAfter::Seconds);
                Outcome::Response(Response { status, body, retry_after, response_time_ms })
            }
            None => Outcome::Failure(Failure { kind: FailureKind::Reported, response_time_ms }),
        };
        Some(Self { attempt, outcome, error })
    }

    /// The outcome of the attempt.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The reported attempt, for the log: the one for which the delivery was last fetched.
    ///
    /// # Errors
    /// `Conflict` if the delivery waits for no report, or for the report of another attempt.
    pub fn attempt(&self, row: &Delivery, revision: u64) -> Result<Attempt, Error> {
        let conflict = |code, detail| Error::new(Kind::Conflict, code, detail);
        let number = row.attempts.saturating_add(1);
        if !row.status.is_open() || self.attempt.is_some_and(|attempt| attempt != number) {
            return Err(conflict(
                Code::AlreadyReported,
                "This attempt was reported before, or its delivery has ended",
            ));
        }
        let at = row.fetched_at.ok_or_else(|| conflict(Code::NotFetched, "This delivery was not fetched"))?;
        let mut attempt = Attempt::new(number, row.generation, at, revision);
        attempt.note(&self.outcome, self.outcome.body_text(MAX_RESPONSE).as_deref());
        if let (false, Some(error)) = (attempt.success, &self.error) {
            attempt.error = Some(cut(error, 256));
        }
        Ok(attempt)
    }
}

/// A request that is ready to be made, for the reader that fetched it.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchedDelivery {
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The event's type.
    pub event: EventType,
    /// The attempt's number, from 1. Give it in the report, so that the report counts for this attempt only.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub attempt: u32,
    /// The HTTP method of the request.
    pub method: Method,
    /// All headers of the request, with signatures and credentials.
    pub headers: BTreeMap<String, String>,
    /// The body of the request, exactly as it was signed.
    pub body: String,
    /// Until when the reader has the delivery. Without a report by then another reader gets it, and no
    /// attempt is used.
    pub report_before: Timestamp,
}

/// When the lease of a reader that fetches at `now` ends.
#[must_use]
pub fn fetched_until(timeout_ms: u64, now: DateTime<Utc>) -> DateTime<Utc> {
    let lease = i64::try_from(timeout_ms.saturating_add(MARGIN_MS)).unwrap_or(i64::MAX);
    Duration::try_milliseconds(lease).and_then(|lease| now.checked_add_signed(lease)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_has_an_answer_or_an_error() {
        let read = |body| ObjectReader::whole(&body, Report::read);
        assert!(read(json!({"statusCode": 204, "responseTime": 3})).unwrap().outcome().is_success());
        let failed = read(json!({"error": "connection refused", "responseTime": 3})).unwrap();
        assert_eq!(failed.outcome().status(), None);
        let mistakes = read(json!({"statusCode": 42, "retryAfterSeconds": -1})).unwrap_err().errors;
        let fields: Vec<&str> = mistakes.iter().map(|mistake| mistake.field.as_str()).collect();
        assert_eq!(fields, ["statusCode", "responseTime", "retryAfterSeconds"]);
        assert_eq!(read(json!({"responseTime": 3})).unwrap_err().errors[0].field, "statusCode");
    }
}
