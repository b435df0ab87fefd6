//! The endpoints of the services, as functions call them: authenticated, limited by policies, with crash
//! points.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::crash_point::CrashInjector;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::permissions::Permissions;

/// The services without what the endpoints add.
pub(crate) struct Routers {
    /// DynamoDB and DynamoDB Streams.
    pub(crate) tables: Router,
    /// SQS.
    pub(crate) queues: Router,
    /// Secrets Manager.
    pub(crate) secrets: Router,
}

/// What the endpoints add to the services.
pub(crate) struct Guards {
    /// Authenticates callers.
    pub(crate) credentials: Credentials,
    /// Enforces policies.
    pub(crate) permissions: Permissions,
    /// Simulates a crash between writes and sends.
    pub(crate) crash_injector: CrashInjector,
}

/// The endpoints, each on its own loopback port.
pub(crate) struct Endpoints {
    running: JoinSet<()>,
    tables: SocketAddr,
    queues: SocketAddr,
    secrets: SocketAddr,
}

impl Endpoints {
    /// Starts the endpoints.
    pub(crate) async fn start(routers: Routers, guards: &Guards) -> Result<Self, Error> {
        let Guards { credentials, permissions, crash_injector } = guards;
        let mut running = JoinSet::new();
        let mut serve =
            async |router| serve(credentials.guarding(permissions.guarding(router)), &mut running).await;
        let queues = serve(crash_injector.crashing(routers.queues)).await?;
        let tables = serve(crash_injector.crashing(routers.tables)).await?;
        let secrets = serve(routers.secrets).await?;
        Ok(Self { running, tables, queues, secrets })
    }

    /// The URL of SQS.
    pub(crate) fn queues(&self) -> String {
        format!("http://{}", self.queues)
    }

    /// The variables by which SDKs find the endpoints.
    pub(crate) fn variables(&self) -> BTreeMap<&'static str, String> {
        let ports = [self.queues, self.tables, self.secrets].map(|address| address.port().to_string());
        BTreeMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", self.tables)),
            ("AWS_ENDPOINT_URL_SQS", self.queues()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", format!("http://{}", self.secrets)),
            ("LOCAL_PORTS", ports.join(",")),
        ])
    }

    /// Stops serving.
    pub(crate) async fn shutdown(&mut self) {
        self.running.shutdown().await;
    }
}

/// Listens on a port of loopback; 0 picks a free one.
pub(crate) async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |error: std::io::Error| {
        let text = if error.kind() == std::io::ErrorKind::AddrInUse {
            "The port is in use; choose another"
        } else {
            "The port cannot be had; choose another"
        };
        Error::new(ErrorKind::PortInUse, text).about(port.to_string()).caused_by(error)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn serve(router: Router, running: &mut JoinSet<()>) -> Result<SocketAddr, Error> {
    let (listener, address) = listen(0).await?;
    let listener = listener.tap_io(|stream| {
        // Without it, small answers wait for an acknowledgement. If it fails, they do.
        let _ = stream.set_nodelay(true);
    });
    running.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(error = %error, "an endpoint ended");
        }
    });
    Ok(address)
}
