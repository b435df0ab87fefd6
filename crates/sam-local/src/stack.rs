//! The whole system in one process: endpoints, functions, and everything that drives them.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use axum::Router;
use axum::response::Response;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::capacity::CapacityMeter;
use crate::crash_point::CrashInjector;
use crate::credentials::{Credentials, Pair};
use crate::data_dir::Data;
use crate::dynamodb::DynamoDb;
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

/// How long what is in hand may take when the stack stops.
const MAX_STOP: Duration = Duration::from_secs(10);
/// How long what is cut after that has to go away.
const MAX_CUT: Duration = Duration::from_secs(1);
/// How long the functions then have to finish, about as on Lambda.
const MAX_FINISH: Duration = Duration::from_secs(1);

/// How a stack is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its data is.
    pub data: Data,
    /// The port of the HTTP API on loopback; 0 picks one.
    pub port: u16,
    /// Its time.
    pub time: Time,
    /// Parameters of the template, for those that are not to have its defaults.
    pub parameters: BTreeMap<String, String>,
    /// The functions' code.
    pub functions: Functions,
    /// The template.
    pub template: String,
    /// A file that gets a line for each permission of the template when a function first uses it.
    pub permissions_record: Option<PathBuf>,
    /// Where it ends, in tests of what is left then.
    pub crash_injector: CrashInjector,
    /// The names, besides this machine's own, under which people reach the API: those of tunnels and proxies.
    pub allow_hosts: Vec<String>,
    /// How long an operation of AWS's may take, in place of what functions allow it on AWS, which a busy machine
    /// exceeds (700 ms for a table).
    pub aws_timeout: Option<Duration>,
    /// Whether the units are added up that DynamoDB would charge, which takes some time of each operation.
    pub metered: bool,
    /// Where others play DynamoDB, SQS and Secrets Manager, as in `http://127.0.0.1:5000`; ours do by default.
    pub aws_endpoint: Option<String>,
    /// The environment variable, of the functions that have it, that is set to the address of the HTTP API.
    /// Default: none.
    pub api_url_variable: Option<String>,
    /// Answers the requests that the HTTP API rejects before they reach a function. Default: as API Gateway.
    pub reject: fn(Rejection) -> Response,
}

impl Settings {
    /// A template and its functions in memory, on any port, by the machine's time.
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

/// A running stack. It ends when it is dropped; `stop` ends it in good order.
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
    /// Gives `None` when nothing is left that could invoke a function.
    running: mpsc::Receiver<()>,
    drivers: JoinSet<()>,
    endpoints: JoinSet<()>,
    _lock: Option<File>,
}

impl Stack {
    /// Starts a stack; when this returns, it answers.
    ///
    /// # Errors
    /// If another process uses the data folder or the port, the template is not understood, or a
    /// function does not start.
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
        let listener = listen(port).await?;
        let address = listener.local_addr().map_err(|error| no_port(port, error))?;
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
        let mut endpoints = Endpoints::default();
        let queues = permissions.guarding(crash_injector.crashing(queues));
        let queues = endpoints.serve(credentials.guarding(queues)).await?;
        let tables = permissions.guarding(crash_injector.crashing(calls.counting(tables)));
        let tables = endpoints.serve(credentials.guarding(tables)).await?;
        let secrets = permissions.guarding(secrets);
        let secrets = endpoints.serve(credentials.guarding(secrets)).await?;
        let mut variables = BTreeMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", tables),
            ("AWS_ENDPOINT_URL_SQS", queues.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets),
            ("LOCAL_PORTS", endpoints.ports.join(",")),
        ]);
        variables.extend(aws_timeout.map(|timeout| ("LOCAL_TIMEOUT_MS", timeout.as_millis().to_string())));
        let wiring = template::read(&template, &parameters, &template::Endpoints { queues })?;
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
            endpoints: endpoints.running,
            credentials,
            _lock: lock,
        })
    }

    /// The address of the HTTP API, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was called so far: AWS's operations, and each function as `("lambda", <its logical id>)`.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The units that DynamoDB would have charged so far, where the stack is metered.
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

    /// Returns when no function runs. What is on its way to one may run it in the next moment.
    pub async fn idle(&self) {
        self.busy.idle().await;
    }

    /// What services elsewhere refuse to functions, where the stack uses such.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.remote.as_ref().map(|remote| remote.refusals().clone()).unwrap_or_default()
    }

    /// The tables; empty where others play their part, as are the queues and secrets.
    #[must_use]
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dynamodb
    }

    /// The queues.
    #[must_use]
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// The secrets.
    #[must_use]
    pub fn secrets_manager(&self) -> &SecretsManager {
        &self.secrets_manager
    }

    /// What calls the endpoints as nobody's function, so that no policy limits it.
    #[must_use]
    pub fn owner(&self) -> Pair {
        self.credentials.of_owner()
    }

    /// Takes nothing new, finishes what is in hand within 10 s, cuts what is left, and ends.
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
            // What does not even end now ends with the process.
            let _ = tokio::time::timeout(MAX_CUT, ended).await;
        }
        self.drivers.shutdown().await;
        let finish = join_all(self.functions.iter().map(|function| function.finish()));
        let _ = tokio::time::timeout(MAX_FINISH, finish).await;
        self.endpoints.shutdown().await;
    }
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| no_port(port, error))
}

fn no_port(port: u16, error: std::io::Error) -> Error {
    let text = if error.kind() == std::io::ErrorKind::AddrInUse {
        "The port is in use; choose another"
    } else {
        "The port cannot be had; choose another"
    };
    Error::new(ErrorKind::PortInUse, text).about(port.to_string()).caused_by(error)
}

/// The endpoints of AWS's services, each on a port of loopback.
#[derive(Default)]
struct Endpoints {
    running: JoinSet<()>,
    ports: Vec<String>,
}

impl Endpoints {
    /// Serves one more; its address.
    async fn serve(&mut self, router: Router) -> Result<String, Error> {
        use axum::serve::ListenerExt as _;

        let listener = listen(0).await?;
        let address = listener.local_addr().map_err(|error| no_port(0, error))?;
        let listener = listener.tap_io(|stream| {
            // Without it small answers wait for an acknowledgement; where it fails, they do.
            let _ = stream.set_nodelay(true);
        });
        self.running.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = %error, "an endpoint ended");
            }
        });
        self.ports.push(address.port().to_string());
        Ok(format!("http://{address}"))
    }
}
