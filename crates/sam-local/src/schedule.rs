//! Schedules: invokes a function periodically by the stack's time.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use crate::invoke::Invoker;
use crate::signal::Signal;
use crate::time::Time;

/// Invokes the function at once and then once per period, until `stop` fires. For periods that end while the
/// function runs, or that the clock is moved over, there is one invocation in all.
pub(crate) async fn run(invoker: Invoker, every: Duration, time: Time, stop: Signal) {
    let mut next = time.now();
    while stop.or(time.sleep_until(next)).await.is_some() {
        let now = time.now();
        // A failure was logged, and is not retried before the next period.
        let _ = invoker.invoke(event(invoker.name(), now)).await;
        next = following(next, every, now);
    }
}

/// The first time after `now` that is a whole number of periods after `moment`.
fn following(moment: DateTime<Utc>, every: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let passed = now.signed_duration_since(moment).num_milliseconds().max(0);
    let periods = passed.div_euclid(every).saturating_add(1);
    chrono::Duration::try_milliseconds(periods.saturating_mul(every))
        .and_then(|later| moment.checked_add_signed(later))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The event of an EventBridge schedule rule.
fn event(function: &str, now: DateTime<Utc>) -> String {
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "region": "us-east-1",
        "resources": [format!("arn:aws:events:us-east-1:000000000000:rule/{function}")],
        "detail": {},
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::invoke::tests::invoker;
    use crate::signal::signal;

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_next_time_is_a_whole_number_of_periods_later() {
        let minute = Duration::from_mins(1);
        let at = |seconds| noon() + chrono::Duration::seconds(seconds);
        for (now, next) in [(0, 60), (59, 60), (60, 120), (3 * 60 + 1, 4 * 60)] {
            assert_eq!(following(noon(), minute, at(now)), at(next), "{now}");
        }
    }

    #[tokio::test]
    async fn the_first_invocation_is_at_once_and_skipped_periods_are_one_invocation() {
        let (sender, mut runs) = mpsc::unbounded_channel();
        let (sweep, _cut, _) = invoker(Duration::from_secs(30), move |event, _| {
            sender.send(event).unwrap();
            async { Ok("null".to_owned()) }
        });
        let time = Time::manual(noon());
        let (stopping, stop) = signal();
        let running = tokio::spawn(run(sweep, Duration::from_mins(1), time.clone(), stop));
        let mut seen = async || {
            let event: serde_json::Value = serde_json::from_str(&runs.recv().await.unwrap()).unwrap();
            event["time"].as_str().unwrap().to_owned()
        };
        assert_eq!(seen().await, "2026-03-01T12:00:00Z");
        time.advance(chrono::Duration::seconds(601));
        assert_eq!(seen().await, "2026-03-01T12:10:01Z");
        time.advance(chrono::Duration::seconds(59));
        assert_eq!(seen().await, "2026-03-01T12:11:00Z");
        stopping.fire();
        running.await.unwrap();
        assert!(runs.try_recv().is_err());
    }

    #[test]
    fn events_are_as_eventbridge_sends_them() {
        let event: serde_json::Value = serde_json::from_str(&event("Sweep", noon())).unwrap();
        insta::assert_json_snapshot!(event, { ".id" => "[id]" }, @r#"
        {
          "account": "000000000000",
          "detail": {},
          "detail-type": "Scheduled Event",
          "id": "[id]",
          "region": "us-east-1",
          "resources": [
            "arn:aws:events:us-east-1:000000000000:rule/Sweep"
          ],
          "source": "aws.events",
          "time": "2026-03-01T12:00:00Z",
          "version": "0"
        }
        "#);
    }
}
