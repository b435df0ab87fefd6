//! Where requests may go: the deployment's egress policy, and a URL that passed its static checks.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;
use ipnet::IpNet;

use crate::domain::shared::address::{self, Host};

/// Ports that are always allowed.
const PORTS: [u16; 2] = [443, 8443];
/// Ports that are also allowed if plain http is.
const PLAIN_PORTS: [u16; 2] = [80, 8080];
const MAX_URL_BYTES: usize = 2_048;

/// What a deployment allows beyond https to public addresses. Default: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    allow_http: bool,
    allow_cidrs: Vec<IpNet>,
    own_ports: Vec<u16>,
}

impl EgressPolicy {
    /// A policy that allows plain http, or the addresses of `allow_cidrs`, or both. At these addresses every
    /// port is allowed.
    #[must_use]
    pub fn new(allow_http: bool, allow_cidrs: Vec<IpNet>) -> Self {
        Self { allow_http, allow_cidrs, own_ports: Vec::new() }
    }

    /// The policy, which also refuses these ports at addresses that are not public: the service's own
    /// endpoints listen there.
    #[must_use]
    pub fn refusing(mut self, own_ports: Vec<u16>) -> Self {
        self.own_ports = own_ports;
        self
    }

    /// Whether plain http is allowed.
    #[must_use]
    pub fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Whether a connection to this address and port is allowed. Every address is checked here before a
    /// connection, whether it was resolved or is a literal.
    ///
    /// # Errors
    /// The kind of address or port, for a person; never the address itself.
    pub fn check(&self, ip: IpAddr, port: u16) -> Result<(), String> {
        let kind = address::blocked(ip);
        if kind.is_some() && self.own_ports.contains(&port) {
            return Err("must not lead to the service's own endpoints".to_owned());
        }
        if self.lists(ip) {
            return Ok(());
        }
        if let Some(kind) = kind {
            return Err(format!("must not lead to {kind}"));
        }
        if self.opens(port) { Ok(()) } else { Err(self.ports()) }
    }

    /// Whether the address is in `allow_cidrs`. An IPv4 address in IPv6 form counts as the IPv4 address:
    /// allowing the prefix of a translator does not allow the private addresses behind it.
    fn lists(&self, ip: IpAddr) -> bool {
        let listed = |ip: IpAddr| self.allow_cidrs.iter().any(|cidr| cidr.contains(&ip));
        let IpAddr::V6(v6) = ip else { return listed(ip) };
        match address::embedded(v6) {
            None => listed(ip),
            Some(inner) if v6.to_ipv4_mapped().is_some() => listed(inner.into()),
            Some(inner) => listed(ip) && (listed(inner.into()) || address::blocked(inner.into()).is_none()),
        }
    }

    fn opens(&self, port: u16) -> bool {
        PORTS.contains(&port) || (self.allow_http && PLAIN_PORTS.contains(&port))
    }

    fn ports(&self) -> String {
        if self.allow_http {
            "must use port 80, 443, 8080 or 8443".to_owned()
        } else {
            "must use port 443 or 8443".to_owned()
        }
    }
}

/// A URL that passed the static checks. Only [`Target::vet`] creates one, so that nothing else can be called.
/// The addresses that its host resolves to are checked by [`EgressPolicy::check`] at each connection.
///
/// ```
/// use stella::domain::shared::target::{EgressPolicy, Target};
///
/// let policy = EgressPolicy::default();
/// assert_eq!(Target::vet("https://api.example.com/hook", &policy).unwrap().port(), 443);
/// assert!(Target::vet("http://api.example.com/hook", &policy).is_err());
/// assert!(Target::vet("https://127.0.0.1/hook", &policy).is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    host: Host,
    port: u16,
}

/// Shows only host and port: the path and the query of a subscriber's URL may have secrets.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({}:{})", self.host, self.port)
    }
}

