//! Runs of pull requests: the number and the source repository, as CI systems write them.

use super::forge::repository_of_url;
use crate::domain::inbound::normalised::{NormalisedEvent, RunOfPullRequest};

/// What may follow the number in a reference: nothing, or which of the request's commits it means.
const ENDS: [&str; 6] = ["", "/head", "/merge", "/from", "-head", "-merge"];

/// The pull request of a run of the event's repository. `source` is the repository that its commits come from:
/// a name or an address. Without it, it is not known whether that is a fork.
pub(super) fn run_of(event: &NormalisedEvent, number: Option<u64>, source: Option<&str>) -> RunOfPullRequest {
    let source = source.map(|source| repository_of_url(source).unwrap_or((None, source)));
    RunOfPullRequest {
        number,
        source_repository: source.map(|(_, name)| name.to_owned()),
        fork: source.map(|(host, name)| is_other(event, host, name)),
    }
}

/// Whether a repository is not the event's. Ports are not compared: a host has others for SSH.
fn is_other(event: &NormalisedEvent, host: Option<&str>, name: &str) -> bool {
    let registry = event.registry.as_deref();
    let with_host = registry.map(|registry| format!("{registry}/{}", event.repository));
    let same_name = name.eq_ignore_ascii_case(&event.repository)
        || with_host.is_some_and(|full| name.eq_ignore_ascii_case(&full));
    let portless = |host: &str| host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let same_host = host.zip(registry).is_none_or(|(host, registry)| portless(host) == portless(registry));
    !(same_name && same_host)
}

/// The number in a text: the text itself, or the last part of a reference or an address that is a number, as in
/// `refs/pull/5/merge` and `https://github.com/myorg/myapp/pull/5`.
pub(super) fn number_in(text: &str) -> Option<u64> {
    text.trim().rsplit('/').find_map(|part| part.parse().ok())
}

/// The number in a reference that begins with one of `starts`, as in `pull/5` and `refs/pull/5/merge`.
pub(super) fn number_of_reference(reference: &str, starts: &[&str]) -> Option<u64> {
    let mut bare = reference;
    for prefix in ["refs/", "remotes/", "origin/"] {
        bare = bare.strip_prefix(prefix).unwrap_or(bare);
    }
    let rest = starts.iter().find_map(|start| bare.strip_prefix(start))?;
    let (number, end) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    if ENDS.contains(&end) { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::inbound::normalised::EventKind;

    #[test]
    fn a_source_that_is_not_the_events_repository_is_a_fork() {
        let mut event = NormalisedEvent::new(EventKind::CiFinished, "myorg/myapp", DateTime::default());
        event.registry = Some("github.com".to_owned());
        for (source, name, fork) in [
            ("https://github.com/MyOrg/myapp", "MyOrg/myapp", false),
            ("ssh://git@github.com:2222/myorg/myapp.git", "myorg/myapp", false),
            ("myorg/myapp", "myorg/myapp", false),
            ("github.com/myorg/myapp", "github.com/myorg/myapp", false),
            ("git://github.com/forky/myapp.git", "forky/myapp", true),
            ("forky/myapp", "forky/myapp", true),
            ("https://evil.example/myorg/myapp", "myorg/myapp", true),
        ] {
            let run = run_of(&event, Some(5), Some(source));
            assert_eq!((run.source_repository.as_deref(), run.fork), (Some(name), Some(fork)), "{source}");
        }
        let unknown = run_of(&event, None, None);
        assert_eq!((unknown.fork, unknown.may_be_of_fork()), (None, true));
    }

    #[test]
    fn a_number_is_found_in_a_reference_and_in_an_address() {
        for (text, number) in [
            ("5", Some(5)),
            ("refs/pull/5/merge", Some(5)),
            ("https://github.com/myorg/myapp/pull/5", Some(5)),
            ("https://gitlab.example:8443/a/b/-/merge_requests/7/diffs", Some(7)),
            ("pull_request", None),
        ] {
            assert_eq!(number_in(text), number, "{text}");
        }
        for (reference, number) in [
            ("pull/5", Some(5)),
            ("refs/pull/5/merge", Some(5)),
            ("origin/pull/5/head", Some(5)),
            ("refs/remotes/origin/pull/5", Some(5)),
            ("PR-5", Some(5)),
            ("PR-5-merge", Some(5)),
            ("PR-5-fix-the-login", None),
            ("refs/heads/main", None),
            ("pull/", None),
            ("repull/5", None),
        ] {
            assert_eq!(number_of_reference(reference, &["pull/", "PR-"]), number, "{reference}");
        }
    }
}
