//! Tag prefixes: which tags of a repository belong to a component, if several components share the
//! repository.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::inbound::normalised::{EventKind, NormalisedEvent};
use crate::domain::shared::object_reader::ObjectReader;

/// The maximum number of prefixes of a component.
const MAX_PREFIXES: usize = 20;

/// The maximum length of a prefix, in characters.
const MAX_CHARACTERS: usize = 64;

/// The number of prefixes that a reason names.
const MAX_NAMED: usize = 5;

/// The prefixes of a component's tags, as in `api/` or `api-`. Empty: every tag of its repositories is its
/// own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagPrefixes(Vec<String>);

impl TagPrefixes {
    /// Reads the member `tagPrefixes` of a component.
    #[must_use]
    pub fn read(fields: &mut ObjectReader<'_>) -> Self {
        let mut known = BTreeSet::new();
        let prefixes = fields.texts("tagPrefixes", MAX_PREFIXES, |text| {
            let prefix = tag_prefix(text)?;
            if known.insert(text) { Ok(prefix) } else { Err("is there twice".to_owned()) }
        });
        Self(prefixes.unwrap_or_default())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The prefixes, as written.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The event's tag without the longest prefix that it begins with: the part that tells the version. A tag
    /// that is a prefix and nothing else stays whole. Events without a tag, pushes of branches and pull
    /// requests have nothing that a prefix could select.
    ///
    /// # Errors
    /// Why the component does not take the event, for a person: its tag begins with none of the prefixes.
    pub fn select<'e>(&self, event: &'e NormalisedEvent) -> Result<Option<&'e str>, String> {
        let tag = event.tag.as_deref();
        let is_selected = match event.kind {
            EventKind::ArtifactPushed
            | EventKind::ArtifactDeleted
            | EventKind::GitTag
            | EventKind::Release
            | EventKind::CiFinished => !self.is_empty(),
            EventKind::GitPush | EventKind::PullRequest | EventKind::Ping => false,
        };
        match tag {
            Some(tag) if is_selected && !tag.is_empty() => self.strip(tag).map(Some),
            Some(_) | None => Ok(tag),
        }
    }

    fn strip<'t>(&self, tag: &'t str) -> Result<&'t str, String> {
        // The longest prefix leaves the shortest rest.
        let rests = self.0.iter().filter_map(|prefix| tag.strip_prefix(prefix.as_str()));
        let rest = rests.min_by_key(|rest| rest.len()).ok_or_else(|| self.reason())?;
        Ok(if rest.is_empty() { tag } else { rest })
    }

    fn reason(&self) -> String {
        let named: Vec<&str> = self.0.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = match self.0.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" or {more} other prefixes"),
        };
        format!("The component takes only tags that begin with {}{more}", named.join(", "))
    }
}

