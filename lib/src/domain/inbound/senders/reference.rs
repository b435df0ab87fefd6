//! Names of images: the registry's host before them, the tag or digest after them.

/// The host and the rest of `host/name`. As Docker reads it, the first part is a host when it has a dot
/// or a colon, or is `localhost`; else there is none.
pub(super) fn split_host(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), rest),
        Some(_) | None => (None, name),
    }
}

/// A reference without scheme, tag and digest: `https://host:5000/a/b:v1@sha256:…` is `host:5000/a/b`.
pub(super) fn bare(reference: &str) -> &str {
    let reference = without_scheme(reference);
    let reference = reference.split_once('@').map_or(reference, |(name, _)| name);
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && name.contains('/') => name,
        Some(_) | None => reference,
    }
}

/// The tag of a reference, if it has one.
pub(super) fn tag(reference: &str) -> Option<&str> {
    let reference = without_scheme(reference);
    let reference = reference.split_once('@').map_or(reference, |(name, _)| name);
    reference.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty() && !tag.contains('/'))
}

/// An address without `https://`.
pub(super) fn without_scheme(address: &str) -> &str {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    rest.unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_is_a_host_when_it_looks_like_one() {
        assert_eq!(split_host("ghcr.io/myorg/myapp"), (Some("ghcr.io"), "myorg/myapp"));
        assert_eq!(split_host("localhost/a"), (Some("localhost"), "a"));
        assert_eq!(split_host("registry:5000/a/b"), (Some("registry:5000"), "a/b"));
        assert_eq!(split_host("myorg/myapp"), (None, "myorg/myapp"));
        assert_eq!(split_host("nginx"), (None, "nginx"));
    }

    #[test]
    fn tag_and_digest_are_cut_and_a_port_is_not() {
        for (reference, expected) in [
            ("host:5000/a/b:v1", "host:5000/a/b"),
            ("host:5000/a/b", "host:5000/a/b"),
            ("https://host/a@sha256:abc", "host/a"),
            ("host/a:v1@sha256:abc", "host/a"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(bare(reference), expected, "{reference}");
        }
    }
}
