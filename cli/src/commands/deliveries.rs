//! `stella deliveries`: the log, looked at, followed, and sent again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Deliveries;
use crate::screen::{Column, coloured, harmless};

const COLUMNS: [Column; 6] = [
    ("ID", "id"),
    ("EVENT", "event"),
    ("STATUS", "status"),
    ("ATTEMPTS", "attempts"),
    ("ANSWER", "statusCode"),
    ("AT", "createdAt"),
];

/// How often the log is looked at while it is followed.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(wanted: &Deliveries, context: &Context) -> Result<(), Failure> {
    match wanted {
        Deliveries::List { subscription, status, event, limit } => {
            let path = format!("webhook-subscriptions/{subscription}/deliveries");
            let query = [("status", status.as_deref()), ("event", event.as_deref())];
            let rows = context.api.list(&path, &query, limit.limit)?;
            context.screen.table(&rows, &COLUMNS)
        }
        Deliveries::Show { id } => show(&data(context.api.get(&format!("deliveries/{id}"))?), context),
        Deliveries::Tail { subscription } => tail(subscription, context),
        Deliveries::Redeliver { id } => {
            let row = data(context.api.post(&format!("deliveries/{id}/redeliver"), &json!({}))?);
            context.screen.say(&format!("{id} begins again"))?;
            context.screen.tell(&row)
        }
    }
}

/// The delivery, then each attempt as a line, and what went wrong with the last.
fn show(delivery: &Value, context: &Context) -> Result<(), Failure> {
    if context.screen.is_json() {
        return context.screen.one(delivery);
    }
    let mut summary = delivery.clone();
    if let Some(members) = summary.as_object_mut() {
        for name in ["log", "body", "headers", "deliveryId", "attempt"] {
            members.remove(name);
        }
    }
    context.screen.one(&summary)?;
    context.screen.say("")?;
    let log = delivery.get("log").and_then(Value::as_array).cloned().unwrap_or_default();
    let columns = [
        ("ATTEMPT", "attempt"),
        ("AT", "at"),
        ("ANSWER", "statusCode"),
        ("MS", "responseTime"),
        ("ERROR", "error"),
        ("BODY", "responseBody"),
    ];
    context.screen.table(&log, &columns)
}

/// Shows each delivery when it comes and each time that it changes.
fn tail(subscription: &str, context: &Context) -> Result<(), Failure> {
    let path = format!("webhook-subscriptions/{subscription}/deliveries");
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut is_first = true;
    loop {
        let mut rows = context.api.list(&path, &[], 100)?;
        rows.reverse();
        for row in rows {
            let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            let attempts = row.get("attempts").and_then(Value::as_u64).unwrap_or(0);
            let state = format!("{} {} {attempts}", text("id"), text("status"));
            // What was there before is not to come.
            if !seen.insert(state) || is_first {
                continue;
            }
            context.screen.tell(&row)?;
            let answer =
                row.get("statusCode").and_then(Value::as_u64).map_or("-".to_owned(), |code| code.to_string());
            let error = row.get("error").and_then(Value::as_str).map(harmless).unwrap_or_default();
            context.screen.say(&format!(
                "{}  {}  {}  attempt {attempts}  {answer}  {error}",
                text("id"),
                text("event"),
                coloured(&text("status"))
            ))?;
        }
        is_first = false;
        std::thread::sleep(LOOK);
    }
}
