//! `stella send`: posts what a sender would, signed as it would be.

use serde_json::Value;
use stella::domain::inbound::config::Spec;

use crate::Context;
use crate::api::{Api, data};
use crate::examples::{ALL, Example, TAG};
use crate::failure::Failure;
use crate::options::Send;
use crate::sign;

pub(super) fn run(wanted: &Send, context: &Context) -> Result<(), Failure> {
    let Some(example) = find(wanted.sender.as_deref(), wanted.event.as_deref())? else {
        return list(wanted.sender.as_deref(), context);
    };
    let config = wanted
        .config
        .as_ref()
        .ok_or_else(|| Failure::Usage("--config says where to: an id of `stella configs list`".to_owned()))?;
    let config = data(context.api.get(&format!("webhook-configs/{config}"))?);
    let spec: Spec = serde_json::from_value(config.clone())
        .map_err(|error| Failure::Usage(format!("this config cannot be read: {error}")))?;
    let body = match &wanted.tag {
        Some(tag) => example.body.replace(TAG, tag),
        None => example.body.to_owned(),
    };
    let mut headers = sign::headers(&spec.scheme(), wanted.secret.as_deref(), &body)?;
    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    headers.extend(example.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut url = config.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(token) = &wanted.token {
        url = format!("{url}/{token}");
    }
    // A sender has no key.
    let answer = Api::new(context.api.url(), None).send("POST", &url, &headers, body)?;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if !(200..300).contains(&answer.status) {
        if answer.status == 401 {
            context.screen.say("not authenticated: is the --secret the config's, or its --token missing?")?;
        }
        return Err(Failure::Refused(said));
    }
    context.screen.one(&said)
}

fn find(sender: Option<&str>, event: Option<&str>) -> Result<Option<&'static Example>, Failure> {
    let Some(sender) = sender else { return Ok(None) };
    let known: Vec<&Example> = ALL.iter().filter(|example| example.sender == sender).collect();
    if known.is_empty() {
        return Err(Failure::Usage(format!("there is no example of {sender}; `stella send` lists all")));
    }
    let Some(event) = event else { return Ok(None) };
    let found = known.iter().find(|example| example.event == event);
    found.copied().map(Some).ok_or_else(|| {
        let events: Vec<&str> = known.iter().map(|example| example.event).collect();
        Failure::Usage(format!("{sender} has {}", events.join(", ")))
    })
}

fn list(sender: Option<&str>, context: &Context) -> Result<(), Failure> {
    let known = ALL.iter().filter(|example| sender.is_none_or(|sender| sender == example.sender));
    let rows: Vec<Value> =
        known.map(|example| serde_json::json!({"sender": example.sender, "event": example.event})).collect();
    context.screen.table(&rows, &[("SENDER", "sender"), ("EVENT", "event")])
}
