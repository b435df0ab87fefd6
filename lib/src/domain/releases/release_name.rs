//! Names of releases: templates with placeholders, which triggers have.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::inbound::normalised::NormalisedEvent;

/// The maximum length of a template, in characters.
const MAX_CHARACTERS: usize = 200;

/// The length of `{commit}`, in characters.
const SHORT_COMMIT: usize = 7;

/// The length of `{digest}`, in characters.
const SHORT_DIGEST: usize = 12;

/// Separators between the parts of a name. They are left over if a part is missing.
const SEPARATORS: [char; 9] = ['-', '_', '.', '/', ':', '+', '@', '#', ' '];

/// A template for the names of releases. Default: `{component}-{tag}`.
///
/// ```
/// use stella::domain::inbound::normalised::{EventKind, NormalisedEvent};
/// use stella::domain::releases::release_name::ReleaseName;
///
/// let now = "2026-01-09T10:30:00Z".parse().unwrap();
/// let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", now);
/// event.tag = Some("v1.2.0".to_owned());
///
/// let name = |template| ReleaseName::parse(template).unwrap().render("myapp", &event, Some("v1.2.0"), Some("stable"), now);
/// assert_eq!(name("{component}-{tag}"), "myapp-v1.2.0");
/// assert_eq!(name("{channel}/{date}"), "stable/2026-01-09");
/// assert_eq!(name("{component}-{commit}"), "myapp");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseName(String);

impl Default for ReleaseName {
    fn default() -> Self {
        Self("{component}-{tag}".to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Component,
    Tag,
    Channel,
    Commit,
    Digest,
    Date,
}

const PLACEHOLDERS: [(&str, Placeholder); 6] = [
    ("component", Placeholder::Component),
    ("tag", Placeholder::Tag),
    ("channel", Placeholder::Channel),
    ("commit", Placeholder::Commit),
    ("digest", Placeholder::Digest),
    ("date", Placeholder::Date),
];

/// A part of a template.
enum Part<'a> {
    Text(&'a str),
    Value(Placeholder),
}

impl ReleaseName {
    /// Parses a template. The placeholders are `{component}`, `{tag}`, `{channel}`, `{commit}` (7
    /// characters), `{digest}` (12 characters) and `{date}` (of the release, as in 2026-01-09).
    ///
    /// # Errors
    /// What is wrong with it: it is empty or too long, or it has a control character, an unknown placeholder
    /// or a single brace.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.chars().count() > MAX_CHARACTERS {
            return Err(format!("must have 1 to {MAX_CHARACTERS} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        parts(text).map(|_| Self(text.to_owned()))
    }

    /// The template, as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a release that is created at `now`, for an event whose tag without the component's prefix
    /// is `rest`, which is `{tag}`. What the event does not have is left out, together
    /// with the separators that are then at the ends. If the event has no tag, as most pipelines, `{tag}` is
    /// the commit.
    #[must_use]
    pub fn render(
        &self,
        component: &str,
        event: &NormalisedEvent,
        rest: Option<&str>,
        channel: Option<&str>,
        now: DateTime<Utc>,
    ) -> String {
        let commit = event.commit.as_deref().map(|commit| start(commit, SHORT_COMMIT));
        let mut is_missing = false;
        let mut name = String::new();
        for part in parts(&self.0).unwrap_or_default() {
            let value = match part {
                Part::Text(text) => Some(text.to_owned()),
                Part::Value(Placeholder::Component) => Some(component.to_owned()),
                Part::Value(Placeholder::Tag) => rest.map(str::to_owned).or_else(|| commit.clone()),
                Part::Value(Placeholder::Channel) => channel.map(str::to_owned),
                Part::Value(Placeholder::Commit) => commit.clone(),
                Part::Value(Placeholder::Digest) => event.digest.as_deref().map(|digest| {
                    start(digest.split_once(':').map_or(digest, |(_, value)| value), SHORT_DIGEST)
                }),
                Part::Value(Placeholder::Date) => Some(now.date_naive().to_string()),
            };
            match value {
                Some(value) => name.push_str(&value),
                None => is_missing = true,
            }
        }
        if !is_missing {
            return name;
        }
        match name.trim_matches(SEPARATORS) {
            "" => component.to_owned(),
            name => name.to_owned(),
        }
    }
}

fn start(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("must have a } after each {")?;
        let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
        let (_, placeholder) = known.ok_or_else(|| {
            let names = PLACEHOLDERS.map(|(name, _)| format!("{{{name}}}")).join(", ");
            format!("has an unknown placeholder {{{name}}}; known are {names}")
        })?;
        parts.push(Part::Text(text));
        parts.push(Part::Value(*placeholder));
        rest = after;
    }
    parts.push(Part::Text(rest));
    let has_brace = |part: &Part<'_>| matches!(part, Part::Text(text) if text.contains('}'));
    if parts.iter().any(has_brace) { Err("must have a { before each }".to_owned()) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::normalised::EventKind;

    const AT: &str = "2026-01-09T10:30:00Z";

    fn event() -> NormalisedEvent {
        let mut event = NormalisedEvent::new(EventKind::ArtifactPushed, "myorg/myapp", AT.parse().unwrap());
        event.tag = Some("v1.2.0".to_owned());
        event.commit = Some("5f3c1d2e9a".to_owned());
        event.digest = Some("sha256:0123456789abcdef".to_owned());
        event
    }

    fn name(template: &str, event: &NormalisedEvent, channel: Option<&str>) -> String {
        let name = ReleaseName::parse(template).unwrap();
        name.render("myapp", event, event.tag.as_deref(), channel, AT.parse().unwrap())
    }

    #[test]
    fn each_placeholder_has_its_value() {
        for (template, expected) in [
            ("{component}-{tag}", "myapp-v1.2.0"),
            ("{component} {channel}", "myapp stable"),
            ("{commit}/{digest}", "5f3c1d2/0123456789ab"),
            ("{date}: {tag}{tag}", "2026-01-09: v1.2.0v1.2.0"),
            ("plain-", "plain-"),
        ] {
            assert_eq!(name(template, &event(), Some("stable")), expected, "{template}");
        }
        assert_eq!(ReleaseName::default(), ReleaseName::parse("{component}-{tag}").unwrap());
    }

    #[test]
    fn what_the_event_does_not_have_is_left_out() {
        let mut event = event();
        event.tag = None;
        event.digest = None;
        assert_eq!(name("{component}-{tag}", &event, None), "myapp-5f3c1d2");
        event.commit = None;
        for (template, expected) in [
            ("{component}-{tag}", "myapp"),
            ("{tag}", "myapp"),
            ("{channel}/{component}-{digest}", "myapp"),
            ("{commit}", "myapp"),
        ] {
            assert_eq!(name(template, &event, None), expected, "{template}");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_not_replaced_again() {
        let mut event = event();
        event.tag = Some("{component}".to_owned());
        assert_eq!(name("{tag}", &event, None), "{component}");
    }

    #[test]
    fn a_broken_template_is_refused() {
        let long = "a".repeat(201);
        for template in ["", " ", "{version}", "{}", "{tag", "tag}", "{{tag}}", "{ tag }", "a\nb", &long] {
            assert!(ReleaseName::parse(template).is_err(), "{template}");
        }
    }
}
