//! How an event finds its components: the repository names that it may mean.
//!
//! An event with a known registry is matched by names with that host and by names without a host. An event
//! without a known registry is matched by names without a host only. Docker Hub's bodies have no host, but
//! nobody else sends their form, so the events that are read from them have `docker.io`.
//!
//! Source is also matched by the addresses in the body: the host for SSH may be another one than that of the
//! pages, and the path for cloning may have more parts than the name.

use std::collections::BTreeSet;

use super::bounds::MAX_ADDRESSES;
use super::normalised::{EventKind, NormalisedEvent};
use super::repository::{
    DOCKER_HUB, OFFICIAL, Repository, Space, canonical_host, canonical_path, docker_hub, name,
};

/// The index names by which the components of an event are looked up (see [`Repository::index_name`]). For an
/// image there are two, or three if it may be at Docker Hub. For source there are two and one for each other
/// address in the body, of which at most 8 count. For a pipeline there are both, because it may be known by
/// what it built or by what it ran from. For a ping there are none.
///
/// Each distinct name without its host is one query. That is one for an image, or two if it may be at Docker
/// Hub; one for source at GitHub, Gitea, GitLab and Bitbucket Cloud, whose addresses differ by their hosts
/// only; three at Bitbucket Data Center, where paths of pages, of HTTP and of SSH differ; and at most ten for
/// any body.
///
/// ```
/// use stella::domain::inbound::component_match::lookup_names;
/// use stella::domain::inbound::normalised::{EventKind, NormalisedEvent};
///
/// let now = "2026-01-09T10:30:00Z".parse().unwrap();
/// let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "MyOrg/MyApp", now);
/// event.registry = Some("ghcr.io".to_owned());
///
/// let names: Vec<String> = lookup_names(&event).into_iter().collect();
/// assert_eq!(names, ["image:*/myorg/myapp", "image:ghcr.io/myorg/myapp"]);
/// ```
///
/// [`Repository::index_name`]: super::repository::Repository::index_name
#[must_use]
pub fn lookup_names(event: &NormalisedEvent) -> BTreeSet<String> {
    let spaces: &[Space] = match event.kind {
        EventKind::ArtifactPushed | EventKind::ArtifactDeleted => &[Space::Image],
        EventKind::GitPush | EventKind::GitTag | EventKind::Release | EventKind::PullRequest => {
            &[Space::Source]
        }
        EventKind::CiFinished => &[Space::Image, Space::Source],
        EventKind::Ping => &[],
    };
    let mut names = BTreeSet::new();
    for space in spaces {
        let Some(repository) = EventRepository::by(event, *space) else { continue };
        names.extend(repository.host.iter().map(|host| name(*space, Some(host), &repository.path)));
        names.extend(repository.hostless().map(|path| name(*space, None, path)));
    }
    if spaces.contains(&Space::Source) {
        names.extend(event.addresses.iter().take(MAX_ADDRESSES).filter_map(|address| index_name_of(address)));
    }
    names
}

/// The index name of an address of source.
fn index_name_of(address: &str) -> Option<String> {
    let repository = Repository::parse(address).ok()?;
    repository.host().map(|_| repository.index_name(Space::Source))
}

/// The repository of an event, in canonical form.
pub(super) struct EventRepository {
    /// The host, if it is known.
    pub(super) host: Option<String>,
    /// The name at that host.
    pub(super) path: String,
    /// The other name of the same repository at Docker Hub.
    twin: Option<String>,
}

impl EventRepository {
    /// The repository of an event, if it has one. Its name is taken as one without host, even if it begins
    /// like a host: there are groups and projects called `ghcr.io`. Only the registry of the event itself is
    /// removed from it.
    pub(super) fn by(event: &NormalisedEvent, space: Space) -> Option<Self> {
        let lower = event.repository.trim().to_lowercase();
        let named = event.registry.as_deref().and_then(|text| canonical_host(&text.to_lowercase()).ok());
        let host = named.or_else(|| match space {
            Space::Image => None,
            Space::Source => host_of_page(event.url.as_deref()?, &canonical_path(None, &lower)),
        });
        let repeated = host.as_deref().and_then(|host| lower.strip_prefix(host)?.strip_prefix('/'));
        let path = canonical_path(host.as_deref(), repeated.unwrap_or(&lower));
        let host = host.map(docker_hub);
        let may_be_docker_hub = space == Space::Image && host.as_ref().is_none_or(|host| host == DOCKER_HUB);
        let twin = may_be_docker_hub.then(|| twin(&path)).flatten();
        (!path.is_empty()).then_some(Self { host, path, twin })
    }

