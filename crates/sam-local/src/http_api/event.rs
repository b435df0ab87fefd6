//! Makes the event of a request: payload format 2.0 of API Gateway's HTTP API.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::host::host;
use super::percent::{cleaned, decoded_query};

/// The largest event of a synchronous invocation, in bytes ("Lambda quotas" of the Lambda developer guide:
/// 6 MB). The body is a JSON text in it: quotes and control characters are escaped, and binary bodies are
/// base64. So the body of the largest event is smaller, by how much depends on its content.
pub(super) const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Headers that concern one connection only, and are not passed on.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a request came in.
pub(crate) struct Arrival<'a> {
    /// The key of its route.
    pub(crate) route_key: &'a str,
    /// The values of the path's variables.
    pub(crate) path_parameters: &'a BTreeMap<String, String>,
    /// The address of the client.
    pub(crate) peer: SocketAddr,
    /// The address of the listener.
    pub(crate) local: SocketAddr,
    /// When it arrived.
    pub(crate) at: DateTime<Utc>,
    /// Its id.
    pub(crate) id: &'a str,
}

/// The event, as JSON text.
pub(crate) fn event(request: &Parts, body: &[u8], arrival: &Arrival<'_>) -> String {
    let path = cleaned(request.uri.path());
    let query = cleaned(request.uri.query().unwrap_or_default());
    let host = host(&request.headers, arrival.local);
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let domain = name.map_or(host.as_str(), |(name, _)| name);
    let user_agent = request.headers.get(header::USER_AGENT).map(|value| text(value.as_bytes()));
    let mut event = json!({
        "version": "2.0",
        "routeKey": arrival.route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&request.headers, &host, body, arrival),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.split('.').next().unwrap_or_default(),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": arrival.peer.ip(),
                "userAgent": user_agent.unwrap_or_default(),
            },
            "requestId": arrival.id,
            "routeKey": arrival.route_key,
            "stage": "$default",
            "time": arrival.at.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": arrival.at.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    if let Some(members) = event.as_object_mut() {
        let cookies = cookies(&request.headers);
        let optional = [
            ("cookies", (!cookies.is_empty()).then(|| json!(cookies))),
            ("queryStringParameters", query_parameters(&query).map(Value::Object)),
            ("pathParameters", (!arrival.path_parameters.is_empty()).then(|| json!(arrival.path_parameters))),
        ];
        members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        if !body.is_empty() {
            let shown = std::str::from_utf8(body).ok().filter(|_| is_text(&request.headers));
            members.insert("isBase64Encoded".to_owned(), json!(shown.is_none()));
            let body = shown.map_or_else(|| STANDARD.encode(body), str::to_owned);
            members.insert("body".to_owned(), json!(body));
        }
    }
    event.to_string()
}

