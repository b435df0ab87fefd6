//! Limits of DynamoDB, each with the rule in AWS's words ("Quotas in Amazon DynamoDB", the API reference).
//! The embedded engine enforces them; these tests make sure that it does.

use sam_local::dynamodb::DynamoDb;
use serde_json::{Map, Value, json};

use super::{refusal, shown};

const KIBIBYTE: usize = 1024;

async fn call(tables: &DynamoDb, operation: &str, body: &Value) -> Value {
    super::call(tables.router(), &format!("DynamoDB_20120810.{operation}"), body).await
}

/// A table with a sort key, and an index with a sparse key.
async fn tables() -> DynamoDb {
    let tables = DynamoDb::open(None).unwrap();
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let attributes = ["pk", "sk", "duePk", "dueAt"].map(attribute);
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let table = json!({
        "TableName": "items", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "GlobalSecondaryIndexes": [{"IndexName": "due", "KeySchema": [key("duePk", "HASH"), key("dueAt", "RANGE")],
            "Projection": {"ProjectionType": "KEYS_ONLY"}}],
    });
    call(&tables, "CreateTable", &table).await;
    tables
}

async fn refused(tables: &DynamoDb, operation: &str, body: &Value) -> Option<String> {
    refusal(&call(tables, operation, body).await)
}

async fn takes(rule: &str, operation: &str, body: &Value) {
    assert_eq!(refused(&tables().await, operation, body).await, None, "{rule}: {}", shown(body));
}

async fn refuses(rule: &str, operation: &str, body: &Value) {
    let name = refused(&tables().await, operation, body).await;
    assert_eq!(name.as_deref(), Some("ValidationException"), "{rule}: {}", shown(body));
}

fn text(value: impl Into<String>) -> Value {
    json!({"S": value.into()})
}

fn item(sk: usize, more: &Value) -> Value {
    let mut item = Map::from_iter([("pk".to_owned(), text("P")), ("sk".to_owned(), text(sk.to_string()))]);
    item.extend(more.as_object().unwrap().clone());
    Value::Object(item)
}

fn put(item: &Value) -> Value {
    json!({"TableName": "items", "Item": item})
}

#[tokio::test]
async fn an_item_has_at_most_400_kb() {
    let rule = "The maximum item size in DynamoDB is 400 KB, which includes attribute names and values";
    // pk, P, sk, 0, d: 7 bytes.
    let sized = |bytes: usize| item(0, &json!({"d": text("x".repeat(bytes - 7))}));
    let (fits, more) = (sized(400 * KIBIBYTE), sized(400 * KIBIBYTE + 1));
    takes(rule, "PutItem", &put(&fits)).await;
    refuses(rule, "PutItem", &put(&more)).await;
    refuses(rule, "BatchWriteItem", &json!({"RequestItems": {"items": [{"PutRequest": {"Item": more}}]}}))
        .await;
    let tables = tables().await;
    let update = |bytes: usize| {
        json!({"TableName": "items", "Key": item(0, &json!({})), "UpdateExpression": "SET d = :d",
            "ExpressionAttributeValues": {":d": text("x".repeat(bytes))}})
    };
    assert_eq!(refused(&tables, "UpdateItem", &update(399 * KIBIBYTE)).await, None);
    assert!(refused(&tables, "UpdateItem", &update(400 * KIBIBYTE)).await.is_some(), "{rule}");
}

#[tokio::test]
async fn a_key_of_a_table_or_an_index_is_not_empty_and_within_its_maximum_length() {
    let rule = "An attribute value cannot be an empty string if the attribute is used for a table primary key or an index";
    let keyed = |pk: &str, sk: &str| put(&json!({"pk": text(pk), "sk": text(sk)}));
    refuses(rule, "PutItem", &keyed("", "s")).await;
    refuses(rule, "PutItem", &keyed("P", "")).await;
    refuses(rule, "GetItem", &json!({"TableName": "items", "Key": {"pk": text("P"), "sk": text("")}})).await;
    refuses(rule, "PutItem", &put(&item(0, &json!({"duePk": text(""), "dueAt": text("x")})))).await;
    refuses(rule, "PutItem", &put(&item(0, &json!({"duePk": text("x"), "dueAt": text("")})))).await;
    takes("Other attributes may be empty", "PutItem", &put(&item(0, &json!({"d": text("")})))).await;
    let rule = "The minimum length of a partition key value is 1 byte. The maximum length is 2048 bytes";
    takes(rule, "PutItem", &keyed(&"p".repeat(2048), "s")).await;
    refuses(rule, "PutItem", &keyed(&"p".repeat(2049), "s")).await;
    let rule = "The minimum length of a sort key value is 1 byte. The maximum length is 1024 bytes";
    takes(rule, "PutItem", &keyed("P", &"s".repeat(1024))).await;
    refuses(rule, "PutItem", &keyed("P", &"s".repeat(1025))).await;
}

