//! Limits of SQS, each with the rule in AWS's words: the API reference, and "Amazon SQS message quotas".

use std::collections::BTreeMap;

use sam_local::Time;
use sam_local::calls::Calls;
use sam_local::sqs::{Sqs, path};
use serde_json::{Value, json};

use super::{refusal, shown};

fn queues() -> Sqs {
    let sqs = Sqs::open(None, Time::system(), Calls::default()).unwrap();
    sqs.create_queue("work", &BTreeMap::new()).unwrap();
    sqs
}

async fn call(operation: &str, members: &Value) -> Value {
    let mut request = json!({"QueueUrl": path("work")});
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    super::call(queues().router(), &format!("AmazonSQS.{operation}"), &request).await
}

/// Checks a rule: these requests are accepted, and those rejected with an error of this name.
async fn holds(rule: &str, operation: &str, taken: Vec<Value>, refused: Vec<Value>, name: &str) {
    for (requests, name) in [(taken, None), (refused, Some(name))] {
        for members in requests {
            let answer = call(operation, &members).await;
            assert_eq!(refusal(&answer).as_deref(), name, "{rule}: {}", shown(&members));
        }
    }
}

const PARAMETER: &str = "InvalidParameterValue";
const MEBIBYTE: usize = 1_048_576;

fn body(text: impl Into<String>) -> Value {
    json!({"MessageBody": text.into()})
}

#[tokio::test]
async fn a_message_has_1_byte_to_1_mebibyte_attributes_included() {
    let rule = "The minimum size is one character. The maximum size is 1 MiB or 1,048,576 bytes";
    let with = |bytes: usize, value: &str| {
        json!({"MessageBody": "x".repeat(bytes),
            "MessageAttributes": {"k": {"DataType": "String", "StringValue": value}}})
    };
    let taken = vec![body("x"), body("x".repeat(MEBIBYTE)), with(MEBIBYTE - 10, "vvv")];
    let more = vec![
        body("x".repeat(MEBIBYTE + 1)),
        body("\u{e9}".repeat(MEBIBYTE / 2 + 1)),
        with(MEBIBYTE - 9, "vvv"),
    ];
    holds(rule, "SendMessage", taken, more, PARAMETER).await;
    holds(rule, "SendMessage", vec![], vec![body(""), json!({})], "MissingParameter").await;
}

#[tokio::test]
async fn a_message_has_only_characters_of_xml() {
    let rule = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
    let taken = ["\t\n\r ~", "\u{d7ff}\u{e000}\u{fffd}", "\u{10000}\u{10ffff}"].map(body).to_vec();
    let others = ["\0", "a\u{1}", "\u{b}", "\u{c}", "\u{1f}", "\u{fffe}", "\u{ffff}"].map(body).to_vec();
    holds(rule, "SendMessage", taken, others, "InvalidMessageContents").await;
}

#[tokio::test]
async fn a_delay_a_wait_and_a_timeout_have_their_bounds() {
    let delayed = |seconds: i64| json!({"MessageBody": "x", "DelaySeconds": seconds});
    let rule = "DelaySeconds: Valid values: 0 to 900";
    holds(rule, "SendMessage", vec![delayed(0), delayed(900)], vec![delayed(-1), delayed(901)], PARAMETER)
        .await;
    let most = |count: i64| json!({"MaxNumberOfMessages": count});
    let rule = "MaxNumberOfMessages: Valid values: 1 to 10";
    holds(rule, "ReceiveMessage", vec![most(1), most(10)], vec![most(-1), most(0), most(11)], PARAMETER)
        .await;
    let wait = |seconds: i64| json!({"WaitTimeSeconds": seconds});
    let rule = "WaitTimeSeconds: 0 to 20";
    holds(rule, "ReceiveMessage", vec![wait(0)], vec![wait(-1), wait(21)], PARAMETER).await;
    let hidden = |seconds: i64| json!({"VisibilityTimeout": seconds});
    let rule = "VisibilityTimeout: 0 to 43,200 (12 hours)";
    holds(
        rule,
        "ReceiveMessage",
        vec![hidden(0), hidden(43_200)],
        vec![hidden(-1), hidden(43_201)],
        PARAMETER,
    )
    .await;
    let change = |seconds: i64| json!({"ReceiptHandle": "1.x", "VisibilityTimeout": seconds});
    holds(rule, "ChangeMessageVisibility", vec![], vec![change(-1), change(43_201)], PARAMETER).await;
}

#[tokio::test]
async fn a_group_has_1_to_128_letters_digits_and_punctuation() {
    let rule = "The length of MessageGroupId is 128 characters. Valid values: alphanumeric characters and punctuation";
    let group = |group: String| json!({"MessageBody": "x", "MessageGroupId": group});
    let all: String = (b'!'..=b'~').map(char::from).collect();
    let taken = vec![group(all), group("g".repeat(128))];
    let others = ["", "a b", "\u{e9}", "a\tb"].map(|text| group(text.to_owned()));
    holds(rule, "SendMessage", taken, [&others[..], &[group("g".repeat(129))]].concat(), PARAMETER).await;
    let rule = "MessageDeduplicationId: This parameter applies only to FIFO queues";
    let fifo = json!({"MessageBody": "x", "MessageDeduplicationId": "d"});
    holds(rule, "SendMessage", vec![], vec![fifo], PARAMETER).await;
}

