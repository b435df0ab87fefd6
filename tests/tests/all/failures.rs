//! Failures that Lambda regards as success (5xx answers, partial batches) are counted by function and
//! version, and raise alarms.

use std::collections::BTreeMap;

use end_to_end::World;
use end_to_end::faults::{Fault, FaultProxy};
use end_to_end::runtime::{Runtime, metrics, record_environments, variables};
use sam_local::Time;
use serde_json::{Value, json};

use crate::template::resources;

/// Every function that calls AWS: its logical id, its binary and an event for it.
const FUNCTIONS: [(&str, &str, &str); 7] = [
    ("InboundFunction", "stella-inbound", include_str!("../../../events/lambda/inbound.json")),
    ("InboundFunction", "stella-inbound", include_str!("../../../events/lambda/inbound-retry.json")),
    ("ApiFunction", "stella-api", include_str!("../../../events/lambda/api.json")),
    ("FanoutFunction", "stella-fanout", include_str!("../../../events/lambda/fanout.json")),
    ("DeliverFunction", "stella-deliver", include_str!("../../../events/lambda/deliver.json")),
    ("RetryFunction", "stella-deliver", include_str!("../../../events/lambda/deliver.json")),
    ("SweepFunction", "stella-sweep", include_str!("../../../events/lambda/sweep-command.json")),
];

/// An HTTP API event with another path and API key.
fn with_path_and_key(event: &str, path: &str, key: &str) -> String {
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event["headers"]["authorization"] = json!(format!("Bearer {key}"));
    event.to_string()
}

/// The value that a line adds to the metric with exactly these dimensions.
fn value(line: &Value, metric: &Value) -> u64 {
    let dimensions = metric["Dimensions"].as_array().unwrap();
    let dimensions: BTreeMap<&str, &Value> =
        dimensions.iter().map(|it| (it["Name"].as_str().unwrap(), &it["Value"])).collect();
    let has_metric = |directive: &Value| {
        let sets = directive["Dimensions"].as_array().unwrap().iter();
        let mut sets =
            sets.map(|set| set.as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>());
        let mut names = directive["Metrics"].as_array().unwrap().iter().map(|it| &it["Name"]);
        directive["Namespace"] == metric["Namespace"]
            && names.any(|name| *name == metric["MetricName"])
            && sets.any(|set| {
                set.len() == dimensions.len()
                    && set.iter().all(|name| dimensions.get(name) == Some(&&line[*name]))
            })
    };
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    if !directives.iter().any(has_metric) {
        return 0;
    }
    line[metric["MetricName"].as_str().unwrap()].as_u64().unwrap()
}

/// Whether an alarm on a sum is raised if each minute has these metric lines.
fn is_raised(alarm: &Value, minutes: &[Vec<Value>]) -> bool {
    let watched: Vec<&Value> = match alarm["Metrics"].as_array() {
        None => vec![alarm],
        Some(metrics) => {
            assert_eq!(metrics.last().unwrap()["Expression"], "SUM(METRICS())");
            let stats = metrics.iter().filter_map(|metric| metric.get("MetricStat"));
            stats
                .inspect(|stat| assert_eq!((&stat["Stat"], &stat["Period"]), (&json!("Sum"), &json!(60))))
                .map(|stat| &stat["Metric"])
                .collect()
        }
    };
    assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
    assert_eq!(alarm["TreatMissingData"], "notBreaching");
    let threshold: u64 = alarm["Threshold"].as_str().unwrap().parse().unwrap();
    let breaches = |lines: &Vec<Value>| {
        let sum: u64 =
            lines.iter().flat_map(|line| watched.iter().map(move |metric| value(line, metric))).sum();
        sum > threshold
    };
    let periods = usize::try_from(alarm["EvaluationPeriods"].as_u64().unwrap()).unwrap();
    minutes.windows(periods).any(|run| run.iter().all(breaches))
}

#[tokio::test]
async fn a_version_that_fails_every_request_or_message_raises_both_failure_alarms() {
    let (functions, environments) = record_environments();
    let world = World::with(functions, Time::system()).await;
    let config = world.docker_hub().await;
    let push = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap();
    let all = resources(&[]);
    let [new_version, failures] = ["NewVersionAlarm", "FailuresAlarm"].map(|id| &all[id].properties);
    for (id, binary, event) in FUNCTIONS {
        let event = match id {
            "InboundFunction" if !event.contains("Records") => with_path_and_key(event, push, ""),
            "ApiFunction" => with_path_and_key(event, "/api/v1/events", &world.key),
            _ => event.to_owned(),
        };
        let mut variables = variables(&environments, id);
        let proxy = FaultProxy::to(&variables["AWS_ENDPOINT_URL_DYNAMODB"]).await;
        proxy.fail(|_| Fault::AccessDenied);
        variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), proxy.url.clone());
        let mut function = Runtime::start(binary, &variables).await;
        for _ in 0..3 {
            let answer = function.invoke(&event).await.expect("success, as Lambda sees it");
            let is_failure = answer["statusCode"].as_u64().is_some_and(|status| status >= 500);
            assert!(is_failure || answer["batchItemFailures"][0].is_object(), "{id}: {answer}");
        }
        let reported: Vec<Value> = metrics(&function.kill().await)
            .into_iter()
            .filter(|line| line.get("Failures").is_some())
            .collect();
        assert_eq!(reported.len(), 3, "{id}");
        for line in &reported {
            assert_eq!(
                (&line["FunctionName"], &line["FunctionVersion"]),
                (&json!(binary), &json!("1")),
                "{id}"
            );
        }
        assert!(is_raised(new_version, std::slice::from_ref(&reported)), "{id}");
        assert!(!is_raised(new_version, &[reported[..2].to_vec()]), "{id}: two a minute are allowed");
        assert!(is_raised(failures, &vec![reported.clone(); 5]), "{id}");
        assert!(
            !is_raised(
                failures,
                &[reported.clone(), reported.clone(), Vec::new(), reported.clone(), reported]
            ),
            "{id}: a minute without failures in between"
        );
    }
}

#[tokio::test]
async fn successful_invocations_report_no_failures() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    for (id, binary, event) in FUNCTIONS {
        let mut function = Runtime::start(binary, &variables(&environments, id)).await;
        function.invoke(event).await.unwrap();
        let reported = metrics(&function.kill().await);
        assert!(reported.iter().all(|line| line.get("Failures").is_none()), "{id}: {reported:?}");
    }
}

#[test]
fn the_alarm_thresholds_are_the_failures_per_minute_that_the_operator_allows() {
    let threshold = |parameters: &[(&str, &str)]| {
        let all = resources(parameters);
        ["NewVersionAlarm", "FailuresAlarm"].map(|id| all[id].properties["Threshold"].clone())
    };
    assert_eq!(threshold(&[]), [json!("2"), json!("2")]);
    assert_eq!(threshold(&[("AllowedFailuresPerMinute", "100")]), [json!("100"), json!("100")]);
}
