//! `stella recover`: sends many deliveries again, and shows how far it is.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Recover;

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn run(wanted: &Recover, context: &Context) -> Result<(), Failure> {
    let now = SystemClock.now();
    let to = wanted.to.as_ref().map(|to| moment(to, now)).transpose()?;
    let body = json!({"from": moment(&wanted.from, now)?, "to": to, "status": wanted.status,
        "dryRun": wanted.dry_run});
    let path = format!("webhook-subscriptions/{}/recover", wanted.subscription);
    let mut recovery = data(context.api.post(&path, &body)?);
    let number = |recovery: &Value, name: &str| recovery.get(name).and_then(Value::as_u64).unwrap_or(0);
    let more = |recovery: &Value| {
        let is_more = recovery.get("matchedIsLowerBound").and_then(Value::as_bool) == Some(true);
        if is_more { " or more" } else { "" }
    };
    if wanted.dry_run {
        let count = number(&recovery, "matched");
        context.screen.say(&format!("{count}{} deliveries would be sent again", more(&recovery)))?;
        return context.screen.tell(&recovery);
    }
    let bar = if context.screen.is_json() {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(number(&recovery, "matched"))
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} sent again") {
        bar.set_style(style);
    }
    let path = format!("recoveries/{}", recovery.get("id").and_then(Value::as_str).unwrap_or_default());
    while recovery.get("status").and_then(Value::as_str) == Some("running") {
        std::thread::sleep(LOOK);
        recovery = data(context.api.get(&path)?);
        bar.set_length(number(&recovery, "matched").max(number(&recovery, "requeued")));
        bar.set_position(number(&recovery, "requeued"));
    }
    bar.finish_and_clear();
    context.screen.say(&format!("{} deliveries were sent again", number(&recovery, "requeued")))?;
    context.screen.tell(&recovery)
}

/// A moment as RFC 3339 has it, or so long ago.
fn moment(text: &str, now: DateTime<Utc>) -> Result<String, Failure> {
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
    let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).ok().or_else(ago);
    let moment = moment.ok_or_else(|| {
        Failure::Usage(format!("{text} is no moment: 2026-01-09T10:30:00Z, or 90m, 24h, 7d ago"))
    })?;
    Ok(stella::domain::shared::time::timestamp(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_outright_or_by_how_long_ago() {
        let now = "2026-01-09T10:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("24h", "2026-01-08T10:30:00.000Z"),
            ("90m", "2026-01-09T09:00:00.000Z"),
            ("7d", "2026-01-02T10:30:00.000Z"),
            ("2026-01-01T00:00:00+01:00", "2025-12-31T23:00:00.000Z"),
        ] {
            assert_eq!(moment(text, now).unwrap(), expected);
        }
        assert!(moment("yesterday", now).is_err() && moment("", now).is_err() && moment("é", now).is_err());
    }
}
