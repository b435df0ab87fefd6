//! Processes a request of a sender: authenticate, parse, decide, write, answer.
//!
//! Safe to run twice: what an event changes at a component is written in one transaction together with its
//! de-duplication keys, and every write in it is conditional.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use tokio::sync::{Mutex, Semaphore};

use super::process::Processor;
use super::push::{Halt, Push};
use crate::app::inbound::config_cache::ConfigCache;
use crate::app::inbound::receipts;
use crate::app::inbound::rejected_requests::RejectedRequests;
use crate::app::shared::filter_failures::FilterFailures;
use crate::app::shared::hourly_counts::HourlyCounters;
use crate::domain::inbound::auth::oidc::Token;
use crate::domain::inbound::auth::verified::Verified;
use crate::domain::inbound::auth::verify::{Live, Request, Unverified, bearer, verify};
use crate::domain::inbound::config::{Config, WebhookType};
use crate::domain::inbound::integration::IntegrationId;
use crate::domain::inbound::queued_request::QueuedRequest;
use crate::domain::inbound::receipt::Answer;
use crate::domain::inbound::rejections::Refusal;
use crate::domain::inbound::scheme::Scheme;
use crate::domain::inbound::{normalise, redact};
use crate::domain::outbound::overview;
use crate::domain::shared::ids::{ConfigId, ReceiptId};
use crate::domain::shared::rate::Buckets;
use crate::egress::issuers::Issuers;
use crate::error::{Code, Error, Kind};
use crate::log_error;
use crate::metrics::Metrics;
use crate::queue::{Outgoing, Queue, delay_until};
use crate::random;
use crate::store::{Store, keys};

/// The largest body that is accepted, in bytes.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// How much of large bodies is processed at once from the queue, in KiB: parsed, a body takes many times its
/// size in memory, and a batch has several.
const MAX_LARGE_KIB: usize = 4 * 1024;

/// How much of each queued body does not count for this, in KiB, so that small bodies never wait.
const SMALL_KIB: usize = 64;

/// A request as it was received.
pub struct Incoming {
    /// The webhook type in its address.
    pub webhook_type: WebhookType,
    /// The integration id in its address.
    pub integration: IntegrationId,
    /// The URL token in its address.
    pub url_token: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The IP address of its sender.
    pub ip: Option<String>,
}

/// The answer to the sender.
pub struct Received {
    /// The answer.
    pub answer: Answer,
    /// The id of the request's receipt.
    pub receipt: ReceiptId,
}

/// Processes senders' requests.
pub struct Ingest {
    store: Store,
    configs: ConfigCache,
    issuers: Issuers,
    processor: Processor,
    later: Queue,
    counters: HourlyCounters,
    rejected: RejectedRequests,
    failures: FilterFailures,
    metrics: Metrics,
    buckets: Mutex<Buckets<ConfigId>>,
    /// Room for large bodies of queued requests.
    large: Semaphore,
}

impl Ingest {
    /// Sends requests that cannot be processed at once to the queue `later`. Accepts at most `per_second`
    /// requests per second of each config, in this environment.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "what a request passes through, each of another type")]
    pub fn new(
        processor: Processor,
        configs: ConfigCache,
        issuers: Issuers,
        later: Queue,
        per_second: u32,
        metrics: Metrics,
        counters: HourlyCounters,
        rejected: RejectedRequests,
        failures: FilterFailures,
    ) -> Self {
        Self {
            metrics,
            store: processor.store().clone(),
            processor: processor.counting(failures.clone()),
            failures,
            counters,
            rejected,
            configs,
            issuers,
            later,
            buckets: Mutex::new(Buckets::new(per_second)),
            large: Semaphore::new(MAX_LARGE_KIB),
        }
    }

    /// Processes one request.
    ///
    /// # Errors
    /// `NotFound`, `TooLarge`, `Unauthenticated`, `Limited` or `Invalid`; `Unavailable` if the config cannot
    /// be read, or if the request can be neither processed nor queued.
    pub async fn receive(&self, incoming: Incoming, now: DateTime<Utc>) -> Result<Received, Error> {
        let config = self.config(incoming.integration, incoming.webhook_type, now).await?;
        let (provider, tenant) = (config.spec.provider.name(), config.tenant_id);
        let received = self.take(config, incoming, now).await;
        let action =
            received.as_ref().map_or_else(|error| error.code.name(), |received| received.answer.name());
        self.metrics.count("Inbound", 1);
        self.metrics.emit(&[("Action", action), ("Provider", provider)], now);
        self.counters.add(keys::tenant_counts(tenant), overview::of_push(action)).await;
        received
    }

    /// Writes the buffered counts that are due; called at the end of each event.
    pub async fn flush_due(&self) {
        tokio::join!(self.counters.flush_due(), self.rejected.flush_due(), self.failures.flush_due());
    }

    /// Writes all buffered counts; called before the process ends.
    pub async fn finish(&self) {
        tokio::join!(self.counters.flush_all(), self.rejected.flush_all(), self.failures.flush_all());
    }

