//! `inbound`: processes senders' requests, those of the HTTP API at once, and queued ones later.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use stella::app::inbound::config_cache::ConfigCache;
use stella::app::inbound::rejected_requests::RejectedRequests;
use stella::app::releases::ingest::{Incoming, Ingest};
use stella::app::releases::process::Processor;
use stella::app::shared::filter_failures::FilterFailures;
use stella::app::shared::hourly_counts::HourlyCounters;
use stella::aws::Aws;
use stella::clock::Clock;
use stella::domain::inbound::config::WebhookType;
use stella::domain::inbound::integration::IntegrationId;
use stella::domain::inbound::receipt::Answer as ReceiptAnswer;
use stella::domain::shared::origin::Origin;
use stella::domain::shared::target::EgressPolicy;
use stella::egress::issuers::Issuers;
use stella::environment::Environment;
use stella::error::{Code, Error, Kind};
use stella::function::{Answer, Finish, Function};
use stella::metrics::Metrics;
use stella::queue::batch::Received;
use stella::queue::{Queue, batch};
use stella::secrets::{self, keyring::Keyring};
use stella::store::Store;
use stella::web::request::{self, Whole};
use stella::web::request_labels::RequestLabels;
use stella::web::{gateway, no_address};

/// The time limit for sending to SQS, in milliseconds. The sender is waiting for an answer.
const QUEUE_MS: u64 = 300;

/// The function.
pub struct Inbound {
    router: Router,
    ingesting: Arc<Ingesting>,
}

struct Ingesting {
    ingest: Ingest,
    clock: Arc<dyn Clock>,
}

/// Creates the function's clients, and reads the key of integration ids.
///
/// # Errors
/// `Fault` if a variable is missing; `Unavailable` if the key cannot be read.
pub async fn start(environment: Environment) -> Result<Inbound, Error> {
    let aws = Aws::new(&environment)?;
    let store = Store::new(&environment, &aws)?;
    let sqs = aws.sqs_within(Duration::from_millis(QUEUE_MS));
    let later = Queue::of(&environment, &sqs, "INBOUND_RETRY_QUEUE_URL")?;
    let keyring = Keyring::of(&environment, &aws, &store)?;
    let client = aws.secrets_manager();
    let integration_key = secrets::read(&client, environment.required("INTEGRATION_SECRET_ID")?).await?;
    let stage = environment.required("STAGE")?;
    let processor = Processor::of(&environment, &store, &keyring)?;
    let configs = ConfigCache::new(store.clone(), keyring, client, stage, &integration_key);
    let issuers = Issuers::new(EgressPolicy::from_environment(&environment)?);
    let per_second = environment.number("INBOUND_RATE_LIMIT")?;
    let metrics = Metrics::of(&environment);
    let counters = HourlyCounters::new(&store, environment.clock());
    let failures = FilterFailures::new(&store, environment.clock());
    let rejected = RejectedRequests::new(&store, environment.clock());
    let ingest =
        Ingest::new(processor, configs, issuers, later, per_second, metrics, counters, rejected, failures);
    let ingesting = Arc::new(Ingesting { ingest, clock: environment.clock() });
    Ok(Inbound { router: router(Arc::clone(&ingesting)), ingesting })
}

impl Function for Inbound {
    fn handle<'a>(&'a self, event: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            let Ingesting { ingest, clock } = &*self.ingesting;
            let answer = if batch::is_queue_event(event)? {
                let retry =
                    |message: Received| async move { ingest.retry(message.read()?, clock.now()).await };
                batch::each(event, retry).await
            } else {
                gateway::serve(&self.router, event).await
            };
            ingest.flush_due().await;
            answer
        })
    }

    fn finish(&self) -> Finish<'_> {
        Box::pin(self.ingesting.ingest.finish())
    }
}

fn router(ingesting: Arc<Ingesting>) -> Router {
    let addresses =
        ["/api/v1/webhooks/{type}/{integration}", "/api/v1/webhooks/{type}/{integration}/{token}"];
    let other = |method: Method| async move { no_address(&method) };
    let router = addresses.into_iter().fold(Router::new(), |router, address| {
        let methods = || post(receive).options(handshake).fallback(other);
        // People paste addresses with a slash at the end.
        router.route(address, methods()).route(&format!("{address}/"), methods())
    });
    router
        .fallback(other)
        // No limit here: the size of a body is checked after its config was found.
        .layer(DefaultBodyLimit::disable())
        .with_state(ingesting)
}

/// The parts of a sender's address.
#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    integration: String,
    token: Option<String>,
}

impl Address {
    /// The parsed address, if it can be one of ours.
    fn read(self, uri: &Uri) -> Result<(WebhookType, IntegrationId, Option<String>), Error> {
        let webhook_type = WebhookType::of_segment(&self.kind).ok_or_else(Error::not_found)?;
        let query = Query::<TokenQuery>::try_from_uri(uri).ok();
        let token = self.token.or_else(|| query.and_then(|Query(query)| query.token));
        Ok((webhook_type, request::id(&self.integration)?, token))
    }
}

/// The URL token as a query parameter, for senders whose form does not take it in the path.
#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

/// The handshake of CloudEvents ("HTTP 1.1 Web Hooks for Event Delivery", section 4): consent is given by
/// headers. A callback address is never called.
async fn handshake(
    State(ingesting): State<Arc<Ingesting>>,
    Path(address): Path<Address>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let origin = headers.get("webhook-request-origin").cloned();
    let origin = origin.ok_or_else(|| {
        Error::new(Kind::Invalid, Code::NoOrigin, "A handshake names its origin in WebHook-Request-Origin")
    })?;
    let (webhook_type, integration, token) = address.read(&uri)?;
    let now = ingesting.clock.now();
    ingesting.ingest.handshake(integration, webhook_type, token.as_deref(), now).await?;
    let mut response = StatusCode::OK.into_response();
    let answer = response.headers_mut();
    answer.insert("webhook-allowed-origin", origin);
    answer.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    answer.insert("allow", HeaderValue::from_static("POST"));
    Ok(response)
}

async fn receive(
    State(ingesting): State<Arc<Ingesting>>,
    Path(address): Path<Address>,
    Extension(origin): Extension<Origin>,
    labels: RequestLabels,
    uri: Uri,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Response, Error> {
    let (webhook_type, integration, url_token) = address.read(&uri)?;
    labels.set_integration(integration);
    let incoming = Incoming { webhook_type, integration, url_token, headers, body, ip: origin.ip };
    let received = ingesting.ingest.receive(incoming, ingesting.clock.now()).await?;
    let is_queued = received.answer == ReceiptAnswer::Queued;
    let status = if is_queued { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(received.answer.view(Some(received.receipt)))).into_response())
}