/// The headers in lower case, those of one name joined, with the ones that a gateway adds.
fn headers(given: &HeaderMap, host: &str, body: &[u8], arrival: &Arrival<'_>) -> Map<String, Value> {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in given {
        if HOP_BY_HOP.contains(&name.as_str()) || *name == header::COOKIE || *name == header::EXPECT {
            continue;
        }
        let value = text(value.as_bytes());
        headers
            .entry(name.as_str())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    headers.insert("host", host.to_owned());
    let has_length = given.contains_key(header::CONTENT_LENGTH);
    if has_length || !body.is_empty() {
        headers.insert("content-length", body.len().to_string());
    }
    let peer = arrival.peer.ip().to_string();
    let forwarded = HeaderName::from_static("x-forwarded-for");
    let through = match headers.get(forwarded.as_str()) {
        Some(before) => format!("{before}, {peer}"),
        None => peer,
    };
    headers.insert("x-forwarded-for", through);
    headers.insert("x-forwarded-port", arrival.local.port().to_string());
    headers.insert("x-forwarded-proto", "http".to_owned());
    headers.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

/// A header's value with `?` for bytes that are not ASCII, which parsers treat differently.
fn text(value: &[u8]) -> String {
    value.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter().map(|value| text(value.as_bytes()));
    values.flat_map(|value| value.split("; ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn query_parameters(query: &str) -> Option<Map<String, Value>> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded_query(value);
        parameters
            .entry(decoded_query(name))
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    let parameters: Map<_, _> =
        parameters.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    (!parameters.is_empty()).then_some(parameters)
}

/// Whether API Gateway passes a body of this content type as text. Without one, UTF-8 is text.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&kind.as_str())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(request: http::request::Builder, body: &[u8]) -> Value {
        let parts = request.body(()).unwrap().into_parts().0;
        let path_parameters = BTreeMap::from([("proxy".to_owned(), "events".to_owned())]);
        let arrival = Arrival {
            route_key: "ANY /api/v1/{proxy+}",
            path_parameters: &path_parameters,
            peer: "127.0.0.1:50000".parse().unwrap(),
            local: "127.0.0.1:8787".parse().unwrap(),
            at: "2026-03-01T12:00:00.123Z".parse().unwrap(),
            id: "01890000-0000-7000-8000-000000000000",
        };
        serde_json::from_str(&event(&parts, body, &arrival)).unwrap()
    }

    #[test]
    fn events_are_as_api_gateway_sends_them() {
        let request = Request::post("/api/v1/events?a=1&b=x%20y&a=2&c")
            .header("Host", "localhost:8787")
            .header("User-Agent", "curl/8")
            .header("Content-Type", "application/json; charset=utf-8")
            .header("X-Many", "one")
            .header("X-Many", "two")
            .header("Connection", "keep-alive")
            .header("Cookie", "a=1; b=2")
            .header("X-Forwarded-For", "203.0.113.7");
        insta::assert_json_snapshot!(of(request, br#"{"n":1}"#), @r#"
        {
          "body": "{\"n\":1}",
          "cookies": [
            "a=1",
            "b=2"
          ],
          "headers": {
            "content-length": "7",
            "content-type": "application/json; charset=utf-8",
            "host": "localhost:8787",
            "user-agent": "curl/8",
            "x-forwarded-for": "203.0.113.7, 127.0.0.1",
            "x-forwarded-port": "8787",
            "x-forwarded-proto": "http",
            "x-many": "one,two"
          },
          "isBase64Encoded": false,
          "pathParameters": {
            "proxy": "events"
          },
          "queryStringParameters": {
            "a": "1,2",
            "b": "x y",
            "c": ""
          },
          "rawPath": "/api/v1/events",
          "rawQueryString": "a=1&b=x%20y&a=2&c",
          "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
              "method": "POST",
              "path": "/api/v1/events",
              "protocol": "HTTP/1.1",
              "sourceIp": "127.0.0.1",
              "userAgent": "curl/8"
            },
            "requestId": "01890000-0000-7000-8000-000000000000",
            "routeKey": "ANY /api/v1/{proxy+}",
            "stage": "$default",
            "time": "01/Mar/2026:12:00:00 +0000",
            "timeEpoch": 1772366400123
          },
          "routeKey": "ANY /api/v1/{proxy+}",
          "version": "2.0"
        }
        "#);
    }

    #[test]
    fn a_request_without_a_body_has_none() {
        let event = of(Request::get("/api/v1/events"), b"");
        assert_eq!(event.get("body"), None);
        assert_eq!(event["isBase64Encoded"], json!(false));
        assert_eq!(event.get("queryStringParameters"), None);
        assert_eq!(event.get("cookies"), None);
    }

    #[test]
    fn a_body_is_text_if_it_is_utf8_of_a_textual_type() {
        for (kind, body, encoded) in [
            (Some("application/json"), b"{}".as_slice(), false),
            (Some("text/plain"), b"a", false),
            (Some("application/json"), b"\xff\xfe", true),
            (Some("application/x-www-form-urlencoded"), b"payload=1", true),
            (Some("application/octet-stream"), b"a", true),
            (None, b"a", false),
            (None, b"\xff", true),
        ] {
            let mut request = Request::post("/api/v1/events");
            if let Some(kind) = kind {
                request = request.header("Content-Type", kind);
            }
            let event = of(request, body);
            assert_eq!(event["isBase64Encoded"], json!(encoded), "{kind:?}");
            let shown = event["body"].as_str().unwrap();
            let same = if encoded { STANDARD.decode(shown).unwrap() } else { shown.as_bytes().to_vec() };
            assert_eq!(same, body);
        }
    }

    /// `lambda_http` must not panic, whatever a client sends.
    #[test]
    fn odd_requests_are_parsed_by_lambda_http() {
        for (host, path) in [
            ("a b", "/api/v1/\u{e9}"),
            ("999.1.1.1", "/api/v1/%zz?%"),
            ("x:y", "/api/v1/{a}|b?c=\"d\""),
            ("::1", "/?a=b=c&&=d"),
        ] {
            let uri: http::Uri = percent_path(path);
            let event = of(Request::post(uri).header("Host", host).header("x-odd", &b"\xe9"[..]), b"\xff")
                .to_string();
            let request = lambda_http::request::from_str(&event).unwrap();
            assert_eq!(request.method(), http::Method::POST);
        }
    }

    fn percent_path(path: &str) -> http::Uri {
        path.parse().unwrap_or_else(|_| cleaned(path).parse().unwrap())
    }
}
