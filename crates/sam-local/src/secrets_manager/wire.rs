//! Requests, answers and errors of Secrets Manager on the wire.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::secret::{Content, Secret, Version};
use crate::json::text;

/// The largest secret, in bytes.
const MAX_SECRET_BYTES: usize = 65_536;
const FAILED: &str = "InternalServiceError";

/// An error: its name and message.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) name: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn not_found(message: &str) -> Self {
        Self { name: "ResourceNotFoundException", message: message.to_owned() }
    }

    pub(super) fn exists(message: &str) -> Self {
        Self { name: "ResourceExistsException", message: message.to_owned() }
    }

    /// The state of the secret does not allow the operation.
    pub(super) fn request(message: &str) -> Self {
        Self { name: "InvalidRequestException", message: message.to_owned() }
    }

    pub(super) fn parameter(message: &str) -> Self {
        Self { name: "InvalidParameterException", message: message.to_owned() }
    }

    pub(super) fn unknown(operation: &str) -> Self {
        let message = format!("The local endpoint does not know the operation {operation}");
        Self { name: "UnknownOperationException", message }
    }

    /// As an entry of a batch's errors.
    pub(super) fn entry(&self, id: &str) -> Value {
        json!({"SecretId": id, "ErrorCode": self.name, "Message": self.message})
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(error = %error, "the secrets' store failed");
        Self { name: FAILED, message: "The secrets' store failed".to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            if self.name == FAILED { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
        let body = json!({"__type": self.name, "Message": self.message});
        (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
    }
}

/// The content in a request, if there is any.
pub(super) fn content(request: &Value) -> Result<Option<Content>, Refusal> {
    use base64::Engine as _;
    let member = |name| request.get(name).and_then(Value::as_str);
    let (content, size) = match (member("SecretString"), member("SecretBinary")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Refusal::parameter("Either SecretString or SecretBinary, not both."));
        }
        (Some(text), None) => (Content::Text(text.to_owned()), text.len()),
        (None, Some(binary)) => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(binary)
                .map_err(|_| Refusal::parameter("SecretBinary is not base64."))?;
            (Content::Binary(binary.to_owned()), bytes.len())
        }
    };
    if !(1..=MAX_SECRET_BYTES).contains(&size) {
        return Err(Refusal::parameter("A secret has 1 to 65536 bytes."));
    }
    Ok(Some(content))
}

/// The id of the version that a request creates: its token, which SDKs always send.
pub(super) fn token(request: &Value) -> Result<String, Refusal> {
    match text(request, "ClientRequestToken") {
        "" => Ok(uuid::Uuid::new_v4().to_string()),
        token if (32..=64).contains(&token.len()) => Ok(token.to_owned()),
        _ => Err(Refusal::parameter("ClientRequestToken has 32 to 64 characters.")),
    }
}

pub(super) fn named(secret: &Secret, version: Option<&str>) -> Value {
    let mut answer = json!({"ARN": secret.arn, "Name": secret.name});
    insert(&mut answer, "VersionId", version.map(|version| json!(version)));
    answer
}

pub(super) fn shown(secret: &Secret, version: &Version) -> Value {
    let mut answer = named(secret, Some(&version.id));
    let (member, content) = match &version.content {
        Content::Text(text) => ("SecretString", text),
        Content::Binary(binary) => ("SecretBinary", binary),
    };
    insert(&mut answer, member, Some(json!(content)));
    insert(&mut answer, "VersionStages", Some(json!(version.stages)));
    insert(&mut answer, "CreatedDate", Some(seconds(version.created)));
    answer
}

pub(super) fn described(secret: &Secret, alone: bool) -> Value {
    let stages: Map<String, Value> = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty())
        .map(|version| (version.id.clone(), json!(version.stages)))
        .collect();
    let mut answer = named(secret, None);
    let member = if alone { "VersionIdsToStages" } else { "SecretVersionsToStages" };
    insert(&mut answer, member, Some(stages.into()));
    insert(&mut answer, "Description", Some(json!(secret.description)));
    insert(&mut answer, "Tags", Some(secret.tags.clone()));
    insert(&mut answer, "CreatedDate", Some(seconds(secret.created)));
    insert(&mut answer, "LastChangedDate", Some(seconds(secret.changed)));
    insert(&mut answer, "LastAccessedDate", secret.accessed.map(seconds));
    insert(&mut answer, "DeletedDate", secret.deletion.map(|(deleted, _)| seconds(deleted)));
    answer
}

pub(super) fn insert(answer: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(answer), Some(value)) = (answer.as_object_mut(), value) {
        answer.insert(name.to_owned(), value);
    }
}

/// A time on the wire: seconds since 1970, with a fraction.
pub(super) fn seconds(millis: i64) -> Value {
    json!(Duration::from_millis(u64::try_from(millis).unwrap_or_default()).as_secs_f64())
}
