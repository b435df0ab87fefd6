//! The egress guard: resolves a name, checks every address, and connects to a checked one only.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::domain::shared::address::Host;
use crate::domain::shared::target::{EgressPolicy, Target};
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
    /// What the deployment allows. `LOCAL_PORTS` is set by the local stack alone.
    ///
    /// # Errors
    /// A fault when a variable is not the list that it should be.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let cidrs: Vec<IpNet> = listed(environment, "EGRESS_ALLOW_CIDRS")?;
        let own_ports = listed(environment, "LOCAL_PORTS")?;
        let allows_http = environment.variable("EGRESS_ALLOW_HTTP") == Some("true");
        Ok(Self::new(allows_http, cidrs).refusing(own_ports))
    }
}

/// The values of a variable that has them with commas between.
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
    checked(found, port, policy)
}

/// What a name resolved to, if all of it may be called. Who connects takes these addresses, so that what the
/// name resolves to a moment later is of no interest.
fn checked(found: Vec<IpAddr>, port: u16, policy: &EgressPolicy) -> Result<Vec<SocketAddr>, Refusal> {
    if found.is_empty() {
        return Err(Refusal::Dns);
    }
    if found.iter().any(|ip| policy.check(*ip, port).is_err()) {
        return Err(Refusal::Blocked);
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The addresses of a target that may be saved: it resolves, and only to addresses that may be called.
///
/// # Errors
/// What is wrong with it, for a person.
pub async fn check(target: &Target, policy: &EgressPolicy) -> Result<Vec<IpAddr>, String> {
    match addresses(target.host(), target.port(), policy).await {
        Ok(addresses) => Ok(addresses.iter().map(SocketAddr::ip).collect()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_address_among_a_names_addresses_refuses_all() {
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
