//! API Gateway's HTTP API: routes requests of one listener to functions.

mod answer;
mod body;
mod event;
mod host;
mod percent;
mod rejection;
mod route;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::header::{self, HeaderValue};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use self::body::Refused;
use self::event::{Arrival, MAX_EVENT_BYTES};
pub use self::rejection::Rejection;
pub(crate) use self::rejection::reject;
pub(crate) use self::route::{Route, Routes};
use crate::hosts::Hosts;
use crate::invoke::Invoker;
use crate::signal::Signal;
use crate::time::Time;

/// How long the headers of a request may take, and so how long a connection may be idle.
const MAX_HEADER_TIME: Duration = Duration::from_secs(30);
/// The largest headers of a request, in bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The most concurrent connections.
const MAX_CONNECTIONS: usize = 1024;
/// How much of large bodies functions handle at once, in KiB: parsed, a body takes many times its size in
/// memory.
const MAX_LARGE_KIB: usize = 4 * 1024;
/// How much of each body does not count for this, in KiB, so that small bodies never wait.
const SMALL_KIB: usize = 64;
/// The pause after a connection could not be accepted.
const REST: Duration = Duration::from_millis(200);

/// The HTTP API.
pub(crate) struct HttpApi {
    /// The function of each route.
    pub(crate) routes: Routes<Invoker>,
    /// The host names that it answers to.
    pub(crate) hosts: Hosts,
    /// The stack's time.
    pub(crate) time: Time,
    /// Closes the connections that do not end in time.
    pub(crate) cut: Signal,
    /// Answers the requests that are rejected before they reach a function.
    pub(crate) reject: fn(Rejection) -> Response,
    /// Room for large bodies.
    large: Semaphore,
}

impl HttpApi {
    /// An API without connections.
    pub(crate) fn new(
        routes: Routes<Invoker>,
        hosts: Hosts,
        time: Time,
        cut: Signal,
        reject: fn(Rejection) -> Response,
    ) -> Self {
        Self { routes, hosts, time, cut, reject, large: Semaphore::new(MAX_LARGE_KIB) }
    }

    /// Serves until `stop` fires; then answers the requests that have arrived, and returns.
    pub(crate) async fn serve(self, listener: TcpListener, stop: Signal) {
        let api = Arc::new(self);
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        while let Some(Ok(place)) = stop.or(Arc::clone(&free).acquire_owned()).await {
            let (stream, peer) = match stop.or(listener.accept()).await {
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) => {
                    tracing::warn!(error = %error, "no connection can be accepted");
                    stop.or(tokio::time::sleep(REST)).await;
                    continue;
                }
                None => break,
            };
            let watcher = graceful.watcher();
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                api.converse(stream, peer, watcher).await;
                drop(place);
            });
        }
        drop(listener);
        graceful.shutdown().await;
    }

    /// Serves one connection.
    async fn converse(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: hyper_util::server::graceful::Watcher,
    ) {
        // Without it, small answers wait for an acknowledgement. If it fails, they do.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let cut = self.cut.clone();
        let service = service_fn(move |request| {
            let api = Arc::clone(&self);
            async move { Ok::<_, Infallible>(api.answer(request, peer, local).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(MAX_HEADER_TIME)
            .max_header_size(MAX_HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Some(Err(error)) = cut.or(watcher.watch(connection)).await {
            tracing::debug!(error = %error, "a connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr, local: SocketAddr) -> Response {
        let (request, body) = request.into_parts();
        if !self.hosts.allow(&request.headers) {
            return closing((self.reject)(Rejection::UnknownHost), &request);
        }
        let Some((route, invoker, path_parameters)) =
            self.routes.find(request.method.as_str(), request.uri.path())
        else {
            return closing(answer::own(StatusCode::NOT_FOUND, "Not Found"), &request);
        };
        let body = match body::read(&request, body).await {
            Ok(body) => body,
            Err(refused) => return self.refusal(refused),
        };
        let _room = self.large.acquire_many(weight(&body)).await;
        let id = uuid::Uuid::new_v4().to_string();
        let arrival = Arrival {
            route_key: &route.key,
            path_parameters: &path_parameters,
            peer,
            local,
            at: self.time.now(),
            id: &id,
        };
        let event = event::event(&request, &body, &arrival);
        if event.len() > MAX_EVENT_BYTES {
            return (self.reject)(Rejection::BodyTooLarge);
        }
        drop(body);
        let failure = || answer::own(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
        let Ok(answer) = invoker.invoke(event).await else {
            return failure();
        };
        answer::response(&answer).unwrap_or_else(|| {
            tracing::error!(function.name = invoker.name(), "the function's answer is no response");
            failure()
        })
    }

    /// The answer to a request whose body was not read: nothing can follow it on this connection.
    fn refusal(&self, refused: Refused) -> Response {
        let mut response = match refused {
            Refused::TooLarge => (self.reject)(Rejection::BodyTooLarge),
            Refused::TooSlow => answer::own(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
            Refused::Broken => answer::own(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// How much a body counts among large ones, in KiB.
fn weight(body: &[u8]) -> u32 {
    let large = (body.len() / 1024).saturating_sub(SMALL_KIB).min(MAX_LARGE_KIB);
    u32::try_from(large).unwrap_or(u32::MAX)
}

/// An answer to a request whose body was not read. If it has one, the connection ends.
fn closing(mut response: Response, request: &http::request::Parts) -> Response {
    let has_body = request.headers.contains_key(header::TRANSFER_ENCODING)
        || request.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if has_body {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
