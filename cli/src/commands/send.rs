//! `stella send`: posts an example request of a sender, signed as the config requires.

use serde_json::Value;
use stella::domain::inbound::config::Spec;
use stella::domain::inbound::senders::SENDERS;
use stella::domain::inbound::senders::sender::{Example, Sender};

use crate::Context;
use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::Send;
use crate::sign;

/// The tag in the examples.
const TAG: &str = "v1.2.0";

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

/// The senders that have examples, by name.
fn senders() -> Vec<&'static Sender> {
    let mut senders: Vec<_> = SENDERS.iter().copied().filter(|sender| !sender.examples.is_empty()).collect();
    senders.sort_by_key(|sender| sender.name);
    senders
}

fn find(sender: Option<&str>, event: Option<&str>) -> Result<Option<&'static Example>, Failure> {
    let Some(name) = sender else { return Ok(None) };
    let Some(sender) = senders().into_iter().find(|sender| sender.name == name) else {
        return Err(Failure::Usage(format!("unknown sender {name}; `stella send` lists all")));
    };
    let Some(event) = event else { return Ok(None) };
    let found = sender.examples.iter().find(|example| example.event == event);
    found.map(Some).ok_or_else(|| {
        let events: Vec<&str> = sender.examples.iter().map(|example| example.event).collect();
        Failure::Usage(format!("unknown example {event}; examples of {name}: {}", events.join(", ")))
    })
}

fn list(sender: Option<&str>, context: &Context) -> Result<(), Failure> {
    let known = senders().into_iter().filter(|known| sender.is_none_or(|name| name == known.name));
    let rows: Vec<Value> = known
        .flat_map(|sender| {
            let row = |example: &Example| serde_json::json!({"sender": sender.name, "event": example.event});
            sender.examples.iter().map(row)
        })
        .collect();
    context.output.print_table(&rows, &[("SENDER", "sender"), ("EVENT", "event")])
}
