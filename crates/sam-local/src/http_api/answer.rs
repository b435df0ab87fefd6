//! Makes the HTTP response of a function's answer: payload format 2.0 of API Gateway's HTTP API.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// The response; `None` if the answer is malformed.
///
/// By format 2.0, an answer without `statusCode` is itself the body, as JSON.
pub(crate) fn response(answer: &str) -> Option<Response> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let Some(status) = answer.get("statusCode") else {
        let body = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        return Response::builder().header(header::CONTENT_TYPE, "application/json").body(body.into()).ok();
    };
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let mut response = Response::new(body(&answer)?);
    *response.status_mut() =
        u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok())?;
    fill(response.headers_mut(), &answer)?;
    Some(response)
}

fn body(answer: &Value) -> Option<Body> {
    let body = match answer.get("body") {
        None | Some(Value::Null) => return Some(Body::empty()),
        Some(Value::String(body)) => body,
        Some(_) => return None,
    };
    if answer.get("isBase64Encoded").and_then(Value::as_bool) == Some(true) {
        return STANDARD.decode(body).ok().map(Body::from);
    }
    Some(Body::from(body.clone()))
}

fn fill(headers: &mut HeaderMap, answer: &Value) -> Option<()> {
    let mut has_type = false;
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name: HeaderName = name.parse().ok()?;
        // The server sets these itself.
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(&name) {
            continue;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        has_type |= name == header::CONTENT_TYPE;
        headers.append(name, HeaderValue::from_str(&text).ok()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(cookie.as_str()?).ok()?);
    }
    if !has_type && answer.get("body").is_some_and(Value::is_string) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    Some(())
}

/// A response of API Gateway's own: a status and a message.
pub(crate) fn own(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(serde_json::json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn read(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn status_headers_cookies_and_body_are_those_of_the_answer() {
        let answer = json!({
            "statusCode": 201, "headers": {"content-type": "application/json", "x-n": 5, "content-length": "9"},
            "multiValueHeaders": {"x-not": ["here"]}, "cookies": ["a=1", "b=2"],
            "body": "{}", "isBase64Encoded": false,
        });
        let response = response(&answer.to_string()).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["x-n"], "5");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers().get("content-length"), None);
        assert_eq!(read(response).await, b"{}");
    }

    #[tokio::test]
    async fn a_base64_body_is_decoded() {
        let answer = json!({"statusCode": 200, "body": STANDARD.encode([0, 255]), "isBase64Encoded": true});
        assert_eq!(read(response(&answer.to_string()).unwrap()).await, [0, 255]);
    }

    #[tokio::test]
    async fn an_answer_without_a_status_is_the_body() {
        let response = response(r#"{"n":1}"#).unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"] == "application/json"),
            (200, true)
        );
        assert_eq!(read(response).await, br#"{"n":1}"#);
    }

    #[test]
    fn malformed_answers_are_not_responses() {
        for answer in [
            "",
            "{",
            r#"{"statusCode":"odd"}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"body":{}}"#,
            r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
            r#"{"statusCode":200,"headers":{"a b":"c"}}"#,
            r#"{"statusCode":200,"headers":{"a":"b\nc"}}"#,
        ] {
            assert!(response(answer).is_none(), "{answer}");
        }
    }
}
