use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

async fn call(secrets: &SecretsManager, operation: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::post("/")
        .header("x-amz-target", format!("secretsmanager.{operation}"))
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = secrets.router().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn secrets_versions_and_stages_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.db");
    let open = || SecretsManager::open(Some(&file), Time::manual(noon()), Calls::default()).unwrap();
    let secrets = open();
    secrets.create_if_absent("/local/system/key", "one").unwrap();
    secrets.create_if_absent("/local/system/key", "ignored").unwrap();
    let two = json!({"SecretId": "/local/system/key", "SecretString": "two"});
    assert_eq!(call(&secrets, "PutSecretValue", two).await.0, StatusCode::OK);
    drop(secrets);
    let secrets = open();
    assert_eq!(secrets.read("/local/system/key").unwrap().as_deref(), Some("two"));
    assert_eq!(secrets.read("/local/system/other").unwrap(), None);
    let previous = json!({"SecretId": "/local/system/key", "VersionStage": "AWSPREVIOUS"});
    assert_eq!(call(&secrets, "GetSecretValue", previous).await.1["SecretString"], "one");
    assert_eq!(secrets.calls.of("secretsmanager", "GetSecretValue"), 1);
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_recovery_window_ends() {
    let time = Time::manual(noon());
    let secrets = SecretsManager::open(None, time.clone(), Calls::default()).unwrap();
    secrets.create_if_absent("s", "x").unwrap();
    let id = json!({"SecretId": "s"});
    let seven_days = json!({"SecretId": "s", "RecoveryWindowInDays": 7});
    call(&secrets, "DeleteSecret", seven_days.clone()).await;
    let (status, answer) = call(&secrets, "GetSecretValue", id.clone()).await;
    assert_eq!((status, &answer["__type"]), (StatusCode::BAD_REQUEST, &json!("InvalidRequestException")));
    call(&secrets, "RestoreSecret", id.clone()).await;
    assert_eq!(call(&secrets, "GetSecretValue", id.clone()).await.1["SecretString"], "x");
    call(&secrets, "DeleteSecret", seven_days).await;
    time.advance(chrono::Duration::days(7));
    assert_eq!(call(&secrets, "RestoreSecret", id).await.1["__type"], "ResourceNotFoundException");
    secrets.create_if_absent("s", "new").unwrap();
    assert_eq!(secrets.read("s").unwrap().as_deref(), Some("new"));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file_and_its_journal() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.db");
    let secrets = SecretsManager::open(Some(&file), Time::system(), Calls::default()).unwrap();
    secrets.create_if_absent("s", "x").unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}
