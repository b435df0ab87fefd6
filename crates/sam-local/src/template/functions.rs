//! Reads functions: their code, environment variables, policy and event sources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::members::{Members, scalar};
use super::names::stream_arn;
use super::resources::queue_of_arn;
use super::{Kind, Resource, wrong};
use crate::error::Error;
use crate::permissions::Policy;
use crate::wiring::{Function, Source};

/// The response type by which a function names the items that failed.
const REPORTS: &str = "ReportBatchItemFailures";

/// Reads a function.
pub(super) fn function(
    id: &str,
    resource: &Resource,
    all: &BTreeMap<String, Resource>,
) -> Result<Function, Error> {
    let mut members = Members::of(&format!("Resources.{id}.Properties"), &resource.properties)?;
    let uri = members.required_text("CodeUri")?;
    let code = uri.trim_end_matches('/').rsplit('/').next().filter(|code| !matches!(*code, "" | "." | ".."));
    let code = code.ok_or_else(|| wrong(members.place("CodeUri"), "The code must be a named folder"))?;
    let timeout = members.number("Timeout")?.unwrap_or(3);
    let mut variables = BTreeMap::new();
    if let Some(mut environment) = members.object("Environment")? {
        for (name, value) in environment.map("Variables")? {
            let place = environment.place(&format!("Variables.{name}"));
            let value = scalar(value).ok_or_else(|| wrong(place, "This must be text"))?;
            variables.insert(name.clone(), value);
        }
        environment.finish()?;
    }
    let mut sources = Vec::new();
    for (name, event) in members.map("Events")? {
        sources.push(source(&members.place(&format!("Events.{name}")), event, all)?);
    }
    let policy = members.take("Policies").map(Policy::read);
    members.only("Handler", "bootstrap")?;
    members.only("Runtime", "provided.al2023")?;
    members.ignore(&[
        "Architectures",
        "AutoPublishAlias",
        "DeploymentPreference",
        "Description",
        "EventInvokeConfig",
        "FunctionName",
        "LoggingConfig",
        "MemorySize",
        "RecursiveLoop",
        "ReservedConcurrentExecutions",
        "Tags",
        "Tracing",
        "VpcConfig",
    ]);
    members.finish()?;
    Ok(Function {
        id: id.to_owned(),
        code: code.to_owned(),
        variables,
        timeout: Duration::from_secs(timeout),
        policy,
        sources,
    })
}

fn source(place: &str, event: &Value, all: &BTreeMap<String, Resource>) -> Result<Source, Error> {
    let mut members = Members::of(place, event)?;
    let kind = members.required_text("Type")?;
    let properties = members.object("Properties")?;
    let mut properties = properties.ok_or_else(|| wrong(members.place("Properties"), "This is missing"))?;
    let source = match kind.as_str() {
        "HttpApi" => http(&mut properties)?,
        "SQS" => queue(&mut properties, all)?,
        "DynamoDB" => stream(&mut properties, all)?,
        "Schedule" => schedule(&mut properties)?,
        _ => return Err(wrong(members.place("Type"), format!("The local stack does not know {kind}"))),
    };
    properties.finish()?;
    members.finish()?;
    Ok(source)
}

fn http(properties: &mut Members<'_>) -> Result<Source, Error> {
    properties.ignore(&["ApiId"]);
    properties.only("PayloadFormatVersion", "2.0")?;
    Ok(Source::Http {
        method: properties.required_text("Method")?.to_ascii_uppercase(),
        path: properties.required_text("Path")?,
    })
}

fn queue(properties: &mut Members<'_>, all: &BTreeMap<String, Resource>) -> Result<Source, Error> {
    let arn = properties.required_text("Queue")?;
    let mut concurrency = None;
    if let Some(mut scaling) = properties.object("ScalingConfig")? {
        concurrency = scaling.number("MaximumConcurrency")?;
        scaling.finish()?;
    }
    properties.only("Enabled", "true")?;
    Ok(Source::Queue {
        queue: queue_of_arn(&properties.place("Queue"), &arn, all)?,
        batch_size: properties.number("BatchSize")?.unwrap_or(10),
        window: window(properties)?,
        concurrency,
        reports_failures: reports_failures(properties)?,
    })
}

