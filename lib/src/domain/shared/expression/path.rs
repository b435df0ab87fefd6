//! A path: a JSONPath, or names with dots between them.

use super::Failure;
use super::budget::Budget;
use super::document::Node;
use super::parser;
use super::syntax::Segment;
use super::walk::walk;

/// How long a path may be, in characters.
pub const MAX_PATH: usize = 512;

/// A path, as parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Path(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Json(Box<[Segment]>),
    Dotted(Box<[Box<str>]>),
}

impl Path {
    /// Reads a JSONPath.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn json(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_PATH {
            return Err(format!("must have at most {MAX_PATH} characters"));
        }
        parser::parse(text).map(Kind::Json).map(Self)
    }

    /// Reads a JSONPath, which begins with `$`, or a path with dots.
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

    /// Whether one of the nodes that it leads to is what `is_it` looks for. Those behind it are not looked at.
    ///
    /// # Errors
    /// What kept it from being found out.
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

/// Where a path with dots leads to; in a list a name is an index.
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