/// Reads a prefix: characters that a [git tag] or an [image tag] may begin with.
///
/// # Errors
/// What is wrong with it.
///
/// [git tag]: https://git-scm.com/docs/git-check-ref-format
/// [image tag]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
fn tag_prefix(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().count() > MAX_CHARACTERS {
        return Err(format!("must have 1 to {MAX_CHARACTERS} characters"));
    }
    let is_refused = |character: char| character.is_control() || " ~^:?*[\\".contains(character);
    let begins_wrong = text.starts_with(['-', '.', '/']);
    let has_wrong_part = ["..", "//", "/.", "@{", ".lock/", "./"].iter().any(|part| text.contains(part));
    if begins_wrong || has_wrong_part || text.contains(is_refused) {
        return Err("must be the beginning of a git tag or an image tag".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Result<TagPrefixes, Vec<String>> {
        let body = json!({ "tagPrefixes": value });
        let mut fields = ObjectReader::of(&body);
        let prefixes = TagPrefixes::read(&mut fields);
        match fields.finish() {
            Ok(()) => Ok(prefixes),
            Err(error) => Err(error.errors.into_iter().map(|error| error.field).collect()),
        }
    }

    fn event(kind: EventKind, tag: Option<&str>) -> NormalisedEvent {
        let mut event = NormalisedEvent::new(kind, "myorg/mono", chrono::DateTime::default());
        event.tag = tag.map(str::to_owned);
        event
    }

    fn select(prefixes: &[&str], kind: EventKind, tag: Option<&str>) -> Result<Option<String>, String> {
        let event = event(kind, tag);
        read(&json!(prefixes)).unwrap().select(&event).map(|tag| tag.map(str::to_owned))
    }

    #[test]
    fn a_tag_is_taken_without_the_longest_prefix_that_it_begins_with() {
        for (prefixes, tag, expected) in [
            (&["api/"][..], "api/v1.2.3", "v1.2.3"),
            (&["api/", "api-"], "api-1.0", "1.0"),
            (&["a", "api/", "api"], "api/v1.2.3", "v1.2.3"),
            (&["web@"], "web@2.0.0", "2.0.0"),
            (&["@myorg/web@"], "@myorg/web@2.0.0", "2.0.0"),
            (&["api-"], "api-", "api-"),
            (&[], "web@2.0.0", "web@2.0.0"),
        ] {
            assert_eq!(
                select(prefixes, EventKind::GitTag, Some(tag)),
                Ok(Some(expected.to_owned())),
                "{tag}"
            );
        }
    }

    #[test]
    fn each_kind_of_event_with_a_tag_is_selected() {
        for (kind, is_selected) in [
            (EventKind::ArtifactPushed, true),
            (EventKind::ArtifactDeleted, true),
            (EventKind::GitTag, true),
            (EventKind::Release, true),
            (EventKind::CiFinished, true),
            (EventKind::GitPush, false),
            (EventKind::PullRequest, false),
            (EventKind::Ping, false),
        ] {
            assert_eq!(select(&["api/"], kind, Some("web@2.0.0")).is_err(), is_selected, "{kind:?}");
            assert_eq!(select(&["api/"], kind, None), Ok(None), "{kind:?}");
        }
        assert_eq!(select(&["api/"], EventKind::ArtifactPushed, Some("")), Ok(Some(String::new())));
    }

    #[test]
    fn the_reason_names_the_prefixes() {
        let reason = select(&["api/", "api-"], EventKind::GitTag, Some("web@2.0.0")).unwrap_err();
        assert_eq!(reason, "The component takes only tags that begin with api/, api-");
        let many: Vec<String> = (10..30).map(|number| format!("p{number}-")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let reason = select(&many, EventKind::GitTag, Some("web@2.0.0")).unwrap_err();
        assert!(reason.ends_with("begin with p10-, p11-, p12-, p13-, p14- or 15 other prefixes"), "{reason}");
    }

    #[test]
    fn every_mistake_is_named() {
        for prefix in [
            "", "-a", ".a", "/a", "a b", "a:", "a..b", "a//", "a/.b", "a@{", "a.lock/", "a./", "a~", "a\n",
            "a\u{85}", "a*", "a?", "a[", "a\\", "a^",
        ] {
            assert_eq!(read(&json!([prefix])), Err(vec!["tagPrefixes[0]".to_owned()]), "{prefix:?}");
        }
        assert_eq!(
            read(&json!(["ä/", "a.", "_", "x.lock", "1", "a".repeat(64)])).unwrap().as_slice().len(),
            6
        );
        let body = json!(["api/", "api-", "api/", 5, "a".repeat(65)]);
        let places = [2, 3, 4].map(|place| format!("tagPrefixes[{place}]"));
        assert_eq!(read(&body), Err(places.into()));
        assert_eq!(read(&json!("api/")), Err(vec!["tagPrefixes".to_owned()]));
        let many: Vec<String> = (0..21).map(|number| format!("p{number}")).collect();
        assert_eq!(read(&json!(many)), Err(vec!["tagPrefixes".to_owned()]));
        assert!(read(&json!([])).unwrap().is_empty() && read(&Value::Null).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn a_taken_tag_ends_with_what_is_left_and_another_begins_with_no_prefix(
            prefixes in proptest::collection::btree_set("[a-c]{1,3}[/@-]?", 0..5), tag in "[a-c/@-]{0,8}"
        ) {
            let prefixes = TagPrefixes(prefixes.into_iter().collect());
            match prefixes.select(&event(EventKind::GitTag, Some(&tag))) {
                Ok(Some(rest)) => {
                    prop_assert!(tag.is_empty() || !rest.is_empty());
                    let prefix = tag.strip_suffix(rest).unwrap();
                    prop_assert!(prefix.is_empty() || prefixes.0.iter().any(|known| known == prefix));
                }
                Ok(None) => prop_assert!(false, "the event has a tag"),
                Err(_) => prop_assert!(!prefixes.0.iter().any(|prefix| tag.starts_with(prefix.as_str()))),
            }
        }

        #[test]
        fn any_text_is_a_prefix_or_refused(text: String) {
            prop_assert!(!tag_prefix(&text).is_ok_and(|prefix| prefix != text));
        }
    }
}
