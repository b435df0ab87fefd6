//! The egress guard: resolves a name, checks every address, and connects to checked addresses only.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::domain::shared::address::Host;
use crate::domain::shared::target::{EgressPolicy, Target};
use crate::environment::Environment;
use crate::error::Error;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name resolves to an address that must not be called.
    #[error("the address may not be called")]
    Blocked,
    /// The name did not resolve.
    #[error("the name did not resolve")]
    Dns,
    /// No address accepted the connection.
    #[error("the connection could not be made")]
    Connect,
}

impl EgressPolicy {
    /// The policy that the deployment's variables set. `LOCAL_PORTS` is set by the local stack only.
    ///
    /// # Errors
    /// `Fault` if a variable is not a valid list.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let cidrs: Vec<IpNet> = listed(environment, "EGRESS_ALLOW_CIDRS")?;
        let own_ports = listed(environment, "LOCAL_PORTS")?;
        let allows_http = environment.variable("EGRESS_ALLOW_HTTP") == Some("true");
        Ok(Self::new(allows_http, cidrs).refusing(own_ports))
    }
}

/// The values of a variable, which are separated by commas.
fn listed<T>(environment: &Environment, name: &'static str) -> Result<Vec<T>, Error>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let parts = environment.variable(name).unwrap_or_default().split(',').map(str::trim);
    let parts: Result<Vec<T>, _> = parts.filter(|part| !part.is_empty()).map(str::parse).collect();
    parts.map_err(|error| {
        Error::fault("a variable is not the list that it should be").about(name).caused_by(error)
    })
}

/// The addresses of a host, all of them checked: one forbidden address refuses all.
///
/// # Errors
/// Why there are none: [`Refusal::Blocked`] or [`Refusal::Dns`].
pub async fn addresses(host: &Host, port: u16, policy: &EgressPolicy) -> Result<Vec<SocketAddr>, Refusal> {
    let found: Vec<IpAddr> = match host {
        Host::Address(ip) => vec![*ip],
        Host::Name(name) => tokio::net::lookup_host((name.as_str(), port))
            .await
            .map_err(|_| Refusal::Dns)?
            .map(|address| address.ip())
            .collect(),
    };
    checked(found, port, policy)
}

/// The addresses if every one may be called. The caller connects to these, so a later answer of DNS changes
/// nothing (DNS rebinding).
fn checked(found: Vec<IpAddr>, port: u16, policy: &EgressPolicy) -> Result<Vec<SocketAddr>, Refusal> {
    if found.is_empty() {
        return Err(Refusal::Dns);
    }
    if found.iter().any(|ip| policy.check(*ip, port).is_err()) {
        return Err(Refusal::Blocked);
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// Checks that a target may be saved: its name resolves, and only to addresses that may be called. Returns
/// them.
///
/// # Errors
/// What is wrong with it, for people.
pub async fn check(target: &Target, policy: &EgressPolicy) -> Result<Vec<IpAddr>, String> {
    match addresses(target.host(), target.port(), policy).await {
        Ok(addresses) => Ok(addresses.iter().map(SocketAddr::ip).collect()),
        Err(Refusal::Blocked) => Err("leads to an address that may not be called".to_owned()),
        Err(Refusal::Dns | Refusal::Connect) => Err("has a host name that does not resolve".to_owned()),
    }
}

/// Connects to the first of a URL's checked addresses that accepts the connection.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(uri: Uri, policy: EgressPolicy) -> Result<TokioIo<TcpStream>, Refusal> {
    let host = uri.host().and_then(|host| Host::parse(host).ok()).ok_or(Refusal::Dns)?;
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    for address in addresses(&host, port, &policy).await? {
        if let Ok(stream) = TcpStream::connect(address).await {
            // Without the option the connection works, with more latency.
            let _ = stream.set_nodelay(true);
            return Ok(TokioIo::new(stream));
        }
    }
    Err(Refusal::Connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_forbidden_address_refuses_all_addresses_of_a_name() {
        let of = |ips: &[&str]| {
            checked(ips.iter().map(|ip| ip.parse().unwrap()).collect(), 443, &EgressPolicy::default())
        };
        assert_eq!(of(&["8.8.8.8", "2606:4700::1111"]).unwrap().len(), 2);
        for bad in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
            assert_eq!(of(&["8.8.8.8", bad]), Err(Refusal::Blocked), "{bad}");
            assert_eq!(of(&[bad, "8.8.8.8"]), Err(Refusal::Blocked), "{bad}");
        }
        assert_eq!(of(&[]), Err(Refusal::Dns));
    }
}
