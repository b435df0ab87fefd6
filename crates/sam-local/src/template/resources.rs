//! Reads tables, queues and secrets into the requests that create them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::members::Members;
use super::{Kind, Resource, wrong};
use crate::error::Error;
use crate::sqs;
use crate::wiring::{Queue, Secret};

/// A table to be created.
pub(super) struct Table {
    /// The body of the `CreateTable` request.
    pub(super) body: Value,
    /// The attribute of its time to live.
    pub(super) expires_by: Option<String>,
}

/// Reads a table. Encryption and backups have no effect.
pub(super) fn table(place: &str, resource: &Resource) -> Result<Table, Error> {
    let mut members = Members::of(place, &resource.properties)?;
    let mut body = Map::from_iter([("TableName".to_owned(), json!(resource.name))]);
    for name in ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"] {
        if let Some(value) = members.take(name) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(mut stream) = members.object("StreamSpecification")? {
        let view = stream.required_text("StreamViewType")?;
        stream.finish()?;
        body.insert("StreamSpecification".to_owned(), json!({"StreamEnabled": true, "StreamViewType": view}));
    }
    let mut expires_by = None;
    if let Some(mut expiry) = members.object("TimeToLiveSpecification")? {
        let attribute = expiry.required_text("AttributeName")?;
        if expiry.flag("Enabled")? {
            expires_by = Some(attribute);
        }
        expiry.finish()?;
    }
    members.ignore(&[
        "DeletionProtectionEnabled",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "TableName",
        "Tags",
    ]);
    members.finish()?;
    Ok(Table { body: Value::Object(body), expires_by })
}

/// Reads a queue.
pub(super) fn queue(
    place: &str,
    resource: &Resource,
    all: &BTreeMap<String, Resource>,
) -> Result<Queue, Error> {
    let mut members = Members::of(place, &resource.properties)?;
    let mut attributes = BTreeMap::new();
    for name in [
        "DelaySeconds",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "VisibilityTimeout",
    ] {
        if let Some(number) = members.number::<u64>(name)? {
            attributes.insert(name.to_owned(), number.to_string());
        }
    }
    if let Some(encrypted) = members.text("SqsManagedSseEnabled")? {
        attributes.insert("SqsManagedSseEnabled".to_owned(), encrypted);
    }
    if let Some(mut redrive) = members.object("RedrivePolicy")? {
        let target = redrive.required_text("deadLetterTargetArn")?;
        queue_of_arn(&redrive.place("deadLetterTargetArn"), &target, all)?;
        let most: Option<u64> = redrive.number("maxReceiveCount")?;
        let most = most.ok_or_else(|| wrong(redrive.place("maxReceiveCount"), "This is missing"))?;
        redrive.finish()?;
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": most});
        attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    }
    members.ignore(&["QueueName", "Tags"]);
    members.finish()?;
    Ok(Queue { name: resource.name.clone(), attributes })
}

/// The name of the template's queue with this ARN.
pub(super) fn queue_of_arn(
    place: &str,
    arn: &str,
    all: &BTreeMap<String, Resource>,
) -> Result<String, Error> {
    let mut queues = all.values().filter(|resource| resource.kind == Kind::Queue);
    let found = queues.find(|queue| sqs::arn(&queue.name) == arn);
    found
        .map(|queue| queue.name.clone())
        .ok_or_else(|| wrong(place, format!("The template has no queue {arn}")))
}

/// Reads a secret, whose text must be generated.
pub(super) fn secret(place: &str, resource: &Resource) -> Result<Secret, Error> {
    let mut members = Members::of(place, &resource.properties)?;
    let generate = members.object("GenerateSecretString")?;
    let mut generate =
        generate.ok_or_else(|| wrong(members.place("GenerateSecretString"), "This is missing"))?;
    let length = generate.number("PasswordLength")?.unwrap_or(32);
    let letters_and_digits = generate.flag("ExcludePunctuation")?;
    generate.finish()?;
    members.ignore(&["Description", "KmsKeyId", "Name", "Tags"]);
    members.finish()?;
    Ok(Secret { name: resource.name.clone(), length, letters_and_digits })
}

/// Checks the HTTP API. Its routes are those of the functions' events.
pub(super) fn http_api(place: &str, resource: &Resource) -> Result<(), Error> {
    let mut members = Members::of(place, &resource.properties)?;
    members.ignore(&["DefaultRouteSettings", "Description", "Name", "RouteSettings", "Tags"]);
    members.finish()
}
