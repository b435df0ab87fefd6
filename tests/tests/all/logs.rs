//! The log lines of the Lambda binaries: errors of AWS with each fact in a field, and metrics at every log
//! level.

use std::collections::BTreeMap;

use chrono::DateTime;
use end_to_end::World;
use end_to_end::faults::{Fault, FaultProxy, QUOTED, REQUEST_ID};
use end_to_end::runtime::{Environments, Runtime, lines, metrics, record_environments, variables};
use sam_local::{Settings, Time};
use serde_json::{Value, json};

use crate::template::{functions, resources};

const DELIVER: &str = include_str!("../../../events/lambda/deliver.json");
const INBOUND: &str = include_str!("../../../events/lambda/inbound.json");
const SWEEP: &str = include_str!("../../../events/lambda/sweep.json");

/// A function's variables, with one service behind a proxy that injects this fault into every call.
async fn variables_with_fault(
    environments: &Environments,
    function: &str,
    service: &str,
    fault: Fault,
) -> BTreeMap<String, String> {
    let mut variables = variables(environments, function);
    let proxy = FaultProxy::to(&variables[service]).await;
    proxy.fail(move |_| fault);
    variables.insert(service.to_owned(), proxy.url);
    variables
}

/// The only line with this message.
fn line(printed: &str, message: &str) -> Value {
    let all = lines(printed);
    let found: Vec<&Value> = all.iter().filter(|line| line["fields"]["message"] == message).collect();
    assert_eq!(found.len(), 1, "one line: {printed}");
    found[0].clone()
}

#[tokio::test]
async fn an_error_of_dynamodb_is_logged_with_each_fact_in_a_field() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let denied =
        "User: arn:aws:sts::000000000000:assumed-role/role/function is not authorized to perform: GetItem";
    let quoting = "1 validation error detected: Value … at 'requestItems' failed to satisfy constraint: Member must \
        have length less than or equal to 25";
    for (fault, code, message, ours) in [
        (Fault::AccessDenied, "AccessDeniedException", denied, "internal_error"),
        (Fault::ValidationError, "ValidationException", quoting, "internal_error"),
        (Fault::Throttled, "ThrottlingException", "injected fault", "unavailable"),
    ] {
        let variables =
            variables_with_fault(&environments, "DeliverFunction", "AWS_ENDPOINT_URL_DYNAMODB", fault).await;
        let mut function = Runtime::start("stella-deliver", &variables).await;
        let answer = function.invoke(DELIVER).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
        let printed = function.kill().await;
        let line = line(&printed, "message failed");
        assert_eq!(line["level"], "ERROR");
        let fields = &line["fields"];
        assert_eq!(fields["message.id"], "00000000-0000-4000-8000-000000000001", "{fields}");
        assert_eq!(fields["delivery.id"], "019a0000-0000-8000-8000-000000000003", "{fields}");
        assert_eq!(fields["event.id"], "019a0000-0000-7000-8000-000000000002", "{fields}");
        assert_eq!(fields["error.code"], ours, "{fields}");
        assert_eq!(fields["aws.service"], "DynamoDB", "{fields}");
        assert_eq!(fields["aws.operation"], "GetItem", "{fields}");
        assert!(fields["aws.resource"].as_str().unwrap().starts_with("dev-"), "{fields}");
        assert_eq!(fields["aws.code"], code, "{fields}");
        assert_eq!(fields["aws.message"], message, "{fields}");
        assert_eq!(fields["aws.request_id"], REQUEST_ID, "{fields}");
        assert_eq!(fields.get("error.cause"), None, "the AWS fields have it already: {fields}");
        assert!(!printed.contains(QUOTED), "{printed}");
    }
}

