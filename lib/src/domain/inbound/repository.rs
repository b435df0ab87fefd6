//! Names of repositories, as people write them and as they are compared.
//!
//! A component that names `myorg/myapp` means it at any registry. One that names `ghcr.io/myorg/myapp` means
//! it at that registry only. [`lookup_names`](super::component_match::lookup_names) has how events find
//! components.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The maximum length of a name, in characters.
const MAX_CHARACTERS: usize = 300;

/// The canonical host of Docker Hub.
pub(super) const DOCKER_HUB: &str = "docker.io";

/// Other hosts of Docker Hub: in its clients' configuration, the one that clients connect to, and an older
/// name of that.
const OTHER_DOCKER_HUBS: [&str; 3] = ["index.docker.io", "registry-1.docker.io", DOCKER_HUB_REGISTRY];

/// The host of Docker Hub's pages.
const DOCKER_HUB_PAGES: &str = "hub.docker.com";

/// An older host of Docker Hub's registry, which also shows the pages.
const DOCKER_HUB_REGISTRY: &str = "registry.hub.docker.com";

/// The beginnings of the paths of Docker Hub's pages, as in `/r/myorg/myapp`, `/_/nginx` and
/// `/repository/docker/myorg/myapp/general`, each with the number of parts that the repository's name has.
const PAGES: [(&str, usize); 3] = [("repository/docker/", 2), ("r/", 2), ("_/", 1)];

/// The prefix of official images at Docker Hub, which people write without it.
pub(super) const OFFICIAL: &str = "library/";

/// The kind of a repository. An image and the source that it is built from often have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// A repository of images or other artifacts, at a registry.
    Image,
    /// A repository of source, at a code host.
    Source,
}

impl Space {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Source => "source",
        }
    }
}

/// A repository's name, with or without its host.
///
/// The canonical name is in lower case, without scheme, user, `.git` and outer slashes. It has the port,
/// except the default port of a scheme and any port of SSH, which differs from that of the pages. As in
/// [Docker's references], a first part with a dot or a colon, or `localhost`, is a host. So the name of a
/// group with a dot needs its host.
///
/// ```
/// use stella::domain::inbound::repository::{Repository, Space};
///
/// let name = |text| Repository::parse(text).unwrap().to_string();
/// assert_eq!(name("MyOrg/MyApp/"), "myorg/myapp");
/// assert_eq!(name("git@github.com:myorg/myapp.git"), "github.com/myorg/myapp");
/// assert_eq!(name("docker.io/nginx"), "docker.io/library/nginx");
/// assert_eq!(name("https://hub.docker.com/_/nginx"), "docker.io/library/nginx");
/// assert!(Repository::parse("myorg/myapp:1.0").is_err(), "it has a tag");
///
/// let anywhere = Repository::parse("myorg/myapp").unwrap();
/// assert_eq!(anywhere.index_name(Space::Image), "image:*/myorg/myapp");
/// ```
///
/// [Docker's references]: https://github.com/distribution/reference
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    text: String,
    host: Option<String>,
    path: String,
}

impl TryFrom<String> for Repository {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.text
    }
}

/// The canonical name. A host that does not look like one has the prefix `//`, so that the name parses to
/// itself.
impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => f.write_str(&self.path),
            Some(host) if looks_like_host(host) => write!(f, "{host}/{}", self.path),
            Some(host) => write!(f, "//{host}/{}", self.path),
        }
    }
}

impl Repository {
    /// Parses a name as people write it: `nginx`, `ghcr.io/myorg/myapp`,
    /// `https://github.com/myorg/myapp.git`, `git@github.com:myorg/myapp`.
    ///
    /// # Errors
    /// What is wrong with it: it is empty or too long, has a tag or a digest, or is not a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().count() > MAX_CHARACTERS {
            return Err(format!("must have at most {MAX_CHARACTERS} characters"));
        }
        if text.chars().any(|character| character.is_control() || "*?#\\".contains(character)) {
            return Err("must not contain *, ?, #, \\ or control characters".to_owned());
        }
        let lower = text.to_lowercase();
        let (host, path) = split(&lower)?;
        let host = host.map(canonical_host).transpose()?;
        let path = canonical_path(host.as_deref(), path);
        check_path(&path)?;
        let host = host.map(docker_hub);
        let mut repository = Self { text: text.to_owned(), host, path };
        // The user in a URL is often a token, which must not be stored or shown.
        if lower.contains("://") && lower.contains('@') {
            repository.text = repository.to_string();
        }
        Ok(repository)
    }

    /// The host, if the name has one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The name without its host.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name in the index of components: `image:ghcr.io/myorg/myapp`, or `image:*/myorg/myapp` for any
    /// host.
    #[must_use]
    pub fn index_name(&self, space: Space) -> String {
        name(space, self.host(), &self.path)
    }
}

