//! `stella listen`: fetches deliveries and hands them to a server on this machine.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};

use crate::Context;
use crate::api::{Answer, data};
use crate::failure::Failure;
use crate::options::Listen;
use crate::screen::coloured;

/// How long to wait after the API could not be reached.
const PAUSE: Duration = Duration::from_secs(2);

pub(super) fn run(wanted: &Listen, context: &Context) -> Result<(), Failure> {
    let made = if wanted.subscription.is_none() { Some(subscribe(wanted, context)?) } else { None };
    let subscription = made.as_ref().or(wanted.subscription.as_ref()).cloned().unwrap_or_default();
    let api = context.api.clone();
    let temporary = made.clone();
    // The wait for deliveries is long: whoever ends it does not wait for its end.
    let listening = ctrlc::set_handler(move || {
        if let Some(id) = &temporary {
            let _ = api.delete(&format!("webhook-subscriptions/{id}"));
        }
        std::process::exit(0);
    });
    listening.map_err(|error| Failure::Usage(format!("signals cannot be heard: {error}")))?;
    context.screen.say(&format!("forwarding to {}; Ctrl-C ends it", wanted.forward))?;
    let done = forward(wanted, &subscription, context);
    if let Some(id) = made {
        context.api.delete(&format!("webhook-subscriptions/{id}"))?;
    }
    done
}

/// Makes a subscription for as long as this runs; its id.
fn subscribe(wanted: &Listen, context: &Context) -> Result<String, Failure> {
    let name = format!("stella listen {}", wanted.forward);
    let body = json!({"name": name, "url": "pull:", "events": wanted.events, "authType": "signature",
        "signatureSecret": wanted.secret});
    let made = data(context.api.post("webhook-subscriptions", &body)?);
    let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(secret) = text("signatureSecret") {
        context.screen.say(&format!("signing secret: {secret}"))?;
    }
    text("id").ok_or_else(|| Failure::Usage("the server made no subscription".to_owned()))
}

fn forward(wanted: &Listen, subscription: &str, context: &Context) -> Result<(), Failure> {
    let path = format!("webhook-subscriptions/{subscription}/pull");
    let mut left = wanted.count.unwrap_or(u64::MAX);
    while left > 0 {
        let fetched = match context.api.get(&format!("{path}?waitSeconds=20&max=10")) {
            Ok(answer) => data(answer),
            Err(failure @ Failure::Unreachable { .. }) => {
                context.screen.fail(&failure);
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for delivery in fetched.as_array().into_iter().flatten() {
            hand_over(wanted, &path, delivery, context)?;
            left = left.saturating_sub(1);
        }
    }
    Ok(())
}

/// Hands one over, reports what came of it, and shows it.
fn hand_over(wanted: &Listen, path: &str, delivery: &Value, context: &Context) -> Result<(), Failure> {
    let text = |name: &str| delivery.get(name).and_then(Value::as_str).unwrap_or_default();
    let headers = delivery.get("headers").and_then(Value::as_object);
    let headers: Vec<(String, String)> = headers
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let began = Instant::now();
    let answer = context.api.send(text("method"), &wanted.forward, &headers, text("body").to_owned());
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = report(delivery, &answer, took);
    let shown = match &answer {
        Ok(answer) => answer.status.to_string(),
        Err(failure) => cause(failure),
    };
    let row = match context.api.post(&format!("{path}/{}", text("deliveryId")), &report) {
        Ok(answer) => data(answer),
        // Another reader was faster, or it was cancelled meanwhile.
        Err(Failure::Refused(problem)) => json!({"status": problem.get("code")}),
        Err(failure) => return Err(failure),
    };
    let status = row.get("status").and_then(Value::as_str).unwrap_or("?").to_owned();
    context.screen.tell(&json!({"delivery": delivery, "report": report, "status": status}))?;
    let now = SystemClock.now().format("%H:%M:%S");
    let attempt = delivery.get("attempt").and_then(Value::as_u64).unwrap_or(0);
    context.screen.say(&format!(
        "{now}  {}  {}  attempt {attempt}  {shown}  {took} ms  {}",
        text("event"),
        text("deliveryId"),
        coloured(&status)
    ))
}

fn report(delivery: &Value, answer: &Result<Answer, Failure>, took: u64) -> Value {
    let attempt = delivery.get("attempt");
    match answer {
        Ok(answer) => {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(1024).collect();
            let after =
                answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
            json!({"attempt": attempt, "responseTime": took, "statusCode": answer.status,
                "response": (!body.is_empty()).then_some(body),
                "retryAfterSeconds": after.map(|seconds| seconds.min(43_200))})
        }
        Err(failure) => json!({"attempt": attempt, "responseTime": took, "error": cause(failure)}),
    }
}

fn cause(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable { cause, .. } => cause.clone(),
        other => other.to_string(),
    }
}
