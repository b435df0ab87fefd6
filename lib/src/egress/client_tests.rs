//! How the client handles receivers that misbehave, over real sockets on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper_rustls::HttpsConnectorBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Client, Request};
use crate::domain::outbound::outcome::{FailureKind, Outcome, Response, RetryAfter};
use crate::domain::shared::target::{EgressPolicy, Target};

/// A receiver that reads one request and then does what `answer` does.
async fn receiver<F>(answer: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut read = [0; 4096];
        let _ = stream.read(&mut read).await;
        answer(stream).await;
    });
    address
}

fn loopback_allowed() -> EgressPolicy {
    EgressPolicy::new(true, vec!["127.0.0.0/8".parse().expect("a CIDR")])
}

async fn post(url: &str, timeout: Duration) -> Outcome {
    let policy = loopback_allowed();
    let target = Target::vet(url, &policy).expect("a target");
    let request = Request {
        target: &target,
        method: "POST",
        headers: vec![],
        body: Bytes::from_static(b"{}"),
        timeout,
    };
    Client::new(policy).send(request).await
}

async fn response_of(answer: &'static str) -> Response {
    let address = receiver(move |mut stream| async move {
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    match post(&format!("http://{address}/hook"), Duration::from_secs(5)).await {
        Outcome::Response(response) => response,
        Outcome::Failure(failure) => panic!("{failure:?}"),
    }
}

async fn failure_of(url: &str, timeout: Duration) -> FailureKind {
    match post(url, timeout).await {
        Outcome::Failure(failure) => failure.kind,
        Outcome::Response(response) => panic!("{response:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_returned_with_its_status_and_body() {
    let response = response_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").await;
    assert_eq!((response.status, response.body.as_slice()), (200, b"OK".as_slice()));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(response_of(answer).await.status, 302);
}

#[tokio::test]
async fn retry_after_is_read() {
    let answer = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(response_of(answer).await.retry_after, Some(RetryAfter::Seconds(120)));
}

#[tokio::test]
async fn only_the_beginning_of_a_large_body_is_read() {
    const MEBIBYTE: usize = 1024 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let address = receiver(move |mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 400 * MEBIBYTE);
        let _ = stream.write_all(head.as_bytes()).await;
        while counted.load(Ordering::SeqCst) < 400 * MEBIBYTE {
            if stream.write_all(&[b'x'; 8192]).await.is_err() {
                return;
            }
            counted.fetch_add(8192, Ordering::SeqCst);
        }
    })
    .await;
    let outcome = post(&format!("http://{address}/"), Duration::from_secs(5)).await;
    let Outcome::Response(response) = outcome else { panic!("{outcome:?}") };
    assert_eq!(response.body.len(), 16 * 1024);
    // The rest fills the sockets' buffers and goes no further.
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 32 * MEBIBYTE, "{sent} bytes of 400 MiB were taken");
}

#[tokio::test]
async fn a_body_that_never_ends_ends_with_the_timeout() {
    let address = receiver(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx").await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(
        failure_of(&format!("http://{address}/"), Duration::from_millis(100)).await,
        FailureKind::Timeout
    );
}

#[tokio::test]
async fn a_receiver_that_hangs_ends_with_the_timeout() {
    let address = receiver(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(
        failure_of(&format!("http://{address}/"), Duration::from_millis(100)).await,
        FailureKind::Timeout
    );
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_protocol_failure() {
    let address = receiver(|mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    assert_eq!(
        failure_of(&format!("http://{address}/"), Duration::from_secs(5)).await,
        FailureKind::Protocol
    );
}

/// The failure of a receiver that writes `again` endlessly, and how many bytes of that it could write.
async fn repeating(first: &'static str, again: &'static str, timeout: Duration) -> (FailureKind, usize) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let address = receiver(move |mut stream| async move {
        let _ = stream.write_all(first.as_bytes()).await;
        while stream.write_all(again.as_bytes()).await.is_ok() {
            counted.fetch_add(again.len(), Ordering::SeqCst);
        }
    })
    .await;
    let kind = failure_of(&format!("http://{address}/"), timeout).await;
    (kind, sent.load(Ordering::SeqCst))
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let (kind, sent) = repeating("HTTP/1.1 200 OK\r\n", "X-More: of it\r\n", Duration::from_secs(5)).await;
    assert_eq!(kind, FailureKind::Protocol);
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_flood_of_interim_answers_ends_with_the_timeout() {
    let (kind, _) = repeating("", "HTTP/1.1 100 Continue\r\n\r\n", Duration::from_millis(200)).await;
    assert_eq!(kind, FailureKind::Timeout);
}

#[tokio::test]
async fn headers_that_come_byte_by_byte_end_with_the_timeout() {
    let address = receiver(|mut stream| async move {
        for byte in "HTTP/1.1 200 OK\r\nX-Slow: ".bytes().chain(std::iter::repeat_n(b'x', 10_000)) {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let kind = failure_of(&format!("http://{address}/"), Duration::from_millis(200)).await;
    assert_eq!(kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_interrupted() {
    let address = receiver(|stream| async move { drop(stream) }).await;
    let kind = failure_of(&format!("http://{address}/"), Duration::from_secs(5)).await;
    assert_eq!(kind, FailureKind::Interrupted);
}

#[tokio::test]
async fn a_compressed_body_is_not_decompressed() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb";
    assert_eq!(response_of(answer).await.body.as_slice(), b"bomb");
}

/// The outcome of a call to a receiver with a certificate for `name` that expires in the year `until`.
/// `is_trusted`: the client trusts the authority that signed it.
async fn with_certificate(name: &str, until: i32, is_trusted: bool) -> Outcome {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("a certificate");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    });
    let mut roots = rustls::RootCertStore::empty();
    if is_trusted {
        roots.add(root.der().clone()).expect("a root");
    }
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let target = Target::vet(&format!("https://localhost:{port}/"), &loopback_allowed()).expect("a target");
    let (method, headers, body) = ("POST", vec![], Bytes::new());
    let timeout = Duration::from_secs(5);
    let request = Request { target: &target, method, headers, body, timeout };
    Client::with_tls(loopback_allowed(), HttpsConnectorBuilder::new().with_tls_config(tls))
        .send(request)
        .await
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_valid_and_for_the_name() {
    let taken = with_certificate("localhost", 4_000, true).await;
    assert!(matches!(&taken, Outcome::Response(response) if response.status == 204), "{taken:?}");
    for (name, until, is_trusted) in
        [("localhost", 4_000, false), ("localhost", 2_001, true), ("hooks.example.com", 4_000, true)]
    {
        let outcome = with_certificate(name, until, is_trusted).await;
        let is_refused = matches!(&outcome, Outcome::Failure(failure) if failure.kind == FailureKind::Tls);
        assert!(is_refused, "{name} until {until}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    assert_eq!(failure_of(&format!("http://{address}/"), Duration::from_secs(5)).await, FailureKind::Connect);
}

/// Whether a call is blocked by a policy that does not allow loopback, although the URL was saved under one
/// that does.
async fn is_blocked_when_called(url: &str) -> bool {
    let target = Target::vet(url, &loopback_allowed()).expect("a target");
    let request = Request {
        target: &target,
        method: "POST",
        headers: vec![],
        body: Bytes::new(),
        timeout: Duration::from_secs(5),
    };
    let outcome = Client::new(EgressPolicy::default()).send(request).await;
    matches!(outcome, Outcome::Failure(failure) if failure.kind == FailureKind::Blocked)
}

#[tokio::test]
async fn a_loopback_address_is_blocked_at_the_call_if_the_policy_does_not_allow_it() {
    assert!(is_blocked_when_called("http://127.0.0.1:9/").await);
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_blocked_at_the_call_if_the_policy_does_not_allow_it() {
    assert!(is_blocked_when_called("http://localhost:9/").await);
}