    async fn take(&self, config: Config, incoming: Incoming, now: DateTime<Utc>) -> Result<Received, Error> {
        if incoming.body.len() > MAX_BODY {
            self.rejected.count(&config, Refusal::TooLarge).await;
            return Err(Error::new(Kind::TooLarge, Code::BodyTooLarge, "A body has at most 4 MiB"));
        }
        let (config, verified) = self.verify(config, &incoming, now).await?;
        let received = self.take_verified(&config, verified, &incoming, now).await;
        if received.is_err() {
            self.rejected.count(&config, Refusal::Authenticated).await;
        }
        received
    }

    async fn take_verified(
        &self,
        config: &Config,
        verified: Verified<'_>,
        incoming: &Incoming,
        now: DateTime<Utc>,
    ) -> Result<Received, Error> {
        self.limit(config.id, now).await?;
        let receipt = ReceiptId::mint(now, random::bytes());
        let parsed = normalise::read(config, &verified, now)?;
        let hash = verified.body_hash();
        let push = Push {
            config,
            parsed: &parsed,
            headers: &incoming.headers,
            body_hash: &hash,
            receipt,
            turn: None,
            is_replay: false,
            now,
        };
        let answer = match self.processor.process(&push).await {
            Ok(answer) => answer,
            Err(halt) => {
                let request = QueuedRequest {
                    tenant_id: config.tenant_id,
                    config_id: config.id,
                    receipt_id: receipt,
                    received_at: now,
                    headers: queued_headers(&incoming.headers, config),
                    body: STANDARD.encode(receipts::pack(&incoming.body)?),
                    ip: incoming.ip.clone(),
                    tries: 0,
                    due: None,
                    turn: None,
                };
                self.put_off(request, config, halt, now).await?;
                Answer::Queued
            }
        };
        let logged = receipts::Logged {
            id: receipt,
            config,
            headers: redact::headers(&incoming.headers, &config.spec.scheme(), incoming.url_token.as_deref()),
            body: &incoming.body,
            ip: incoming.ip.clone(),
            received_at: now,
            replay_of: None,
        };
        receipts::write(&self.store, logged, &answer).await;
        Ok(Received { answer, receipt })
    }

    /// Processes a queued request, or queues it again. It ends when it was processed, when it fails
    /// permanently, or when its config is deleted.
    ///
    /// # Errors
    /// `Unavailable` if it can be neither processed nor queued again; the message is received again.
    pub async fn retry(&self, queued: QueuedRequest, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(config) = self.configs.by_id(queued.tenant_id, queued.config_id).await? else {
            tracing::warn!(
                tenant.id = %queued.tenant_id, config.id = %queued.config_id, receipt.id = %queued.receipt_id,
                "a queued request's config is deleted"
            );
            let answer =
                Answer::Ignored("The webhook config was deleted before the request was processed".to_owned());
            return receipts::settle(&self.store, &queued, &answer).await;
        };
        if queued.due.is_some_and(|due| due > now) {
            return self.send(&queued, now).await;
        }
        let body = receipts::unpack(&queued.packed_body()?)?;
        let _room = self.large.acquire_many(weight(&body)).await;
        let headers = receipts::header_map(&queued.headers);
        let verified = Verified::was_verified_before(&headers, &body);
        let outcome = match normalise::read(&config, &verified, queued.received_at) {
            Ok(parsed) => {
                let push = Push {
                    config: &config,
                    parsed: &parsed,
                    headers: &headers,
                    body_hash: &verified.body_hash(),
                    receipt: queued.receipt_id,
                    turn: queued.turn,
                    is_replay: false,
                    now,
                };
                self.processor.process(&push).await
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(answer) => receipts::settle(&self.store, &queued, &answer).await,
            // A permanent failure: no later run parses the request otherwise, or can write what it decides.
            // The receipt says so; a request that cannot be written becomes a dead letter.
            Err(Halt::Failed(error)) if is_final(error.kind) => {
                log_error!(
                    ERROR, error, "a queued request is set aside",
                    tenant.id = %queued.tenant_id, config.id = %queued.config_id, receipt.id = %queued.receipt_id
                );
                let reason = format!("It was set aside: {}", error.detail);
                receipts::settle(&self.store, &queued, &Answer::Ignored(reason)).await?;
                if error.kind == Kind::Refused { Err(error) } else { Ok(()) }
            }
            Err(halt) => self.put_off(queued, &config, halt, now).await,
        }
    }

    /// The config of an address. `NotFound` if it is unknown, disabled or of another type.
    async fn config(
        &self,
        id: IntegrationId,
        webhook_type: WebhookType,
        now: DateTime<Utc>,
    ) -> Result<Config, Error> {
        let config = self.configs.find(id, now).await?;
        config.filter(|config| config.serves(webhook_type)).ok_or_else(Error::not_found)
    }

    /// Whether a CloudEvents handshake is granted: to everybody who knows the address, with its token if it
    /// has one.
    ///
    /// # Errors
    /// `NotFound` if there is no such address; `Unauthenticated` if its token is missing or wrong.
    pub async fn handshake(
        &self,
        id: IntegrationId,
        webhook_type: WebhookType,
        url_token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let config = self.config(id, webhook_type, now).await?;
        if config.spec.scheme().needs_url_token() {
            let request = Request { headers: &HeaderMap::new(), body: &[], url_token };
            let live = Live {
                secrets: &[],
                url_token_hashes: &config.live_url_token_hashes(now),
                issuers_keys: None,
            };
            verify(&config.spec.scheme(), request, live, now)?;
        }
        Ok(())
    }

    /// Limits the authenticated requests of a config: nobody else can use up its rate.
    async fn limit(&self, config: ConfigId, now: DateTime<Utc>) -> Result<(), Error> {
        self.buckets.lock().await.take(config, "Too many requests for this webhook config", now)
    }

    /// Authenticates a request. If that fails, reads the config and its secrets again and retries once,
    /// because the cached ones may be older than a rotation.
    async fn verify<'a>(
        &self,
        config: Config,
        incoming: &'a Incoming,
        now: DateTime<Utc>,
    ) -> Result<(Config, Verified<'a>), Error> {
        if let Ok(verified) = self.verify_with(&config, incoming, now).await? {
            return Ok((config, verified));
        }
        if self.configs.forget(&config, now).await {
            let config = self.config(incoming.integration, incoming.webhook_type, now).await?;
            if let Ok(verified) = self.verify_with(&config, incoming, now).await? {
                return Ok((config, verified));
            }
        }
        let scheme = config.spec.scheme();
        let refusal = Refusal::unauthenticated(&scheme, &incoming.headers, incoming.url_token.as_deref());
        self.rejected.count(&config, refusal).await;
        Err(Unverified.into())
    }