#[tokio::test]
async fn an_unreachable_endpoint_is_logged_with_its_cause() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let mut variables = variables(&environments, "DeliverFunction");
    variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "http://127.0.0.1:1".to_owned());
    let mut function = Runtime::start("stella-deliver", &variables).await;
    function.invoke(DELIVER).await.unwrap();
    let line = line(&function.kill().await, "message failed");
    let fields = &line["fields"];
    assert_eq!((&fields["error.code"], &fields["aws.operation"]), (&json!("unavailable"), &json!("GetItem")));
    assert_eq!((fields.get("aws.code"), fields.get("aws.request_id")), (None, None), "{fields}");
    let cause = fields["error.cause"].as_str().unwrap();
    assert!(cause.contains("dispatch failure: ") && cause.to_lowercase().contains("refused"), "{cause}");
}

#[tokio::test]
async fn an_error_of_sqs_is_logged_beside_the_error_that_led_to_queueing() {
    let (functions, environments) = record_environments();
    let world = World::with(functions, Time::system()).await;
    let config = world.docker_hub().await;
    let path = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap();
    let mut variables =
        variables_with_fault(&environments, "InboundFunction", "AWS_ENDPOINT_URL_SQS", Fault::AccessDenied)
            .await;
    let tables = FaultProxy::to(&variables["AWS_ENDPOINT_URL_DYNAMODB"]).await;
    tables.fail(|operation| if operation == "Query" { Fault::Throttled } else { Fault::None });
    variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), tables.url);
    let mut function = Runtime::start("stella-inbound", &variables).await;
    let mut event: Value = serde_json::from_str(INBOUND).unwrap();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    let answer = function.invoke(&event.to_string()).await.unwrap();
    assert_eq!(answer["statusCode"], 503, "{answer}");
    let printed = function.kill().await;
    let queued = &line(&printed, "a request failed, and is tried again later")["fields"];
    assert_eq!(queued["config.id"], config["id"], "{queued}");
    assert_eq!(queued["retry.number"], 0, "{queued}");
    assert!(queued["receipt.id"].is_string(), "{queued}");
    assert_eq!(
        (&queued["aws.operation"], &queued["aws.code"]),
        (&json!("Query"), &json!("ThrottlingException"))
    );
    let failed = &line(&printed, "request failed")["fields"];
    assert_eq!((&failed["aws.service"], &failed["aws.operation"]), (&json!("SQS"), &json!("SendMessage")));
    assert_eq!(failed["aws.resource"], "dev-inbound-retry-queue", "{failed}");
    let route = failed["http.route"].as_str().unwrap();
    assert!(route.starts_with("/api/v1/webhooks/{type}/{integration}"), "{failed}");
    assert!(path.contains(failed["integration.id"].as_str().unwrap()), "{failed}");
    assert_eq!(
        (&failed["aws.code"], &failed["aws.request_id"]),
        (&json!("AccessDeniedException"), &json!(REQUEST_ID))
    );
}

#[tokio::test]
async fn the_reason_why_a_function_cannot_start_is_logged() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    let variables = variables_with_fault(
        &environments,
        "ApiFunction",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        Fault::AccessDenied,
    )
    .await;
    let ended = Runtime::start("stella-api", &variables).await.exited().await;
    assert!(!ended.status.success());
    let line = line(&String::from_utf8_lossy(&ended.stdout), "the function cannot start");
    let fields = &line["fields"];
    assert_eq!(
        (&fields["aws.service"], &fields["aws.operation"]),
        (&json!("Secrets Manager"), &json!("GetSecretValue"))
    );
    assert!(fields["aws.resource"].as_str().unwrap().starts_with("/dev/system/"), "{fields}");
    assert_eq!(fields["aws.code"], "AccessDeniedException", "{fields}");
}