fn stream(properties: &mut Members<'_>, all: &BTreeMap<String, Resource>) -> Result<Source, Error> {
    let arn = properties.required_text("Stream")?;
    let mut tables = all.values().filter(|resource| resource.kind == Kind::Table);
    let table = tables.find(|table| stream_arn(&table.name) == arn).ok_or_else(|| {
        wrong(properties.place("Stream"), format!("The template has no table with the stream {arn}"))
    })?;
    if table.properties.get("StreamSpecification").is_none() {
        return Err(wrong(properties.place("Stream"), "The table has no stream"));
    }
    let mut patterns = Vec::new();
    if let Some(mut criteria) = properties.object("FilterCriteria")? {
        for (index, filter) in criteria.list("Filters")?.iter().enumerate() {
            let mut filter = Members::of(&criteria.place(&format!("Filters[{index}]")), filter)?;
            let pattern = filter.required_text("Pattern")?;
            patterns.push(serde_json::from_str(&pattern).map_err(|error| {
                wrong(filter.place("Pattern"), "The pattern is not JSON").caused_by(error)
            })?);
            filter.finish()?;
        }
        criteria.finish()?;
    }
    properties.only("Enabled", "true")?;
    // Streams are read from their beginning, and records are not discarded because of their age.
    properties.only("StartingPosition", "TRIM_HORIZON")?;
    let retries = properties.text("MaximumRetryAttempts")?.filter(|text| text != "-1");
    let retries = retries.map(|text| {
        text.parse()
            .map_err(|_| wrong(properties.place("MaximumRetryAttempts"), "This must be -1 or a number"))
    });
    let mut on_failure = None;
    if let Some(mut destinations) = properties.object("DestinationConfig")? {
        if let Some(mut failure) = destinations.object("OnFailure")? {
            failure.only("Type", "SQS")?;
            let arn = failure.required_text("Destination")?;
            on_failure = Some(queue_of_arn(&failure.place("Destination"), &arn, all)?);
            failure.finish()?;
        }
        destinations.finish()?;
    }
    properties.only("MaximumRecordAgeInSeconds", "-1")?;
    properties.ignore(&["ParallelizationFactor"]);
    Ok(Source::Stream {
        table: table.name.clone(),
        batch_size: properties.number("BatchSize")?.unwrap_or(100),
        window: window(properties)?,
        patterns,
        bisects: properties.flag("BisectBatchOnFunctionError")?,
        reports_failures: reports_failures(properties)?,
        retries: retries.transpose()?,
        on_failure,
    })
}

fn schedule(properties: &mut Members<'_>) -> Result<Source, Error> {
    let expression = properties.required_text("Schedule")?;
    properties.only("Enabled", "true")?;
    properties.ignore(&["Description", "Name"]);
    let every = rate(&expression).ok_or_else(|| {
        wrong(properties.place("Schedule"), format!("The local stack knows rate(…) only, not {expression}"))
    })?;
    Ok(Source::Schedule { every })
}

/// The period of `rate(5 minutes)`.
fn rate(expression: &str) -> Option<Duration> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let seconds: u64 = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

fn window(properties: &mut Members<'_>) -> Result<Duration, Error> {
    let seconds = properties.number("MaximumBatchingWindowInSeconds")?.unwrap_or(0);
    Ok(Duration::from_secs(seconds))
}

fn reports_failures(properties: &mut Members<'_>) -> Result<bool, Error> {
    let types = properties.list("FunctionResponseTypes")?;
    match types.iter().find(|given| *given != REPORTS) {
        None => Ok(!types.is_empty()),
        Some(_) => Err(wrong(
            properties.place("FunctionResponseTypes"),
            format!("The local stack knows {REPORTS} only"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rates_are_supported_as_schedules() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_mins(1)));
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_mins(5)));
        assert_eq!(rate("rate(2 hours)"), Some(Duration::from_hours(2)));
        for wrong in ["cron(0 * * * ? *)", "rate(0 minutes)", "rate(x minutes)", "rate(1 week)", "rate(1)"] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }
}
