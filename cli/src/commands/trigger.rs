//! `stella trigger`: publishes an event.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::Context;
use crate::api::data;
use crate::failure::Failure;
use crate::options::Trigger;

pub(super) fn run(wanted: &Trigger, context: &Context) -> Result<(), Failure> {
    let said = match &wanted.data {
        Some(text) => read(text)?,
        None => example(&wanted.event, context)?,
    };
    let published = data(context.api.post("events", &json!({"event": wanted.event, "data": said}))?);
    let id = published.get("id").and_then(Value::as_str).unwrap_or_default();
    context.screen.say(&format!("published {} as {id}", wanted.event))?;
    context.screen.tell(&published)
}

fn read(text: &str) -> Result<Value, Failure> {
    let wrong = |error: String| Failure::Usage(format!("the data cannot be read: {error}"));
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| wrong(format!("{file}: {error}")))?,
        None if text == "-" => {
            let mut said = String::new();
            std::io::stdin().read_to_string(&mut said)?;
            said
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn example(event: &str, context: &Context) -> Result<Value, Failure> {
    let types = data(context.api.get("event-types")?);
    let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |kind: &Value| kind.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = types.iter().find(|kind| name(kind) == event);
    found.and_then(|kind| kind.get("example").cloned()).ok_or_else(|| {
        let names: Vec<String> = types.iter().map(name).collect();
        Failure::Usage(format!("there is no event {event}; there are {}", names.join(", ")))
    })
}
