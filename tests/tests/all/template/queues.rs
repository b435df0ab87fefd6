//! Queues, the stream, and the functions that they drive.

use super::{Kind, arn, dead_letter_queues, mappings, number, of_kind, queue, resources, texts};

/// Where Lambda tells what fan-out gave up: it is looked at, and nothing is moved back from it.
const GIVEN_UP: &str = "FanoutDeadLetters";

/// The longest that SQS keeps a message, in seconds.
const FOURTEEN_DAYS: u64 = 14 * 24 * 60 * 60;

#[test]
fn visibility_timeouts_are_at_least_six_function_timeouts_plus_the_batching_window() {
    let all = resources(&[]);
    for mapping in mappings(&all, "SQS") {
        let hidden = number(&queue(&all, &mapping.properties["Queue"]).properties["VisibilityTimeout"]);
        let timeout = number(&mapping.of_function["Timeout"]).expect("every function says its timeout");
        let least = 6 * timeout + mapping.window();
        assert!(hidden.unwrap_or(30) >= least, "{} needs {least} s, has {hidden:?}", mapping.function);
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
                most.unwrap_or_else(|| panic!("{id} reserves, so each of its queues has a bound"))
            })
            .sum();
        assert!(most <= reserved, "{id} may run {most} times at once and has reserved {reserved}");
    }
    assert_eq!(reserving, 2, "the two lanes reserve");
    for (id, function) in of_kind(&resources(&[]), Kind::Function) {
        let reserved = function.properties.get("ReservedConcurrentExecutions");
        assert_eq!(reserved, None, "{id}: new accounts cannot reserve, so nothing does by default");
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
    for (id, resource) in of_kind(&all, Kind::Queue).into_iter().filter(|(id, _)| *id != GIVEN_UP) {
        assert_eq!(number(&resource.properties["MessageRetentionPeriod"]), Some(FOURTEEN_DAYS), "{id}");
        assert_eq!(resource.properties["SqsManagedSseEnabled"], true, "{id}");
        let arn = arn(resource);
        let takers = mapped.iter().filter(|mapping| mapping.properties["Queue"] == arn.as_str()).count();
        if dead.iter().any(|dead| **dead == arn) {
            assert_eq!(takers, 0, "{id} is for people");
            continue;
        }
        assert_eq!(takers, 1, "{id} is driven by one function");
        let policy = &resource.properties["RedrivePolicy"];
        assert_eq!(number(&policy["maxReceiveCount"]), Some(10), "{id}");
        let target = queue(&all, &policy["deadLetterTargetArn"]);
        assert_eq!(
            target.properties.get("RedrivePolicy"),
            None,
            "{id} redrives to a queue that goes nowhere"
        );
        let sharing = dead.iter().filter(|dead| ***dead == policy["deadLetterTargetArn"]).count();
        assert_eq!(sharing, 1, "{id} has dead letters of its own");
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
        assert_eq!(alarm.properties.get("AlarmActions"), None, "{id} tells nobody without a topic");
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
        let told = &mapping.properties["DestinationConfig"]["OnFailure"]["Destination"];
        let told = queue(&all, told);
        let alarms: Vec<_> = of_kind(&all, Kind::Alarm);
        let watches = |alarm: &stella_local::template::Resource| {
            alarm.properties["MetricName"] == "ApproximateNumberOfMessagesVisible"
                && alarm.properties["Dimensions"][0]["Value"] == told.name.as_str()
        };
        assert!(alarms.iter().any(|(_, alarm)| watches(alarm)), "nobody hears of what is given up");
        assert_eq!(mapping.properties.get("MaximumRecordAgeInSeconds"), None);
        assert_eq!(mapping.properties["BisectBatchOnFunctionError"], true);
    }
}
