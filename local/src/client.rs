//! A client of the API, for the default tenant, the demo and the tests.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use stella::error::Error;

/// A client of one server with one API key. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: HyperClient<HttpConnector, Full<Bytes>>,
    base: String,
    key: Option<String>,
    witness: Option<Witness>,
}

/// Is called with every request of a client and its answer.
pub type Witness = Arc<dyn Fn(&Exchange<'_>) + Send + Sync>;

/// A request and its answer.
pub struct Exchange<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Its path with its query.
    pub path: &'a str,
    /// Its body.
    pub body: &'a Bytes,
    /// The answer.
    pub answer: &'a Answer,
}

/// The answer of a server.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The member `data` of the body.
    #[must_use]
    pub fn data(&self) -> &Value {
        self.body.get("data").unwrap_or(&Value::Null)
    }
}

impl Client {
    /// A client of the server at `base`, as in `http://127.0.0.1:8787`.
    #[must_use]
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: HyperClient::builder(TokioExecutor::new()).build(connector),
            base: base.to_owned(),
            key: key.map(str::to_owned),
            witness: None,
        }
    }

    /// A client with the same connections and a witness.
    #[must_use]
    pub fn witnessed(&self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self.clone() }
    }

    /// A client with the same connections and another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Sends a `GET` request.
    ///
    /// # Errors
    /// Unavailable when the server does not answer.
    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Sends JSON with `POST`.
    ///
    /// # Errors
    /// Unavailable when the server does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        self.json(Method::POST, path, body).await
    }

    /// Sends JSON with any method.
    ///
    /// # Errors
    /// Unavailable when the server does not answer.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Answer, Error> {
        let headers = [("content-type", "application/json")];
        self.send(method, path, &headers, Bytes::from(body.to_string())).await
    }

    /// Sends any body with any headers, and with the key if the client has one.
    ///
    /// # Errors
    /// Unavailable when the server does not answer; a fault when the request cannot be built.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .body(Full::new(body.clone()))
            .map_err(|error| Error::fault("a request cannot be built").caused_by(error))?;
        if let Some(key) = &self.key {
            let value = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|error| Error::fault("the key is not a header's value").caused_by(error))?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        for (name, value) in headers {
            let name = HeaderName::try_from(*name);
            let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(*value)) else {
                return Err(Error::fault("a header cannot be sent"));
            };
            request.headers_mut().append(name, value);
        }
        let unreachable = |error| Error::unavailable("the server did not answer").caused_by(error);
        let response = self.http.request(request).await.map_err(|error| unreachable(error.to_string()))?;
        let (parts, answer) = response.into_parts();
        let answer = answer.collect().await.map_err(|error| unreachable(error.to_string()))?.to_bytes();
        let answer = serde_json::from_slice(&answer).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status, headers: parts.headers, body: answer };
        if let Some(witness) = &self.witness {
            witness(&Exchange { method: &method, path, body: &body, answer: &answer });
        }
        Ok(answer)
    }
}
