//! The HTTP client of the API.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The timeout of a request. The API's slowest ones, a long poll and a test delivery, take 20 seconds each.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The API's largest page.
const MAX_PAGE_SIZE: usize = 100;

/// A client of one server with one API key.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
    url: String,
    key: Option<String>,
}

/// An HTTP response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Api {
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self { agent: config.into(), url: url.to_owned(), key: key.map(str::to_owned) }
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call("POST", path, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call("PATCH", path, Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call("DELETE", path, None)
    }

    /// Calls a path below `/api/v1` and returns the response's JSON.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}/api/v1/{path}", self.url);
        let mut headers =
            vec![("user-agent".to_owned(), concat!("stella/", env!("CARGO_PKG_VERSION")).to_owned())];
        if let Some(key) = &self.key {
            headers.push(("authorization".to_owned(), format!("Bearer {key}")));
        }
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let response = self.send(method, &url, &headers, body.map(Value::to_string).unwrap_or_default())?;
        let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        if (200..300).contains(&response.status) {
            return Ok(body);
        }
        if body.get("code").is_some() {
            return Err(Failure::Refused(body));
        }
        let detail = format!("{url} responded with {}", response.status);
        Err(Failure::Refused(json!({"detail": detail, "code": "not_this_api"})))
    }

    /// Sends a request to any URL.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: String,
    ) -> Result<Response, Failure> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|error| Failure::Usage(format!("{url}: {error}")))?;
        let unreachable =
            |error: ureq::Error| Failure::Unreachable { url: url.to_owned(), cause: error.to_string() };
        let response = self.agent.run(request).map_err(unreachable)?;
        let (parts, mut body) = response.into_parts();
        let body = body.read_to_vec().map_err(unreachable)?;
        Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The first `limit` rows of a list.
    pub(crate) fn list(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        limit: usize,
    ) -> Result<Vec<Value>, Failure> {
        let parameters: String = query
            .iter()
            .filter_map(|(name, value)| Some(format!("&{name}={}", escaped((*value)?))))
            .collect();
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        while rows.len() < limit {
            let size = limit.saturating_sub(rows.len()).min(MAX_PAGE_SIZE);
            let page = self.get(&format!("{path}?pageSize={size}{parameters}{cursor}"))?;
            rows.extend(page.get("data").and_then(Value::as_array).cloned().unwrap_or_default());
            match page.pointer("/pagination/nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={}", escaped(next)),
                None => break,
            }
        }
        Ok(rows)
    }
}

/// The member `data` of a response.
pub(crate) fn data(response: Value) -> Value {
    match response {
        Value::Object(mut members) => members.remove("data").unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// A text, percent-encoded for a query.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