pub(super) fn name(space: Space, host: Option<&str>, path: &str) -> String {
    format!("{}:{}/{path}", space.name(), host.unwrap_or("*"))
}

/// Splits a text in lower case into host and path.
fn split(text: &str) -> Result<(Option<&str>, &str), String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let (authority, path) = rest.split_once('/').ok_or("must name a repository, not only a host")?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match scheme {
            "https" => host.strip_suffix(":443").unwrap_or(host),
            "http" => host.strip_suffix(":80").unwrap_or(host),
            "ssh" | "git+ssh" => host.rsplit_once(':').map_or(host, |(host, _)| host),
            "git" | "oci" | "docker" => host,
            _ => return Err("must begin with a scheme such as https://, or with none".to_owned()),
        };
        return Ok((Some(host), path));
    }
    if let Some(rest) = text.strip_prefix("//") {
        let (host, path) = rest.split_once('/').ok_or("must name a repository, not only a host")?;
        return Ok((Some(host), path));
    }
    if let Some((user, rest)) = text.split_once('@')
        && !user.contains(['/', ':'])
        && let Some((host, path)) = rest.split_once(':')
        && !host.contains('/')
        && !matches!(host, "sha256" | "sha512")
    {
        return Ok((Some(host), path));
    }
    let text = text.trim_start_matches(|character: char| character == '/' || character.is_whitespace());
    match text.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => Ok((Some(first), rest)),
        Some(_) | None => Ok((None, text)),
    }
}

/// Whether a first part is a host, by the rule of Docker's references.
pub(super) fn looks_like_host(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':'])
}

/// The canonical form of a host in lower case, which may have a scheme, a path and a final dot.
pub(super) fn canonical_host(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or_default().trim_end_matches('.');
    let is_name = |name: &str| {
        name.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
    };
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_literal =
        |inner: &str| inner.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    let valid = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, port)) => {
            is_literal(inner) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }
        None => match host.split_once(':') {
            Some((name, port)) => is_name(name) && is_port(port),
            None => is_name(host),
        },
    };
    if valid { Ok(host.to_owned()) } else { Err("has a host that is not a valid name".to_owned()) }
}

pub(super) fn docker_hub(host: String) -> String {
    let is_docker_hub = host == DOCKER_HUB_PAGES || OTHER_DOCKER_HUBS.contains(&host.as_str());
    if is_docker_hub { DOCKER_HUB.to_owned() } else { host }
}

/// The canonical form of a path in lower case, at a host as written.
pub(super) fn canonical_path(host: Option<&str>, path: &str) -> String {
    let mut bare = path.trim().trim_matches('/');
    if matches!(host, Some(DOCKER_HUB_PAGES | DOCKER_HUB_REGISTRY)) {
        bare = shown_repository(bare).unwrap_or(bare);
    }
    while let Some(shorter) = bare.strip_suffix(".git") {
        bare = shorter.trim_matches('/');
    }
    let at_docker_hub = host.is_some_and(|host| docker_hub(host.to_owned()) == DOCKER_HUB);
    if at_docker_hub && !bare.is_empty() && !bare.contains('/') {
        return format!("{OFFICIAL}{bare}");
    }
    bare.to_owned()
}

