//! The repository binding of a webhook config: which repositories its sender may send events about.

use serde::{Deserialize, Serialize};

use super::component_match::EventRepository;
use super::normalised::NormalisedEvent;
use super::repository::{Repository, Space, canonical_host, looks_like_host};
use crate::domain::shared::object_reader::ObjectReader;

/// The maximum number of entries of a config.
const MAX_ENTRIES: usize = 100;

/// The repositories that one sender may send events about. Empty: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepositoryBinding(Vec<Entry>);

/// An entry, as written: a name, or everything below one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Entry {
    text: String,
    covers: Covers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Covers {
    /// `myorg/myapp`, `ghcr.io/myorg/myapp`.
    One(Repository),
    /// `myorg/*`, `ghcr.io/myorg/*`.
    Below(Repository),
    /// `ghcr.io/*`: the whole host.
    Host(String),
}

impl TryFrom<String> for Entry {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let text = written.trim();
        let covers = match text.strip_suffix("/*") {
            None if text == "*" => {
                return Err("must name something; an empty list allows everything".to_owned());
            }
            None => Covers::One(Repository::parse(text)?),
            Some(prefix) => match host_alone(prefix) {
                Some(host) => Covers::Host(host),
                None => Covers::Below(prefix_of(prefix)?),
            },
        };
        Ok(Self { text: written, covers })
    }
}

/// The repositories below a prefix. `library/*` is a prefix at Docker Hub, though `docker.io/library` alone
/// would be an official image.
fn prefix_of(prefix: &str) -> Result<Repository, String> {
    // The prefix is parsed with another part, so that it is not taken for an official image.
    let below = Repository::parse(&format!("{prefix}/x"))?;
    if below.path() == "x" { Err("must name something before /*".to_owned()) } else { Ok(below) }
}

fn host_alone(prefix: &str) -> Option<String> {
    let lower = prefix.to_lowercase();
    let (bare, has_scheme) = match lower.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (lower.as_str(), false),
    };
    let is_host = !bare.contains('/') && (has_scheme || looks_like_host(bare));
    // Parsed as the host of a repository, so that the names of Docker Hub are one here, too.
    is_host
        .then(|| {
            Repository::parse(&format!("//{}/x", canonical_host(bare).ok()?)).ok()?.host().map(str::to_owned)
        })
        .flatten()
}

impl From<Entry> for String {
    fn from(entry: Entry) -> Self {
        entry.text
    }
}

impl Entry {
    fn allows(&self, repository: &EventRepository) -> bool {
        match &self.covers {
            Covers::Host(host) => repository.host.as_ref() == Some(host),
            Covers::One(name) => match name.host() {
                Some(host) => repository.host.as_deref() == Some(host) && repository.path == name.path(),
                None => repository.hostless().any(|path| path == name.path()),
            },
            Covers::Below(name) => {
                let parent = name.path().strip_suffix('x').unwrap_or_default();
                let is_below = |path: &str| path.strip_prefix(parent).is_some_and(|rest| !rest.is_empty());
                match name.host() {
                    Some(host) => repository.host.as_deref() == Some(host) && is_below(&repository.path),
                    None => repository.hostless().any(is_below),
                }
            }
        }
    }
}

impl RepositoryBinding {
    /// Reads the member `repositories` of a webhook config: names or `prefix/*`, with or without host.
    pub fn parse(fields: &mut ObjectReader<'_>) -> Option<Self> {
        let entries = fields.texts("repositories", MAX_ENTRIES, |text| Entry::try_from(text.to_owned()));
        entries.map(Self)
    }

