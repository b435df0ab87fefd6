//! Streams: filters, order, retries and checkpoints.

use std::time::Duration;

use sam_local::{Data, Settings, Stack};
use serde_json::{Value, json};

use super::{functions, noting, put, settings, start};

fn key(record: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&record["dynamodb"]["Keys"]["pk"]["S"]), text(&record["dynamodb"]["SequenceNumber"]))
}

fn keys(notes: &[(String, String)]) -> Vec<&str> {
    notes.iter().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn a_function_gets_the_matching_records_as_lambda_sends_them() {
    let (function, mut seen) = noting(Value::clone, |_| async { Ok("{}".to_owned()) });
    let stack = start("fanout", function).await;
    put(&stack, &["a"], "mark").await;
    put(&stack, &["b"], "event").await;
    let record = seen.recv().await.unwrap().remove(0);
    let arn = record["eventSourceARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/core/stream/"), "{arn}");
    insta::assert_json_snapshot!(record, {
        ".eventID" => "[id]", ".eventSourceARN" => "[arn]", ".dynamodb.SequenceNumber" => "[number]",
        ".dynamodb.ApproximateCreationDateTime" => "[time]",
    }, @r#"
    {
      "awsRegion": "us-east-1",
      "dynamodb": {
        "ApproximateCreationDateTime": "[time]",
        "Keys": {
          "pk": {
            "S": "b"
          }
        },
        "NewImage": {
          "entity": {
            "S": "event"
          },
          "pk": {
            "S": "b"
          }
        },
        "SequenceNumber": "[number]",
        "SizeBytes": 55,
        "StreamViewType": "NEW_IMAGE"
      },
      "eventID": "[id]",
      "eventName": "INSERT",
      "eventSource": "aws:dynamodb",
      "eventSourceARN": "[arn]",
      "eventVersion": "1.1"
    }
    "#);
}

#[tokio::test]
async fn a_failed_batch_is_split_until_the_bad_record_is_alone_and_discarded() {
    let (function, mut seen) = noting(key, |notes| async move {
        if keys(&notes).contains(&"d") { Err("broken".into()) } else { Ok("{}".to_owned()) }
    });
    let folder = tempfile::tempdir().unwrap();
    let data = Data::Folder(folder.path().to_owned());
    // Written while no function reads the stream, so that they make one batch.
    let quiet = settings(functions("none", &super::closure(|_| async { Ok("{}".to_owned()) })));
    let idle = Settings { data: data.clone(), template: without_stream(&quiet.template), ..quiet };
    let stack = Stack::start(idle).await.unwrap();
    put(&stack, &["a", "b", "c", "d"], "event").await;
    stack.stop().await;

    let settings = Settings { data, ..settings(functions("fanout", &function)) };
    let stack = Stack::start(settings).await.unwrap();
    let mut batches = Vec::new();
    for _ in 0..5 {
        batches.push(keys(&seen.recv().await.unwrap()).join(""));
    }
    assert_eq!(batches, ["abcd", "ab", "cd", "c", "d"]);
    // It is retried as often as the template says, then it is discarded, and the next record follows.
    put(&stack, &["e"], "event").await;
    let mut after = Vec::new();
    for _ in 0..3 {
        after.push(keys(&seen.recv().await.unwrap()).join(""));
    }
    assert_eq!(after, ["d", "d", "e"]);
    let discarded = stack.sqs().receive("given-up", 10, Duration::ZERO).await.unwrap();
    assert_eq!(discarded.len(), 1);
    let discarded: Value = serde_json::from_str(&discarded[0].body).unwrap();
    assert_eq!(discarded["requestContext"]["condition"], "RetryAttemptsExhausted");
    let batch = &discarded["DDBStreamBatchInfo"];
    assert_eq!(
        (&batch["batchSize"], &batch["startSequenceNumber"]),
        (&json!(1), &batch["endSequenceNumber"])
    );
    assert!(batch["shardId"].as_str().unwrap().starts_with("shardId-"), "{batch}");
    stack.stop().await;
}

/// The same template without the function that reads the stream.
fn without_stream(template: &str) -> String {
    let begin = template.find("  FanoutFunction:").unwrap();
    let end = template.find("  SweepFunction:").unwrap();
    format!("{}{}", &template[..begin], &template[end..])
}

#[tokio::test]
async fn the_first_failed_record_and_those_after_it_are_retried() {
    let failed_once = std::sync::atomic::AtomicBool::new(false);
    let (function, mut seen) = noting(key, move |notes| {
        let bad = notes.iter().find(|(key, _)| key == "b").map(|(_, number)| number.clone());
        let first = bad.filter(|_| !failed_once.swap(true, std::sync::atomic::Ordering::SeqCst));
        let failures: Vec<Value> = first.iter().map(|number| json!({"itemIdentifier": number})).collect();
        async move { Ok(json!({"batchItemFailures": failures}).to_string()) }
    });
    let stack = start("fanout", function).await;
    put(&stack, &["a", "b", "c"], "event").await;
    // However the records were batched: `a` and `c` once or more, `b` twice, and in order.
    let mut handled: Vec<String> = Vec::new();
    while handled.last().is_none_or(|last| last != "c")
        || handled.iter().filter(|key| *key == "b").count() < 2
    {
        handled.extend(keys(&seen.recv().await.unwrap()).into_iter().map(str::to_owned));
    }
    assert_eq!(handled.iter().filter(|key| *key == "a").count(), 1, "{handled:?}");
    stack.stop().await;
}

#[tokio::test]
async fn a_restart_continues_after_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = Data::Folder(folder.path().to_owned());
    let mut all = Vec::new();
    for key_of_start in ["a", "b"] {
        let (function, mut seen) = noting(key, |_| async { Ok("{}".to_owned()) });
        let settings = Settings { data: data.clone(), ..settings(functions("fanout", &function)) };
        let stack = Stack::start(settings).await.unwrap();
        put(&stack, &[key_of_start], "event").await;
        all.push(keys(&seen.recv().await.unwrap()).join(""));
        stack.stop().await;
        assert!(seen.try_recv().is_err());
    }
    assert_eq!(all, ["a", "b"]);
}
