//! What a call asks to be allowed: an action on a resource, for each item that it touches.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sqs;
use crate::template::names::{secret_arn, table_arn};

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    /// As in `dynamodb:GetItem`.
    pub(super) action: String,
    /// Its ARN.
    pub(super) resource: String,
    /// The partition key of the item, of one of DynamoDB's.
    pub(super) leading_key: Option<String>,
}

/// What of a request's body says what it touches.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    table_name: Option<String>,
    index_name: Option<String>,
    key: Option<Keyed>,
    item: Option<Keyed>,
    expression_attribute_values: Option<Values>,
    request_items: BTreeMap<String, Requested>,
    transact_items: Vec<Touched>,
    queue_url: Option<String>,
    source_arn: Option<String>,
    secret_id: Option<String>,
}

#[derive(Deserialize)]
struct Keyed {
    pk: Text,
}

/// What a query's expression stands on: ours call the partition `:pk`.
#[derive(Deserialize)]
struct Values {
    #[serde(rename = ":pk")]
    pk: Option<Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

/// What a batch wants of one table: to read items, or to write some.
#[derive(Deserialize)]
#[serde(untagged)]
enum Requested {
    Read {
        #[serde(rename = "Keys")]
        keys: Vec<Keyed>,
    },
    Write(Vec<Touched>),
}

/// One item of a batch or a transaction, under what is done to it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Touched {
    #[serde(alias = "PutRequest")]
    put: Option<Body>,
    #[serde(alias = "DeleteRequest")]
    delete: Option<Body>,
    update: Option<Body>,
    condition_check: Option<Body>,
}

impl Touched {
    fn acts(self) -> impl Iterator<Item = (&'static str, Body)> {
        let acts = [
            ("PutItem", self.put),
            ("DeleteItem", self.delete),
            ("UpdateItem", self.update),
            ("ConditionCheckItem", self.condition_check),
        ];
        acts.into_iter().filter_map(|(action, body)| Some((action, body?)))
    }
}

impl Body {
    /// The table or its index, and the item's partition key.
    fn of_table(self, action: &str) -> Demand {
        let table = table_arn(self.table_name.as_deref().unwrap_or_default());
        let resource = self.index_name.map_or(table.clone(), |index| format!("{table}/index/{index}"));
        let key = self.key.or(self.item).map(|keyed| keyed.pk);
        let key = key.or(self.expression_attribute_values.and_then(|values| values.pk));
        Demand { action: action.to_owned(), resource, leading_key: key.map(|key| key.text) }
    }
}

/// Everything that a call asks for; nothing, where its body is not what the service takes: that refuses it.
pub(super) fn demands(service: &str, operation: &str, body: &[u8]) -> Vec<Demand> {
    let Ok(body) = serde_json::from_slice::<Body>(body) else { return Vec::new() };
    let mut demands = match service {
        "dynamodb" => of_tables(operation, body),
        "sqs" => vec![of_queue(operation, body)],
        _ => vec![Demand {
            action: operation.to_owned(),
            resource: secret_arn(&body.secret_id.unwrap_or_default()),
            leading_key: None,
        }],
    };
    for demand in &mut demands {
        demand.action = format!("{service}:{}", demand.action);
    }
    demands
}

fn of_tables(operation: &str, body: Body) -> Vec<Demand> {
    match operation {
        "TransactWriteItems" => {
            let acts = body.transact_items.into_iter().flat_map(Touched::acts);
            acts.map(|(action, body)| body.of_table(action)).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => body
            .request_items
            .into_iter()
            .flat_map(|(table, requested)| {
                let keys = match requested {
                    Requested::Read { keys } => keys,
                    Requested::Write(items) => {
                        let acts = items.into_iter().flat_map(Touched::acts);
                        acts.filter_map(|(_, body)| body.item.or(body.key)).collect()
                    }
                };
                keys.into_iter().map(move |key| Demand {
                    action: operation.to_owned(),
                    resource: table_arn(&table),
                    leading_key: Some(key.pk.text),
                })
            })
            .collect(),
        one => vec![body.of_table(one)],
    }
}

fn of_queue(operation: &str, body: Body) -> Demand {
    // Batches are allowed by the action of one.
    let action = operation.strip_suffix("Batch").unwrap_or(operation).to_owned();
    let url = body.queue_url.unwrap_or_default();
    let of_url = || sqs::arn(url.rsplit('/').next().unwrap_or_default());
    Demand { action, resource: body.source_arn.unwrap_or_else(of_url), leading_key: None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(service: &str, operation: &str, body: &Value) -> Vec<String> {
        let demands = demands(service, operation, body.to_string().as_bytes()).into_iter();
        let short = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        demands
            .map(|it| format!("{} {} {}", it.action, short(&it.resource), it.leading_key.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_call_asks_for_its_action_on_what_it_names() {
        let key = json!({"pk": {"S": "P"}, "sk": {"S": "s"}});
        for (operation, body, expected) in [
            ("GetItem", json!({"TableName": "t", "Key": key}), "dynamodb:GetItem table/t P"),
            ("PutItem", json!({"TableName": "t", "Item": key}), "dynamodb:PutItem table/t P"),
            (
                "Query",
                json!({"TableName": "t", "IndexName": "due",
                    "ExpressionAttributeValues": {":pk": {"S": "D"}, ":until": {"N": "1"}}}),
                "dynamodb:Query table/t/index/due D",
            ),
            ("Scan", json!({"TableName": "t"}), "dynamodb:Scan table/t "),
        ] {
            assert_eq!(asked("dynamodb", operation, &body), [expected]);
        }
        let body = json!({"QueueUrl": "http://127.0.0.1:1/0/work", "Entries": []});
        assert_eq!(asked("sqs", "SendMessageBatch", &body), ["sqs:SendMessage work "]);
        let body = json!({"SourceArn": "arn:aws:sqs:us-east-1:0:dead"});
        assert_eq!(asked("sqs", "StartMessageMoveTask", &body), ["sqs:StartMessageMoveTask dead "]);
        let body = json!({"SecretId": "/dev/x"});
        let expected = ["secretsmanager:GetSecretValue /dev/x "];
        assert_eq!(asked("secretsmanager", "GetSecretValue", &body), expected);
    }

    #[test]
    fn a_batch_and_a_transaction_ask_for_each_of_their_items() {
        let item = |pk: &str| json!({"pk": {"S": pk}, "more": {"M": {}}});
        let reading = json!({"RequestItems": {"t": {"Keys": [item("A"), item("B")]}}});
        let expected = ["dynamodb:BatchGetItem table/t A", "dynamodb:BatchGetItem table/t B"];
        assert_eq!(asked("dynamodb", "BatchGetItem", &reading), expected);
        let writing = json!({"RequestItems": {"t": [
            {"PutRequest": {"Item": item("A")}}, {"DeleteRequest": {"Key": item("B")}}]}});
        let expected = ["dynamodb:BatchWriteItem table/t A", "dynamodb:BatchWriteItem table/t B"];
        assert_eq!(asked("dynamodb", "BatchWriteItem", &writing), expected);
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "t", "Item": item("A")}},
            {"Update": {"TableName": "t", "Key": item("B")}},
            {"Delete": {"TableName": "u", "Key": item("C")}},
            {"ConditionCheck": {"TableName": "t", "Key": item("D")}}]});
        let expected = [
            "dynamodb:PutItem table/t A",
            "dynamodb:UpdateItem table/t B",
            "dynamodb:DeleteItem table/u C",
            "dynamodb:ConditionCheckItem table/t D",
        ];
        assert_eq!(asked("dynamodb", "TransactWriteItems", &transaction), expected);
    }
}
