//! Starts the functions and their event sources, as the template declares them.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::credentials::Credentials;
use crate::dynamodb::DynamoDb;
use crate::error::Error;
use crate::function::{Environment, Functions};
use crate::hosts::Hosts;
use crate::http_api::{HttpApi, Rejection, Route, Routes};
use crate::invoke::{Context, Invoker};
use crate::poller::{self, Poller};
use crate::schedule;
use crate::services::Services;
use crate::signal::Signal;
use crate::stream;
use crate::stream::checkpoint::Checkpoints;
use crate::stream::pattern::Pattern;
use crate::time::Time;
use crate::wiring::{Function, Source, Wiring};

/// How often expired items of tables are deleted.
const SWEEP: chrono::Duration = chrono::Duration::hours(1);

/// What every function gets in addition to the template's variables.
pub(crate) struct Surroundings {
    /// Region, endpoints and the like.
    pub(crate) variables: BTreeMap<&'static str, String>,
    /// The address of the HTTP API.
    pub(crate) api_url: String,
    /// The variable that is set to this address.
    pub(crate) api_url_variable: Option<String>,
    /// Where each function gets its access key from.
    pub(crate) credentials: Credentials,
}

/// The event sources of a stack: those that are running, and what they are made from.
pub(crate) struct EventSources {
    /// The tables and queues.
    pub(crate) services: Services,
    /// Positions in the streams.
    pub(crate) checkpoints: Checkpoints,
    /// What all invocations share.
    pub(crate) context: Context,
    /// Stops the event sources.
    pub(crate) stop: Signal,
    /// The event sources that are running.
    pub(crate) drivers: JoinSet<()>,
    /// The routes of the HTTP API so far.
    pub(crate) routes: Vec<(Route, Invoker)>,
    /// Answers the requests that are rejected before they reach a function.
    pub(crate) reject: fn(Rejection) -> Response,
}

impl EventSources {
    /// Starts all functions concurrently, each with its variables.
    pub(crate) async fn start_functions(
        &self,
        wiring: &Wiring,
        functions: &Functions,
        surroundings: &Surroundings,
    ) -> Result<Vec<Invoker>, Error> {
        let mut starting = JoinSet::new();
        for (place, function) in wiring.functions.iter().enumerate() {
            let mut own = function.variables.clone();
            own.extend(
                surroundings.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())),
            );
            // The endpoints know their caller by its access key, as AWS does by its role.
            let pair = surroundings.credentials.of_function(&function.id);
            own.insert("AWS_ACCESS_KEY_ID".to_owned(), pair.access_key);
            own.insert("AWS_SECRET_ACCESS_KEY".to_owned(), pair.secret);
            if let Some(address) = surroundings.api_url_variable.as_ref().and_then(|name| own.get_mut(name)) {
                surroundings.api_url.clone_into(address);
            }
            let environment = Environment::new(own, self.context.time.clone());
            let (functions, code) = (functions.clone(), function.code.clone());
            starting.spawn(async move { (place, functions.start(&code, environment).await) });
        }
        let mut started = BTreeMap::new();
        while let Some(joined) = starting.join_next().await {
            let (place, function) =
                joined.map_err(|error| Error::fault("A function panicked as it started").caused_by(error))?;
            started.insert(place, function?);
        }
        let invoker = |(declared, function): (&Function, _)| {
            Invoker::new(&declared.id, function, declared.timeout, self.context.clone())
        };
        Ok(wiring.functions.iter().zip(started.into_values()).map(invoker).collect())
    }

    /// Starts the event sources of one function, apart from routes, which `begin` starts.
    pub(crate) fn add(&mut self, function: &Function, invoker: &Invoker) -> Result<(), Error> {
        for source in &function.sources {
            match source {
                Source::Http { method, path } => {
                    self.routes.push((Route::new(method, path), invoker.clone()));
                }
                Source::Queue { queue, batch_size, window, concurrency, reports_failures } => {
                    let poller = Poller {
                        services: self.services.clone(),
                        queue: queue.clone(),
                        invoker: invoker.clone(),
                        batch_size: *batch_size,
                        window: self.window(*window),
                        concurrency: concurrency.unwrap_or(poller::CONCURRENCY),
                        reports_failures: *reports_failures,
                    };
                    self.drivers.spawn(poller.run(self.stop.clone()));
                }
                Source::Stream {
                    table,
                    batch_size,
                    window,
                    patterns,
                    bisects,
                    reports_failures,
                    retries,
                    on_failure,
                } => {
                    let mapping = stream::Mapping {
                        services: self.services.clone(),
                        table: table.clone(),
                        invoker: invoker.clone(),
                        checkpoints: self.checkpoints.clone(),
                        batch_size: *batch_size,
                        window: self.window(*window),
                        patterns: patterns.iter().map(Pattern::parse).collect::<Result<_, _>>()?,
                        bisects: *bisects,
                        reports_failures: *reports_failures,
                        retries: *retries,
                        on_failure: on_failure.clone(),
                        time: self.context.time.clone(),
                    };
                    self.drivers.spawn(mapping.run(self.stop.clone()));
                }
                Source::Schedule { every } => {
                    let (time, stop) = (self.context.time.clone(), self.stop.clone());
                    self.drivers.spawn(schedule::run(invoker.clone(), *every, time, stop));
                }
            }
        }
        Ok(())
    }

    /// Starts the HTTP API and the deletion of expired items, and returns everything that runs.
    pub(crate) fn begin(mut self, listener: TcpListener, hosts: Hosts) -> JoinSet<()> {
        let (time, cut) = (self.context.time.clone(), self.context.cut.clone());
        let api = HttpApi::new(Routes::new(self.routes), hosts, time.clone(), cut, self.reject);
        self.drivers.spawn(api.serve(listener, self.stop.clone()));
        // Services at an address delete their own expired items.
        if let Services::Embedded { dynamodb, .. } = self.services {
            self.drivers.spawn(sweep(dynamodb, time, self.stop));
        }
        self.drivers
    }

    /// The batching window. A held clock makes it zero: nothing can arrive while time stands still.
    fn window(&self, window: Duration) -> Duration {
        if self.context.time.is_manual() { Duration::ZERO } else { window }
    }
}

/// Deletes expired items at once and then every hour.
async fn sweep(dynamodb: DynamoDb, time: Time, stop: Signal) {
    loop {
        let next = time.now().checked_add_signed(SWEEP).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let tables = dynamodb.clone();
        match tokio::task::spawn_blocking(move || tables.sweep_expired()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(error = %error, "expired items were not deleted"),
            Err(error) => tracing::error!(error = %error, "expired items were not deleted"),
        }
        if stop.or(time.sleep_until(next)).await.is_none() {
            return;
        }
    }
}