    async fn verify_with<'a>(
        &self,
        config: &Config,
        incoming: &'a Incoming,
        now: DateTime<Utc>,
    ) -> Result<Result<Verified<'a>, Unverified>, Error> {
        let secrets = self.configs.secrets(config, now).await?;
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let request = Request {
            headers: &incoming.headers,
            body: &incoming.body,
            url_token: incoming.url_token.as_deref(),
        };
        let scheme = config.spec.scheme();
        let keys = match &scheme {
            Scheme::Oidc { issuer, .. } => {
                let Some(token) = bearer(&incoming.headers).and_then(Token::read) else {
                    return Ok(Err(Unverified));
                };
                Some(self.issuers.keys(issuer, token.kid(), now).await?)
            }
            _ => None,
        };
        let url_token_hashes = &config.live_url_token_hashes(now);
        let live = Live { secrets: &secrets, url_token_hashes, issuers_keys: keys.as_ref() };
        Ok(verify(&scheme, request, live, now))
    }

    /// Queues a request: until its release slot or, after a failure, for the delay of the config's retry
    /// policy.
    async fn put_off(
        &self,
        request: QueuedRequest,
        config: &Config,
        halt: Halt,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let put_off = match halt {
            Halt::Wait(turn) => {
                tracing::warn!(tenant.id = %config.tenant_id, config.id = %config.id, component.id = %turn.component_id,
                    receipt.id = %request.receipt_id,
                    "a component makes too many releases, and a request waits for its turn");
                self.metrics.count("ReleasesDelayed", 1);
                self.metrics.emit(&[], now);
                QueuedRequest { due: Some(turn.at), turn: Some(turn), ..request }
            }
            Halt::Failed(error) => {
                log_error!(
                    WARN, error, "a request failed, and is tried again later",
                    tenant.id = %config.tenant_id, config.id = %config.id, receipt.id = %request.receipt_id,
                    retry.number = request.tries
                );
                let tries = request.tries.saturating_add(1);
                let jitter = u64::from_be_bytes(random::bytes());
                let delay = config.spec.retry_policy.delay_before(tries.saturating_add(1), jitter, None);
                QueuedRequest { tries, due: now.checked_add_signed(delay), turn: None, ..request }
            }
        };
        self.send(&put_off, now).await
    }

    async fn send(&self, request: &QueuedRequest, now: DateTime<Utc>) -> Result<(), Error> {
        if !request.fits_message() {
            return Err(Error::unavailable("A request is too large for the queue"));
        }
        let delay_seconds = delay_until(request.due, now);
        let group = request.config_id.to_string();
        self.later.send(Outgoing { body: request, group, delay_seconds }).await
    }
}

/// How much a body counts among large ones, in KiB.
fn weight(body: &[u8]) -> u32 {
    let large = (body.len() / 1024).saturating_sub(SMALL_KIB).min(MAX_LARGE_KIB);
    u32::try_from(large).unwrap_or(u32::MAX)
}

/// Whether every retry would fail in the same way.
fn is_final(kind: Kind) -> bool {
    match kind {
        Kind::Invalid | Kind::UnsupportedMediaType | Kind::Unprocessable | Kind::TooLarge | Kind::Refused => {
            true
        }
        Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::MethodNotAllowed
        | Kind::Conflict
        | Kind::Limited
        | Kind::Unavailable
        | Kind::Fault => false,
    }
}

/// The headers that a queued request is parsed with. Credentials are not among them.
fn queued_headers(headers: &HeaderMap, config: &Config) -> std::collections::BTreeMap<String, String> {
    redact::headers(headers, &config.spec.scheme(), None)
}
