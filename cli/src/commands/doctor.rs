//! `stella doctor`: checks a deployment end to end, and lists what needs attention.

use serde_json::{Value, json};

use crate::Context;
use crate::api::{Api, data};
use crate::failure::Failure;
use crate::options::Doctor;
use crate::output::{coloured, counted};

/// The results of the checks so far.
struct Report<'a> {
    context: &'a Context,
    checks: Vec<Value>,
    failed: usize,
}

impl Report<'_> {
    /// Records and prints a check's result: `Ok` passed, `Err` failed.
    fn record(&mut self, check: &str, result: &Result<String, String>) -> Result<(), Failure> {
        let (mark, detail) = match result {
            Ok(detail) => ("ok", detail),
            Err(detail) => ("no", detail),
        };
        self.failed = self.failed.saturating_add(usize::from(result.is_err()));
        self.context.output.print_text(&format!("{}  {check}: {detail}", coloured(mark)))?;
        self.checks.push(json!({"what": check, "ok": result.is_ok(), "found": detail}));
        Ok(())
    }
}

pub(super) fn run(options: &Doctor, context: &Context) -> Result<(), Failure> {
    let mut report = Report { context, checks: Vec::new(), failed: 0 };
    let api = &context.api;
    let meta = data(api.get("meta")?);
    let version = meta.get("version").and_then(Value::as_str).unwrap_or("?");
    report.record("server", &Ok(format!("{} runs version {version}", api.url())))?;
    match api.get("dead-letters").map(data) {
        Ok(dead_letters) => {
            let count = dead_letters.get("approximateMessages").and_then(Value::as_u64).unwrap_or(0);
            let result = if count == 0 {
                Ok("none".to_owned())
            } else {
                Err(format!("about {count}; see `stella dead-letters list`"))
            };
            report.record("dead letters", &result)?;
            // This is the operator's key: the other checks need a tenant.
            return finish(&report);
        }
        Err(Failure::Refused(problem)) if problem.get("code") == Some(&json!("forbidden")) => {}
        Err(failure) => return Err(failure),
    }
    check_subscriptions(&mut report, api)?;
    check_configs(&mut report, api)?;
    check_inbound(&mut report, api)?;
    if options.publish {
        check_outbound(&mut report, api)?;
    }
    finish(&report)
}

fn finish(report: &Report<'_>) -> Result<(), Failure> {
    let passed = report.failed == 0;
    report.context.output.print_json(&json!({"ok": passed, "findings": report.checks}))?;
    if passed {
        return Ok(());
    }
    Err(Failure::ChecksFailed { failed: report.failed, total: report.checks.len() })
}

/// No subscription is failing or was disabled by the service.
fn check_subscriptions(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let subscriptions = api.list("webhook-subscriptions", &[], 1_000)?;
    let mut problems = Vec::new();
    for subscription in &subscriptions {
        let text = |pointer: &str| subscription.pointer(pointer).and_then(Value::as_str);
        let name = text("/name").unwrap_or("?");
        if let Some(reason) = text("/disabledReason") {
            problems.push(format!("{name} was disabled: {reason}"));
        } else if text("/health/breaker") == Some("open") {
            problems.push(format!("{name}: deliveries are paused, its circuit breaker is open"));
        } else if let Some(since) = text("/health/failingSince") {
            problems.push(format!("{name} has been failing since {since}"));
        }
    }
    report.record("subscriptions", &healthy(subscriptions.len(), &problems))
}

/// No webhook config rejected requests lately.
fn check_configs(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let configs = api.list("webhook-configs", &[], 100)?;
    let mut problems = Vec::new();
    for config in &configs {
        let id = config.get("id").and_then(Value::as_str).unwrap_or_default();
        // Only the config itself has the count, not its row in the list.
        let config = data(api.get(&format!("webhook-configs/{id}"))?);
        let rejected = config.get("rejectedLast24h").and_then(Value::as_u64).unwrap_or(0);
        if rejected > 0 {
            let name = config.get("name").and_then(Value::as_str).unwrap_or("?");
            let requests = counted(rejected, "request", "requests");
            problems.push(format!("{name} rejected about {requests} in the last 24 h; check its secret"));
        }
    }
    report.record("webhook configs", &healthy(configs.len(), &problems))
}

fn healthy(total: usize, problems: &[String]) -> Result<String, String> {
    if problems.is_empty() { Ok(format!("{total} healthy")) } else { Err(problems.join("; ")) }
}

/// A temporary webhook config answers a ping; creating it takes an admin's key.
fn check_inbound(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let body = json!({"name": "stella doctor", "type": "generic", "authentication": {"type": "none"}});
    let config = match api.post("webhook-configs", &body).map(data) {
        Ok(config) => config,
        Err(Failure::Refused(problem)) if problem.get("code") == Some(&json!("forbidden")) => {
            return report.record("inbound", &Ok("skipped: requires an admin's key".to_owned()));
        }
        Err(failure) => return Err(failure),
    };
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    let ping = json!({"kind": "ping", "repository": "stella/doctor"}).to_string();
    let response = Api::new(api.url(), None).send("POST", text("url"), &headers, ping);
    api.delete(&format!("webhook-configs/{}", text("id")))?;
    let result = match response {
        Ok(response) if response.status == 200 => Ok("a ping got status 200".to_owned()),
        Ok(response) => Err(format!("a ping got status {}", response.status)),
        Err(failure) => Err(failure.to_string()),
    };
    report.record("inbound", &result)
}

/// A published event reaches a temporary pull subscription.
fn check_outbound(report: &mut Report<'_>, api: &Api) -> Result<(), Failure> {
    let body = json!({"name": "stella doctor", "url": "pull:", "events": ["release.created"],
        "filters": [{"field": "data.release.id", "operator": "equals", "value": "stella-doctor"}]});
    let subscription = data(api.post("webhook-subscriptions", &body)?);
    let id = subscription.get("id").and_then(Value::as_str).unwrap_or_default();
    let event = json!({"event": "release.created",
        "data": {"release": {"id": "stella-doctor", "name": "stella doctor"}}});
    let fetched = api
        .post("events", &event)
        .and_then(|_| api.get(&format!("webhook-subscriptions/{id}/pull?waitSeconds=20")))
        .map(data);
    api.delete(&format!("webhook-subscriptions/{id}"))?;
    let result = match fetched?.as_array() {
        Some(deliveries) if !deliveries.is_empty() => Ok("a published event became a delivery".to_owned()),
        _ => Err("a published event became no delivery within 20 s".to_owned()),
    };
    report.record("outbound", &result)
}
