//! `stella trigger`: publishes an event.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Trigger;

pub(super) fn run(options: &Trigger, context: &Context) -> Result<(), Failure> {
    let event_data = match &options.data {
        Some(text) => parse_data(text)?,
        None => example_of(&options.event, context)?,
    };
    let published = data(context.api.post("events", &json!({"event": options.event, "data": event_data}))?);
    let id = published.get("id").and_then(Value::as_str).unwrap_or_default();
    context.output.print_text(&format!("published {} as {id}", options.event))?;
    context.output.print_json(&published)
}

fn parse_data(text: &str) -> Result<Value, Failure> {
    let invalid = |error: String| Failure::Usage(format!("invalid --data: {error}"));
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| invalid(format!("{file}: {error}")))?,
        None if text == "-" => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input)?;
            input
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
}

fn example_of(event: &str, context: &Context) -> Result<Value, Failure> {
    let types = data(context.api.get("event-types")?);
    let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |kind: &Value| kind.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = types.iter().find(|kind| name(kind) == event);
    found.and_then(|kind| kind.get("example").cloned()).ok_or_else(|| {
        let names: Vec<String> = types.iter().map(name).collect();
        Failure::Usage(format!("unknown event type {event}; event types: {}", names.join(", ")))
    })
}
