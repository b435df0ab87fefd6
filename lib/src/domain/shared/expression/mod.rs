//! Expressions that tenants write and we evaluate: in JSONPath and as regular expressions.
//!
//! An expression is checked when it is saved. Its evaluation has a [`Budget`] of visited nodes and of steps
//! of regular expressions. These are counted, not timed, so the same expression on the same document always
//! has the same result. An expression that needs more than its budget fails, with a reason that its owner
//! sees, and counts as not matching. The evaluation ends at the first match, borrows the document, and needs
//! no more memory than the states of one regular expression.
//!
//! JSONPath is that of RFC 9535, without what makes one expression do the work of many: a path descends
//! (`..`) at most once, it has one selector in each segment, and a filter selector looks only at members and
//! entries of its own node. A dotted path, as in `data.environment.name`, is short for a path of names and
//! indexes.
//!
//! ```
//! use serde_json::json;
//! use stella::domain::shared::expression::{Budget, Node, Path, Pattern};
//!
//! let document = json!({"images": [{"tag": "latest"}, {"tag": "v1.2.0"}]});
//! let (path, pattern) = (Path::parse("$.images[*].tag").unwrap(), Pattern::parse("^v\\d+\\.").unwrap());
//! let found = path.any(Node::Value(&document), &mut Budget::default(), |node, budget| {
//!     node.text().map_or(Ok(false), |text| pattern.finds(text, budget))
//! });
//! assert_eq!(found, Ok(true));
//! ```

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

/// The result of evaluating an expression on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The expression matches.
    Matches,
    /// The expression does not match.
    Differs,
    /// The evaluation was stopped. Counts as not matching.
    Failed(Failure),
}

impl Verdict {
    /// Whether the expression matches.
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

/// Why the evaluation of an expression was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It would visit more than [`MAX_VISITS`] nodes.
    Visits,
    /// Its regular expressions would make more than [`MAX_STEPS`] steps.
    Steps,
    /// The expressions of the tenant have used up its budget.
    Tenant,
    /// It would look deeper than [`MAX_DEPTH`] levels.
    Depth,
    /// A text is longer than its regular expression may search. See [`Pattern::max_text`].
    Text,
    /// It was accepted by the version that stored it, and is refused by this one.
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
