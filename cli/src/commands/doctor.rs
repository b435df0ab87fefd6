//! `stella doctor`: whether a deployment works, from end to end, and what needs attention.

use serde_json::{Value, json};

use crate::Context;
use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::Doctor;
use crate::screen::coloured;

/// What was looked at, and how it is.
struct Report<'a> {
    context: &'a Context,
    findings: Vec<Value>,
    is_well: bool,
}

impl Report<'_> {
    fn note(&mut self, what: &str, found: &Result<String, String>) -> Result<(), Failure> {
        let (mark, text) = match found {
            Ok(text) => ("ok", text),
            Err(text) => ("no", text),
        };
        self.is_well &= found.is_ok();
        self.context.screen.say(&format!("{}  {what}: {text}", coloured(mark)))?;
        self.findings.push(json!({"what": what, "ok": found.is_ok(), "found": text}));
        Ok(())
    }
}

pub(super) fn run(wanted: &Doctor, context: &Context) -> Result<(), Failure> {
    let mut report = Report { context, findings: Vec::new(), is_well: true };
    let api = &context.api;
    let meta = data(api.get("meta")?);
    let version = meta.get("version").and_then(Value::as_str).unwrap_or("?");
    report.note("server", &Ok(format!("{} is version {version}", api.url())))?;
    match api.get("dead-letters").map(data) {
        Ok(letters) => {
            let count = letters.get("approximateMessages").and_then(Value::as_u64).unwrap_or(0);
            let found = if count == 0 {
                Ok("none".to_owned())
            } else {
                Err(format!("about {count}: `stella dead-letters list`"))
            };
            report.note("dead letters", &found)?;
            // The operator has no tenant to look into.
            return end(&report);
        }
        Err(Failure::Refused(problem)) if problem.get("code") == Some(&json!("forbidden")) => {}
        Err(failure) => return Err(failure),
    }
    attention(&mut report, api)?;
    inbound(&mut report, api)?;
    if wanted.publish {
        outbound(&mut report, api)?;
    }
    end(&report)
}

fn end(report: &Report<'_>) -> Result<(), Failure> {
    report.context.screen.tell(&json!({"ok": report.is_well, "findings": report.findings}))?;
    if report.is_well { Ok(()) } else { Err(Failure::NotWell) }
}

/// Subscriptions and configs that somebody should look at.
fn attention(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let subscriptions = api.list("webhook-subscriptions", &[], 1_000)?;
    let mut wrong = Vec::new();
    for subscription in &subscriptions {
        let text = |place: &str| subscription.pointer(place).and_then(Value::as_str);
        let name = text("/name").unwrap_or("?");
        if let Some(reason) = text("/disabledReason") {
            wrong.push(format!("{name} was disabled: {reason}"));
        } else if text("/health/breaker") == Some("open") {
            wrong.push(format!("{name} has an open breaker"));
        } else if let Some(since) = text("/health/failingSince") {
            wrong.push(format!("{name} takes nothing since {since}"));
        }
    }
    let found = if wrong.is_empty() {
        Ok(format!("{} are well", subscriptions.len()))
    } else {
        Err(wrong.join("; "))
    };
    report.note("subscriptions", &found)?;
    let configs = api.list("webhook-configs", &[], 100)?;
    let mut wrong = Vec::new();
    for config in &configs {
        let id = config.get("id").and_then(Value::as_str).unwrap_or_default();
        let whole = data(api.get(&format!("webhook-configs/{id}"))?);
        let rejected = whole.get("rejectedLast24h").and_then(Value::as_u64).unwrap_or(0);
        if rejected > 0 {
            let name = whole.get("name").and_then(Value::as_str).unwrap_or("?");
            wrong.push(format!("{name} refused about {rejected} requests in 24 h: a wrong secret?"));
        }
    }
    let found =
        if wrong.is_empty() { Ok(format!("{} are well", configs.len())) } else { Err(wrong.join("; ")) };
    report.note("webhook configs", &found)
}

/// A ping to a config that is made for it and deleted: needs an admin's key.
fn inbound(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let body = json!({"name": "stella doctor", "type": "generic", "authentication": {"type": "none"}});
    let config = match api.post("webhook-configs", &body).map(data) {
        Ok(config) => config,
        Err(Failure::Refused(problem)) if problem.get("code") == Some(&json!("forbidden")) => {
            return report.note("inbound", &Ok("not tried: an admin's key is needed".to_owned()));
        }
        Err(failure) => return Err(failure),
    };
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let ping = json!({"kind": "ping", "repository": "stella/doctor"}).to_string();
    let answer = Api::new(api.url(), None).send("POST", text("url"), &headers, ping);
    api.delete(&format!("webhook-configs/{}", text("id")))?;
    let found = match answer {
        Ok(answer) if answer.status == 200 => Ok("a ping was answered".to_owned()),
        Ok(answer) => Err(format!("a ping was answered with {}", answer.status)),
        Err(failure) => Err(failure.to_string()),
    };
    report.note("inbound", &found)
}

/// An event that is published, and fetched by a subscription that is made for it and deleted.
fn outbound(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let body = json!({"name": "stella doctor", "url": "pull:", "events": ["release.created"],
        "filters": [{"field": "data.release.id", "operator": "equals", "value": "stella-doctor"}]});
    let subscription = data(api.post("webhook-subscriptions", &body)?);
    let id = subscription.get("id").and_then(Value::as_str).unwrap_or_default();
    let event = json!({"event": "release.created",
        "data": {"release": {"id": "stella-doctor", "name": "a check by stella doctor"}}});
    let fetched = api
        .post("events", &event)
        .and_then(|_| api.get(&format!("webhook-subscriptions/{id}/pull?waitSeconds=20")))
        .map(data);
    api.delete(&format!("webhook-subscriptions/{id}"))?;
    let found = match fetched?.as_array() {
        Some(list) if !list.is_empty() => Ok("an event was published and became a delivery".to_owned()),
        _ => Err("an event was published, and no delivery came of it in 20 s".to_owned()),
    };
    report.note("outbound", &found)
}
