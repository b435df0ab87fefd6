//! The endpoint of DynamoDB and DynamoDB Streams: an embedded engine (dynoxide) on SQLite.
//!
//! One thread does all operations, in the order in which they arrive; the engine does one at a time anyway.
//! How long a caller waits depends only on what was queued before.

pub(crate) mod key_condition;
mod operations;
mod streams;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use dynoxide::Database;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::error::Error;
use crate::time::Time;

pub use dynoxide::actions::get_records::Record;

/// The largest request, in bytes: DynamoDB's limit.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// The operations that may add records to a stream.
const WRITES: [&str; 8] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
    "ExecuteStatement",
    "ExecuteTransaction",
    "BatchExecuteStatement",
];

/// The tables. Clones share them.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    file: Option<PathBuf>,
    /// The queue of the engine's thread, which ends with the last clone.
    calls: mpsc::Sender<Call>,
    writes: Arc<watch::Sender<u64>>,
}

/// A queued operation.
struct Call {
    operation: String,
    body: Bytes,
    answer: oneshot::Sender<Option<operations::Outcome>>,
}

impl DynamoDb {
    /// Opens the tables in a file, which is created if it does not exist, or in memory.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(location: Option<&Path>) -> Result<Self, Error> {
        let name = match location {
            Some(path) => path.to_str().map(str::to_owned),
            // Shared within the process, so that the index below can be created by another connection.
            None => Some(format!("file:{}?mode=memory&cache=shared", uuid::Uuid::new_v4())),
        };
        let name = name.ok_or_else(|| Error::fault("The path of the tables is not UTF-8"))?;
        let database = Database::new(&name).map_err(|error| engine(&error))?;
        // WAL with synchronous=NORMAL: acknowledged writes survive the process.
        database.disable_bulk_loading().map_err(|error| engine(&error))?;
        streams::index(&name)
            .map_err(|error| Error::fault("The tables' streams cannot be indexed").caused_by(error))?;
        let writes = Arc::new(watch::Sender::new(0));
        let (calls, called) = mpsc::channel();
        let (served, written) = (database.clone(), Arc::clone(&writes));
        std::thread::Builder::new()
            .name("tables".to_owned())
            .spawn(move || work(&served, &written, &called))
            .map_err(|error| Error::fault("No thread for the tables").caused_by(error))?;
        Ok(Self { database, file: location.map(Path::to_owned), calls, writes })
    }

    /// The endpoint.
    pub fn router(&self) -> Router {
        Router::new()
            .fallback(operate)
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .with_state(self.clone())
    }

    /// Serves the endpoint on a listener until the future is dropped.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// The engine itself, for calls without HTTP. They are not counted and do not wake stream readers.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Changes after every write through the endpoint, before its caller gets the answer.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    /// Deletes the items that have expired by the machine's clock, and the stream records that are older than
    /// a day. Returns the number of deleted items.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn sweep_expired(&self) -> Result<usize, Error> {
        let expired = self.database.sweep_ttl().map_err(|error| engine(&error))?;
        if let Some(file) = &self.file {
            streams::forget(file, Time::system().now())
                .map_err(|error| Error::fault("Stream records were not forgotten").caused_by(error))?;
        }
        Ok(expired)
    }
}

fn engine(error: &dynoxide::DynoxideError) -> Error {
    Error::fault("The tables' engine failed").caused_by(error.to_string())
}

/// Does the queued operations one by one, also those whose caller has gone away: a write is not taken back.
fn work(database: &Database, writes: &watch::Sender<u64>, calls: &mpsc::Receiver<Call>) {
    while let Ok(Call { operation, body, answer }) = calls.recv() {
        // A panic leaves its request without an answer and does not affect the next one.
        let done =
            std::panic::catch_unwind(AssertUnwindSafe(|| operations::operate(database, &operation, &body)));
        if WRITES.contains(&operation.as_str()) {
            writes.send_modify(|count| *count = count.wrapping_add(1));
        }
        if let Ok(done) = done {
            let _ = answer.send(done);
        }
    }
}

