//! The HTTP client for subscribers and issuers: no redirects, no proxies, TLS is always verified, one
//! deadline for the whole attempt, and only the beginning of the answer is read.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::guard::{self, Refusal};
use crate::domain::outbound::outcome::{Failure, FailureKind, Outcome, Response, RetryAfter};
use crate::domain::shared::target::{EgressPolicy, Target};

/// How much of an answer's body [`Client::send`] reads, in bytes.
const MAX_READ: usize = 16 * 1024;

/// Calls subscribers and issuers. Clones share its connections, which are pooled per host.
#[derive(Clone)]
pub struct Client {
    http: HyperClient<HttpsConnector<Guarded>, Full<Bytes>>,
}

/// A request.
pub struct Request<'a> {
    /// The vetted URL.
    pub target: &'a Target,
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The deadline for everything: resolving, connecting, sending, and reading the answer.
    pub timeout: Duration,
}

impl Client {
    /// A client that calls only what `policy` allows.
    #[must_use]
    pub fn new(policy: EgressPolicy) -> Self {
        Self::with_tls(policy, HttpsConnectorBuilder::new().with_webpki_roots())
    }

    pub(super) fn with_tls(policy: EgressPolicy, tls: HttpsConnectorBuilder<WantsSchemes>) -> Self {
        let connector = tls.https_or_http().enable_all_versions().wrap_connector(Guarded { policy });
        let http = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .build(connector);
        Self { http }
    }

    /// Sends the request, and returns the answer or the failure.
    pub async fn send(&self, request: Request<'_>) -> Outcome {
        let started = Instant::now();
        let timeout = request.timeout;
        let answer = tokio::time::timeout(timeout, self.exchange(request, MAX_READ)).await;
        let response_time_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answer {
            Ok(Ok((status, retry_after, body))) => {
                Outcome::Response(Response { status, body, retry_after, response_time_ms })
            }
            Ok(Err(kind)) => Outcome::Failure(Failure { kind, response_time_ms }),
            Err(_) => Outcome::Failure(Failure { kind: FailureKind::Timeout, response_time_ms }),
        }
    }

    /// Fetches a document of at most `max` bytes.
    ///
    /// # Errors
    /// The kind of the failure. Any status but 200, and a longer document, is [`FailureKind::Protocol`].
    pub async fn fetch(&self, request: Request<'_>, max: usize) -> Result<Vec<u8>, FailureKind> {
        let exchange = tokio::time::timeout(request.timeout, self.exchange(request, max.saturating_add(1)));
        let (status, _, body) = exchange.await.map_err(|_| FailureKind::Timeout)??;
        if status == 200 && body.len() <= max { Ok(body) } else { Err(FailureKind::Protocol) }
    }

    /// The status, `Retry-After`, and at most `max` bytes of the body.
    async fn exchange(
        &self,
        request: Request<'_>,
        max: usize,
    ) -> Result<(u16, Option<RetryAfter>, Vec<u8>), FailureKind> {
        let mut built = http::Request::builder().method(request.method).uri(request.target.uri().clone());
        if let Some(headers) = built.headers_mut() {
            for (name, value) in &request.headers {
                let name = HeaderName::try_from(name.as_str()).map_err(|_| FailureKind::Protocol)?;
                let value = HeaderValue::try_from(value.as_str()).map_err(|_| FailureKind::Protocol)?;
                headers.insert(name, value);
            }
        }
        let built = built.body(Full::new(request.body)).map_err(|_| FailureKind::Protocol)?;
        let response = self.http.request(built).await.map_err(|error| kind_of(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(RetryAfter::parse);
        let body = beginning(response.into_body(), max).await?;
        Ok((status, retry_after, body))
    }
}

/// The beginning of a body. The rest is not read: the connection is closed.
async fn beginning(mut body: Incoming, max: usize) -> Result<Vec<u8>, FailureKind> {
    let mut read = Vec::new();
    while read.len() < max {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|_| FailureKind::Interrupted)?;
        if let Some(data) = frame.data_ref() {
            let room = max.saturating_sub(read.len()).min(data.len());
            read.extend_from_slice(data.get(..room).unwrap_or_default());
        }
    }
    Ok(read)
}

/// The kind of the client's error, by its innermost cause.
fn kind_of(error: &hyper_util::client::legacy::Error) -> FailureKind {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<Refusal>() {
            return match refusal {
                Refusal::Blocked => FailureKind::Blocked,
                Refusal::Dns => FailureKind::Dns,
                Refusal::Connect => FailureKind::Connect,
            };
        }
        if is_of_tls(current) {
            return FailureKind::Tls;
        }
        if current.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return FailureKind::Protocol;
        }
        cause = current.source();
    }
    if error.is_connect() { FailureKind::Connect } else { FailureKind::Interrupted }
}

/// Whether an error comes from TLS. An [`std::io::Error`] may wrap it, and does not return it as its source.
fn is_of_tls(error: &(dyn StdError + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| is_of_tls(wrapped))
}

/// Connects through the egress guard.
#[derive(Clone)]
struct Guarded {
    policy: EgressPolicy,
}

impl tower_service::Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(guard::connect(uri, self.policy.clone()))
    }
}
