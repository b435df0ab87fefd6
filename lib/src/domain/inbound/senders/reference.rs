//! Names of images: the registry's host before them, the tag or digest after them.

/// A reference to an image, split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image<'r> {
    /// The name, with the host if the reference has one.
    pub(super) name: &'r str,
    /// The tag.
    pub(super) tag: Option<&'r str>,
    /// The digest.
    pub(super) digest: Option<&'r str>,
}

/// Splits a reference: `https://host:5000/a/b:v1@sha256:…` has the name `host:5000/a/b`. A colon before a
/// slash is that of a port.
pub(super) fn split(reference: &str) -> Image<'_> {
    let reference = reference.split_once("://").map_or(reference, |(_, rest)| rest);
    let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let tagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let (name, tag) = tagged.unwrap_or((name, ""));
    Image { name, tag: given(tag), digest: given(digest) }
}

/// A text that is not empty.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The host and the rest of `host/name`. As in Docker's references, the first part is a host if it has a dot or
/// a colon, or is `localhost`.
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
    fn a_reference_is_split_into_name_tag_and_digest() {
        for (reference, name, tag, digest) in [
            ("ghcr.io/o/app:v1@sha256:abc", "ghcr.io/o/app", Some("v1"), Some("sha256:abc")),
            ("registry:5000/app", "registry:5000/app", None, None),
            ("registry:5000/app:v1", "registry:5000/app", Some("v1"), None),
            ("o/app@sha256:abc", "o/app", None, Some("sha256:abc")),
            ("nginx:1.25", "nginx", Some("1.25"), None),
            ("docker://nginx", "nginx", None, None),
            ("o/app:", "o/app", None, None),
            ("", "", None, None),
        ] {
            assert_eq!(split(reference), Image { name, tag, digest }, "{reference}");
        }
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
