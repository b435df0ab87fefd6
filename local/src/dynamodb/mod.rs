//! The DynamoDB endpoint: an embedded engine on SQLite, with a signal for whoever follows its streams.
//!
//! The engine serves its protocol on a listener only, so it listens on an inner port of loopback and
//! our router forwards to it over kept connections. That hop is where writes are noticed.

mod conditions;
mod streams;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use dynoxide::Database;
use http::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use stella::clock::{Clock as _, SystemClock};
use stella::error::Error;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

pub use dynoxide::actions::get_records::Record;

/// The operations after which a stream may have something new.
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

/// The largest request that DynamoDB takes, in bytes.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// The embedded engine and the way to it. Clones share it.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    file: Option<PathBuf>,
    inner: SocketAddr,
    client: Client<HttpConnector, Body>,
    writes: Arc<watch::Sender<u64>>,
    /// Dropped with the last clone, which stops the inner listener.
    _running: Arc<oneshot::Sender<()>>,
}

impl DynamoDb {
    /// Opens the tables in a file (created if absent), or in memory. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// If the file cannot be opened or no loopback port can be had.
    pub fn open(location: Option<&Path>) -> Result<Self, Error> {
        let name = match location {
            Some(path) => path.to_str().map(str::to_owned),
            // Shared within the process, so that the index below can be made from outside the engine.
            None => Some(format!("file:{}?mode=memory&cache=shared", uuid::Uuid::new_v4())),
        };
        let name = name.ok_or_else(|| Error::fault("The path of the tables is not UTF-8"))?;
        let database = Database::new(&name).map_err(|error| engine(&error))?;
        // "Not bulk" is WAL with synchronous=NORMAL: what is acknowledged outlives the process.
        database.disable_bulk_loading().map_err(|error| engine(&error))?;
        streams::index(&name)
            .map_err(|error| Error::fault("The tables' streams cannot be indexed").caused_by(error))?;
        let (listener, inner) = inner_listener()
            .map_err(|error| Error::fault("No loopback port for the tables").caused_by(error))?;
        let (running, stopped) = oneshot::channel::<()>();
        let served = database.clone();
        tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, served, shutdown).await {
                tracing::error!(error, "the tables' endpoint ended");
            }
        });
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            database,
            file: location.map(Path::to_owned),
            inner,
            client: Client::builder(TokioExecutor::new()).build(connector),
            writes: Arc::new(watch::Sender::new(0)),
            _running: Arc::new(running),
        })
    }

    /// The endpoint.
    pub fn router(&self) -> Router {
        Router::new().fallback(forward).with_state(self.clone())
    }

    /// Serves the endpoint on a listener until the task is dropped.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// The engine itself, for calls without the wire. They do not count and signal no change.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Changes after every write that went over the wire, before its caller has the answer.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.writes.subscribe()
    }

    /// Deletes the items whose time to live is over (by the machine's clock), and how many they were;
    /// forgets stream records older than a day.
    ///
    /// # Errors
    /// If the engine fails.
    pub fn sweep_expired(&self) -> Result<usize, Error> {
        let expired = self.database.sweep_ttl().map_err(|error| engine(&error))?;
        if let Some(file) = &self.file {
            streams::forget(file, SystemClock.now())
                .map_err(|error| Error::fault("Stream records were not forgotten").caused_by(error))?;
        }
        Ok(expired)
    }
}

fn inner_listener() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

fn engine(error: &dynoxide::DynoxideError) -> Error {
    Error::fault("The tables' engine failed").caused_by(error.to_string())
}

async fn forward(State(tables): State<DynamoDb>, mut request: Request) -> Response {
    let operation = crate::calls::target(request.headers()).map(|(_, operation)| operation.to_owned());
    let writes = operation.as_deref().is_some_and(|operation| WRITES.contains(&operation));
    if operation.as_deref() == Some("Query") {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        if let Some(why) = serde_json::from_slice(&body).ok().and_then(|query| conditions::refusal(&query)) {
            return invalid(&why);
        }
        request = Request::from_parts(parts, Body::from(body));
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match Uri::builder().scheme("http").authority(tables.inner.to_string()).path_and_query(path).build() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    }
    // A task of its own: a caller that gives up waiting does not take a write back, nor its signal.
    let asked = tokio::spawn(async move {
        let answer = tables.client.request(request).await;
        if writes {
            tables.writes.send_modify(|count| *count = count.wrapping_add(1));
        }
        answer
    });
    match asked.await {
        Ok(Ok(response)) => response.map(Body::new),
        Ok(Err(error)) => {
            tracing::error!(error = %error, "the tables did not answer");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// DynamoDB's answer to a request that is not valid.
fn invalid(why: &str) -> Response {
    let problem = json!({"__type": "com.amazon.coral.validate#ValidationException", "message": why});
    let content_type = (http::header::CONTENT_TYPE, "application/x-amz-json-1.0");
    (StatusCode::BAD_REQUEST, [content_type], problem.to_string()).into_response()
}

#[cfg(test)]
mod tests {
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
    async fn a_write_over_the_wire_is_signalled_and_in_the_stream() {
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
    async fn a_write_whose_caller_went_away_is_signalled_all_the_same() {
        let tables = with_a_stream(None).await;
        let mut changes = tables.changes();
        {
            let mut caller = std::pin::pin!(call(&tables, "PutItem", put("a")));
            std::future::poll_fn(|context| {
                assert!(caller.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        tokio::time::timeout(std::time::Duration::from_secs(10), changes.changed()).await.unwrap().unwrap();
        assert_eq!(tables.stream_records("core", None, 100).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_streams_last_record_is_found_by_an_index_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tables.db");
        let _tables = with_a_stream(Some(&file)).await;
        // As the engine asks with every write.
        let sql = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
                   FROM _stream_records WHERE table_name = 'core'";
        let connection = rusqlite::Connection::open(&file).unwrap();
        let plan: String = connection.query_row(sql, [], |row| row.get("detail")).unwrap();
        assert!(plan.contains("stream_order"), "{plan}");
    }

    #[tokio::test]
    async fn stream_records_are_kept_a_day() {
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
    async fn tables_in_memory_are_each_their_own() {
        let one = with_a_stream(None).await;
        let other = with_a_stream(None).await;
        assert_eq!(call(&one, "PutItem", put("a")).await, StatusCode::OK);
        assert!(other.stream_records("core", None, 100).unwrap().is_empty());
    }
}
