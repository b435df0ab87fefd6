//! `stella listen`: fetches deliveries, forwards them to a local server and reports its responses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};

use crate::Context;
use crate::api::{Response, data};
use crate::failure::Failure;
use crate::options::Listen;
use crate::output::coloured;

/// The delay before the API is called again after no response.
const RETRY_DELAY: Duration = Duration::from_secs(2);

pub(super) fn run(options: &Listen, context: &Context) -> Result<(), Failure> {
    let temporary = if options.subscription.is_none() { Some(subscribe(options, context)?) } else { None };
    let subscription = temporary.as_ref().or(options.subscription.as_ref()).cloned().unwrap_or_default();
    let api = context.api.clone();
    let to_delete = temporary.clone();
    // The handler exits the process: the long poll would delay an orderly end by up to 20 seconds.
    let installed = ctrlc::set_handler(move || {
        if let Some(id) = &to_delete {
            let _ = api.delete(&format!("webhook-subscriptions/{id}"));
        }
        std::process::exit(0);
    });
    installed.map_err(|error| Failure::Usage(format!("cannot handle signals: {error}")))?;
    context
        .output
        .print_text(&format!("forwarding deliveries to {}; press Ctrl-C to stop", options.forward))?;
    let result = forward(options, &subscription, context);
    if let Some(id) = temporary {
        context.api.delete(&format!("webhook-subscriptions/{id}"))?;
    }
    result
}

/// Creates the temporary pull subscription; returns its id.
fn subscribe(options: &Listen, context: &Context) -> Result<String, Failure> {
    let name = format!("stella listen {}", options.forward);
    let body = json!({"name": name, "url": "pull:", "events": options.events, "authType": "signature",
        "signatureSecret": options.secret});
    let subscription = data(context.api.post("webhook-subscriptions", &body)?);
    let text = |name: &str| subscription.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(secret) = text("signatureSecret") {
        context.output.print_text(&format!("signing secret: {secret}"))?;
    }
    text("id").ok_or_else(|| Failure::Usage("the server's response has no subscription id".to_owned()))
}

fn forward(options: &Listen, subscription: &str, context: &Context) -> Result<(), Failure> {
    let path = format!("webhook-subscriptions/{subscription}/pull");
    let mut remaining = options.count.unwrap_or(u64::MAX);
    while remaining > 0 {
        let fetched = match context.api.get(&format!("{path}?waitSeconds=20&max=10")) {
            Ok(response) => data(response),
            Err(failure @ Failure::Unreachable { .. }) => {
                context.output.print_error(&failure);
                std::thread::sleep(RETRY_DELAY);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for delivery in fetched.as_array().into_iter().flatten() {
            forward_one(options, &path, delivery, context)?;
            remaining = remaining.saturating_sub(1);
        }
    }
    Ok(())
}

/// Forwards one delivery, reports the response to the API and prints a line.
fn forward_one(options: &Listen, path: &str, delivery: &Value, context: &Context) -> Result<(), Failure> {
    let text = |name: &str| delivery.get(name).and_then(Value::as_str).unwrap_or_default();
    let headers = delivery.get("headers").and_then(Value::as_object);
    let headers: Vec<(String, String)> = headers
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let started = Instant::now();
    let result = context.api.send(text("method"), &options.forward, &headers, text("body").to_owned());
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = report(delivery, &result, elapsed_ms);
    let outcome = match &result {
        Ok(response) => response.status.to_string(),
        Err(failure) => cause(failure),
    };
    let row = match context.api.post(&format!("{path}/{}", text("deliveryId")), &report) {
        Ok(response) => data(response),
        // The lease has expired and another reader holds the delivery, or the delivery was cancelled.
        Err(Failure::Refused(problem)) => json!({"status": problem.get("code")}),
        Err(failure) => return Err(failure),
    };
    let status = row.get("status").and_then(Value::as_str).unwrap_or("?").to_owned();
    context.output.print_json(&json!({"delivery": delivery, "report": report, "status": status}))?;
    let now = SystemClock.now().format("%H:%M:%S");
    let attempt = delivery.get("attempt").and_then(Value::as_u64).unwrap_or(0);
    context.output.print_text(&format!(
        "{now}  {}  {}  attempt {attempt}  {outcome}  {elapsed_ms} ms  {}",
        text("event"),
        text("deliveryId"),
        coloured(&status)
    ))
}

fn report(delivery: &Value, result: &Result<Response, Failure>, elapsed_ms: u64) -> Value {
    let attempt = delivery.get("attempt");
    match result {
        Ok(response) => {
            let body: String = String::from_utf8_lossy(&response.body).chars().take(1024).collect();
            let retry_after = response
                .headers
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
            json!({"attempt": attempt, "responseTime": elapsed_ms, "statusCode": response.status,
                "response": (!body.is_empty()).then_some(body),
                "retryAfterSeconds": retry_after.map(|seconds| seconds.min(43_200))})
        }
        Err(failure) => json!({"attempt": attempt, "responseTime": elapsed_ms, "error": cause(failure)}),
    }
}

fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable { cause, .. } => cause.clone(),
        other => other.to_string(),
    }
}