/// The repository of a page of Docker Hub, from its path.
fn shown_repository(path: &str) -> Option<&str> {
    let (rest, parts) = PAGES.iter().find_map(|(page, parts)| Some((path.strip_prefix(page)?, *parts)))?;
    let end = rest.match_indices('/').nth(parts.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    rest.get(..end)
}

fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("must name a repository".to_owned());
    }
    if path.contains([':', '@']) {
        return Err("must be a repository's name without tag or digest".to_owned());
    }
    let is_part = |part: &str| !part.is_empty() && part == part.trim() && part != "." && part != "..";
    if path.split('/').all(is_part) {
        Ok(())
    } else {
        Err("must be names with single slashes between".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_written() {
        for (text, canonical) in [
            ("myorg/myapp", "myorg/myapp"),
            (" MyOrg/MyApp/ ", "myorg/myapp"),
            ("/myorg/myapp", "myorg/myapp"),
            ("/ /quay.io/myorg/myapp", "quay.io/myorg/myapp"),
            ("nginx", "nginx"),
            ("library/nginx", "library/nginx"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx"),
            ("registry-1.docker.io/myorg/myapp", "docker.io/myorg/myapp"),
            ("https://hub.docker.com/r/myorg/myapp", "docker.io/myorg/myapp"),
            ("https://hub.docker.com/_/nginx", "docker.io/library/nginx"),
            ("hub.docker.com/_/nginx/tags", "docker.io/library/nginx"),
            ("hub.docker.com/r/myorg/myapp/tags", "docker.io/myorg/myapp"),
            ("https://hub.docker.com/repository/docker/myorg/myapp/general", "docker.io/myorg/myapp"),
            ("hub.docker.com/repository/docker/myorg/myapp", "docker.io/myorg/myapp"),
            ("registry.hub.docker.com/myorg/myapp", "docker.io/myorg/myapp"),
            ("registry.hub.docker.com/library/nginx", "docker.io/library/nginx"),
            ("registry.hub.docker.com/nginx", "docker.io/library/nginx"),
            ("https://registry.hub.docker.com/r/myorg/myapp", "docker.io/myorg/myapp"),
            ("GHCR.io/MyOrg/MyApp", "ghcr.io/myorg/myapp"),
            ("localhost/app", "localhost/app"),
            ("registry.example:5000/app", "registry.example:5000/app"),
            ("[::1]:5000/app", "[::1]:5000/app"),
            ("oci://registry.example/charts/app", "registry.example/charts/app"),
            ("https://github.com/myorg/myapp.git", "github.com/myorg/myapp"),
            ("https://token@github.com:443/myorg/myapp.git/", "github.com/myorg/myapp"),
            ("git@github.com:myorg/myapp.git", "github.com/myorg/myapp"),
            ("ssh://git@git.example:2222/myorg/myapp.git", "git.example/myorg/myapp"),
            ("https://git.example:8443/group/sub/app", "git.example:8443/group/sub/app"),
            ("http://gitlab/myorg/myapp", "//gitlab/myorg/myapp"),
            ("my.app", "my.app"),
        ] {
            assert_eq!(
                Repository::parse(text).map(|name| name.to_string()),
                Ok(canonical.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in [
            "",
            "/",
            "  ",
            "https://github.com",
            "https://github.com/",
            "ghcr.io/",
            "//",
            "myorg/myapp:1.0",
            "nginx@sha256:abc",
            "ghcr.io/myorg/myapp@sha256:abc",
            "myorg//myapp",
            "myorg/../myapp",
            "myorg/*",
            "ftp://host/app",
            "bad host.example/app",
            "https://github.com/a?b",
            "a\u{0}b",
            ".git",
            ":/a",
        ] {
            assert!(Repository::parse(text).is_err(), "{text:?}: {:?}", Repository::parse(text));
        }
        assert!(Repository::parse(&"a".repeat(301)).is_err());
    }

    #[test]
    fn a_stored_name_is_kept_as_it_was_written() {
        let name = Repository::parse("https://GitHub.com/MyOrg/MyApp.git").unwrap();
        let stored = serde_json::to_string(&name).unwrap();
        assert_eq!(stored, "\"https://GitHub.com/MyOrg/MyApp.git\"");
        assert_eq!(serde_json::from_str::<Repository>(&stored).unwrap(), name);
    }

    #[test]
    fn a_token_in_a_url_is_not_kept() {
        for text in ["https://user:s3cret@github.com/myorg/myapp.git", "ssh://a:s3cret@git.example/a"] {
            let stored = String::from(Repository::parse(text).unwrap());
            assert!(!stored.contains("s3cret"), "{stored}");
            assert_eq!(Repository::parse(&stored).unwrap().host(), Repository::parse(text).unwrap().host());
        }
    }

    proptest! {
        #[test]
        fn the_canonical_name_parses_to_itself(
            text in "(https://|ssh://|git@|//|oci://|)[a-zA-Z.:_/@ -]{0,12}(docker\\.io/|(registry\\.|)hub\\.docker\\.com/|)(r/|_/|repository/docker/|)[a-zA-Z0-9./:-]{0,16}(\\.git|/|)"
        ) {
            if let Ok(once) = Repository::parse(&text) {
                let twice = Repository::parse(&once.to_string());
                prop_assert!(twice.is_ok(), "{text:?} became {once}");
                let twice = twice.unwrap();
                prop_assert_eq!((twice.host(), twice.path()), (once.host(), once.path()));
            }
        }

        #[test]
        fn any_text_is_refused_or_has_a_path(text: String) {
            let read = Repository::parse(&text);
            prop_assert!(read.is_err() || !read.unwrap().path().is_empty());
        }
    }
}
