//! `stella deliveries`: lists, shows, streams and redelivers deliveries.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Deliveries;
use crate::output::{Column, coloured, sanitized};

const COLUMNS: [Column; 6] = [
    ("ID", "id"),
    ("EVENT", "event"),
    ("STATUS", "status"),
    ("ATTEMPTS", "attempts"),
    ("RESPONSE", "statusCode"),
    ("CREATED", "createdAt"),
];

/// How often `tail` polls the log.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(command: &Deliveries, context: &Context) -> Result<(), Failure> {
    match command {
        Deliveries::List { subscription, status, event, limit } => {
            let path = format!("webhook-subscriptions/{subscription}/deliveries");
            let query = [("status", status.as_deref()), ("event", event.as_deref())];
            let rows = context.api.list(&path, &query, limit.limit)?;
            context.output.print_table(&rows, &COLUMNS)
        }
        Deliveries::Show { id } => show(&data(context.api.get(&format!("deliveries/{id}"))?), context),
        Deliveries::Tail { subscription } => tail(subscription, context),
        Deliveries::Redeliver { id } => {
            let row = data(context.api.post(&format!("deliveries/{id}/redeliver"), &json!({}))?);
            context.output.print_text(&format!("redelivering {id}"))?;
            context.output.print_json(&row)
        }
    }
}

/// Shows a delivery, then a table of its attempts.
fn show(delivery: &Value, context: &Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.print_object(delivery);
    }
    let mut summary = delivery.clone();
    if let Some(members) = summary.as_object_mut() {
        for name in ["log", "body", "headers", "deliveryId", "attempt"] {
            members.remove(name);
        }
    }
    context.output.print_object(&summary)?;
    context.output.print_text("")?;
    let log = delivery.get("log").and_then(Value::as_array).cloned().unwrap_or_default();
    let columns = [
        ("ATTEMPT", "attempt"),
        ("TIME", "at"),
        ("RESPONSE", "statusCode"),
        ("MS", "responseTime"),
        ("ERROR", "error"),
        ("BODY", "responseBody"),
    ];
    context.output.print_table(&log, &columns)
}

/// Prints each new delivery, and each one again when its status or its number of attempts changes.
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
            // The first poll returns deliveries that are older than the command.
            if !seen.insert(state) || is_first {
                continue;
            }
            context.output.print_json(&row)?;
            let response =
                row.get("statusCode").and_then(Value::as_u64).map_or("-".to_owned(), |code| code.to_string());
            let error = row.get("error").and_then(Value::as_str).map(sanitized).unwrap_or_default();
            context.output.print_text(&format!(
                "{}  {}  {}  attempt {attempts}  {response}  {error}",
                text("id"),
                text("event"),
                coloured(&text("status"))
            ))?;
        }
        is_first = false;
        std::thread::sleep(POLL_INTERVAL);
    }
}
