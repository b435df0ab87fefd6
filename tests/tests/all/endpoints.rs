//! The emulated AWS endpoints answer only requests signed with credentials of this stack.

use end_to_end::World;
use end_to_end::receiver::Receiver;
use end_to_end::runtime::{Environments, record_environments};
use http::{Method, StatusCode};
use sam_local::Settings;
use serde_json::{Value, json};
use stella::aws::Aws;
use stella_local::client::{Answer, Client};

/// Each service's endpoint, with an operation that lists resources.
const SERVICES: [(&str, &str); 3] = [
    ("AWS_ENDPOINT_URL_DYNAMODB", "DynamoDB_20120810.ListTables"),
    ("AWS_ENDPOINT_URL_SQS", "AmazonSQS.ListQueues"),
    ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager.ListSecrets"),
];

async fn world() -> (World, Environments) {
    let (functions, environments) = record_environments();
    (World::made_of(Settings { functions: functions.into(), ..stella_local::settings() }).await, environments)
}

fn address(environments: &Environments, variable: &str) -> String {
    environments.lock().unwrap()["ApiFunction"].variables()[variable].clone()
}

async fn ask(url: &str, target: &str, more: &[(&str, &str)]) -> Answer {
    let headers =
        [&[("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")], more].concat();
    Client::new(url, None).send(Method::POST, "/", &headers, "{}".into()).await.unwrap()
}

#[tokio::test]
async fn requests_without_this_stacks_credentials_are_refused() {
    let (_world, environments) = world().await;
    let (other, _) = world().await;
    let stranger = other.stack.owner().access_key;
    for (variable, target) in SERVICES {
        let url = address(&environments, variable);
        for key in [stranger.as_str(), "x", "ApiFunction"] {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential={key}/20260301/us-east-1/x/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature={}",
                "0".repeat(64)
            );
            let signed = [("authorization", authorization.as_str()), ("x-amz-date", "20260301T120000Z")];
            let answer = ask(&url, target, &signed).await;
            assert!(answer.status.is_client_error(), "{variable} {key}: {}", answer.body);
            assert!(answer.body["__type"].is_string(), "{variable} {key}: {}", answer.body);
        }
        let answer = ask(&url, target, &[]).await;
        assert!(answer.status.is_client_error(), "{variable}: {}", answer.body);
        let name = answer.body["__type"].as_str().unwrap_or_default().to_owned();
        assert!(name.contains("MissingAuthenticationToken"), "{variable}: {name}");
    }
}

#[tokio::test]
async fn the_owner_may_call_everything_and_a_function_what_its_policy_allows() {
    let (world, environments) = world().await;
    let environment = environments.lock().unwrap()["ApiFunction"].clone();
    let owner = Aws::new(&world.unlimited(&environment)).unwrap();
    assert!(!owner.dynamodb().list_tables().send().await.unwrap().table_names().is_empty());
    assert!(!owner.sqs().list_queues().send().await.unwrap().queue_urls().is_empty());
    assert!(!owner.secrets_manager().list_secrets().send().await.unwrap().secret_list().is_empty());
    let function = Aws::new(&environment).unwrap();
    assert!(function.dynamodb().list_tables().send().await.is_err());
    // The key id of one function with the secret of another.
    let renamed = environment.with("AWS_ACCESS_KEY_ID", "InboundFunction");
    assert!(Aws::new(&renamed).unwrap().sqs().list_queues().send().await.is_err());
}

#[tokio::test]
async fn a_request_with_a_foreign_host_header_is_forbidden() {
    let (_world, environments) = world().await;
    for (variable, target) in SERVICES {
        let answer = ask(&address(&environments, variable), target, &[("host", "evil.example")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{variable}");
        assert_eq!(answer.body, Value::Null);
    }
}

#[tokio::test]
async fn a_subscription_can_neither_call_the_endpoints_nor_send_aws_headers() {
    let (world, environments) = world().await;
    let path = "/api/v1/webhook-subscriptions";
    for (variable, _) in SERVICES {
        let url = address(&environments, variable);
        for url in [url.clone(), url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::1]")] {
            let body = json!({"name": "s", "url": url, "events": ["release.created"]});
            let refused = world.admin.post(path, &body).await.unwrap();
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}: {}", refused.body);
            assert_eq!(refused.body["errors"][0]["field"], "url");
        }
    }
    let receiver = Receiver::accepting().await;
    for name in ["X-Amz-Target", "x-aws-ec2-metadata-token"] {
        let body = json!({"name": "s", "url": receiver.url, "events": ["release.created"],
            "headers": {name: "secretsmanager.ListSecrets"}});
        let refused = world.admin.post(path, &body).await.unwrap();
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert_eq!(refused.body["errors"][0]["field"], format!("headers.{name}"));
    }
}