    /// Whether the sender may send events about the event's repository. Whole names are compared, never parts
    /// of them: `app` does not allow `app-evil`. An entry with a host does not allow an event without one.
    #[must_use]
    pub fn allows(&self, event: &NormalisedEvent) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let repositories = [Space::Image, Space::Source].map(|space| EventRepository::by(event, space));
        repositories.iter().flatten().any(|found| self.0.iter().any(|entry| entry.allows(found)))
    }

    /// Removes the addresses of repositories that the sender may not send events about: else its body could
    /// name any component's.
    pub fn retain_addresses(&self, event: &mut NormalisedEvent) {
        if self.0.is_empty() {
            return;
        }
        event.addresses.retain(|address| {
            let found = Repository::parse(address).map(|address| EventRepository::of(&address));
            found.is_ok_and(|found| self.0.iter().any(|entry| entry.allows(&found)))
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::inbound::normalised::EventKind;
    use crate::error::Error;

    fn read(entries: &Value) -> Result<RepositoryBinding, Error> {
        let body = json!({"repositories": entries});
        let mut fields = ObjectReader::of(&body);
        let binding = RepositoryBinding::parse(&mut fields);
        fields.finish().map(|()| binding.unwrap_or_default())
    }

    fn event(registry: Option<&str>, repository: &str) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, repository, DateTime::default());
        event.registry = registry.map(str::to_owned);
        event
    }

    #[test]
    fn an_entry_allows_what_it_names_and_nothing_that_looks_like_it() {
        for (entry, registry, repository, expected) in [
            ("app", None, "app", true),
            ("app", None, "app-evil", false),
            ("app", None, "evil-app", false),
            ("app", None, "evil/app", false),
            ("myorg/app", Some("ghcr.io"), "MyOrg/App", true),
            ("myorg/*", None, "myorg/app", true),
            ("myorg/*", None, "myorg/team/app", true),
            ("myorg/*", None, "myorg", false),
            ("myorg/*", None, "myorg-evil/app", false),
            ("myorg/*", None, "evil/myorg/app", false),
            ("myorg/ap/*", None, "myorg/app", false),
            ("ghcr.io/myorg/*", Some("ghcr.io"), "myorg/app", true),
            ("ghcr.io/myorg/*", Some("quay.io"), "myorg/app", false),
            ("ghcr.io/myorg/*", None, "myorg/app", false),
            ("ghcr.io/*", Some("ghcr.io"), "anyone/app", true),
            ("ghcr.io/*", Some("ghcr.io.evil.example"), "anyone/app", false),
            ("ghcr.io/*", None, "ghcr.io/app", false),
            ("docker.io/*", Some("index.docker.io"), "myorg/app", true),
            ("index.docker.io/library/*", Some("docker.io"), "nginx", true),
            ("library/*", Some("docker.io"), "nginx", true),
            ("nginx", Some("docker.io"), "library/nginx", true),
            ("https://git.example/*", Some("git.example"), "group/app", true),
            ("https://github.com/myorg/*", Some("github.com"), "myorg/app", true),
        ] {
            let binding = read(&json!([entry])).unwrap();
            let allowed = binding.allows(&event(registry, repository));
            assert_eq!(allowed, expected, "{entry} and {registry:?} {repository}");
        }
    }

    #[test]
    fn without_entries_every_repository_is_allowed_and_with_them_one_is_enough() {
        assert!(RepositoryBinding::default().allows(&event(None, "myorg/app")));
        let binding = read(&json!(["other/app", "myorg/*"])).unwrap();
        assert!(binding.allows(&event(None, "myorg/app")));
        assert!(!binding.allows(&event(None, "")));
    }

    #[test]
    fn addresses_of_other_repositories_are_removed() {
        let mut push = event(None, "myorg/app");
        let own = ["https://git.example/myorg/app.git", "git@ssh.git.example:myorg/app.git"];
        let other = "https://git.example/victim/core.git";
        push.addresses = [own[0], other, own[1]].map(str::to_owned).to_vec();
        let mut any = push.clone();
        RepositoryBinding::default().retain_addresses(&mut any);
        assert_eq!(any.addresses.len(), 3);
        for (entry, expected) in
            [("myorg/app", &own[..]), ("myorg/*", &own), ("git.example/*", &[own[0], other]), ("x/y", &[])]
        {
            let mut kept = push.clone();
            read(&json!([entry])).unwrap().retain_addresses(&mut kept);
            assert_eq!(kept.addresses, expected, "{entry}");
        }
    }

    #[test]
    fn malformed_entries_are_refused_with_their_place() {
        let error = read(&json!(["ok", "*", "my*", "/*", 5, "a/*/b"])).unwrap_err();
        let fields: Vec<&str> = error.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, [1, 2, 3, 4, 5].map(|index| format!("repositories[{index}]")));
    }

    #[test]
    fn entries_are_stored_as_they_were_written() {
        let entries = json!(["MyOrg/App", "ghcr.io/myorg/*", "ghcr.io/*"]);
        let binding = read(&entries).unwrap();
        assert_eq!(serde_json::to_value(&binding).unwrap(), entries);
        assert_eq!(serde_json::from_value::<RepositoryBinding>(entries).unwrap(), binding);
    }

    proptest! {
        #[test]
        fn a_longer_or_shorter_name_is_another_name(
            name in "[a-z]{2,6}/[a-z]{2,6}", more in "[a-z0-9/-]{0,5}[a-z0-9]"
        ) {
            let binding = read(&json!([&name])).unwrap();
            prop_assert!(binding.allows(&event(None, &name)));
            let longer = [format!("{name}{more}"), format!("{more}{name}"), format!("{more}/{name}")];
            for other in longer {
                prop_assert!(!binding.allows(&event(None, &other)), "{} allows {}", name, other);
            }
            prop_assert!(!binding.allows(&event(None, &name[1..])));
        }
    }
}
