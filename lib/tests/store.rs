//! The adapter for DynamoDB, against an embedded DynamoDB, over the wire.
#![cfg(feature = "aws")]
#![expect(clippy::unwrap_used, reason = "in what only tests call, it is how a test fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use dynoxide::Database;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stella::aws::Aws;
use stella::clock::SystemClock;
use stella::environment::Environment;
use stella::error::Kind;
use stella::store::listing::Cursor;
use stella::store::{Commit, Created, Key, Listing, PageRequest, Store};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Thing {
    name: String,
    revision: u64,
}

fn thing(name: &str, revision: u64) -> Thing {
    Thing { name: name.to_owned(), revision }
}

fn key(sk: &str) -> Key {
    Key { pk: "TENANT#1".to_owned(), sk: sk.to_owned() }
}

/// Empty tables for one test.
async fn store() -> Store {
    let database = Database::memory().unwrap();
    for table in ["core", "deliveries"] {
        let table = json!({
            "TableName": table, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        });
        database.create_table(serde_json::from_value(table).unwrap()).unwrap();
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let variables = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoint),
        ("CORE_TABLE", "core"),
        ("DELIVERIES_TABLE", "deliveries"),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let environment = Environment::new(variables, Arc::new(SystemClock));
    Store::new(&environment, &Aws::new(&environment).unwrap()).unwrap()
}

#[tokio::test]
async fn a_created_item_can_be_read_and_is_not_created_twice() {
    let core = store().await.core;
    let first: Created<Thing> = core.create(&key("A"), &thing("first", 1)).await.unwrap();
    assert_eq!(first, Created::Now);
    let second = core.create(&key("A"), &thing("second", 1)).await.unwrap();
    assert_eq!(second, Created::Before(thing("first", 1)));
    assert_eq!(core.get::<Thing>(&key("A")).await.unwrap(), Some(thing("first", 1)));
    core.delete(&key("A")).await.unwrap();
    assert_eq!(core.get::<Thing>(&key("A")).await.unwrap(), None);
}

#[tokio::test]
async fn an_item_is_replaced_only_at_the_expected_revision() {
    let core = store().await.core;
    core.put(&key("A"), &thing("first", 1)).await.unwrap();
    assert!(core.replace(&key("A"), &thing("second", 2), 1).await.unwrap());
    assert!(!core.replace(&key("A"), &thing("third", 2), 1).await.unwrap());
    assert_eq!(core.get::<Thing>(&key("A")).await.unwrap(), Some(thing("second", 2)));
}

#[tokio::test]
async fn a_failed_transaction_writes_nothing_and_returns_the_existing_items() {
    let store = store().await;
    store.core.put(&key("B"), &thing("there", 1)).await.unwrap();
    let mut transaction = store.transaction();
    transaction.create(&store.deliveries, &key("A"), &thing("new", 1)).unwrap();
    transaction.create(&store.core, &key("B"), &thing("other", 1)).unwrap();
    let Commit::Refused(refused) = transaction.commit().await.unwrap() else { panic!("not refused") };
    assert_eq!(refused.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
    assert!(refused[0].1.contains_key("name"));
    assert_eq!(store.deliveries.get::<Thing>(&key("A")).await.unwrap(), None);
}

#[tokio::test]
async fn each_transaction_increments_a_number() {
    let store = store().await;
    for _ in 0..3 {
        let mut transaction = store.transaction();
        transaction.increment(&store.core, &key("REV"), "number").unwrap();
        assert!(matches!(transaction.commit().await.unwrap(), Commit::Done));
    }
    let number: BTreeMap<String, serde_json::Value> = store.core.get(&key("REV")).await.unwrap().unwrap();
    assert_eq!(number["number"], json!(3));
}

/// Five rows over two partitions, a second apart.
async fn rows(store: &Store, start: DateTime<Utc>) {
    for (number, partition) in (0..5).zip(["P0", "P1"].into_iter().cycle()) {
        let id =
            stella::store::listing::id_bound(start.checked_add_signed(Duration::seconds(number)).unwrap());
        let key = Key { pk: partition.to_owned(), sk: format!("ROW#{id}") };
        store.core.put(&key, &thing(&number.to_string(), 1)).await.unwrap();
    }
}

fn listing() -> Listing {
    Listing { groups: vec![vec!["P0".to_owned(), "P1".to_owned()]], ..Listing::of("rows".to_owned(), "ROW#") }
}

#[tokio::test]
async fn the_total_counts_rows_beyond_the_page_up_to_the_lists_limit() {
    let store = store().await;
    let start: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    rows(&store, start).await;
    let now = start.checked_add_signed(Duration::hours(1)).unwrap();
    let request = PageRequest { page: 1, page_size: 2, ..PageRequest::default() };
    let short = Listing { counted_ahead: 1, ..listing() };
    let page = store.core.list::<Thing>(&short, &request, now, |_| true).await.unwrap();
    let counted = (page.pagination.total, page.pagination.total_is_lower_bound, page.pagination.has_more);
    assert_eq!((page.items.len(), counted), (2, (3, true, true)));
}

#[tokio::test]
async fn pages_over_several_partitions_are_newest_first_and_end() {
    let store = store().await;
    let start = DateTime::from_timestamp_millis(1_767_954_600_000).unwrap();
    rows(&store, start).await;
    let now = start.checked_add_signed(Duration::hours(1)).unwrap();
    let mut request = PageRequest { page: 1, page_size: 2, cursor: None, as_of: None };
    let mut seen = Vec::new();
    loop {
        let page = store.core.list::<Thing>(&listing(), &request, now, |_| true).await.unwrap();
        seen.push(page.items.iter().map(|row| row.name.clone()).collect::<Vec<_>>());
        assert_eq!(page.pagination.total, 5);
        let Some(cursor) = page.pagination.next_cursor else { break };
        request.cursor = Some(Cursor::parse(&cursor).unwrap());
    }
    assert_eq!(seen, [vec!["4", "3"], vec!["2", "1"], vec!["0"]]);
    let second = PageRequest { page: 2, page_size: 2, cursor: None, as_of: None };
    let second = store.core.list::<Thing>(&listing(), &second, now, |_| true).await.unwrap();
    assert_eq!(second.items.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["2", "1"]);
}

#[tokio::test]
async fn rows_created_after_as_of_are_left_out_and_a_page_that_is_too_deep_is_refused() {
    let store = store().await;
    let start = DateTime::from_timestamp_millis(1_767_954_600_000).unwrap();
    rows(&store, start).await;
    let as_of = start.checked_add_signed(Duration::seconds(2));
    let request = PageRequest { page: 1, page_size: 20, cursor: None, as_of };
    let page = store.core.list::<Thing>(&listing(), &request, start, |row| row.name != "1").await.unwrap();
    assert_eq!(page.items.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["2", "0"]);
    let deep = PageRequest { page: 501, page_size: 20, cursor: None, as_of };
    let error = store.core.list::<Thing>(&listing(), &deep, start, |_| true).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
}
