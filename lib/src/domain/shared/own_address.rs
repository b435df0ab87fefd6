//! Recognises the deployment's own inbound addresses: what is delivered to one of them comes back in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use percent_encoding::percent_decode_str;

use super::address::Host;
use super::target::Target;

/// The path below which senders post.
const INBOUND: &str = "/api/v1/webhooks/";
/// Follows an API's id in the host name that API Gateway assigns.
const EXECUTE_API: &str = ".execute-api.";

/// The addresses of a deployment, as far as it knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddress {
    origins: Vec<(Host, u16)>,
    api_id: Option<String>,
}

impl OwnAddress {
    /// The address of the public URL, if there is one.
    #[must_use]
    pub fn of(public_url: Option<&str>) -> Self {
        let origin = |uri: Uri| {
            let implied = if uri.scheme_str() == Some("http") { 80 } else { 443 };
            Some((Host::parse(uri.host()?).ok()?, uri.port_u16().unwrap_or(implied)))
        };
        let origins = public_url.and_then(|url| origin(url.parse().ok()?)).into_iter().collect();
        Self { origins, api_id: None }
    }

    /// Adds the host name by which a request reached the deployment, and API Gateway's id of the API.
    #[must_use]
    pub fn called(&self, domain: Option<&str>, api_id: Option<&str>) -> Self {
        let mut own = self.clone();
        own.origins.extend(domain.and_then(|domain| Host::parse(domain).ok()).map(|host| (host, 443)));
        own.api_id = api_id.map(str::to_ascii_lowercase);
        own
    }

    /// Whether `target`, whose host resolves to `addresses`, is an inbound address of the deployment, in any
    /// spelling.
    #[must_use]
    pub fn is_inbound(&self, target: &Target, addresses: &[IpAddr]) -> bool {
        plain_path(target.uri().path()).starts_with(INBOUND)
            && (self.is_named(target) || addresses.iter().any(|ip| self.is_at(*ip, target.port())))
    }

    fn is_named(&self, target: &Target) -> bool {
        let (host, port) = (target.host(), target.port());
        let is_api = |id: &String| match host {
            Host::Name(name) => {
                name.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with(EXECUTE_API))
            }
            Host::Address(_) => false,
        };
        self.api_id.as_ref().is_some_and(is_api)
            || self.origins.iter().any(|(own, at)| *at == port && own == host)
    }

    /// Whether the deployment itself listens on an address. It knows this only on one machine, where its
    /// public URL has an address literal.
    fn is_at(&self, ip: IpAddr, port: u16) -> bool {
        let is_own = |own: &Host| match own {
            Host::Address(own) => *own == ip || (is_this_machine(*own) && is_this_machine(ip)),
            Host::Name(_) => false,
        };
        self.origins.iter().any(|(own, at)| *at == port && is_own(own))
    }
}

/// Whether a connection to an address stays on this machine.
fn is_this_machine(ip: IpAddr) -> bool {
    let of_v4 = |ip: Ipv4Addr| ip.is_loopback() || ip.is_unspecified();
    match ip {
        IpAddr::V4(ip) => of_v4(ip),
        IpAddr::V6(ip) => {
            [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED].contains(&ip)
                || ip.to_ipv4_mapped().is_some_and(of_v4)
        }
    }
}

/// A path as a lenient server would route it: decoded, without empty and dot segments, in lower case.
fn plain_path(path: &str) -> String {
    let mut decoded = path.to_owned();
    // Some servers decode twice.
    for _ in 0..2 {
        decoded = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}/", segments.join("/")).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::target::EgressPolicy;
    use super::*;

    fn target(url: &str) -> Target {
        let everything = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        Target::vet(url, &EgressPolicy::new(true, everything)).unwrap()
    }

    fn is_inbound(own: &OwnAddress, url: &str, addresses: &[&str]) -> bool {
        let target = target(url);
        let mut addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        if let Host::Address(ip) = target.host() {
            addresses.push(*ip);
        }
        own.is_inbound(&target, &addresses)
    }

    #[test]
    fn a_deployment_recognises_each_of_its_names() {
        let own = OwnAddress::of(Some("https://hooks.example.com/"));
        let own = own.called(Some("api.example.com"), Some("AbC123"));
        for host in [
            "hooks.example.com",
            "HOOKS.example.com:443",
            "api.example.com",
            "abc123.execute-api.eu-west-1.amazonaws.com",
            "ABC123.execute-api.us-east-1.amazonaws.com.cn",
        ] {
            assert!(
                is_inbound(&own, &format!("https://{host}/api/v1/webhooks/generic/x"), &["8.8.8.8"]),
                "{host}"
            );
        }
        for host in [
            "example.com",
            "hooks.example.com:8443",
            "a.hooks.example.com",
            "abc.execute-api.eu-west-1.amazonaws.com",
            "abc123.example.com",
        ] {
            assert!(
                !is_inbound(&own, &format!("https://{host}/api/v1/webhooks/generic/x"), &["8.8.8.8"]),
                "{host}"
            );
        }
    }

    #[test]
    fn on_one_machine_every_spelling_of_loopback_is_recognised() {
        let own = OwnAddress::of(Some("http://127.0.0.1:8787"));
        for (url, addresses) in [
            ("http://127.0.0.1:8787", [].as_slice()),
            ("http://127.0.0.2:8787", &[]),
            ("http://0.0.0.0:8787", &[]),
            ("http://[::1]:8787", &[]),
            ("http://[::ffff:127.0.0.1]:8787", &[]),
            ("https://127.0.0.1:8787", &[]),
            ("http://localhost:8787", &["::1", "127.0.0.1"]),
            ("http://any.name.example:8787", &["127.0.0.1"]),
        ] {
            assert!(is_inbound(&own, &format!("{url}/api/v1/webhooks/ci/x"), addresses), "{url}");
        }
        for (url, addresses) in [
            ("http://127.0.0.1:8788", [].as_slice()),
            ("http://localhost:80", &["127.0.0.1"]),
            ("http://10.0.0.1:8787", &[]),
        ] {
            assert!(!is_inbound(&own, &format!("{url}/api/v1/webhooks/ci/x"), addresses), "{url}");
        }
    }

    #[test]
    fn only_inbound_paths_are_recognised_in_any_spelling() {
        let own = OwnAddress::of(Some("https://hooks.example.com"));
        for path in [
            "/api/v1/webhooks/generic/x",
            "/api/v1/webhooks/generic/x/token?token=y",
            "//api//v1/webhooks/generic/x",
            "/x/../api/./v1/webhooks/generic/x",
            "/%61pi/v1/%77ebhooks/generic/x",
            "/api/v1/webhooks%2Fgeneric/x",
            "/%2561pi/v1/webhooks/generic/x",
            "/API/v1/Webhooks/generic/x",
            "/api/v1/webhooks",
        ] {
            assert!(is_inbound(&own, &format!("https://hooks.example.com{path}"), &[]), "{path}");
        }
        for path in ["", "/", "/api/v1/webhook-configs", "/hook?next=/api/v1/webhooks/generic/x", "/api/v1"] {
            assert!(!is_inbound(&own, &format!("https://hooks.example.com{path}"), &[]), "{path}");
        }
        assert!(!is_inbound(&OwnAddress::of(None), "https://hooks.example.com/api/v1/webhooks/ci/x", &[]));
    }
}