impl Target {
    /// Checks a URL against what the deployment allows.
    ///
    /// # Errors
    /// What is wrong with it, for a person; never the URL itself.
    pub fn vet(url: &str, policy: &EgressPolicy) -> Result<Self, String> {
        if url.is_empty() || url.len() > MAX_URL_BYTES {
            return Err(format!("must have 1 to {MAX_URL_BYTES} characters"));
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['\\', '"', '<', '>']) {
            return Err("must be an absolute URL of ASCII characters, others %-encoded".to_owned());
        }
        if url.contains('#') {
            return Err("must not have a fragment".to_owned());
        }
        let uri: Uri = url.parse().map_err(|_| "must be an absolute URL")?;
        let is_secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP && policy.allow_http => false,
            Some(scheme) if *scheme == Scheme::HTTP => return Err("must be an https URL".to_owned()),
            _ => return Err("must be an absolute https URL".to_owned()),
        };
        let authority = uri.authority().ok_or("must have a host")?;
        if authority.as_str().contains('@') {
            return Err("must not have a user name or password".to_owned());
        }
        let host = Host::parse(authority.host())?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") if is_secure => 443,
            Some("") => 80,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or("must have a port from 1 to 65535")?,
        };
        match &host {
            Host::Address(ip) => policy.check(*ip, port)?,
            // The name may resolve to an address of `allow_cidrs`, where every port is allowed.
            Host::Name(_) if policy.opens(port) || !policy.allow_cidrs.is_empty() => {}
            Host::Name(_) => return Err(policy.ports()),
        }
        Ok(Self { uri, host, port })
    }

    /// The URL, to call it; not for logs.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host, in canonical form.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, as written or implied by the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(url: &str) -> Result<Target, String> {
        Target::vet(url, &EgressPolicy::default())
    }

    fn local() -> EgressPolicy {
        EgressPolicy::new(true, vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()])
    }

    #[test]
    fn https_on_443_and_8443_passes() {
        for (url, port) in [
            ("https://api.example.com/webhooks/stella", 443),
            ("https://api.example.com", 443),
            ("https://api.example.com:443/", 443),
            ("HTTPS://API.example.com:8443/x?y=z&w=%20", 8443),
            ("https://8.8.8.8/", 443),
            ("https://[2606:4700::1111]:8443/", 8443),
        ] {
            assert_eq!(strict(url).unwrap().port(), port, "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "/hooks",
            "example.com",
            "example.com/x",
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https:///x",
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://@example.com/",
            "https://example.com/#part",
            "https://example.com:80/",
            "https://example.com:22/",
            "https://example.com:0/",
            "https://example.com:/",
            "https://example.com:99999/",
            "https://example.com:44 3/",
            "https://ex ample.com/",
            "https://example.com/a b",
            "https://example.com/\r\nX: y",
            "https://bücher.example/",
            "https://example.com/é",
            "https://example.com\\@127.0.0.1/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https:example.com",
            "https://example.com./",
            "https://a%2eb/",
            "//example.com/",
            "pull:",
        ] {
            assert!(strict(url).is_err(), "{url:?}");
        }
        assert!(strict(&format!("https://example.com/{}", "x".repeat(2_048))).is_err());
    }

    #[test]
    fn literals_are_checked_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.1",
            "169.254.169.254",
            "10.0.0.1",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2001:db8::1]",
        ] {
            assert!(strict(&format!("https://{host}/")).is_err(), "{host}");
        }
    }

    #[test]
    fn a_deployment_may_allow_addresses_and_plain_http() {
        for url in [
            "http://127.0.0.1:3000/hook",
            "http://localhost:9000/",
            "https://127.0.0.1:4443/",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]:1/",
            "https://example.com/",
            "http://example.com/",
        ] {
            assert!(Target::vet(url, &local()).is_ok(), "{url}");
        }
        for url in
            ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::2]/", "http://8.8.8.8:25/"]
        {
            assert!(Target::vet(url, &local()).is_err(), "{url}");
        }
    }

    #[test]
    fn allowing_addresses_does_not_allow_plain_http() {
        let policy = EgressPolicy::new(false, vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(Target::vet("http://127.0.0.1/", &policy).is_err());
        assert!(Target::vet("https://127.0.0.1:5000/", &policy).is_ok());
    }

    #[test]
    fn allowing_plain_http_does_not_allow_addresses_or_other_ports() {
        let policy = EgressPolicy::new(true, vec![]);
        assert!(Target::vet("http://127.0.0.1/", &policy).is_err());
        assert!(Target::vet("http://example.com:8080/", &policy).is_ok());
        assert!(Target::vet("http://example.com:6379/", &policy).is_err());
    }

    #[test]
    fn the_services_own_ports_are_refused_in_every_spelling_of_this_machine() {
        let everything = EgressPolicy::new(true, vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        for policy in [local(), everything] {
            let policy = policy.refusing(vec![4001, 4002]);
            for host in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"] {
                assert!(Target::vet(&format!("http://{host}:4001/"), &policy).is_err(), "{host}");
                assert!(Target::vet(&format!("https://{host}:4002/x"), &policy).is_err(), "{host}");
            }
            assert!(Target::vet("http://127.0.0.1:4003/", &policy).is_ok());
        }
        let public = EgressPolicy::new(false, vec![]).refusing(vec![443]);
        assert!(Target::vet("https://8.8.8.8/", &public).is_ok());
    }

    #[test]
    fn an_odd_port_is_open_only_on_an_allowed_address() {
        assert!(local().check("127.0.0.1".parse().unwrap(), 6379).is_ok());
        assert!(local().check("8.8.8.8".parse().unwrap(), 6379).is_err());
        assert!(local().check("8.8.8.8".parse().unwrap(), 443).is_ok());
    }

    #[test]
    fn allowing_a_translators_prefix_does_not_allow_what_is_private_behind_it() {
        let policy = EgressPolicy::new(false, vec!["64:ff9b::/96".parse().unwrap()]);
        assert!(policy.check("64:ff9b::808:808".parse().unwrap(), 443).is_ok());
        assert!(policy.check("64:ff9b::7f00:1".parse().unwrap(), 443).is_err());
        let everything = EgressPolicy::new(false, vec!["::/0".parse().unwrap()]);
        assert!(everything.check("::ffff:127.0.0.1".parse().unwrap(), 443).is_err());
    }

    #[test]
    fn debug_and_refusals_never_show_a_path() {
        let target = strict("https://example.com/secret-token?key=1").unwrap();
        assert_eq!(format!("{target:?}"), "Target(example.com:443)");
        assert!(!strict("https://example.com:22/secret-token").unwrap_err().contains("secret"));
    }
}
