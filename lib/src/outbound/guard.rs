//! The egress guard: resolves a name, checks every address, and connects to a checked one only.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::domain::address::Host;
use crate::domain::target::{EgressPolicy, Target};
use crate::environment::Environment;
use crate::error::Error;

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name leads to an address that may not be called.
    #[error("the address may not be called")]
    Blocked,
    /// The name did not resolve.
    #[error("the name did not resolve")]
    Dns,
    /// Nobody answered.
    #[error("the connection could not be made")]
    Connect,
}

impl EgressPolicy {
    /// What the deployment allows.
    ///
    /// # Errors
    /// A fault when `EGRESS_ALLOW_CIDRS` is not a list of CIDRs.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let cidrs = environment.variable("EGRESS_ALLOW_CIDRS").unwrap_or_default();
        let cidrs: Result<Vec<IpNet>, _> =
            cidrs.split(',').map(str::trim).filter(|cidr| !cidr.is_empty()).map(str::parse).collect();
        let cidrs = cidrs.map_err(|error| {
            Error::fault("a variable is not a list of CIDRs").about("EGRESS_ALLOW_CIDRS").caused_by(error)
        })?;
        Ok(Self::new(environment.variable("EGRESS_ALLOW_HTTP") == Some("true"), cidrs))
    }
}

/// The addresses of a host, all of them checked: one bad address refuses all.
///
/// # Errors
/// Why there are none.
pub async fn addresses(host: &Host, port: u16, policy: &EgressPolicy) -> Result<Vec<SocketAddr>, Refusal> {
    let found: Vec<IpAddr> = match host {
        Host::Address(ip) => vec![*ip],
        Host::Name(name) => tokio::net::lookup_host((name.as_str(), port))
            .await
            .map_err(|_| Refusal::Dns)?
            .map(|address| address.ip())
            .collect(),
    };
    if found.is_empty() {
        return Err(Refusal::Dns);
    }
    if found.iter().any(|ip| policy.check(*ip, port).is_err()) {
        return Err(Refusal::Blocked);
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// Whether a target may be saved: it resolves, and only to addresses that may be called.
///
/// # Errors
/// What is wrong with it, for a person.
pub async fn check(target: &Target, policy: &EgressPolicy) -> Result<(), String> {
    match addresses(target.host(), target.port(), policy).await {
        Ok(_) => Ok(()),
        Err(Refusal::Blocked) => Err("leads to an address that may not be called".to_owned()),
        Err(Refusal::Dns | Refusal::Connect) => Err("has a host name that does not resolve".to_owned()),
    }
}

/// Connects to one of a URL's checked addresses, the first that answers.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(uri: Uri, policy: EgressPolicy) -> Result<TokioIo<TcpStream>, Refusal> {
    let host = uri.host().and_then(|host| Host::parse(host).ok()).ok_or(Refusal::Dns)?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    for address in addresses(&host, port, &policy).await? {
        if let Ok(stream) = TcpStream::connect(address).await {
            // A lost option costs latency only.
            let _ = stream.set_nodelay(true);
            return Ok(TokioIo::new(stream));
        }
    }
    Err(Refusal::Connect)
}
