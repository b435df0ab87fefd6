//! A stack: the services, the functions of a template, and their event sources, in one process.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::capacity::CapacityMeter;
use crate::crash_point::CrashInjector;
use crate::credentials::{Credentials, Pair};
use crate::data_dir::Data;
use crate::dynamodb::DynamoDb;
use crate::endpoints::{Endpoints, Guards, Routers, listen};
use crate::error::Error;
use crate::event_sources::{EventSources, Surroundings};
use crate::function::{Function, Functions};
use crate::hosts::Hosts;
use crate::http_api::{Rejection, reject};
use crate::invoke::{Busy, Context, Invoker};
use crate::permissions::Permissions;
use crate::provision;
use crate::remote::Remote;
use crate::remote::refusals::Refusals;
use crate::secrets_manager::SecretsManager;
use crate::services::Services;
use crate::signal::{Trigger, signal};
use crate::sqs::Sqs;
use crate::stream::checkpoint::Checkpoints;
use crate::template;
use crate::time::Time;
use crate::wiring::Wiring;

/// How long running invocations and requests may take when the stack stops.
const MAX_STOP: Duration = Duration::from_secs(10);
/// How long aborted invocations may take to end.
const MAX_CUT: Duration = Duration::from_secs(1);
/// How long `Function::finish` may take, about as on Lambda.
const MAX_FINISH: Duration = Duration::from_secs(1);

/// The settings of a [`Stack`]: `Settings { data, ..Settings::new(template, functions) }`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its data is. Default: in memory.
    pub data: Data,
    /// The port of the HTTP API on 127.0.0.1. Default: 0, which picks a free one.
    pub port: u16,
    /// Its clock. Default: [`Time::system`].
    pub time: Time,
    /// Parameters of the template. Those that are not given have the template's defaults.
    pub parameters: BTreeMap<String, String>,
    /// The code of the functions.
    pub functions: Functions,
    /// The text of the template.
    pub template: String,
    /// A file to which a line, `Function Statement action resource`, is appended when a function first uses a
    /// permission of its policy. Default: none.
    pub permissions_record: Option<PathBuf>,
    /// Simulates a crash, in tests. Default: none.
    pub crash_injector: CrashInjector,
    /// Host names that the HTTP API answers to, in addition to 127.0.0.1, `[::1]` and localhost: those of
    /// tunnels and proxies. Default: none.
    pub allow_hosts: Vec<String>,
    /// How long functions should wait for a service, in their variable `LOCAL_TIMEOUT_MS`: a busy machine may
    /// take longer than they allow on AWS. Default: not set.
    pub aws_timeout: Option<Duration>,
    /// Whether [`Stack::capacity`] adds up capacity units, which takes some time of each operation. Default:
    /// no.
    pub metered: bool,
    /// The address of another emulator of DynamoDB, SQS and Secrets Manager, as in `http://127.0.0.1:5000`.
    /// Default: none, and the embedded services are used.
    pub aws_endpoint: Option<String>,
    /// The environment variable that is set to the URL of the HTTP API, in the functions for which the
    /// template declares it. Default: none.
    pub api_url_variable: Option<String>,
    /// Answers the requests that the HTTP API rejects before they reach a function. Default: as API Gateway
    /// does.
    pub reject: fn(Rejection) -> Response,
}

impl Settings {
    /// The default settings for a template and its functions.
    #[must_use]
    pub fn new(template: impl Into<String>, functions: Functions) -> Self {
        Self {
            data: Data::Memory,
            port: 0,
            time: Time::system(),
            parameters: BTreeMap::new(),
            functions,
            template: template.into(),
            permissions_record: None,
            crash_injector: CrashInjector::default(),
            allow_hosts: Vec::new(),
            aws_timeout: None,
            metered: false,
            aws_endpoint: None,
            api_url_variable: None,
            reject,
        }
    }
}

/// A running stack. Dropping it ends everything at once; [`stop`](Self::stop) lets running work finish.
pub struct Stack {
    address: SocketAddr,
    wiring: Wiring,
    calls: Calls,
    capacity: CapacityMeter,
    dynamodb: DynamoDb,
    sqs: Sqs,
    secrets_manager: SecretsManager,
    remote: Option<Remote>,
    credentials: Credentials,
    functions: Vec<Arc<dyn Function>>,
    stopping: Trigger,
    cutting: Trigger,
    busy: Busy,
    /// Closed when no invocation can run any more.
    running: mpsc::Receiver<()>,
    drivers: JoinSet<()>,
    endpoints: Endpoints,
    _lock: Option<File>,
}