#[tokio::test]
async fn an_invocation_error_has_its_kind_as_type_and_is_logged_once() {
    let (functions, environments) = record_environments();
    let _world = World::with(functions, Time::system()).await;
    for (fault, error_type) in
        [(Fault::AccessDenied, "Stella.Fault"), (Fault::Throttled, "Stella.Unavailable")]
    {
        let variables =
            variables_with_fault(&environments, "SweepFunction", "AWS_ENDPOINT_URL_DYNAMODB", fault).await;
        let mut function = Runtime::start("stella-sweep", &variables).await;
        let error = function.invoke(SWEEP).await.unwrap_err();
        assert_eq!(error["errorType"], error_type, "{error}");
        assert!(error["errorMessage"].as_str().unwrap().contains("Query"), "{error}");
        let printed = function.kill().await;
        assert_eq!(line(&printed, "invocation failed")["fields"]["aws.service"], "DynamoDB");
        let errors = lines(&printed).into_iter().filter(|line| line["level"] == "ERROR").count();
        assert_eq!(errors, 1, "{printed}");
    }
}

/// Whether Lambda writes a line to the log group at this `ApplicationLogLevel` (docs.aws.amazon.com,
/// "Log-level filtering"): a line without a level, or without a timestamp of RFC 3339, counts as INFO.
fn passes(line: &Value, least: &str) -> bool {
    let rank = |level: &str| {
        ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].iter().position(|name| *name == level)
    };
    let level = line["level"].as_str().map(str::to_uppercase).unwrap_or_default();
    let has_time = line["timestamp"].as_str().is_some_and(|time| DateTime::parse_from_rfc3339(time).is_ok());
    let level = if has_time { rank(&level) } else { None };
    level.or_else(|| rank("INFO")) >= rank(least)
}

#[tokio::test]
async fn metric_lines_pass_lambdas_log_filter_at_every_log_level() {
    assert!(!passes(&json!({"_aws": {}}), "ERROR"), "Lambda treats a metric line as INFO");
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
        for (id, function) in functions(&resources(&[("LogLevel", level)])) {
            let logging = &function.properties["LoggingConfig"];
            assert_eq!(logging["LogFormat"], "JSON", "{id}");
            assert!(
                passes(&json!({"_aws": {}}), logging["ApplicationLogLevel"].as_str().unwrap()),
                "{level} {id}"
            );
        }
    }
}

#[tokio::test]
async fn at_every_log_level_metrics_are_printed_and_bodies_and_tokens_are_not() {
    for level in ["ERROR", "TRACE"] {
        let (functions, environments) = record_environments();
        let parameters = BTreeMap::from([("LogLevel".to_owned(), level.to_owned())]);
        let world =
            World::made_of(Settings { functions: functions.into(), parameters, ..stella_local::settings() })
                .await;
        let mut sweep = Runtime::start("stella-sweep", &variables(&environments, "SweepFunction")).await;
        sweep.invoke(SWEEP).await.unwrap();
        let printed = sweep.kill().await;
        assert_eq!(metrics(&printed)[0]["DueSent"], 0, "{printed}");
        let own = lines(&printed).iter().filter(|line| line["level"] == "DEBUG").count();
        assert_eq!(own > 0, level == "TRACE", "our own lines obey the parameter: {printed}");

        let config = world.docker_hub().await;
        let path = config["url"].as_str().unwrap().strip_prefix(&world.stack.url()).unwrap();
        let mut inbound =
            Runtime::start("stella-inbound", &variables(&environments, "InboundFunction")).await;
        let mut event: Value = serde_json::from_str(INBOUND).unwrap();
        event["rawPath"] = json!(path);
        event["requestContext"]["http"]["path"] = json!(path);
        event["body"] = json!(json!({"planted": "planted-body-7c9"}).to_string());
        event["isBase64Encoded"] = json!(false);
        inbound.invoke(&event.to_string()).await.unwrap();
        let printed = inbound.kill().await;
        assert_eq!(metrics(&printed)[0]["Inbound"], 1, "{printed}");
        let token = path.rsplit('/').next().unwrap();
        assert!(!printed.contains("planted-body-7c9") && !printed.contains(token), "{level}: {printed}");
    }
}
