//! The reader on small templates.

use std::time::Duration;

use super::*;
use crate::wiring::Source;

fn endpoints() -> Endpoints {
    Endpoints { queues: "http://127.0.0.1:9324".to_owned() }
}

fn wiring(text: &str) -> Result<Wiring, Error> {
    read(text, &BTreeMap::new(), &endpoints())
}

/// The place in the error about a template.
fn place(text: &str) -> String {
    wiring(text).unwrap_err().subject.unwrap()
}

/// A template with one resource `X` of a type. The lines of its properties are indented by six.
fn with(kind: &str, properties: &str) -> String {
    format!("Resources:\n  X:\n    Type: {kind}\n    Properties:\n{properties}")
}

#[test]
fn own_properties_of_a_function_replace_globals() {
    let wiring = wiring(
        "
Parameters: {Stage: {Type: String, Default: test}}
Globals:
  Function:
    Timeout: 7
    Environment: {Variables: {A: 1, B: !Ref Stage}}
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: functions/api}}
  G:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/sweep, Timeout: 9, Environment: {Variables: {B: own, C: true}}}",
    )
    .unwrap();
    let variables = |index: usize| -> Vec<(&str, &str)> {
        wiring.functions[index].variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
    };
    assert_eq!(variables(0), [("A", "1"), ("B", "test")]);
    assert_eq!(variables(1), [("A", "1"), ("B", "own"), ("C", "true")]);
    assert_eq!(wiring.functions[0].timeout, Duration::from_secs(7));
    assert_eq!(wiring.functions[1].timeout, Duration::from_secs(9));
}

#[test]
fn functions_share_code_by_its_folder_and_folders_have_different_names() {
    let functions = |first: &str, second: &str| {
        let function =
            |uri: &str| format!("{{Type: AWS::Serverless::Function, Properties: {{CodeUri: {uri}}}}}");
        wiring(&format!("Resources: {{F: {}, G: {}}}", function(first), function(second)))
    };
    let codes: Vec<String> =
        functions("functions/a", "functions/a").unwrap().functions.into_iter().map(|f| f.code).collect();
    assert_eq!(codes, ["a", "a"]);
    let error = functions("functions/a", "others/a").unwrap_err();
    assert_eq!(error.subject.unwrap(), "Resources.G.Properties.CodeUri");
    assert!(functions("functions/", "..").is_err());
}

#[test]
fn a_queue_comes_after_its_dead_letter_queue() {
    let wiring = wiring(
        "
Resources:
  A:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Z.Arn, maxReceiveCount: '10'}}
  Z: {Type: AWS::SQS::Queue, Properties: {QueueName: dead}}",
    )
    .unwrap();
    assert_eq!(wiring.queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), ["dead", "a"]);
    let policy: Value = serde_json::from_str(&wiring.queues[1].attributes["RedrivePolicy"]).unwrap();
    assert_eq!(policy["maxReceiveCount"], 10);
    assert_eq!(policy["deadLetterTargetArn"], "arn:aws:sqs:us-east-1:000000000000:dead");
}

#[test]
fn a_resource_whose_condition_is_false_is_not_created() {
    let text = "
Parameters: {Wanted: {Type: String, Default: 'no'}}
Conditions: {Wants: !Equals [!Ref Wanted, 'yes']}
Resources: {Q: {Type: AWS::SQS::Queue, Condition: Wants}}";
    assert!(wiring(text).unwrap().queues.is_empty());
    let wanted = BTreeMap::from([("Wanted".to_owned(), "yes".to_owned())]);
    assert_eq!(read(text, &wanted, &endpoints()).unwrap().queues.len(), 1);
}

#[test]
fn a_secret_and_an_expiring_table_are_read() {
    let secret = "      Name: /s\n      GenerateSecretString: {PasswordLength: 40, ExcludePunctuation: true}";
    let wiring_of_secret = wiring(&with("AWS::SecretsManager::Secret", secret)).unwrap();
    let [secret] = wiring_of_secret.secrets.as_slice() else { panic!("one secret") };
    assert_eq!((secret.name.as_str(), secret.length, secret.letters_and_digits), ("/s", 40, true));

    let table = "      TimeToLiveSpecification: {AttributeName: ends, Enabled: true}
      StreamSpecification: {StreamViewType: NEW_IMAGE}";
    let wiring = wiring(&with("AWS::DynamoDB::Table", table)).unwrap();
    assert_eq!(wiring.expiring["x"], "ends");
    assert_eq!(wiring.tables[0]["StreamSpecification"]["StreamEnabled"], true);
}