#[tokio::test]
async fn message_attributes_are_limited_and_have_names_types_and_values() {
    let rule =
        "A message can contain up to 10 metadata attributes; names, types and values must not be empty";
    let attributes = |names: &[&str], kind: &str, value: &str| {
        let one = json!({"DataType": kind, "StringValue": value});
        let all: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), one.clone())).collect();
        json!({"MessageBody": "x", "MessageAttributes": all})
    };
    let ten: Vec<String> = (0..10).map(|number| format!("a{number}")).collect();
    let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
    let taken = vec![attributes(&ten, "String", "v"), attributes(&["a.b-c_D"], "Number.custom", "1")];
    let others = vec![
        attributes(&[&ten[..], &["k"]].concat(), "String", "v"),
        attributes(&["k"], "String", ""),
        attributes(&["k"], "String", "\u{0}"),
        attributes(&["k"], "", "v"),
        attributes(&["k"], "Text", "v"),
        attributes(&["k"], &format!("String.{}", "x".repeat(250)), "v"),
        attributes(&[".k"], "String", "v"),
        attributes(&["k."], "String", "v"),
        attributes(&["a..b"], "String", "v"),
        attributes(&["AWS.k"], "String", "v"),
        attributes(&["amazon.k"], "String", "v"),
        attributes(&["a b"], "String", "v"),
        attributes(&["k".repeat(257).as_str()], "String", "v"),
    ];
    holds(rule, "SendMessage", taken, others, PARAMETER).await;
}

#[tokio::test]
async fn a_batch_has_1_to_10_entries_with_distinct_ids_and_1_mebibyte_together() {
    let batch = |entries: Vec<(String, String)>| {
        let entries = entries.into_iter().map(|(id, body)| json!({"Id": id, "MessageBody": body}));
        json!({"Entries": entries.collect::<Vec<_>>()})
    };
    let of = |count: usize, bytes: usize| {
        batch((0..count).map(|id| (id.to_string(), "x".repeat(bytes))).collect())
    };
    let named = |ids: &[&str]| batch(ids.iter().map(|id| ((*id).to_owned(), "x".to_owned())).collect());
    for operation in ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"] {
        let rule = "A single message batch request can include a maximum of 10 messages";
        holds(rule, operation, vec![of(10, 1)], vec![of(11, 1)], "TooManyEntriesInBatchRequest").await;
        holds(
            "The batch request doesn't contain any entries",
            operation,
            vec![],
            vec![of(0, 1)],
            "EmptyBatchRequest",
        )
        .await;
        let rule = "The Ids of a batch request need to be unique within a request";
        holds(
            rule,
            operation,
            vec![named(&["a", "A"])],
            vec![named(&["a", "a"])],
            "BatchEntryIdsNotDistinct",
        )
        .await;
        let rule = "up to 80 characters: alphanumeric characters, hyphens (-), and underscores (_)";
        let long = "i".repeat(81);
        let taken = vec![named(&["a-Z_0", &"i".repeat(80)])];
        let others = ["", "a b", "a.b", "\u{e9}", long.as_str()].map(|id| named(&[id])).to_vec();
        holds(rule, operation, taken, others, "InvalidBatchEntryId").await;
    }
    let rule = "the maximum total payload size (the sum of all of the batched messages) is 1 MiB";
    let taken = vec![of(8, MEBIBYTE / 8)];
    holds(rule, "SendMessageBatch", taken, vec![of(8, MEBIBYTE / 8 + 1)], "BatchRequestTooLong").await;
}

#[tokio::test]
async fn one_bad_entry_of_a_batch_fails_by_itself() {
    let entries = json!([{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "\u{1}"},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901}]);
    let answer = call("SendMessageBatch", &json!({"Entries": entries})).await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 1);
    let failed: Vec<(&str, &str)> = answer["Failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["Id"].as_str().unwrap(), entry["Code"].as_str().unwrap()))
        .collect();
    assert_eq!(failed, [("bad", "InvalidMessageContents"), ("late", PARAMETER)]);
}

#[tokio::test]
async fn lists_and_queues_have_their_bounds() {
    let results = |count: i64| json!({"MaxResults": count});
    let rule = "MaxResults: Valid values: 1 to 1000";
    holds(rule, "ListQueues", vec![results(1), results(1000)], vec![results(0), results(1001)], PARAMETER)
        .await;
    let rule = "A queue name can have up to 80 characters: alphanumeric characters, hyphens (-), and underscores (_)";
    let named = |name: &str| json!({"QueueName": name});
    let taken = vec![named("a-Z_0"), named(&"q".repeat(80))];
    holds(rule, "CreateQueue", taken, vec![named("a b"), named("a.fifo"), named(&"q".repeat(81))], PARAMETER)
        .await;
    let set = |name: &str, value: &str| json!({"QueueName": "q", "Attributes": {name: value}});
    for (name, least, most) in [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1_024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
    ] {
        let taken = [least, most].map(|value: i64| set(name, &value.to_string())).to_vec();
        let others = [least - 1, most + 1].map(|value| set(name, &value.to_string()));
        let others = [&others[..], &[set(name, "x")]].concat();
        holds(
            &format!("{name}: from {least} to {most}"),
            "CreateQueue",
            taken,
            others,
            "InvalidAttributeValue",
        )
        .await;
    }
}
