//! The `Host` of a request, if every URL parser accepts it.

use std::net::{Ipv4Addr, SocketAddr};

use http::header::{self, HeaderMap};

/// The request's host; or the listener's address, if the host is absent or not one that every URL parser
/// accepts: `lambda_http` panics on others.
pub(super) fn host(headers: &HeaderMap, local: SocketAddr) -> String {
    let given = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    given.filter(|host| is_plain_host(host)).map_or_else(|| local.to_string(), str::to_owned)
}

fn is_plain_host(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        Some(_) => return false,
        None => host,
    };
    if name.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.to_ascii_lowercase().starts_with("xn--")
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // If the last label begins with a digit, URL parsers take the host for an IPv4 address.
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(is_label) && !last.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_malformed_host_is_replaced() {
        let ours = "127.0.0.1:8787";
        for (given, expected) in [
            ("localhost:8787", "localhost:8787"),
            ("example.com", "example.com"),
            ("[::1]:80", "[::1]:80"),
            ("10.0.0.1", "10.0.0.1"),
            ("a b", ours),
            ("", ours),
            ("a@b", ours),
            ("a:99999", ours),
            ("999.999.999.999", ours),
            ("xn--a", ours),
            ("a..b", ours),
            ("a/b", ours),
            ("[", ours),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(given))]);
            assert_eq!(host(&headers, ours.parse().unwrap()), expected, "{given}");
        }
        assert_eq!(host(&HeaderMap::new(), ours.parse().unwrap()), ours);
    }
}
