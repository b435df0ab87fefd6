//! A proxy in front of an AWS endpoint that injects faults into calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sam_local::credentials::Pair;
use serde_json::json;
use stella::environment::Environment;
use stella::error::Error;
use tokio::net::TcpListener;

mod partial;
mod refusal;

use refusal::Refusal;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is forwarded unchanged.
    None,
    /// Answered with a server error; no effect.
    ServerError,
    /// Answered with `ThrottlingException`; no effect.
    Throttled,
    /// Answered with `AccessDeniedException`; no effect.
    AccessDenied,
    /// Answered with a `ValidationException` that quotes the request; no effect.
    ValidationError,
    /// Takes effect, but is answered with a server error.
    ResponseLost,
    /// Takes effect, but the connection closes within the response.
    ResponseTruncated,
    /// Takes effect twice.
    Duplicated,
    /// Only the first half of a batch takes effect; the response names the rest.
    PartialBatch,
    /// Takes effect after a delay, so that later calls overtake it.
    Delayed,
}

/// The part of the request that [`Fault::ValidationError`] quotes.
pub const QUOTED: &str = "planted-item-7c8";

/// The request id of every injected refusal.
pub const REQUEST_ID: &str = "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG";

/// How long [`Fault::Delayed`] waits.
const DELAY: Duration = Duration::from_millis(50);

type Rule = Box<dyn Fn(&str) -> Fault + Send + Sync>;

struct Shared {
    target: String,
    /// The credentials that sign a request again if its body is changed here.
    pair: Option<Pair>,
    client: Client<HttpConnector, Body>,
    rule: Mutex<Rule>,
    /// Writes and messages that contain this text are rejected.
    rejected: Mutex<Option<String>>,
    /// Calls that contain this text are throttled.
    throttled: Mutex<Option<String>>,
}

/// A proxy in front of an endpoint.
#[derive(Clone)]
pub struct FaultProxy {
    /// Where it listens.
    pub url: String,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// Starts a proxy, without faults, for the endpoint that this variable of a function's environment names.
    ///
    /// # Errors
    /// `Fault` if a variable is missing.
    pub async fn of(environment: &Environment, variable: &'static str) -> Result<Self, Error> {
        let text = |name| environment.required(name).map(str::to_owned);
        let pair = Pair { access_key: text("AWS_ACCESS_KEY_ID")?, secret: text("AWS_SECRET_ACCESS_KEY")? };
        Ok(Self::start(environment.required(variable)?, Some(pair)).await)
    }

    /// Starts a proxy, without faults, for an endpoint. It has no credentials to sign a changed body, so
    /// [`Fault::PartialBatch`] and [`FaultProxy::reject`] cannot be used.
    pub async fn to(target: &str) -> Self {
        Self::start(target, None).await
    }

    async fn start(target: &str, pair: Option<Pair>) -> Self {
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            pair,
            client: Client::builder(TokioExecutor::new()).build_http(),
            rule: Mutex::new(Box::new(|_| Fault::None)),
            rejected: Mutex::default(),
            throttled: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Decides the fault of each later call by its operation.
    pub fn fail(&self, rule: impl Fn(&str) -> Fault + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// From now on rejects messages and writes that contain this text, as AWS rejects invalid ones: the entry
    /// of a message batch, otherwise the whole request.
    pub fn reject(&self, text: &str) {
        *self.shared.rejected.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// From now on throttles every call that contains this text.
    pub fn throttle(&self, text: &str) {
        *self.shared.throttled.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// From now on forwards every call unchanged.
    pub fn clear_faults(&self) {
        self.fail(|_| Fault::None);
        *self.shared.rejected.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.shared.throttled.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.split_once('.')).map_or("", |(_, name)| name).to_owned();
    let fault = (shared.rule.lock().unwrap_or_else(PoisonError::into_inner))(&operation);
    match fault {
        Fault::ServerError => return server_error(),
        Fault::Throttled => return refused("ThrottlingException", "injected fault"),
        Fault::AccessDenied => {
            let user = "arn:aws:sts::000000000000:assumed-role/role/function";
            return refused(
                "AccessDeniedException",
                &format!("User: {user} is not authorized to perform: {operation}"),
            );
        }
        Fault::ValidationError => {
            let message = format!(
                "1 validation error detected: Value '{{{QUOTED}}}' at 'requestItems' failed to satisfy constraint: \
                 Member must have length less than or equal to 25"
            );
            return refused("ValidationException", &message);
        }
        Fault::Delayed => tokio::time::sleep(DELAY).await,
        Fault::None
        | Fault::ResponseLost
        | Fault::ResponseTruncated
        | Fault::Duplicated
        | Fault::PartialBatch => {}
    }
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::try_from(format!("{}{path}", shared.target)).expect("an address");
    let Ok(mut body) = to_bytes(body, usize::MAX).await else { return server_error() };
    let throttled = shared.throttled.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if throttled.is_some_and(|text| String::from_utf8_lossy(&body).contains(&text)) {
        return refused("ThrottlingException", "injected fault");
    }
    let mut left_out = None;
    let rejected = shared.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match rejected.map_or(Refusal::None, |text| refusal::of(&operation, &body, &text)) {
        Refusal::None => {}
        Refusal::Whole(code) => return refused(code, "injected fault"),
        Refusal::Entries(rest, failed) => {
            body = rest;
            left_out = Some(failed);
        }
    }
    if fault == Fault::PartialBatch
        && let Some((part, rest)) = partial::split(&operation, &body)
    {
        body = part;
        left_out = Some(rest);
    }
    if left_out.is_some() {
        let pair = shared.pair.as_ref().expect("`reject` and `PartialBatch` need a function's proxy");
        pair.sign_again(&mut parts, &body).expect("a signed request");
    }
    let ask = async || {
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        shared.client.request(request).await
    };
    if fault == Fault::Duplicated && ask().await.is_err() {
        return server_error();
    }
    // The endpoint itself may have stopped.
    let Ok(answer) = ask().await else { return server_error() };
    match fault {
        Fault::ResponseLost => server_error(),
        Fault::ResponseTruncated => {
            let end = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("injected fault"))]);
            answer.map(|_| Body::from_stream(end))
        }
        _ if left_out.is_some() => {
            let (mut parts, answer) = answer.into_parts();
            let Ok(answer) = to_bytes(Body::new(answer), usize::MAX).await else { return server_error() };
            parts.headers.remove(CONTENT_LENGTH);
            // The checksum is that of the unchanged body.
            parts.headers.remove("x-amz-crc32");
            Response::from_parts(parts, Body::from(partial::joined(&answer, left_out)))
        }
        Fault::None
        | Fault::ServerError
        | Fault::Throttled
        | Fault::AccessDenied
        | Fault::ValidationError
        | Fault::Duplicated
        | Fault::Delayed
        | Fault::PartialBatch => answer.map(Body::new),
    }
}

/// An error response of AWS: code, message and request id.
fn refused(code: &str, message: &str) -> Response {
    let body = json!({"__type": format!("com.amazonaws#{code}"), "message": message}).to_string();
    (StatusCode::BAD_REQUEST, [("x-amzn-errortype", code), ("x-amzn-requestid", REQUEST_ID)], body)
        .into_response()
}

fn server_error() -> Response {
    let body =
        Bytes::from_static(br#"{"__type":"com.amazonaws#InternalServerError","message":"injected fault"}"#);
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}
