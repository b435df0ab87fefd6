//! Queues, the stream, and the functions that consume them.

use super::{Kind, arn, dead_letter_queues, mappings, number, of_kind, queue, resources, texts};

/// The queue where Lambda reports stream records that fan-out discarded. It is read, and never redriven.
const DISCARDED: &str = "FanoutDeadLetters";

/// The maximum retention of SQS, in seconds.
const MAX_RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

#[test]
fn visibility_timeouts_are_at_least_six_function_timeouts_plus_the_batching_window() {
    let all = resources(&[]);
    for mapping in mappings(&all, "SQS") {
        let visibility = number(&queue(&all, &mapping.properties["Queue"]).properties["VisibilityTimeout"]);
        let timeout = number(&mapping.of_function["Timeout"]).expect("every function has a timeout");
        let least = 6 * timeout + mapping.window();
        assert!(
            visibility.unwrap_or(30) >= least,
            "{} needs {least} s, has {visibility:?}",
            mapping.function
        );
    }
}

#[test]
fn reserved_concurrency_covers_the_maximum_concurrency_of_the_queues() {
    let all = resources(&[
        ("ReserveConcurrency", "true"),
        ("DeliverConcurrency", "70"),
        ("RetryConcurrency", "30"),
    ]);
    let mut reserving = 0;
    for (id, function) in of_kind(&all, Kind::Function) {
        let Some(reserved) = number(&function.properties["ReservedConcurrentExecutions"]) else { continue };
        reserving += 1;
        let own = mappings(&all, "SQS").into_iter().filter(|mapping| mapping.function == id);
        let most: u64 = own
            .map(|mapping| {
                let most = number(&mapping.properties["ScalingConfig"]["MaximumConcurrency"]);
                most.unwrap_or_else(|| {
                    panic!("{id} has reserved concurrency, so each of its queues needs a maximum")
                })
            })
            .sum();
        assert!(most <= reserved, "{id} may need {most} and has reserved {reserved}");
    }
    assert_eq!(reserving, 2, "both lanes have reserved concurrency");
    for (id, function) in of_kind(&resources(&[]), Kind::Function) {
        let reserved = function.properties.get("ReservedConcurrentExecutions");
        assert_eq!(reserved, None, "{id}: new accounts cannot reserve concurrency, so the default is none");
    }
}

#[test]
fn a_batch_size_over_ten_has_a_batching_window() {
    for mapping in mappings(&resources(&[]), "SQS") {
        assert!(mapping.number("BatchSize", 10) <= 10 || mapping.window() >= 1, "{}", mapping.function);
    }
}

#[test]
fn every_event_source_reports_batch_item_failures() {
    let all = resources(&[]);
    for mapping in mappings(&all, "SQS").into_iter().chain(mappings(&all, "DynamoDB")) {
        let types = texts(&mapping.properties["FunctionResponseTypes"]);
        assert_eq!(types, ["ReportBatchItemFailures"], "{}", mapping.function);
    }
}

#[test]
fn every_work_queue_has_one_consumer_long_retention_and_a_dead_letter_queue_of_its_own() {
    let all = resources(&[]);
    let dead = dead_letter_queues(&all);
    let mapped = mappings(&all, "SQS");
    for (id, resource) in of_kind(&all, Kind::Queue).into_iter().filter(|(id, _)| *id != DISCARDED) {
        assert_eq!(
            number(&resource.properties["MessageRetentionPeriod"]),
            Some(MAX_RETENTION_SECONDS),
            "{id}"
        );
        assert_eq!(resource.properties["SqsManagedSseEnabled"], true, "{id}");
        let arn = arn(resource);
        let consumers = mapped.iter().filter(|mapping| mapping.properties["Queue"] == arn.as_str()).count();
        if dead.iter().any(|dead| **dead == arn) {
            assert_eq!(consumers, 0, "{id} is a dead-letter queue");
            continue;
        }
        assert_eq!(consumers, 1, "{id} has one consumer");
        let policy = &resource.properties["RedrivePolicy"];
        assert_eq!(number(&policy["maxReceiveCount"]), Some(10), "{id}");
        let target = queue(&all, &policy["deadLetterTargetArn"]);
        assert_eq!(
            target.properties.get("RedrivePolicy"),
            None,
            "the dead-letter queue of {id} has none itself"
        );
        let sharing = dead.iter().filter(|dead| ***dead == policy["deadLetterTargetArn"]).count();
        assert_eq!(sharing, 1, "{id} has a dead-letter queue of its own");
    }
}

#[test]
fn every_dead_letter_queue_has_an_alarm() {
    let topic = "arn:aws:sns:us-east-1:000000000000:people";
    let all = resources(&[("AlarmTopicArn", topic)]);
    let alarms = of_kind(&all, Kind::Alarm);
    for target in dead_letter_queues(&all).into_iter().filter(|target| !target.is_null()) {
        let name = &queue(&all, target).name;
        let alarm =
            alarms.iter().find(|(_, alarm)| alarm.properties["Dimensions"][0]["Value"] == name.as_str());
        let (_, alarm) = alarm.unwrap_or_else(|| panic!("{name} has an alarm"));
        assert_eq!(alarm.properties["MetricName"], "ApproximateNumberOfMessagesVisible");
        assert_eq!(alarm.properties["ComparisonOperator"], "GreaterThanThreshold");
        assert_eq!(alarm.properties["Threshold"], 0);
        assert_eq!(texts(&alarm.properties["AlarmActions"]), [topic]);
    }
    for (id, alarm) in of_kind(&resources(&[]), Kind::Alarm) {
        assert_eq!(alarm.properties.get("AlarmActions"), None, "{id} has no action without a topic");
    }
}

#[test]
fn functions_driven_by_sqs_may_loop() {
    for mapping in mappings(&resources(&[]), "SQS") {
        assert_eq!(mapping.of_function["RecursiveLoop"], "Allow", "{}", mapping.function);
    }
}

#[test]
fn the_stream_is_read_from_its_beginning_and_a_failing_record_is_discarded_with_an_alarm() {
    let all = resources(&[]);
    for mapping in mappings(&all, "DynamoDB") {
        assert_eq!(mapping.properties["StartingPosition"], "TRIM_HORIZON");
        let retries = number(&mapping.properties["MaximumRetryAttempts"]).expect("a number");
        assert!((1..=100).contains(&retries), "{retries}");
        let destination = &mapping.properties["DestinationConfig"]["OnFailure"]["Destination"];
        let destination = queue(&all, destination);
        let alarms: Vec<_> = of_kind(&all, Kind::Alarm);
        let watches = |alarm: &sam_local::template::Resource| {
            alarm.properties["MetricName"] == "ApproximateNumberOfMessagesVisible"
                && alarm.properties["Dimensions"][0]["Value"] == destination.name.as_str()
        };
        assert!(
            alarms.iter().any(|(_, alarm)| watches(alarm)),
            "the queue of discarded records has an alarm"
        );
        assert_eq!(mapping.properties.get("MaximumRecordAgeInSeconds"), None);
        assert_eq!(mapping.properties["BisectBatchOnFunctionError"], true);
    }
}
