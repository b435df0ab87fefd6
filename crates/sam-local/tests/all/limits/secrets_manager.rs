//! Limits of Secrets Manager: its API reference.

use sam_local::Time;
use sam_local::calls::Calls;
use sam_local::secrets_manager::SecretsManager;
use serde_json::{Value, json};

use super::{call, refusal, shown};

async fn holds(rule: &str, operation: &str, taken: Vec<Value>, refused: Vec<Value>, name: &str) {
    for (bodies, name) in [(taken, None), (refused, Some(name))] {
        for body in bodies {
            let secrets = SecretsManager::open(None, Time::system(), Calls::default()).unwrap();
            secrets.create_if_absent("s", "x").unwrap();
            let answer = call(secrets.router(), &format!("secretsmanager.{operation}"), &body).await;
            assert_eq!(refusal(&answer).as_deref(), name, "{rule}: {}", shown(&body));
        }
    }
}

#[tokio::test]
async fn a_secret_has_1_to_65536_bytes_and_a_version_a_token_of_32_to_64() {
    let put = |text: String| json!({"SecretId": "s", "SecretString": text});
    let rule = "SecretString: Minimum length of 1. Maximum length of 65536";
    let taken = vec![put("x".to_owned()), put("x".repeat(65_536))];
    let more = vec![put(String::new()), put("x".repeat(65_537)), json!({"SecretId": "s"})];
    holds(rule, "PutSecretValue", taken, more, "InvalidParameterException").await;
    let with_token = |length: usize| json!({"SecretId": "s", "SecretString": "y", "ClientRequestToken": "t".repeat(length)});
    let rule = "ClientRequestToken: Minimum length of 32. Maximum length of 64";
    let taken = vec![with_token(32), with_token(64)];
    holds(rule, "PutSecretValue", taken, vec![with_token(31), with_token(65)], "InvalidParameterException")
        .await;
}

#[tokio::test]
async fn a_secret_is_named_by_1_to_512_of_its_characters_and_found_by_its_name_alone() {
    let named = |name: &str| json!({"Name": name, "SecretString": "x"});
    let rule = "The secret name can contain ASCII letters, numbers, and the following characters: /_+=.@-";
    let taken = vec![named("/dev/a_b+c=d.e@f-1"), named(&"n".repeat(512))];
    let others = vec![named(""), named("a b"), named("\u{e9}"), named(&"n".repeat(513))];
    holds(rule, "CreateSecret", taken, others, "InvalidParameterException").await;
    holds("ResourceExistsException", "CreateSecret", vec![], vec![named("s")], "ResourceExistsException")
        .await;
    let rule = "ResourceNotFoundException: Secrets Manager can't find the resource that you asked for";
    let found = vec![json!({"SecretId": "s"}), json!({"SecretId": "s", "VersionStage": "AWSCURRENT"})];
    let absent = vec![json!({"SecretId": "t"}), json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"})];
    holds(rule, "GetSecretValue", found, absent, "ResourceNotFoundException").await;
}
