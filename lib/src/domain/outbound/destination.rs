//! The destination of a subscription's deliveries: a URL, or readers that fetch them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The destination of a subscription's deliveries. In rows and requests it is the member `url`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Destination {
    /// Deliveries wait until a reader fetches them.
    Pull,
    /// Deliveries are sent to this URL. The egress guard checks it for each attempt.
    Http(String),
}

impl Destination {
    /// The `url` of pull subscriptions.
    pub const PULL: &str = "pull:";

    /// The text of the member `url`.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Pull => Self::PULL,
            Self::Http(url) => url,
        }
    }
}

impl From<String> for Destination {
    fn from(url: String) -> Self {
        if url == Self::PULL { Self::Pull } else { Self::Http(url) }
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        match destination {
            Destination::Pull => Destination::PULL.to_owned(),
            Destination::Http(url) => url,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_stored_as_its_url_and_read_back() {
        for (url, destination) in [
            ("pull:", Destination::Pull),
            ("https://example.com/hook", Destination::Http("https://example.com/hook".to_owned())),
        ] {
            assert_eq!(serde_json::to_value(&destination).unwrap(), url);
            assert_eq!(serde_json::from_value::<Destination>(url.into()).unwrap(), destination);
        }
    }
}
