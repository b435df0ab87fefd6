//! A subscriber on loopback that records requests and answers them by a script.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a test waits for expected requests before it fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One received request.
#[derive(Debug, Clone)]
pub struct Received {
    /// `POST` or `PUT`.
    pub method: Method,
    /// The path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's exact bytes.
    pub body: Bytes,
}

impl Received {
    /// A header's value, empty if absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: "OK".to_owned() }
    }
}

type Script = Box<dyn Fn(usize, &Received) -> Reply + Send + Sync>;

struct Shared {
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
    script: Script,
}

/// A subscriber on loopback.
#[derive(Clone)]
pub struct Receiver {
    /// Its address, such as `http://127.0.0.1:4711/hook`.
    pub url: String,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Starts a receiver that answers each request, numbered from 0, by the script.
    pub async fn start(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            count: watch::Sender::new(0),
            script: Box::new(script),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Starts a receiver that answers 200 to everything.
    pub async fn accepting() -> Self {
        Self::start(|_, _| Reply::from(200)).await
    }

    /// The requests received so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `count` requests were received in all; waits for them for 0.1 seconds.
    pub async fn has(&self, count: usize) -> bool {
        let mut counted = self.shared.count.subscribe();
        let arrived = counted.wait_for(|now| *now >= count);
        tokio::time::timeout(Duration::from_millis(100), arrived).await.is_ok()
    }

    /// Waits until `count` requests were received in all, and returns them.
    ///
    /// # Panics
    /// If 30 seconds pass without a request.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_with_timeout(count, TIMEOUT).await
    }

    /// As [`Receiver::wait_for`], with another limit of the time without a request.
    ///
    /// # Panics
    /// If `timeout` passes without a request.
    pub async fn wait_with_timeout(&self, count: usize, timeout: Duration) -> Vec<Received> {
        let mut counted = self.shared.count.subscribe();
        loop {
            let so_far = *counted.borrow_and_update();
            if so_far >= count {
                return self.received();
            }
            let more = tokio::time::timeout(timeout, counted.changed()).await;
            assert!(more.is_ok(), "{so_far} of {count} requests were received");
        }
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received { method, path: uri.to_string(), headers, body };
    let number = {
        let mut all = shared.received.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(received.clone());
        all.len().saturating_sub(1)
    };
    let reply = (shared.script)(number, &received);
    shared.count.send_modify(|count| *count = count.saturating_add(1));
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, reply.body).into_response();
    for (name, value) in reply.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
