//! The host names that a listener answers to. A web page that is open on this machine can resolve its own
//! name to 127.0.0.1 (DNS rebinding); its requests then carry that name in `Host`.

use std::sync::Arc;

use http::header::{HOST, HeaderMap};

/// The names of this machine. The port is not compared, since tunnels and proxies change it.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// The host names that a listener answers to.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Arc<[String]>);

impl Hosts {
    /// The names of this machine only.
    pub(crate) fn loopback() -> Self {
        Self::with(&[])
    }

    /// The names of this machine, and those given.
    pub(crate) fn with(names: &[String]) -> Self {
        let names = names.iter().map(String::as_str).chain(LOOPBACK);
        Self(names.map(str::to_ascii_lowercase).collect())
    }

    /// Whether a request has exactly one `Host`, and it is one of these names.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        host.to_str().is_ok_and(|host| self.has(name(host)))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn allows(hosts: &Hosts, given: &[&'static str]) -> bool {
        let values = given.iter().map(|host| (HOST, HeaderValue::from_static(host)));
        hosts.allow(&values.collect())
    }

    #[test]
    fn only_loopback_names_are_allowed_by_default() {
        let hosts = Hosts::loopback();
        for host in ["127.0.0.1:8787", "127.0.0.1", "[::1]:1", "[::1]", "localhost:65535", "LocalHost"] {
            assert!(allows(&hosts, &[host]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8787",
            "localhost.evil.example",
            "localhost:",
            "localhost:99999",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "::1",
            "user@localhost",
            "localhost, evil.example",
        ] {
            assert!(!allows(&hosts, &[host]), "{host}");
        }
        assert!(!allows(&hosts, &[]));
        assert!(!allows(&hosts, &["localhost", "localhost"]));
    }

    #[test]
    fn given_names_are_allowed_on_any_port() {
        let hosts = Hosts::with(&["Hooks.Example.com".to_owned()]);
        for host in ["hooks.example.com", "HOOKS.example.com:443", "localhost:8787"] {
            assert!(allows(&hosts, &[host]), "{host}");
        }
        assert!(!allows(&hosts, &["a.hooks.example.com"]));
    }
}
