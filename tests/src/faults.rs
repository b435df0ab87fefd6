//! A wire that can break: it stands before an AWS endpoint and fails calls as it is told.

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
use serde_json::json;
use stella::environment::Environment;
use stella::error::Error;
use stella_local::credentials::Pair;
use tokio::net::TcpListener;

mod partial;
mod refusal;

use refusal::Refusal;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens to it.
    None,
    /// It is answered with a fault and has no effect.
    Refused,
    /// It is answered that there were too many, and has no effect.
    Throttled,
    /// It is answered that the caller may not do this, and has no effect.
    Denied,
    /// It is answered that it is out of shape, with what it says, and has no effect.
    Invalid,
    /// It has its effect, and its answer is lost.
    AnswerLost,
    /// It has its effect, and its answer breaks off with the connection.
    BrokenOff,
    /// It has its effect twice.
    Twice,
    /// Of a batch, only the beginning has its effect, and the answer says so.
    InPart,
    /// It has its effect late: what was asked for after it comes before it.
    Late,
}

/// What a refusal for a request's shape quotes of the request.
pub const QUOTED: &str = "planted-item-7c8";

/// The id of each request that is refused.
pub const REQUEST_ID: &str = "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG";

/// How late.
const LATE: Duration = Duration::from_millis(50);

type Rule = Box<dyn Fn(&str) -> Fault + Send + Sync>;

struct Shared {
    target: String,
    /// What a request is signed with anew whose body is changed here.
    pair: Option<Pair>,
    client: Client<HttpConnector, Body>,
    rule: Mutex<Rule>,
    /// What the service refuses for good in whatever is sent or written.
    poison: Mutex<Option<String>>,
    /// What it has no capacity for.
    starved: Mutex<Option<String>>,
}

/// A wire before an endpoint.
#[derive(Clone)]
pub struct Wire {
    /// Where it listens.
    pub url: String,
    shared: Arc<Shared>,
}

impl Wire {
    /// The wire of a function to the endpoint that its environment has under this name, without faults so far.
    ///
    /// # Errors
    /// A fault when a variable is missing.
    pub async fn of(environment: &Environment, variable: &'static str) -> Result<Self, Error> {
        let text = |name| environment.required(name).map(str::to_owned);
        let pair = Pair { access_key: text("AWS_ACCESS_KEY_ID")?, secret: text("AWS_SECRET_ACCESS_KEY")? };
        Ok(Self::carrying(environment.required(variable)?, Some(pair)).await)
    }

    /// A wire to an endpoint, without faults so far. It can change no body: it could not sign it.
    pub async fn to(target: &str) -> Self {
        Self::carrying(target, None).await
    }

    async fn carrying(target: &str, pair: Option<Pair>) -> Self {
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            pair,
            client: Client::builder(TokioExecutor::new()).build_http(),
            rule: Mutex::new(Box::new(|_| Fault::None)),
            poison: Mutex::default(),
            starved: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(carry).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// From now on, a call of each operation has this fault.
    pub fn fail(&self, rule: impl Fn(&str) -> Fault + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// From now on the service refuses for good whatever holds this text, as it does what it can never take: of a
    /// batch of messages the entry, of other writes the request.
    pub fn refuse(&self, text: &str) {
        *self.shared.poison.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// From now on every call that holds this text is throttled.
    pub fn starve(&self, text: &str) {
        *self.shared.starved.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// From now on nothing fails.
    pub fn mend(&self) {
        self.fail(|_| Fault::None);
        *self.shared.poison.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.shared.starved.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn carry(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.split_once('.')).map_or("", |(_, name)| name).to_owned();
    let fault = (shared.rule.lock().unwrap_or_else(PoisonError::into_inner))(&operation);
    match fault {
        Fault::Refused => return broken(),
        Fault::Throttled => return refused("ThrottlingException", "as asked"),
        Fault::Denied => {
            let user = "arn:aws:sts::000000000000:assumed-role/role/function";
            return refused(
                "AccessDeniedException",
                &format!("User: {user} is not authorized to perform: {operation}"),
            );
        }
        Fault::Invalid => {
            let message = format!(
                "1 validation error detected: Value '{{{QUOTED}}}' at 'requestItems' failed to satisfy constraint: \
                 Member must have length less than or equal to 25"
            );
            return refused("ValidationException", &message);
        }
        Fault::Late => tokio::time::sleep(LATE).await,
        Fault::None | Fault::AnswerLost | Fault::BrokenOff | Fault::Twice | Fault::InPart => {}
    }
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::try_from(format!("{}{path}", shared.target)).expect("an address");
    let Ok(mut body) = to_bytes(body, usize::MAX).await else { return broken() };
    let starved = shared.starved.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if starved.is_some_and(|text| String::from_utf8_lossy(&body).contains(&text)) {
        return refused("ThrottlingException", "as asked");
    }
    let mut left_out = None;
    let poison = shared.poison.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match poison.map_or(Refusal::None, |poison| refusal::of(&operation, &body, &poison)) {
        Refusal::None => {}
        Refusal::Whole(code) => return refused(code, "as asked"),
        Refusal::Entries(rest, failed) => {
            body = rest;
            left_out = Some(failed);
        }
    }
    if fault == Fault::InPart
        && let Some((part, rest)) = partial::split(&operation, &body)
    {
        body = part;
        left_out = Some(rest);
    }
    if left_out.is_some() {
        let pair = shared.pair.as_ref().expect("a wire that changes bodies is a function's");
        pair.sign_again(&mut parts, &body).expect("a signed request");
    }
    let ask = async || {
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        shared.client.request(request).await
    };
    if fault == Fault::Twice && ask().await.is_err() {
        return broken();
    }
    // Where the endpoint itself has ended, so has the answer.
    let Ok(answer) = ask().await else { return broken() };
    match fault {
        Fault::AnswerLost => broken(),
        Fault::BrokenOff => {
            let end = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("as asked"))]);
            answer.map(|_| Body::from_stream(end))
        }
        _ if left_out.is_some() => {
            let (mut parts, answer) = answer.into_parts();
            let Ok(answer) = to_bytes(Body::new(answer), usize::MAX).await else { return broken() };
            parts.headers.remove(CONTENT_LENGTH);
            // Its checksum is of what it was before.
            parts.headers.remove("x-amz-crc32");
            Response::from_parts(parts, Body::from(partial::joined(&answer, left_out)))
        }
        Fault::None
        | Fault::Refused
        | Fault::Throttled
        | Fault::Denied
        | Fault::Invalid
        | Fault::Twice
        | Fault::Late
        | Fault::InPart => answer.map(Body::new),
    }
}

/// As AWS refuses: by a code, with some words, under the request's id.
fn refused(code: &str, message: &str) -> Response {
    let body = json!({"__type": format!("com.amazonaws#{code}"), "message": message}).to_string();
    (StatusCode::BAD_REQUEST, [("x-amzn-errortype", code), ("x-amzn-requestid", REQUEST_ID)], body)
        .into_response()
}

fn broken() -> Response {
    let body = Bytes::from_static(br#"{"__type":"com.amazonaws#InternalServerError","message":"as asked"}"#);
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}