#[test]
fn the_error_about_something_unsupported_has_its_place() {
    assert_eq!(place("Hooks: {}"), "Hooks");
    assert_eq!(place("Transform: Other"), "Transform");
    assert_eq!(place("Globals: {Api: {}}"), "Globals.Api");
    assert_eq!(place("Resources: {T: {Type: AWS::SNS::Topic}}"), "Resources.T.Type");
    assert_eq!(place("Resources: {T: {Type: AWS::SQS::Queue, Colour: red}}"), "Resources.T.Colour");
    assert_eq!(place(&with("AWS::SQS::Queue", "      FifoQueue: true")), "Resources.X.Properties.FifoQueue");
    assert_eq!(place("Outputs: {O: {Value: !Ref Z}}"), "Outputs.O.Value");
    let table = "      LocalSecondaryIndexes: []";
    assert_eq!(place(&with("AWS::DynamoDB::Table", table)), "Resources.X.Properties.LocalSecondaryIndexes");
}

/// The place in the error about an event of a function, without the beginning that is the same for all.
fn place_of_event(event: &str) -> String {
    let function = format!("      CodeUri: functions/api\n      Events: {{E: {event}}}");
    let place = place(&with("AWS::Serverless::Function", &function));
    place.strip_prefix("Resources.X.Properties.Events.E.").unwrap().to_owned()
}

#[test]
fn the_error_about_an_unsupported_event_has_its_place() {
    assert_eq!(place_of_event("{Type: S3, Properties: {}}"), "Type");
    assert_eq!(place_of_event("{Type: SQS, Properties: {Queue: 'arn:other'}}"), "Properties.Queue");
    assert_eq!(place_of_event("{Type: DynamoDB, Properties: {Stream: 'arn:other'}}"), "Properties.Stream");
    assert_eq!(
        place_of_event("{Type: Schedule, Properties: {Schedule: cron(0 * * * ? *)}}"),
        "Properties.Schedule"
    );
    let http = "{Type: HttpApi, Properties: {Method: get, Path: /, PayloadFormatVersion: '1.0'}}";
    assert_eq!(place_of_event(http), "Properties.PayloadFormatVersion");
    let http = "{Type: HttpApi, Properties: {Method: get, Path: /, Auth: {}}}";
    assert_eq!(place_of_event(http), "Properties.Auth");
}

/// A template with a queue and a table with a stream, and a function with one event.
fn driven_by(event: &str) -> String {
    format!(
        "
Resources:
  Q: {{Type: AWS::SQS::Queue}}
  T: {{Type: AWS::DynamoDB::Table, Properties: {{StreamSpecification: {{StreamViewType: NEW_IMAGE}}}}}}
  F: {{Type: AWS::Serverless::Function, Properties: {{CodeUri: functions/api, Events: {{E: {event}}}}}}}"
    )
}

#[test]
fn a_queue_event_has_its_declared_settings_or_the_defaults_of_aws() {
    let declared =
        "{Type: SQS, Properties: {Queue: !GetAtt Q.Arn, BatchSize: 50, MaximumBatchingWindowInSeconds: 2,
        ScalingConfig: {MaximumConcurrency: '7'}, FunctionResponseTypes: [ReportBatchItemFailures]}}";
    let expected = Source::Queue {
        queue: "q".to_owned(),
        batch_size: 50,
        window: Duration::from_secs(2),
        concurrency: Some(7),
        reports_failures: true,
    };
    assert_eq!(wiring(&driven_by(declared)).unwrap().functions[0].sources, [expected]);
    let expected = Source::Queue {
        queue: "q".to_owned(),
        batch_size: 10,
        window: Duration::ZERO,
        concurrency: None,
        reports_failures: false,
    };
    let default = driven_by("{Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}");
    assert_eq!(wiring(&default).unwrap().functions[0].sources, [expected]);
}

#[test]
fn a_stream_event_has_its_declared_settings() {
    let declared = "{Type: DynamoDB, Properties: {Stream: !GetAtt T.StreamArn, StartingPosition: TRIM_HORIZON,
        MaximumRetryAttempts: 3, DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Q.Arn}},
        BisectBatchOnFunctionError: true, FilterCriteria: {Filters: [{Pattern: '{\"eventName\":[\"INSERT\"]}'}]}}}";
    let expected = Source::Stream {
        table: "t".to_owned(),
        batch_size: 100,
        window: Duration::ZERO,
        patterns: vec![serde_json::json!({"eventName": ["INSERT"]})],
        bisects: true,
        reports_failures: false,
        retries: Some(3),
        on_failure: Some("q".to_owned()),
    };
    assert_eq!(wiring(&driven_by(declared)).unwrap().functions[0].sources, [expected]);
    for other in [
        "StartingPosition: LATEST",
        "MaximumRetryAttempts: x",
        "DestinationConfig: {OnFailure: {Type: SQS, Destination: 'arn:aws:sqs:us-east-1:000000000000:none'}}",
        "FilterCriteria: {Filters: [{Pattern: '{'}]}",
    ] {
        let text =
            driven_by(&format!("{{Type: DynamoDB, Properties: {{Stream: !GetAtt T.StreamArn, {other}}}}}"));
        assert!(wiring(&text).is_err(), "{other}");
    }
}
