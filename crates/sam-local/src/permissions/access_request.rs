//! The access that a call needs: one action on one resource for each item that it reads or writes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dynamodb::key_condition;
use crate::json::text;
use crate::sqs;
use crate::template::names::{secret_arn, table_arn};

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessRequest {
    /// As in `dynamodb:GetItem`.
    pub(super) action: String,
    /// The ARN of the table, index, queue or secret.
    pub(super) resource: String,
    /// The value of the partition key, if the call is about one item or partition of a table or index.
    pub(super) leading_key: Option<String>,
}

/// The name of the partition key's attribute, by the ARN of the table or index.
#[derive(Debug, Clone, Default)]
pub(super) struct PartitionKeys(BTreeMap<String, String>);

impl PartitionKeys {
    /// The keys of tables, each given as the body of its `CreateTable` request.
    pub(super) fn of(tables: &[Value]) -> Self {
        let mut keys = BTreeMap::new();
        let mut add = |arn: String, schema: &Value| {
            let elements = schema.get("KeySchema").and_then(Value::as_array).into_iter().flatten();
            let hash = elements.into_iter().find(|element| text(element, "KeyType") == "HASH");
            keys.extend(hash.map(|hash| (arn, text(hash, "AttributeName").to_owned())));
        };
        for table in tables {
            let arn = table_arn(text(table, "TableName"));
            let indexes = table.get("GlobalSecondaryIndexes").and_then(Value::as_array);
            for index in indexes.into_iter().flatten() {
                add(format!("{arn}/index/{}", text(index, "IndexName")), index);
            }
            add(arn, table);
        }
        Self(keys)
    }

    /// The partition key's value in an item, or in a key.
    fn in_item(&self, resource: &str, item: &Value) -> Option<String> {
        scalar(item.get(self.0.get(resource)?)?)
    }

    /// The partition key's value in the key condition of a query.
    fn in_condition(&self, resource: &str, query: &Value) -> Option<String> {
        let name = self.0.get(resource)?;
        let compared = key_condition::compared(query);
        compared.into_iter().find(|(key, _)| key == name).and_then(|(_, value)| scalar(value))
    }

    /// The access to a table or its index that the request of one operation needs.
    fn access(&self, action: &str, request: &Value) -> AccessRequest {
        let table = table_arn(text(request, "TableName"));
        let resource = match text(request, "IndexName") {
            "" => table,
            index => format!("{table}/index/{index}"),
        };
        let leading_key = match request.get("Key").or_else(|| request.get("Item")) {
            Some(item) => self.in_item(&resource, item),
            None => self.in_condition(&resource, request),
        };
        AccessRequest { action: action.to_owned(), resource, leading_key }
    }

    /// The access to all items of a batch.
    fn batch(&self, operation: &str, request: &Value) -> Vec<AccessRequest> {
        let tables = request.get("RequestItems").and_then(Value::as_object).into_iter().flatten();
        tables
            .flat_map(|(table, items)| {
                let resource = table_arn(table);
                items_of_batch(items).into_iter().map(move |item| AccessRequest {
                    action: operation.to_owned(),
                    leading_key: self.in_item(&resource, item),
                    resource: resource.clone(),
                })
            })
            .collect()
    }
}

/// A key attribute's value as text, as `dynamodb:LeadingKeys` compares it.
fn scalar(attribute: &Value) -> Option<String> {
    ["S", "N", "B"].iter().find_map(|kind| attribute.get(kind)?.as_str()).map(str::to_owned)
}

/// The keys to be read, the items to be put and the keys to be deleted, of one table of a batch.
fn items_of_batch(items: &Value) -> Vec<&Value> {
    if let Some(keys) = items.get("Keys").and_then(Value::as_array) {
        return keys.iter().collect();
    }
    let writes = items.as_array().into_iter().flatten();
    writes
        .filter_map(|write| write.pointer("/PutRequest/Item").or_else(|| write.pointer("/DeleteRequest/Key")))
        .collect()
}

/// The access that a call needs. Empty for a body that is not JSON, which the service itself rejects.
pub(super) fn access_requests(
    keys: &PartitionKeys,
    service: &str,
    operation: &str,
    body: &[u8],
) -> Vec<AccessRequest> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let mut requests = match service {
        "dynamodb" => of_tables(keys, operation, &body),
        "sqs" => vec![of_queue(operation, &body)],
        _ => vec![AccessRequest {
            action: operation.to_owned(),
            resource: secret_arn(text(&body, "SecretId")),
            leading_key: None,
        }],
    };
    for request in &mut requests {
        request.action = format!("{service}:{}", request.action);
    }
    requests
}

/// The action that each member of an entry of `TransactWriteItems` stands for.
const TRANSACTION_ACTIONS: [(&str, &str); 4] = [
    ("Put", "PutItem"),
    ("Delete", "DeleteItem"),
    ("Update", "UpdateItem"),
    ("ConditionCheck", "ConditionCheckItem"),
];

fn of_tables(keys: &PartitionKeys, operation: &str, body: &Value) -> Vec<AccessRequest> {
    match operation {
        "TransactWriteItems" => {
            let entries = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
            let actions = |entry| {
                TRANSACTION_ACTIONS.into_iter().filter_map(move |(member, action)| {
                    Value::get(entry, member).map(|request| keys.access(action, request))
                })
            };
            entries.flat_map(actions).collect()
        }
        "BatchGetItem" | "BatchWriteItem" => keys.batch(operation, body),
        one => vec![keys.access(one, body)],
    }
}