    /// The repository at an address.
    pub(super) fn of(address: &Repository) -> Self {
        Self { host: address.host().map(str::to_owned), path: address.path().to_owned(), twin: None }
    }

    /// Its names without host.
    pub(super) fn hostless(&self) -> impl Iterator<Item = &str> {
        [Some(self.path.as_str()), self.twin.as_deref()].into_iter().flatten()
    }
}

/// The other name at Docker Hub, where `nginx` and `library/nginx` are one repository.
fn twin(path: &str) -> Option<String> {
    match path.strip_prefix(OFFICIAL) {
        Some(short) if !short.contains('/') => Some(short.to_owned()),
        None if !path.contains('/') => Some(format!("{OFFICIAL}{path}")),
        Some(_) | None => None,
    }
}

/// Why no component matches an event, with the nearest one of `known`: the names of components and their
/// index names. One that has the same repository at another host is nearest, and then one that has it as an
/// image and not as source, or the other way round.
#[must_use]
pub fn no_match<'c>(
    event: &NormalisedEvent,
    known: impl Iterator<Item = (&'c str, BTreeSet<String>)>,
) -> String {
    let wanted = lookup_names(event);
    let parts: Vec<_> = wanted.iter().filter_map(|name| split(name)).collect();
    let mut nearest: Option<(bool, String)> = None;
    for (component, names) in known {
        for (space, host, path) in names.iter().filter_map(|name| split(name)) {
            let is_same_space = parts.iter().any(|part| part.0 == space && part.2 == path);
            let is_same_path = parts.iter().any(|part| part.2 == path);
            if !is_same_path || nearest.as_ref().is_some_and(|(is_best, _)| *is_best >= is_same_space) {
                continue;
            }
            let difference = if is_same_space {
                format!("has {}, and the event is about {}", shown(host, path), about(event))
            } else {
                let (member, what) = other_space(space);
                format!("has {} in {member}, and the event is about {what}", shown(host, path))
            };
            nearest = Some((is_same_space, format!("component \"{component}\" {difference}")));
        }
    }
    match nearest {
        Some((_, difference)) => format!("No matching component: {difference}"),
        None => "No matching component".to_owned(),
    }
}

/// Space, host and path of an index name.
fn split(index_name: &str) -> Option<(&str, &str, &str)> {
    let (space, rest) = index_name.split_once(':')?;
    let (host, path) = rest.split_once('/')?;
    Some((space, host, path))
}

/// A name as people write it.
fn shown(host: &str, path: &str) -> String {
    if host == "*" { path.to_owned() } else { format!("{host}/{path}") }
}

/// The repository of an event as people write it.
fn about(event: &NormalisedEvent) -> String {
    match &event.registry {
        Some(host) => format!("{host}/{}", event.repository),
        None => format!("{} at an unknown host", event.repository),
    }
}

/// The member of a component for names of this space, and what events of the other space are about.
fn other_space(space: &str) -> (&'static str, &'static str) {
    if space == Space::Image.name() { ("repositories", "source") } else { ("sourceRepositories", "an image") }
}