async fn operate(State(tables): State<DynamoDb>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(("dynamodb" | "dynamodbstreams", operation)) = crate::calls::target(&headers) else {
        return unknown();
    };
    if operation == "Query"
        && let Some(why) = serde_json::from_slice(&body).ok().and_then(|query| key_condition::refusal(&query))
    {
        let problem = json!({"__type": "com.amazon.coral.validate#ValidationException", "message": why});
        return response(StatusCode::BAD_REQUEST, problem.to_string());
    }
    let (answer, answered) = oneshot::channel();
    let sent = tables.calls.send(Call { operation: operation.to_owned(), body, answer });
    match (sent, answered.await) {
        (Ok(()), Ok(Some(Ok(answer)))) => response(StatusCode::OK, answer),
        (Ok(()), Ok(None)) => unknown(),
        (Ok(()), Ok(Some(Err(error)))) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            if status.is_server_error() {
                tracing::error!(error = %error, "the tables' engine failed");
            }
            response(status, error.to_json())
        }
        (Err(_), _) | (_, Err(_)) => {
            tracing::error!("the tables' engine did not answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn unknown() -> Response {
    let body = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    response(StatusCode::BAD_REQUEST, body.to_owned())
}

fn response(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    async fn call(tables: &DynamoDb, operation: &str, body: Value) -> StatusCode {
        let request = Request::post("/")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260301T120000Z")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=a/20260301/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00")
            .body(Body::from(body.to_string()))
            .unwrap();
        tables.router().oneshot(request).await.unwrap().status()
    }

    async fn with_a_stream(location: Option<&Path>) -> DynamoDb {
        let tables = DynamoDb::open(location).unwrap();
        let table = json!({
            "TableName": "core", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        });
        assert_eq!(call(&tables, "CreateTable", table).await, StatusCode::OK);
        tables
    }

    fn put(pk: &str) -> Value {
        json!({"TableName": "core", "Item": {"pk": {"S": pk}}})
    }

    #[tokio::test]
    async fn a_write_through_the_endpoint_wakes_readers_and_is_in_the_stream() {
        let tables = with_a_stream(None).await;
        let mut changes = tables.changes();
        for pk in ["a", "b"] {
            assert_eq!(call(&tables, "PutItem", put(pk)).await, StatusCode::OK);
        }
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        let all = tables.stream_records("core", None, 100).unwrap();
        assert_eq!(all.len(), 2);
        let first = all[0].dynamodb.sequence_number.as_str();
        let rest = tables.stream_records("core", Some(first), 100).unwrap();
        assert_eq!(rest.len(), 1);
        assert_eq!(
            serde_json::to_value(&rest[0]).unwrap()["dynamodb"]["NewImage"],
            json!({"pk": {"S": "b"}})
        );
    }

    #[tokio::test]
    async fn a_write_whose_caller_went_away_wakes_readers_too() {
        let tables = with_a_stream(None).await;
        let mut changes = tables.changes();
        {
            let mut caller = std::pin::pin!(call(&tables, "PutItem", put("a")));
            std::future::poll_fn(|context| {
                // The request is queued; whether it was answered already does not matter.
                let _ = caller.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
        }
        tokio::time::timeout(std::time::Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
        assert_eq!(tables.stream_records("core", None, 100).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_last_record_of_a_stream_is_found_by_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tables.db");
        let _tables = with_a_stream(Some(&file)).await;
        // The engine runs this query with every write.
        let sql = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
                   FROM _stream_records WHERE table_name = 'core'";
        let connection = rusqlite::Connection::open(&file).unwrap();
        let plan: String = connection.query_row(sql, [], |row| row.get("detail")).unwrap();
        assert!(plan.contains("stream_order"), "{plan}");
    }

    #[tokio::test]
    async fn stream_records_are_kept_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tables.db");
        let tables = with_a_stream(Some(&file)).await;
        for pk in ["old", "new"] {
            assert_eq!(call(&tables, "PutItem", put(pk)).await, StatusCode::OK);
        }
        let before = tables.stream_records("core", None, 100).unwrap();
        let connection = rusqlite::Connection::open(&file).unwrap();
        let sql = "UPDATE _stream_records SET created_at = created_at - 86401 WHERE keys_json LIKE '%old%'";
        assert_eq!(connection.execute(sql, []).unwrap(), 1);
        tables.sweep_expired().unwrap();
        let first = before[0].dynamodb.sequence_number.as_str();
        let after = tables.stream_records("core", Some(first), 100).unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].dynamodb.sequence_number, before[1].dynamodb.sequence_number);
        assert_eq!(tables.stream_records("core", None, 100).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn tables_in_memory_are_not_shared() {
        let one = with_a_stream(None).await;
        let other = with_a_stream(None).await;
        assert_eq!(call(&one, "PutItem", put("a")).await, StatusCode::OK);
        assert!(other.stream_records("core", None, 100).unwrap().is_empty());
    }
}
