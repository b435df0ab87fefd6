//! `stella recover`: redelivers many deliveries, with a progress bar.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Recover;
use crate::output::counted;

/// How often the progress is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) fn run(options: &Recover, context: &Context) -> Result<(), Failure> {
    let now = SystemClock.now();
    let to = options.to.as_ref().map(|to| parse_time(to, now)).transpose()?;
    let body = json!({"from": parse_time(&options.from, now)?, "to": to, "status": options.status,
        "dryRun": options.dry_run});
    let path = format!("webhook-subscriptions/{}/recover", options.subscription);
    let mut recovery = data(context.api.post(&path, &body)?);
    let number = |recovery: &Value, name: &str| recovery.get(name).and_then(Value::as_u64).unwrap_or(0);
    if options.dry_run {
        let is_lower_bound = recovery.get("matchedIsLowerBound").and_then(Value::as_bool) == Some(true);
        let at_least = if is_lower_bound { "at least " } else { "" };
        let matched = counted(number(&recovery, "matched"), "delivery", "deliveries");
        context.output.print_text(&format!("{at_least}{matched} would be redelivered"))?;
        return context.output.print_json(&recovery);
    }
    let bar = if context.output.is_json() {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(number(&recovery, "matched"))
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} redelivered") {
        bar.set_style(style);
    }
    let path = format!("recoveries/{}", recovery.get("id").and_then(Value::as_str).unwrap_or_default());
    while recovery.get("status").and_then(Value::as_str) == Some("running") {
        std::thread::sleep(POLL_INTERVAL);
        recovery = data(context.api.get(&path)?);
        bar.set_length(number(&recovery, "matched").max(number(&recovery, "requeued")));
        bar.set_position(number(&recovery, "requeued"));
    }
    bar.finish_and_clear();
    let requeued = counted(number(&recovery, "requeued"), "delivery", "deliveries");
    context.output.print_text(&format!("{requeued} redelivered"))?;
    context.output.print_json(&recovery)
}

/// Parses an RFC 3339 time, or an age like `24h`.
fn parse_time(text: &str, now: DateTime<Utc>) -> Result<String, Failure> {
    let ago = || {
        let unit = text.chars().last()?;
        let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
        let span = match unit {
            'm' => TimeDelta::try_minutes(count),
            'h' => TimeDelta::try_hours(count),
            'd' => TimeDelta::try_days(count),
            _ => None,
        };
        now.checked_sub_signed(span?)
    };
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(ago);
    let time = time.ok_or_else(|| {
        Failure::Usage(format!("invalid time {text}: use 2026-01-09T10:30:00Z, or an age like 90m, 24h, 7d"))
    })?;
    Ok(stella::domain::shared::time::timestamp(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_an_age() {
        let now = "2026-01-09T10:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("24h", "2026-01-08T10:30:00.000Z"),
            ("90m", "2026-01-09T09:00:00.000Z"),
            ("7d", "2026-01-02T10:30:00.000Z"),
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00.000Z"),
        ] {
            assert_eq!(parse_time(text, now).unwrap(), expected);
        }
        for invalid in ["yesterday", "", "é"] {
            assert!(parse_time(invalid, now).is_err());
        }
    }
}
