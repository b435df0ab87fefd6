//! Paths: in JSONPath, or dotted.

use super::Failure;
use super::budget::Budget;
use super::document::Node;
use super::parser;
use super::syntax::Segment;
use super::walk::walk;

/// The maximum length of a path, in characters.
pub const MAX_PATH: usize = 512;

/// A parsed path: a JSONPath (RFC 9535, with the limits of this [module](super)), or a dotted path.
///
/// ```
/// use serde_json::json;
/// use stella::domain::shared::expression::{Budget, Node, Path};
///
/// let document = json!({"images": [{"tag": "v1"}, {"tag": "v2"}]});
/// let has = |path: &str, tag: &str| {
///     let path = Path::parse(path).unwrap();
///     path.any(Node::Value(&document), &mut Budget::default(), |node, _| Ok(node.text() == Some(tag)))
/// };
/// assert_eq!(has("images.0.tag", "v1"), Ok(true));
/// assert_eq!(has("$.images[-1].tag", "v2"), Ok(true));
/// assert_eq!(has("$..tag", "v2"), Ok(true));
///
/// assert!(Path::parse("$..a..b").is_err(), "a second descent is not allowed");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Path(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Json(Box<[Segment]>),
    Dotted(Box<[Box<str>]>),
}

impl Path {
    /// Parses a JSONPath, which begins with `$`.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn json(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_PATH {
            return Err(format!("must have at most {MAX_PATH} characters"));
        }
        parser::parse(text).map(Kind::Json).map(Self)
    }

    /// Parses a JSONPath, if the text begins with `$`, or else a dotted path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Self::json(text);
        }
        if text.chars().count() > MAX_PATH {
            return Err(format!("must have at most {MAX_PATH} characters"));
        }
        let names: Box<[Box<str>]> = text.split('.').map(Into::into).collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err("must be names with dots between them, or a JSONPath from $".to_owned());
        }
        Ok(Self(Kind::Dotted(names)))
    }

    /// Whether `is_it` is true of one of the nodes that the path selects. The nodes after that one are not
    /// visited.
    ///
    /// # Errors
    /// Why the evaluation was stopped.
    pub fn any<'d>(
        &self,
        root: Node<'d>,
        budget: &mut Budget,
        mut is_it: impl FnMut(Node<'d>, &mut Budget) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        match &self.0 {
            Kind::Json(segments) => walk(segments, root, budget, is_it),
            Kind::Dotted(names) => match dotted(names, root, budget)? {
                Some(node) => is_it(node, budget),
                None => Ok(false),
            },
        }
    }
}

/// The node that a dotted path leads to. In a list, a name is an index.
fn dotted<'d>(names: &[Box<str>], root: Node<'d>, budget: &mut Budget) -> Result<Option<Node<'d>>, Failure> {
    let (mut at, mut depth) = (root, 0);
    for name in names {
        budget.visit(1)?;
        let child = match at.entries() {
            Some(entries) => name.parse::<usize>().ok().and_then(|index| entries.get(index)),
            None => at.member(name),
        };
        let Some(child) = child else { return Ok(None) };
        depth = at.below(depth).ok_or(Failure::Depth)?;
        at = Node::Value(child);
    }
    Ok(Some(at))
}
