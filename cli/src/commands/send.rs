//! `stella send`: posts an example request of a sender, signed as the config requires.

use serde_json::Value;
use stella::domain::inbound::config::Spec;

use crate::Context;
use crate::api::{Api, data};
use crate::examples::{ALL, Example, TAG};
use crate::failure::Failure;
use crate::options::Send;
use crate::sign;

pub(super) fn run(options: &Send, context: &Context) -> Result<(), Failure> {
    let Some(example) = find(options.sender.as_deref(), options.event.as_deref())? else {
        return list(options.sender.as_deref(), context);
    };
    let config = options
        .config
        .as_ref()
        .ok_or_else(|| Failure::Usage("--config is required: an id from `stella configs list`".to_owned()))?;
    let config = data(context.api.get(&format!("webhook-configs/{config}"))?);
    let spec: Spec = serde_json::from_value(config.clone())
        .map_err(|error| Failure::Usage(format!("cannot read the config: {error}")))?;
    let body = match &options.tag {
        Some(tag) => example.body.replace(TAG, tag),
        None => example.body.to_owned(),
    };
    let mut headers = sign::headers(&spec.scheme(), options.secret.as_deref(), &body)?;
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    headers.extend(example.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut url = config.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(token) = &options.token {
        url = format!("{url}/{token}");
    }
    // A sender has no API key.
    let response = Api::new(context.api.url(), None).send("POST", &url, &headers, body)?;
    let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    if !(200..300).contains(&response.status) {
        let is_unauthenticated = response.status == 401;
        return Err(if is_unauthenticated { Failure::SenderRefused(body) } else { Failure::Refused(body) });
    }
    context.output.print_object(&body)
}

fn find(sender: Option<&str>, event: Option<&str>) -> Result<Option<&'static Example>, Failure> {
    let Some(sender) = sender else { return Ok(None) };
    let examples: Vec<&Example> = ALL.iter().filter(|example| example.sender == sender).collect();
    if examples.is_empty() {
        return Err(Failure::Usage(format!("unknown sender {sender}; `stella send` lists all")));
    }
    let Some(event) = event else { return Ok(None) };
    let found = examples.iter().find(|example| example.event == event);
    found.copied().map(Some).ok_or_else(|| {
        let events: Vec<&str> = examples.iter().map(|example| example.event).collect();
        Failure::Usage(format!("unknown example {event}; examples of {sender}: {}", events.join(", ")))
    })
}

fn list(sender: Option<&str>, context: &Context) -> Result<(), Failure> {
    let examples = ALL.iter().filter(|example| sender.is_none_or(|sender| sender == example.sender));
    let rows: Vec<Value> = examples
        .map(|example| serde_json::json!({"sender": example.sender, "event": example.event}))
        .collect();
    context.output.print_table(&rows, &[("SENDER", "sender"), ("EVENT", "event")])
}