impl Stack {
    /// Starts a stack: creates the tables, queues and secrets that do not exist yet, and starts the functions
    /// and their event sources. Afterwards the HTTP API answers.
    ///
    /// # Errors
    /// If another process uses the data directory or the port, the template is not supported, or a function
    /// does not start. [`Error::kind`] distinguishes them.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let Settings {
            data,
            port,
            time,
            parameters,
            functions,
            template,
            permissions_record,
            crash_injector,
            allow_hosts,
            aws_timeout,
            metered,
            aws_endpoint,
            api_url_variable,
            reject,
        } = settings;
        let lock = data.lock()?;
        let (listener, address) = listen(port).await?;
        let calls = Calls::default();
        let dynamodb = DynamoDb::open(data.file("tables.db").as_deref())?;
        let sqs = Sqs::open(data.file("queues.db").as_deref(), time.clone(), calls.clone())?;
        let secrets_manager =
            SecretsManager::open(data.file("secrets.db").as_deref(), time.clone(), calls.clone())?;
        let checkpoints = Checkpoints::open(data.file("checkpoints.db").as_deref())?;

        let capacity = CapacityMeter::default();
        let remote = aws_endpoint.as_deref().map(Remote::at);
        let [tables, queues, secrets] = match &remote {
            Some(remote) => {
                let counted = calls.counting(remote.router());
                [remote.router(), counted.clone(), counted]
            }
            None if metered => [capacity.metering(dynamodb.router()), sqs.router(), secrets_manager.router()],
            None => [dynamodb.router(), sqs.router(), secrets_manager.router()],
        };
        let permissions = Permissions::recorded(permissions_record.as_deref());
        let credentials = Credentials::random();
        let guards = Guards { credentials, permissions, crash_injector };
        let routers = Routers { tables: calls.counting(tables), queues, secrets };
        let endpoints = Endpoints::start(routers, &guards).await?;
        let Guards { credentials, permissions, .. } = guards;
        let mut variables = endpoints.variables();
        variables.extend(aws_timeout.map(|timeout| ("LOCAL_TIMEOUT_MS", timeout.as_millis().to_string())));
        let wiring =
            template::read(&template, &parameters, &template::Endpoints { queues: endpoints.queues() })?;
        permissions.limit_all(&wiring);
        match &remote {
            Some(remote) => remote.create(&wiring).await?,
            None => provision::create(&wiring, &dynamodb, &sqs, &secrets_manager)?,
        }

        let (stopping, stop) = signal();
        let (cutting, cut) = signal();
        let (holding, running) = mpsc::channel(1);
        let busy = Busy::new();
        let context = Context { time, calls: calls.clone(), cut, running: holding, busy: busy.clone() };
        let api_url = format!("http://{address}");
        let mut sources = EventSources {
            services: match &remote {
                Some(remote) => Services::Remote(remote.clone()),
                None => Services::Embedded { dynamodb: dynamodb.clone(), sqs: sqs.clone() },
            },
            checkpoints,
            context,
            stop,
            drivers: JoinSet::new(),
            routes: Vec::new(),
            reject,
        };
        let surroundings =
            Surroundings { variables, api_url, api_url_variable, credentials: credentials.clone() };
        let invokers = sources.start_functions(&wiring, &functions, &surroundings).await?;
        for (function, invoker) in wiring.functions.iter().zip(&invokers) {
            sources.add(function, invoker)?;
        }
        Ok(Self {
            address,
            wiring,
            calls,
            capacity,
            dynamodb,
            sqs,
            secrets_manager,
            remote,
            functions: invokers.iter().map(Invoker::function).collect(),
            stopping,
            cutting,
            busy,
            running,
            drivers: sources.begin(listener, Hosts::with(&allow_hosts)),
            endpoints,
            credentials,
            _lock: lock,
        })
    }

    /// The URL of the HTTP API, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Counts the operations of services, and the invocations of each function as `("lambda", <logical id>)`.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The capacity units that DynamoDB would have charged, if [`Settings::metered`] is set.
    #[must_use]
    pub fn capacity(&self) -> &CapacityMeter {
        &self.capacity
    }

    /// What the template declares.
    #[must_use]
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// The text of a secret's current version; `None` if there is no secret of this name, or it is binary.
    ///
    /// # Errors
    /// If the service fails.
    pub async fn secret(&self, name: &str) -> Result<Option<String>, Error> {
        match &self.remote {
            Some(remote) => remote.secret(name).await,
            None => self.secrets_manager.read(name),
        }
    }

    /// Returns when no function is running. A message or record on its way may invoke one right after.
    pub async fn idle(&self) {
        self.busy.idle().await;
    }

    /// The requests of functions that were rejected at [`Settings::aws_endpoint`].
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.remote.as_ref().map(|remote| remote.refusals().clone()).unwrap_or_default()
    }

    /// The embedded DynamoDB; empty if [`Settings::aws_endpoint`] is set, like the queues and secrets.
    #[must_use]
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// The embedded SQS.
    #[must_use]
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// The embedded Secrets Manager.
    #[must_use]
    pub fn secrets_manager(&self) -> &SecretsManager {
        &self.secrets_manager
    }

    /// An access key for the endpoints that no policy limits.
    #[must_use]
    pub fn owner(&self) -> Pair {
        self.credentials.of_owner()
    }

    /// Stops the event sources, waits up to 10 s for running invocations, aborts the others, calls
    /// [`Function::finish`] of each function, and ends.
    pub async fn stop(mut self) {
        self.stopping.fire();
        let finish = async {
            while self.drivers.join_next().await.is_some() {}
            while self.running.recv().await.is_some() {}
        };
        if tokio::time::timeout(MAX_STOP, finish).await.is_err() {
            tracing::warn!("what was still running is cut");
            self.cutting.fire();
            let ended = async { while self.running.recv().await.is_some() {} };
            // What does not end now ends with the process.
            let _ = tokio::time::timeout(MAX_CUT, ended).await;
        }
        self.drivers.shutdown().await;
        let finish = join_all(self.functions.iter().map(|function| function.finish()));
        let _ = tokio::time::timeout(MAX_FINISH, finish).await;
        self.endpoints.shutdown().await;
    }
}
