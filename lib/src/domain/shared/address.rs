//! Which addresses may be called, and how a URL may spell a host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address `ip` is, in words, unless it is on the public Internet.
///
/// By IANA's registries of special-purpose addresses (for [IPv4] and [IPv6]). Of IPv6, only `2000::/3` is
/// allocated as global unicast (RFC 4291, 2.4), so everything outside it is blocked without being listed.
///
/// [IPv4]: https://www.iana.org/assignments/iana-ipv4-special-registry
/// [IPv6]: https://www.iana.org/assignments/iana-ipv6-special-registry
///
/// ```
/// use stella::domain::shared::address::blocked;
///
/// assert_eq!(blocked("8.8.8.8".parse().unwrap()), None);
/// assert_eq!(blocked("169.254.169.254".parse().unwrap()), Some("a link-local address"));
/// assert_eq!(blocked("::ffff:8.8.8.8".parse().unwrap()), Some("an IPv4 address in IPv6 form"));
/// ```
#[must_use]
pub fn blocked(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => blocked_v4(ip),
        IpAddr::V6(ip) => blocked_v6(ip),
    }
}

fn blocked_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, ..] => "an unspecified address",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "a carrier's shared address",
        [169, 254, ..] => "a link-local address",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "a documentation address",
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => "a reserved address",
        [224..=239, ..] => "a multicast address",
        _ => return None,
    })
}

fn blocked_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if ip.is_unspecified() {
        return Some("an unspecified address");
    }
    if ip.is_loopback() {
        return Some("a loopback address");
    }
    if embedded(ip).is_some() {
        return Some("an IPv4 address in IPv6 form");
    }
    Some(match ip.segments() {
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "a documentation address",
        // 2001::/23: protocol assignments, among them benchmarking and ORCHID.
        [0x2001, 0..=0x01ff, ..] => "a reserved address",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

/// The IPv4 address inside an IPv6 address of a transition form: IPv4-mapped or IPv4-compatible (RFC 4291,
/// 2.5.5), IPv4-translated (RFC 2765, 2.1), NAT64 (`64:ff9b::/96`, RFC 6052; `64:ff9b:1::/48`, RFC 8215),
/// 6to4 (RFC 3056), Teredo (RFC 4380).
#[must_use]
pub fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let from_halves = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => Some(from_halves(high, low)),
        // Teredo inverts the bits of the client's address (RFC 4380, 4).
        [0x2001, 0, _, _, _, _, high, low] => Some(from_halves(!high, !low)),
        _ => None,
    }
}

/// The host of a URL, in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name in lower case, without a dot at its end.
    Name(String),
    /// An address literal.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl Host {
    /// Reads the host of a URL: a DNS name, an IPv4 address as four decimal numbers, or an IPv6 address in
    /// brackets (RFC 3986, 3.2.2). Other spellings that some resolvers take for an address (`2130706433`,
    /// `0x7f.1`, `0177.0.0.1`) are refused.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
            return ip
                .map(|ip| Self::Address(ip.into()))
                .ok_or_else(|| "has a malformed IPv6 address".to_owned());
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(ip.into()));
        }
        let name = text.to_ascii_lowercase();
        if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
            return Err("must have a plain host name (international names in their xn-- form)".to_owned());
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.strip_prefix("0x").map_or_else(
            || last.bytes().all(|byte| byte.is_ascii_digit()),
            |hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        );
        if number {
            return Err("must write an IPv4 address as four decimal numbers".to_owned());
        }
        Ok(Self::Name(name))
    }
}

/// Whether a text is a DNS label: letters, digits and inner hyphens (RFC 1123, 2.1). Underscores are allowed
/// too, because some internal names have them.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_blocked(ip: &str) -> bool {
        blocked(ip.parse().unwrap()).is_some()
    }

    #[test]
    fn public_addresses_are_not_blocked() {
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2600::1",
            "3ffe::1",
        ] {
            assert!(!is_blocked(ip), "{ip}");
        }
    }

    #[test]
    fn special_v4_ranges_are_blocked_from_their_first_to_their_last_address() {
        for ip in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.170",
            "192.0.2.0",
            "192.0.2.255",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
        ] {
            assert!(is_blocked(ip), "{ip}");
        }
    }

    #[test]
    fn special_v6_addresses_are_blocked() {
        for ip in [
            "::",
            "::1",
            "::2",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "100::1",
            "5f00::1",
            "4000::1",
            "e000::1",
            "1fff::1",
        ] {
            assert!(is_blocked(ip), "{ip}");
        }
    }

    #[test]
    fn v4_addresses_in_v6_form_are_blocked_even_if_public() {
        for ip in [
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:a9fe:a9fe",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::a00:1",
            "64:ff9b:1:2:3:4:a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            assert!(is_blocked(ip), "{ip}");
        }
    }

    #[test]
    fn the_embedded_v4_address_is_found() {
        for (ip, inner) in [
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
            ("64:ff9b:1::a00:1", "10.0.0.1"),
            ("2002:c0a8:101::1", "192.168.1.1"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
        ] {
            assert_eq!(embedded(ip.parse().unwrap()), Some(inner.parse().unwrap()), "{ip}");
        }
        assert_eq!(embedded(Ipv6Addr::LOCALHOST), None);
    }

    #[test]
    fn a_host_is_a_plain_name_or_a_literal() {
        for name in [
            "example.com",
            "Example.COM",
            "localhost",
            "a-b.c_d.example",
            "xn--bcher-kva.example",
            "1.example",
        ] {
            assert_eq!(Host::parse(name), Ok(Host::Name(name.to_ascii_lowercase())));
        }
        assert_eq!(Host::parse("127.0.0.1"), Ok(Host::Address(Ipv4Addr::LOCALHOST.into())));
        assert_eq!(Host::parse("[::1]"), Ok(Host::Address(Ipv6Addr::LOCALHOST.into())));
    }

    #[test]
    fn numbers_that_some_resolvers_take_for_addresses_are_refused() {
        for host in [
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0x7f.1",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "127.0.0.01",
            "0x7f.0.0.0x1",
            "1.2.3.4.5",
            "256.1.1.1",
            "example.0x",
            "example.1",
            "0X7F000001",
        ] {
            assert!(Host::parse(host).is_err(), "{host}");
        }
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for host in [
            "",
            ".",
            "localhost.",
            "a..b",
            "-a.example",
            "a-.example",
            "bücher.example",
            "a b",
            "a%2eb",
            "127.0.0.1.",
            "[::1",
            "[::1%25eth0]",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "::1",
            "[]",
            "a/b",
            "1\u{ff0e}1",
        ] {
            assert!(Host::parse(host).is_err(), "{host:?}");
        }
    }

    proptest! {
        #[test]
        fn every_form_of_a_v4_address_is_blocked(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            prop_assert!(blocked(v4.to_ipv6_mapped().into()).is_some());
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for form in [
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 1, 2, 3, 4, !high, !low),
            ] {
                prop_assert_eq!(embedded(form), Some(v4));
                prop_assert!(blocked(form.into()).is_some());
            }
        }

        #[test]
        fn addresses_that_the_standard_library_calls_special_are_blocked(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast()
                || ip.is_documentation() || ip.is_multicast() || ip.is_unspecified();
            prop_assert!(!special || blocked(ip.into()).is_some());
        }

        #[test]
        fn a_displayed_host_parses_to_itself(text in "[a-z0-9.\\[\\]:-]{1,20}") {
            if let Ok(host) = Host::parse(&text) {
                prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
            }
        }
    }
}
