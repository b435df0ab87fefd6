//! Expressions: what a tenant writes and we evaluate, by JSONPath and by regular expression.
//!
//! An expression is checked when it is saved, and whatever it says, its evaluation has a [`Budget`]: so many
//! nodes visited and so many steps of regular expressions, counted and not timed, so that the same expression
//! over the same document always comes to the same end. What goes beyond does not match; it fails, with a reason
//! that its owner sees. Evaluation ends at the first match, works on the document as it is, and needs no more
//! memory than the states of one regular expression.
//!
//! JSONPath is RFC 9535 without what makes one expression do the work of many: a path descends (`..`) at most
//! once and has one selector a segment; a filter selector looks at nothing but members and entries of its own
//! node. A dotted path, as in `data.environment.name`, is a shorter way to say a path of names and indexes.

mod ascii;
mod budget;
mod compare;
mod document;
mod literal;
mod logic;
mod parser;
mod path;
mod pattern;
mod program;
mod scan;
mod syntax;
mod walk;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod oracle;

use std::fmt;

pub use budget::{Budget, Failures, MAX_STEPS, MAX_VISITS, TENANT_SHARES};
pub use document::{Document, MAX_DEPTH, Node, is_deeper};
pub use path::{MAX_PATH, Path};
pub use pattern::{MAX_PATTERN, Pattern};
pub use program::MAX_COMPILED_BYTES;

pub(super) use pattern::Ready;

pub(super) use compare::{contains, equal, text_bytes};

/// What an expression says of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It matches.
    Matches,
    /// It does not.
    Differs,
    /// It was not evaluated to its end, and counts as one that does not match.
    Failed(Failure),
}

impl Verdict {
    /// Whether it matches.
    #[must_use]
    pub fn matches(self) -> bool {
        self == Self::Matches
    }
}

impl From<Result<bool, Failure>> for Verdict {
    fn from(found: Result<bool, Failure>) -> Self {
        match found {
            Ok(true) => Self::Matches,
            Ok(false) => Self::Differs,
            Err(failure) => Self::Failed(failure),
        }
    }
}

/// Why an expression was not evaluated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It would have had to visit more nodes.
    Visits,
    /// Its regular expressions would have had to make more steps.
    Steps,
    /// All expressions of the tenant together have used up what they may.
    Tenant,
    /// It would have had to look deeper.
    Depth,
    /// A text is longer than its regular expression may look at.
    Text,
    /// It was stored by a version that accepted it; this one does not.
    Broken,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visits => write!(f, "would have to visit more than {MAX_VISITS} nodes"),
            Self::Steps => write!(f, "would have to make more than {MAX_STEPS} regular expression steps"),
            Self::Tenant => {
                f.write_str("was left out: the tenant's other expressions used up the event's budget")
            }
            Self::Depth => write!(f, "would have to look more than {MAX_DEPTH} levels deep"),
            Self::Text => f.write_str("would have to look at a longer text than its regular expression may"),
            Self::Broken => f.write_str("was accepted by an earlier version and is refused now"),
        }
    }
}
