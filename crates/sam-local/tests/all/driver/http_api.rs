//! The HTTP API: events, answers, limits and host names.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sam_local::{Settings, Stack};
use serde_json::{Value, json};

use super::{closure, functions, settings};

/// A stack whose function `api` answers with its event, or fails as the path says.
async fn echo() -> Stack {
    echo_with(|settings| settings).await
}

/// The same with other settings.
async fn echo_with(set: impl FnOnce(Settings) -> Settings) -> Stack {
    let function = closure(|event| async move {
        match event["rawPath"].as_str().unwrap_or_default() {
            "/api/v1/error" => Err("broken".into()),
            "/api/v1/panic" => panic!("as asked"),
            "/api/v1/late" => std::future::pending().await,
            "/api/v1/odd" => Ok(r#"{"statusCode": "odd"}"#.to_owned()),
            _ => Ok(json!({
                "statusCode": 200, "headers": {"content-type": "application/json", "x-own": "yes"},
                "cookies": ["a=1", "b=2"], "body": event.to_string(),
            })
            .to_string()),
        }
    });
    Stack::start(set(settings(functions("api", &function)))).await.unwrap()
}

/// A stack whose function `api` answers with the size of its event in bytes.
async fn measuring() -> Stack {
    let function = closure(|event| async move {
        let body = json!({"event": event.to_string().len()}).to_string();
        Ok(json!({"statusCode": 200, "body": body}).to_string())
    });
    Stack::start(settings(functions("api", &function))).await.unwrap()
}

/// Sends bytes, and returns all that is received until the connection ends.
async fn talk(stack: &Stack, bytes: impl Into<Vec<u8>>) -> String {
    let address = stack.url().strip_prefix("http://").unwrap().to_owned();
    let bytes = bytes.into();
    let talk = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_the_function_and_its_answer_comes_back() {
    let stack = echo().await;
    let answer = talk(&stack, get("/api/v1/events/7?page=2")).await;
    assert_eq!(status(&answer), "200");
    for line in ["x-own: yes", "set-cookie: a=1", "set-cookie: b=2", "content-type: application/json"] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    let event = body(&answer);
    assert_eq!(event["routeKey"], "ANY /api/v1/{proxy+}");
    assert_eq!(event["pathParameters"], json!({"proxy": "events/7"}));
    assert_eq!(event["queryStringParameters"], json!({"page": "2"}));
    assert_eq!(event["requestContext"]["http"]["method"], "GET");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["requestContext"]["timeEpoch"], super::noon().timestamp_millis());
    assert_eq!(stack.calls().of("lambda", "ApiFunction"), 1);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_invocation_is_a_500_and_does_not_affect_others() {
    let stack = echo().await;
    for path in ["/api/v1/error", "/api/v1/panic", "/api/v1/odd", "/api/v1/late"] {
        let answer = talk(&stack, get(path)).await;
        assert_eq!(status(&answer), "500", "{path}");
        assert_eq!(body(&answer), json!({"message": "Internal Server Error"}), "{path}");
    }
    assert_eq!(status(&talk(&stack, get("/api/v1/fine")).await), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_route_is_a_404() {
    let stack = echo().await;
    let answer = talk(&stack, get("/elsewhere")).await;
    assert_eq!(status(&answer), "404");
    assert_eq!(body(&answer), json!({"message": "Not Found"}));
    assert_eq!(stack.calls().of_service("lambda"), stack.calls().of("lambda", "SweepFunction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_several_requests() {
    let stack = echo().await;
    let first = "GET /api/v1/one HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = talk(&stack, format!("{first}{}", get("/api/v1/two"))).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_fits_no_event_is_rejected() {
    let stack = measuring().await;
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n";
    let whole = |kind: &str, fill: &str, size: usize| {
        let head =
            format!("{head}Content-Type: {kind}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n");
        head + &fill.repeat(size)
    };
    // Of the 6 291 456 bytes of an event, other members need less than 2 KiB.
    let most = 6 * 1024 * 1024 - 2048;
    for (kind, fill, size) in [
        ("text/plain", "x", most),
        ("application/json", "\"", most / 2),
        ("application/octet-stream", "x", most / 4 * 3),
    ] {
        let answer = talk(&stack, whole(kind, fill, size)).await;
        assert_eq!(status(&answer), "200", "{kind}");
        let event = body(&answer)["event"].as_u64().unwrap();
        assert!((most as u64..=6 * 1024 * 1024).contains(&event), "{kind}: {event}");
        let answer = talk(&stack, whole(kind, fill, size + 2048)).await;
        assert_eq!(status(&answer), "413", "{kind}");
    }
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(97));
    let asking = format!("{head}Expect: 100-continue\r\nContent-Length: 6291457\r\n\r\n");
    for request in [whole("text/plain", "x", 6 * 1024 * 1024 + 1), chunked, asking] {
        let answer = talk(&stack, request).await;
        assert_eq!(status(&answer), "413");
        assert_eq!(body(&answer), json!({"message": "Request Entity Too Large"}));
    }
}

fn asking(host: &str) -> String {
    format!("GET /api/v1/a HTTP/1.1\r\n{host}Connection: close\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_an_unknown_host_is_forbidden() {
    let stack = echo().await;
    for host in ["Host: evil.example\r\n", "Host: evil.example:8787\r\n", "Host:\r\n", ""] {
        let answer = talk(&stack, asking(host)).await;
        assert_eq!(status(&answer), "403", "{host}");
        assert_eq!(body(&answer), json!({"message": "Forbidden"}));
    }
    for host in ["Host: localhost\r\n", "Host: 127.0.0.1:1\r\n", "Host: [::1]:8787\r\n"] {
        assert_eq!(status(&talk(&stack, asking(host)).await), "200", "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_hosts_are_answered() {
    let names = ["hooks.example.com", "999.999.999.999"].map(str::to_owned);
    let stack = echo_with(|settings| Settings { allow_hosts: names.to_vec(), ..settings }).await;
    let event = body(&talk(&stack, asking("Host: hooks.example.com\r\n")).await);
    assert_eq!(event["requestContext"]["domainName"], "hooks.example.com");
    // A host that URL parsers reject is replaced.
    let event = body(&talk(&stack, asking("Host: 999.999.999.999\r\n")).await);
    assert_eq!(format!("http://{}", event["headers"]["host"].as_str().unwrap()), stack.url());
    assert_eq!(status(&talk(&stack, asking("Host: other.example\r\n")).await), "403");
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_than_http_is_rejected() {
    let stack = echo().await;
    assert_eq!(status(&talk(&stack, "nonsense\r\n\r\n").await), "400");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_headers_are_rejected() {
    let stack = echo().await;
    let long = format!("GET /api/v1/a HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(status(&talk(&stack, long).await), "431");
}