fn of_queue(operation: &str, body: &Value) -> AccessRequest {
    // IAM has no actions of their own for batches.
    let action = operation.strip_suffix("Batch").unwrap_or(operation).to_owned();
    let resource = match text(body, "SourceArn") {
        "" => sqs::arn(text(body, "QueueUrl").rsplit('/').next().unwrap_or_default()),
        arn => arn.to_owned(),
    };
    AccessRequest { action, resource, leading_key: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn keys() -> PartitionKeys {
        let schema = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
        PartitionKeys::of(&[
            json!({"TableName": "t", "KeySchema": schema("pk"),
                "GlobalSecondaryIndexes": [{"IndexName": "due", "KeySchema": schema("duePk")}]}),
            json!({"TableName": "u", "KeySchema": schema("number")}),
        ])
    }

    fn needed(service: &str, operation: &str, body: &Value) -> Vec<String> {
        let requests = access_requests(&keys(), service, operation, body.to_string().as_bytes()).into_iter();
        let short = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        requests
            .map(|it| format!("{} {} {}", it.action, short(&it.resource), it.leading_key.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_call_needs_its_action_on_the_resource_that_it_names() {
        let key = json!({"pk": {"S": "P"}, "sk": {"S": "s"}});
        for (operation, body, expected) in [
            ("GetItem", json!({"TableName": "t", "Key": key}), "dynamodb:GetItem table/t P"),
            ("PutItem", json!({"TableName": "t", "Item": key}), "dynamodb:PutItem table/t P"),
            (
                "UpdateItem",
                json!({"TableName": "u", "Key": {"number": {"N": "7"}}}),
                "dynamodb:UpdateItem table/u 7",
            ),
            ("Scan", json!({"TableName": "t"}), "dynamodb:Scan table/t "),
            (
                "GetItem",
                json!({"TableName": "of another stack", "Key": key}),
                "dynamodb:GetItem table/of another stack ",
            ),
        ] {
            assert_eq!(needed("dynamodb", operation, &body), [expected]);
        }
        let body = json!({"QueueUrl": "http://127.0.0.1:1/0/work", "Entries": []});
        assert_eq!(needed("sqs", "SendMessageBatch", &body), ["sqs:SendMessage work "]);
        let body = json!({"SourceArn": "arn:aws:sqs:us-east-1:0:dead"});
        assert_eq!(needed("sqs", "StartMessageMoveTask", &body), ["sqs:StartMessageMoveTask dead "]);
        let body = json!({"SecretId": "/dev/x"});
        let expected = ["secretsmanager:GetSecretValue /dev/x "];
        assert_eq!(needed("secretsmanager", "GetSecretValue", &body), expected);
    }

    #[test]
    fn the_leading_key_of_a_query_is_what_its_condition_compares_the_partition_key_with() {
        let values = json!({":a": {"S": "A"}, ":b": {"S": "B"}});
        for (index, condition, expected) in [
            (None, "pk = :a AND begins_with(sk, :b)", "dynamodb:Query table/t A"),
            (None, "sk > :a AND #p = :b", "dynamodb:Query table/t B"),
            (Some("due"), "duePk = :b AND dueAt <= :a", "dynamodb:Query table/t/index/due B"),
            (Some("due"), "pk = :a", "dynamodb:Query table/t/index/due "),
        ] {
            let query = json!({"TableName": "t", "IndexName": index, "KeyConditionExpression": condition,
                "ExpressionAttributeNames": {"#p": "pk"}, "ExpressionAttributeValues": values});
            assert_eq!(needed("dynamodb", "Query", &query), [expected], "{condition}");
        }
    }

    #[test]
    fn a_batch_and_a_transaction_need_access_to_each_of_their_items() {
        let item = |pk: &str| json!({"pk": {"S": pk}, "more": {"M": {}}});
        let reading = json!({"RequestItems": {"t": {"Keys": [item("A"), item("B")]}}});
        let expected = ["dynamodb:BatchGetItem table/t A", "dynamodb:BatchGetItem table/t B"];
        assert_eq!(needed("dynamodb", "BatchGetItem", &reading), expected);
        let writing = json!({"RequestItems": {"t": [
            {"PutRequest": {"Item": item("A")}}, {"DeleteRequest": {"Key": item("B")}}]}});
        let expected = ["dynamodb:BatchWriteItem table/t A", "dynamodb:BatchWriteItem table/t B"];
        assert_eq!(needed("dynamodb", "BatchWriteItem", &writing), expected);
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "t", "Item": item("A")}},
            {"Update": {"TableName": "t", "Key": item("B")}},
            {"Delete": {"TableName": "u", "Key": {"number": {"N": "3"}}}},
            {"ConditionCheck": {"TableName": "t", "Key": item("D")}}]});
        let expected = [
            "dynamodb:PutItem table/t A",
            "dynamodb:UpdateItem table/t B",
            "dynamodb:DeleteItem table/u 3",
            "dynamodb:ConditionCheckItem table/t D",
        ];
        assert_eq!(needed("dynamodb", "TransactWriteItems", &transaction), expected);
    }
}
