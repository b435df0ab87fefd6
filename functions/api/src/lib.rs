//! `api`: the HTTP API for people and for the orchestrator that publishes events.

mod components;
mod configs;
mod dead_letters;
mod deliveries;
mod events;
mod grace;
mod meta;
mod openapi;
mod portal;
mod pull;
mod receipts;
mod recoveries;
mod releases;
mod resource;
mod routes;
mod subscriptions;
mod tenants;
mod triggers;

use std::sync::Arc;

use self::routes::Routes;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::any;
use chrono::{DateTime, Utc};
use serde_json::Value;
use stella::app::inbound::configs::Configs;
use stella::app::outbound::attempt::AttemptSender;
use stella::app::outbound::pull::Pulls;
use stella::app::outbound::recover::Recoveries;
use stella::app::outbound::redeliver::Redeliveries;
use stella::app::outbound::subscribe::Subscriptions;
use stella::app::releases::components::Components;
use stella::app::releases::process::Processor;
use stella::aws::Aws;
use stella::clock::Clock;
use stella::domain::shared::ids::TenantId;
use stella::domain::shared::origin::Origin;
use stella::domain::shared::target::EgressPolicy;
use stella::environment::Environment;
use stella::error::{Code, Error, Kind};
use stella::function::{Answer, Finish, Function};
use stella::metrics::Metrics;
use stella::queue::Queue;
use stella::queue::dead_letters::DeadLetters;
use stella::secrets::{self, keyring::Keyring};
use stella::store::Store;
use stella::web::authenticator::{Authenticator, HasAuthenticator};
use stella::web::idempotency::Creation;
use stella::web::request::New;
use stella::web::tokens::Tokens;
use stella::web::{gateway, no_address};

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The function.
pub struct ApiFunction {
    router: Router,
    api: Arc<Api>,
}

/// What the handlers share.
struct Api {
    store: Store,
    clock: Arc<dyn Clock>,
    authenticator: Authenticator,
    keyring: Keyring,
    subscriptions: Subscriptions,
    redeliveries: Redeliveries,
    recoveries: Recoveries,
    dead_letters: DeadLetters,
    configs: Configs,
    components: Components,
    intake: Processor,
    sender: AttemptSender,
    pulls: Pulls,
    public_url: Option<String>,
    egress_addresses: Vec<String>,
}

/// Creates the function's clients, and reads its keys.
///
/// # Errors
/// `Fault` if a variable is missing; `Unavailable` if a key cannot be read.
pub async fn start(environment: Environment) -> Result<ApiFunction, Error> {
    let aws = Aws::new(&environment)?;
    let store = Store::new(&environment, &aws)?;
    let sqs = aws.sqs();
    let retries = Queue::of(&environment, &sqs, "RETRIES_QUEUE_URL")?;
    let commands = Queue::of(&environment, &sqs, "COMMANDS_QUEUE_URL")?;
    let keyring = Keyring::of(&environment, &aws, &store)?;
    let subscriptions = Subscriptions::of(&environment, &store, keyring.clone(), commands.clone())?;
    let secrets_manager = aws.secrets_manager();
    let policy = EgressPolicy::from_environment(&environment)?;
    let (operator, integration_key) = tokio::try_join!(
        secrets::read(&secrets_manager, environment.required("OPERATOR_SECRET_ID")?),
        secrets::read(&secrets_manager, environment.required("INTEGRATION_SECRET_ID")?),
    )?;
    let tokens = Tokens::of(&environment, &store, policy.clone())?;
    let addresses = environment.variable("EGRESS_ADDRESSES").unwrap_or_default();
    let sender = AttemptSender::of(&environment, &aws, &store)?;
    let api = Api {
        clock: environment.clock(),
        authenticator: Authenticator::new(
            store.clone(),
            &operator,
            tokens,
            environment.number("KEY_RATE_LIMIT")?,
        ),
        redeliveries: Redeliveries::new(store.clone(), retries.clone()),
        recoveries: Recoveries::new(store.clone(), retries, commands.clone()),
        dead_letters: DeadLetters::of(&environment, &sqs)?,
        subscriptions,
        configs: Configs::new(store.clone(), keyring.clone(), policy, &integration_key),
        components: Components::new(store.clone()),
        intake: Processor::of(&environment, &store, &keyring)?,
        keyring,
        public_url: environment.variable("PUBLIC_URL").map(str::to_owned),
        pulls: Pulls::new(
            store.clone(),
            sender.clone(),
            commands.clone(),
            environment.clock(),
            Metrics::of(&environment),
        ),
        sender,
        egress_addresses: addresses.split(',').filter(|ip| !ip.is_empty()).map(str::to_owned).collect(),
        store,
    };
    let api = Arc::new(api);
    Ok(ApiFunction { router: router(Arc::clone(&api)), api })
}

impl Function for ApiFunction {
    fn handle<'a>(&'a self, event: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(async move {
            let answer = gateway::serve(&self.router, event).await;
            self.api.pulls.flush_due().await;
            answer
        })
    }

    fn finish(&self) -> Finish<'_> {
        Box::pin(self.api.pulls.finish())
    }
}

/// Every route: its method, and its path below `/api/v1`.
#[must_use]
pub fn routes() -> Vec<(Method, &'static str)> {
    all().list().into_iter().map(|route| (route.method, route.path)).collect()
}

/// The API's OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    openapi::document(&all().list())
}

fn all() -> Routes {
    meta::routes()
        .merge(tenants::routes())
        .merge(portal::routes())
        .merge(configs::routes())
        .merge(receipts::routes())
        .merge(components::routes())
        .merge(triggers::routes())
        .merge(releases::routes())
        .merge(events::routes())
        .merge(subscriptions::routes())
        .merge(deliveries::routes())
        .merge(pull::routes())
        .merge(recoveries::routes())
        .merge(dead_letters::routes())
}

fn router(api: Arc<Api>) -> Router {
    all()
        .serve(openapi::router())
        // Senders' requests go to `inbound`. An address with dot segments before `webhooks` comes here.
        .route("/api/v1/webhooks/{*rest}", any(|method: Method| async move { no_address(&method) }))
        .fallback(|| async { Error::not_found() })
        .method_not_allowed_fallback(|| async {
            Error::new(Kind::MethodNotAllowed, Code::MethodNotAllowed, "This method is not for this resource")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
}

impl HasAuthenticator for Api {
    fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

impl Api {
    /// The public URL of the API: the configured one, or else the host name of this request.
    fn base_url(&self, origin: &Origin) -> String {
        let configured = self.public_url.clone();
        configured.unwrap_or_else(|| format!("https://{}", origin.domain.as_deref().unwrap_or("localhost")))
    }

    /// A creating request, which creates nothing when it is repeated with the same `Idempotency-Key`.
    fn creation<'a>(&'a self, tenant: TenantId, route: &'a str, request: &'a New) -> Creation<'a> {
        Creation { store: &self.store, tenant, route, request, now: self.clock.now() }
    }
}
