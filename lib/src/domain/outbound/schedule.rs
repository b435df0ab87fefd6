//! What follows an attempt: the delivery's new state, and when the next attempt is due.

use chrono::{DateTime, Duration, Utc};

use super::delivery::{Attempt, Delivery, Status};
use super::outcome::Verdict;
use super::reason::Reason;
use crate::domain::shared::retry::RetryPolicy;

/// The longest wait that is spent in a queue, in seconds. Longer ones are spent in the due index.
const MAX_QUEUED_SECONDS: i64 = 3_600;

/// How the next attempt is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is no next attempt.
    Nothing,
    /// By a message, which waits in the queue until this time.
    Send(DateTime<Utc>),
    /// By the due index, where `sweep` finds it at this time.
    Index(DateTime<Utc>),
}

impl Next {
    /// An attempt at `moment`.
    #[must_use]
    pub fn at(moment: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let is_far = moment.signed_duration_since(now) > Duration::seconds(MAX_QUEUED_SECONDS);
        if is_far { Self::Index(moment) } else { Self::Send(moment) }
    }
}

/// Records an attempt in the delivery's row, and returns how the next one is scheduled. `random` is a
/// uniformly random number, for the jitter.
pub fn apply_attempt(
    row: &mut Delivery,
    attempt: Attempt,
    verdict: &Verdict,
    policy: &RetryPolicy,
    random: u64,
    now: DateTime<Utc>,
) -> Next {
    row.record(attempt);
    match verdict {
        Verdict::Delivered => row.end(Status::Delivered, None, now),
        Verdict::Final { .. } => row.end(Status::Failed, None, now),
        Verdict::Gone => row.end(Status::Failed, Some(Reason::Gone), now),
        Verdict::Retry { after } => {
            let next = row.attempts.saturating_add(1);
            if !policy.allows_attempt(next) {
                row.end(Status::Failed, Some(Reason::Exhausted), now);
                return Next::Nothing;
            }
            let delay = policy.delay_before(next, random, *after);
            let at = now.checked_add_signed(delay).unwrap_or(now);
            row.status = Status::Retrying;
            row.reason = None;
            row.next_attempt_at = Some(at);
            return Next::at(at, now);
        }
    }
    Next::Nothing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::outbound::destination::Destination;
    use crate::domain::outbound::event_type::EventType;
    use crate::domain::outbound::subscription::Method;
    use crate::domain::shared::delivery_id::DeliveryId;
    use crate::domain::shared::ids::EventId;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn row() -> Delivery {
        Delivery {
            id: DeliveryId::derive(EventId::from(Uuid::nil()), Uuid::nil().into(), 7),
            tenant_id: Uuid::nil().into(),
            subscription_id: Uuid::nil().into(),
            event_id: None,
            hops: 0,
            event: EventType::ReleaseCreated,
            destination: Destination::Http("https://example.com".to_owned()),
            method: Method::Post,
            status: Status::Pending,
            reason: None,
            generation: 0,
            attempts: 0,
            attempt_token: None,
            fetched_at: None,
            next_attempt_at: None,
            log: Vec::new(),
            created_at: noon(),
            revision: 0,
            due_pk: None,
            due_at: None,
            expires_at: None,
        }
    }

    fn attempt(number: u32, success: bool) -> Attempt {
        Attempt {
            number,
            generation: 0,
            at: noon(),
            revision: 1,
            status_code: Some(if success { 200 } else { 500 }),
            response_body: None,
            response_time: 1,
            success,
            error: None,
        }
    }

    fn fail(row: &mut Delivery, number: u32, policy: &RetryPolicy) -> Next {
        apply_attempt(row, attempt(number, false), &Verdict::Retry { after: None }, policy, 0, noon())
    }

    #[test]
    fn a_schedule_ends_with_its_last_attempt() {
        let (mut row, policy) = (row(), RetryPolicy::default());
        let seconds = |seconds| Next::Send(noon() + Duration::seconds(seconds));
        assert_eq!(fail(&mut row, 1, &policy), seconds(10));
        assert_eq!(fail(&mut row, 2, &policy), seconds(20));
        assert_eq!(fail(&mut row, 3, &policy), seconds(40));
        assert_eq!((row.status, row.attempts), (Status::Retrying, 3));
        assert_eq!(fail(&mut row, 4, &policy), Next::Nothing);
        assert_eq!((row.status, row.reason), (Status::Failed, Some(Reason::Exhausted)));
        assert!(row.expires_at.is_some() && row.next_attempt_at.is_none());
    }

    #[test]
    fn a_delay_of_an_hour_is_spent_in_the_queue_and_a_longer_one_in_the_index() {
        let policy =
            RetryPolicy { backoff_seconds: 3_600, max_backoff_seconds: 43_200, ..Default::default() };
        let mut row = row();
        assert_eq!(fail(&mut row, 1, &policy), Next::Send(noon() + Duration::hours(1)));
        assert_eq!(fail(&mut row, 2, &policy), Next::Index(noon() + Duration::hours(2)));
    }

    #[test]
    fn a_retry_after_of_two_minutes_is_respected() {
        let mut row = row();
        let verdict = Verdict::Retry { after: Some(Duration::seconds(120)) };
        let next = apply_attempt(&mut row, attempt(1, false), &verdict, &RetryPolicy::default(), 0, noon());
        assert_eq!(next, Next::Send(noon() + Duration::seconds(120)));
    }

    #[test]
    fn a_final_answer_ends_the_delivery_whatever_the_policy_allows() {
        for (verdict, status, reason) in [
            (Verdict::Delivered, Status::Delivered, None),
            (Verdict::Final { reason: "Client error: 400".to_owned() }, Status::Failed, None),
            (Verdict::Gone, Status::Failed, Some(Reason::Gone)),
        ] {
            let mut row = row();
            let next =
                apply_attempt(&mut row, attempt(1, true), &verdict, &RetryPolicy::default(), 0, noon());
            assert_eq!((next, row.status, row.reason), (Next::Nothing, status, reason));
        }
    }

    #[test]
    fn a_redelivery_restarts_the_schedule_and_keeps_the_log() {
        let (mut row, policy) = (row(), RetryPolicy { max_retries: 0, ..Default::default() });
        fail(&mut row, 1, &policy);
        row.restart();
        assert!(row.awaits(1, 1) && !row.awaits(0, 2));
        assert_eq!((row.status, row.log.len(), row.expires_at), (Status::Pending, 1, None));
    }

    proptest! {
        #[test]
        fn an_open_row_has_a_next_attempt_and_a_final_one_an_expiry(
            retries in 0..=20_u32, failures in 1..=21_u32, random: u64
        ) {
            let policy = RetryPolicy { max_retries: retries, ..Default::default() };
            let mut row = row();
            for number in 1..=failures.min(retries.saturating_add(1)) {
                let verdict = Verdict::Retry { after: None };
                let next = apply_attempt(&mut row, attempt(number, false), &verdict, &policy, random, noon());
                prop_assert_eq!(next == Next::Nothing, !row.status.is_open());
                prop_assert_eq!(row.status.is_open(), row.next_attempt_at.is_some());
                prop_assert_eq!(row.status.is_open(), row.expires_at.is_none());
                prop_assert_eq!(row.attempts, number);
            }
        }
    }
}
