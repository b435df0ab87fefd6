//! The addresses of a repository in a body, by which components are found as well.

use crate::domain::inbound::bounds::MAX_ADDRESSES;
use crate::domain::inbound::normalised::NormalisedEvent;
use crate::domain::inbound::repository::Repository;

/// Notes addresses of the event's repository, each once. What is not an address with a host is left out, and
/// a password or token is removed.
pub(super) fn note_addresses<'a>(
    event: &mut NormalisedEvent,
    addresses: impl IntoIterator<Item = Option<&'a str>>,
) {
    for address in addresses.into_iter().flatten() {
        if event.addresses.len() >= MAX_ADDRESSES {
            return;
        }
        let address = without_credentials(address);
        let names_host = Repository::parse(&address).is_ok_and(|repository| repository.host().is_some());
        if names_host && !event.addresses.contains(&address) {
            event.addresses.push(address);
        }
    }
}

/// An address without `user:password@`, and for browsers without any user. The user of SSH, as in
/// `ssh://git@host`, stays: it is part of the address that people copy.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || !scheme.contains("ssh") => {
            format!("{scheme}://{host}/{path}")
        }
        Some(_) | None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::inbound::normalised::EventKind;

    fn noted(addresses: &[&str]) -> Vec<String> {
        let mut event = NormalisedEvent::new(EventKind::GitPush, "myorg/myapp", DateTime::default());
        note_addresses(&mut event, addresses.iter().map(|address| Some(*address)));
        event.addresses
    }

    #[test]
    fn each_address_is_noted_once() {
        let web = "https://git.example:8443/myorg/myapp";
        let ssh = "ssh://git@git.example:2222/myorg/myapp.git";
        assert_eq!(noted(&[web, ssh, web, "git@ssh.git.example:myorg/myapp.git"]).len(), 3);
    }

    #[test]
    fn what_is_not_an_address_is_left_out() {
        assert!(
            noted(&["", "myorg/myapp", "javascript:alert(1)", "https://git.example/", "https://"]).is_empty()
        );
    }

    #[test]
    fn no_password_is_kept() {
        for (address, expected) in [
            ("https://ci:s3cret@git.example/a/b.git", "https://git.example/a/b.git"),
            ("https://s3cret@git.example/a/b.git", "https://git.example/a/b.git"),
            ("ssh://git:s3cret@git.example/a/b.git", "ssh://git.example/a/b.git"),
            ("ssh://git@git.example/a/b.git", "ssh://git@git.example/a/b.git"),
        ] {
            assert_eq!(noted(&[address]), [expected]);
        }
    }

    #[test]
    fn at_most_eight_addresses_are_noted() {
        let many: Vec<String> = (0..20).map(|number| format!("https://git.example/a/{number}")).collect();
        assert_eq!(noted(&many.iter().map(String::as_str).collect::<Vec<_>>()).len(), MAX_ADDRESSES);
    }
}