/// The host of a page below the repository's own name, as in `https://github.com/myorg/myapp/releases/1`:
/// there the repository is known to be.
fn host_of_page(url: &str, path: &str) -> Option<String> {
    let lower = url.to_lowercase();
    let (host, rest) =
        lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?.split_once('/')?;
    let below = rest.strip_prefix(path)?;
    let ends = below.is_empty() || below.starts_with(['/', '.', '?', '#']);
    ends.then(|| canonical_host(host).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::inbound::repository::Repository;

    fn event(kind: EventKind, registry: Option<&str>, repository: &str) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(kind, repository, DateTime::default());
        event.registry = registry.map(str::to_owned);
        event
    }

    fn is_found(entry: &str, registry: Option<&str>, repository: &str) -> bool {
        let entry = Repository::parse(entry).unwrap().index_name(Space::Image);
        lookup_names(&event(EventKind::ArtifactPushed, registry, repository)).contains(&entry)
    }

    #[test]
    fn a_name_without_host_means_any_registry_and_one_with_host_only_that_one() {
        for (entry, registry, repository, expected) in [
            ("myorg/myapp", Some("ghcr.io"), "myorg/myapp", true),
            ("myorg/myapp", Some("docker.io"), "myorg/myapp", true),
            ("myorg/myapp", None, "myorg/myapp", true),
            ("MyOrg/MyApp", None, "myorg/MYAPP", true),
            ("ghcr.io/myorg/myapp", Some("ghcr.io"), "myorg/myapp", true),
            ("ghcr.io/myorg/myapp", Some("GHCR.IO"), "myorg/myapp", true),
            ("ghcr.io/myorg/myapp", Some("quay.io"), "myorg/myapp", false),
            ("ghcr.io/myorg/myapp", None, "myorg/myapp", false),
            ("ghcr.io/myorg/myapp", Some("harbor.example"), "ghcr.io/myorg/myapp", false),
            ("ghcr.io/myorg/myapp", None, "ghcr.io/myorg/myapp", false),
            ("registry.example:5000/app", Some("registry.example:5000"), "app", true),
            ("registry.example:5000/app", Some("registry.example"), "app", false),
            ("myorg/app", None, "myorg/app-evil", false),
            ("app", Some("quay.io"), "myorg/app", false),
            ("docker.io/myorg/myapp", Some("index.docker.io"), "myorg/myapp", true),
            ("docker.io/myorg/myapp", Some("https://index.docker.io/v1/"), "myorg/myapp", true),
            ("ghcr.io/myorg/myapp", Some("ghcr.io"), "ghcr.io/myorg/myapp", true),
            ("myorg/myapp", Some("ghcr.io"), "ghcr.io/myorg/myapp", true),
            ("ghcr.io/myorg/myapp", Some("not a host"), "myorg/myapp", false),
            ("myorg/myapp", Some("not a host"), "myorg/myapp", true),
        ] {
            let found = is_found(entry, registry, repository);
            assert_eq!(found, expected, "{entry} and {registry:?} {repository}");
        }
    }

    #[test]
    fn library_is_optional_at_docker_hub_and_a_name_elsewhere() {
        for (entry, registry, repository, expected) in [
            ("nginx", Some("docker.io"), "library/nginx", true),
            ("nginx", Some("docker.io"), "nginx", true),
            ("library/nginx", Some("docker.io"), "nginx", true),
            ("docker.io/nginx", Some("docker.io"), "library/nginx", true),
            ("docker.io/library/nginx", Some("docker.io"), "nginx", true),
            ("nginx", None, "library/nginx", true),
            ("library/nginx", None, "nginx", true),
            ("library/app", Some("harbor.example"), "library/app", true),
            ("app", Some("harbor.example"), "library/app", false),
            ("library/app", Some("harbor.example"), "app", false),
        ] {
            let found = is_found(entry, registry, repository);
            assert_eq!(found, expected, "{entry} and {registry:?} {repository}");
        }
    }

    #[test]
    fn images_and_sources_of_one_name_are_kept_apart_and_a_pipeline_may_mean_either() {
        let name = Repository::parse("myorg/myapp").unwrap();
        for (kind, image, source) in [
            (EventKind::ArtifactPushed, true, false),
            (EventKind::ArtifactDeleted, true, false),
            (EventKind::GitPush, false, true),
            (EventKind::GitTag, false, true),
            (EventKind::Release, false, true),
            (EventKind::PullRequest, false, true),
            (EventKind::CiFinished, true, true),
            (EventKind::Ping, false, false),
        ] {
            let names = lookup_names(&event(kind, None, "myorg/myapp.git"));
            assert_eq!(names.contains(&name.index_name(Space::Image)), image, "{kind:?}");
            assert_eq!(names.contains(&name.index_name(Space::Source)), source, "{kind:?}");
        }
    }

    #[test]
    fn a_code_host_is_known_by_a_page_below_the_repository() {
        let entry = Repository::parse("github.com/myorg/myapp").unwrap().index_name(Space::Source);
        for (url, expected) in [
            ("https://github.com/MyOrg/myapp/releases/tag/v1", true),
            ("https://github.com/myorg/myapp", true),
            ("https://github.com/myorg/myapp-evil/releases", false),
            ("https://evil.example/myorg/myapp", false),
            ("https://ci.example/github.com/myorg/myapp", false),
            ("ftp://github.com/myorg/myapp", false),
        ] {
            let mut release = event(EventKind::Release, None, "MyOrg/myapp");
            release.url = Some(url.to_owned());
            assert_eq!(lookup_names(&release).contains(&entry), expected, "{url}");
        }
    }

    #[test]
    fn source_is_found_by_each_address_in_the_body_and_an_image_is_not() {
        let mut push = event(EventKind::GitPush, Some("git.example:8443"), "myorg/myapp");
        push.addresses = [
            "https://git.example:8443/myorg/myapp.git",
            "ssh://git@git.example:2222/myorg/myapp.git",
            "git@ssh.git.example:myorg/myapp.git",
            "https://git.example:8443/scm/myorg/myapp.git",
        ]
        .map(str::to_owned)
        .to_vec();
        for (entry, expected) in [
            ("myorg/myapp", true),
            ("https://git.example:8443/myorg/myapp", true),
            ("ssh://git@git.example:2222/myorg/myapp.git", true),
            ("git@git.example:myorg/myapp.git", true),
            ("git@ssh.git.example:myorg/myapp", true),
            ("https://git.example:8443/scm/myorg/myapp", true),
            ("scm/myorg/myapp", false),
            ("https://other.example/myorg/myapp", false),
            ("https://git.example:8443/myorg/myapp-evil", false),
        ] {
            let entry = Repository::parse(entry).unwrap();
            let found = lookup_names(&push).contains(&entry.index_name(Space::Source));
            assert_eq!(found, expected, "{entry}");
            assert!(!lookup_names(&push).contains(&entry.index_name(Space::Image)), "{entry}");
        }
        push.kind = EventKind::ArtifactPushed;
        let image = lookup_names(&push);
        assert!(image.iter().all(|name| name.starts_with("image:")), "{image:?}");
    }

    #[test]
    fn at_most_eight_addresses_count() {
        let mut push = event(EventKind::GitPush, None, "a");
        push.addresses = (0..20).map(|number| format!("https://git.example/a/{number}")).collect();
        assert_eq!(lookup_names(&push).len(), 9);
    }

    fn reason(registry: Option<&str>, known: &[(&str, Space, &str)]) -> String {
        let event = event(EventKind::ArtifactPushed, registry, "myorg/myapp");
        let index = |space: Space, entry: &str| Repository::parse(entry).unwrap().index_name(space);
        no_match(&event, known.iter().map(|(name, space, entry)| (*name, [index(*space, entry)].into())))
    }

    #[test]
    fn the_reason_names_the_nearest_component_and_what_differs() {
        let elsewhere = ("web", Space::Image, "registry.example/myorg/myapp");
        let source = ("code", Space::Source, "github.com/myorg/myapp");
        for (registry, known, expected) in [
            (Some("ghcr.io"), &[][..], "No matching component"),
            (None, &[], "No matching component"),
            (
                Some("registry:5000"),
                &[source, elsewhere],
                "No matching component: component \"web\" has registry.example/myorg/myapp, \
                 and the event is about registry:5000/myorg/myapp",
            ),
            (
                None,
                &[elsewhere],
                "No matching component: component \"web\" has registry.example/myorg/myapp, \
                 and the event is about myorg/myapp at an unknown host",
            ),
            (
                Some("github.com"),
                &[source],
                "No matching component: component \"code\" has github.com/myorg/myapp in sourceRepositories, \
                 and the event is about an image",
            ),
        ] {
            assert_eq!(reason(registry, known), expected);
        }
    }

    #[test]
    fn an_event_without_a_repository_has_no_lookup_names() {
        for repository in ["", " ", "/", ".git"] {
            let names = lookup_names(&event(EventKind::CiFinished, Some("ghcr.io"), repository));
            assert!(names.is_empty(), "{repository:?}: {names:?}");
        }
    }

    proptest! {
        #[test]
        fn a_component_is_found_by_an_event_with_its_own_name(
            host in proptest::option::of("[a-z]{1,8}\\.(io|example)(:[0-9]{2,4})?|docker\\.io"),
            path in "[a-z0-9]{1,6}(/[a-z0-9-]{1,6}){0,2}",
            kind in 0..7_usize,
        ) {
            let kind = EventKind::ALL[kind].1;
            let text = host.as_ref().map_or_else(|| path.clone(), |host| format!("{host}/{path}"));
            let entry = Repository::parse(&text).unwrap();
            let names = lookup_names(&event(kind, host.as_deref(), &path));
            prop_assert!(
                [Space::Image, Space::Source].iter().any(|space| names.contains(&entry.index_name(*space)))
            );
        }
    }
}
