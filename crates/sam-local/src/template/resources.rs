//! Tables, queues and secrets: what the template says of them, as their services want it.

use std::collections::BTreeMap;

use crate::error::Error;
use serde_json::{Map, Value, json};

use super::members::Members;
use super::{Kind, Resource, wrong};
use crate::sqs;
use crate::wiring::{Queue, Secret};

/// A table to be made.
pub(super) struct Table {
    /// The body of its `CreateTable` request.
    pub(super) body: Value,
    /// The attribute by which its items expire.
    pub(super) expires_by: Option<String>,
}

/// Reads a table. That it is encrypted and backed up means nothing on one machine.
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
    members.pass_over(&[
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
    members.pass_over(&["QueueName", "Tags"]);
    members.finish()?;
    Ok(Queue { name: resource.name.clone(), attributes })
}

/// The queue of the template that has this ARN.
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

/// Reads a secret, whose text is generated.
pub(super) fn secret(place: &str, resource: &Resource) -> Result<Secret, Error> {
    let mut members = Members::of(place, &resource.properties)?;
    let generate = members.object("GenerateSecretString")?;
    let mut generate =
        generate.ok_or_else(|| wrong(members.place("GenerateSecretString"), "This is missing"))?;
    let length = generate.number("PasswordLength")?.unwrap_or(32);
    let letters_and_digits = generate.flag("ExcludePunctuation")?;
    generate.finish()?;
    members.pass_over(&["Description", "KmsKeyId", "Name", "Tags"]);
    members.finish()?;
    Ok(Secret { name: resource.name.clone(), length, letters_and_digits })
}

/// Reads the HTTP API, of which nothing but its routes means anything on one machine.
pub(super) fn http_api(place: &str, resource: &Resource) -> Result<(), Error> {
    let mut members = Members::of(place, &resource.properties)?;
    members.pass_over(&["DefaultRouteSettings", "Description", "Name", "RouteSettings", "Tags"]);
    members.finish()
}