#[tokio::test]
async fn a_batch_write_has_1_to_25_different_items() {
    let batch = |keys: &[usize]| {
        let puts: Vec<Value> =
            keys.iter().map(|sk| json!({"PutRequest": {"Item": item(*sk, &json!({}))}})).collect();
        json!({"RequestItems": {"items": puts}})
    };
    let some = |count: usize| batch(&(0..count).collect::<Vec<_>>());
    let rule = "There are more than 25 requests in the batch";
    takes(rule, "BatchWriteItem", &some(25)).await;
    refuses(rule, "BatchWriteItem", &some(26)).await;
    refuses(rule, "BatchWriteItem", &some(0)).await;
    let rule = "You try to perform multiple operations on the same item in the same BatchWriteItem request";
    refuses(rule, "BatchWriteItem", &batch(&[1, 2, 1])).await;
    let keys = |count: usize| (0..count).map(|sk| item(sk, &json!({}))).collect::<Vec<_>>();
    let read = |keys: Vec<Value>| json!({"RequestItems": {"items": {"Keys": keys}}});
    let rule = "A single operation can retrieve as many as 100 items";
    takes(rule, "BatchGetItem", &read(keys(100))).await;
    refuses(rule, "BatchGetItem", &read(keys(101))).await;
    refuses(
        "Provided list of item keys contains duplicates",
        "BatchGetItem",
        &read([keys(2), keys(1)].concat()),
    )
    .await;
}

#[tokio::test]
async fn a_transaction_has_1_to_100_different_items_and_4_mb() {
    let transaction = |items: Vec<Value>| {
        let items: Vec<Value> =
            items.into_iter().map(|item| json!({"Put": {"TableName": "items", "Item": item}})).collect();
        json!({"TransactItems": items})
    };
    let some = |count: usize| transaction((0..count).map(|sk| item(sk, &json!({}))).collect());
    let rule = "TransactWriteItems groups up to 100 action requests";
    takes(rule, "TransactWriteItems", &some(100)).await;
    refuses(rule, "TransactWriteItems", &some(101)).await;
    refuses(rule, "TransactWriteItems", &some(0)).await;
    let rule = "There are multiple operations on the same item in the transaction";
    refuses(rule, "TransactWriteItems", &transaction(vec![item(1, &json!({})), item(1, &json!({}))])).await;
    let rule = "The aggregate size of the items in the transaction cannot exceed 4 MB";
    let large = |count: usize| {
        transaction((0..count).map(|sk| item(sk, &json!({"d": text("x".repeat(399 * KIBIBYTE))}))).collect())
    };
    takes(rule, "TransactWriteItems", &large(10)).await;
    refuses(rule, "TransactWriteItems", &large(11)).await;
}

#[tokio::test]
async fn a_page_of_a_query_has_at_most_1_mb() {
    let tables = tables().await;
    for sk in 0..9 {
        let one = put(&item(sk, &json!({"d": text("x".repeat(300 * KIBIBYTE))})));
        assert_eq!(refused(&tables, "PutItem", &one).await, None);
    }
    let rule = "A single Query operation will read up to the maximum number of items set or a maximum of 1 MB of data";
    let mut query = json!({"TableName": "items", "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": text("P")}});
    let mut counts = Vec::new();
    loop {
        let page = call(&tables, "Query", &query).await;
        counts.push(page["Count"].as_u64().unwrap());
        if page["LastEvaluatedKey"].is_null() {
            break;
        }
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
    assert_eq!(counts.iter().sum::<u64>(), 9);
    assert!(counts.len() > 1 && counts.iter().all(|count| *count <= 4), "{rule}: {counts:?}");
}

#[tokio::test]
async fn an_expression_has_at_most_4_kb_and_uses_all_its_values() {
    let update = |expression: String, values: Value| {
        json!({"TableName": "items", "Key": item(0, &json!({})), "UpdateExpression": expression,
            "ExpressionAttributeValues": values})
    };
    let rule = "The maximum length of any expression string is 4 KB";
    let padded = |bytes: usize| format!("SET {}d = :v", " ".repeat(bytes - 10));
    takes(rule, "UpdateItem", &update(padded(4096), json!({":v": text("x")}))).await;
    refuses(rule, "UpdateItem", &update(padded(4097), json!({":v": text("x")}))).await;
    let rule = "Value unused in expressions";
    refuses(rule, "UpdateItem", &update("SET d = :v".to_owned(), json!({":v": text("x"), ":w": text("x")})))
        .await;
    let rule = "The nesting of lists and maps is at most 32 levels";
    let nested = |depth: usize| (0..depth).fold(text("x"), |inner, _| json!({"L": [inner]}));
    takes(rule, "PutItem", &put(&item(0, &json!({"d": nested(31)})))).await;
    refuses(rule, "PutItem", &put(&item(0, &json!({"d": nested(33)})))).await;
    let rule = "Empty sets are not allowed";
    refuses(rule, "PutItem", &put(&item(0, &json!({"d": {"SS": []}})))).await;
}
