//! Routes, matched as by API Gateway's HTTP API: the most specific one wins.

use std::collections::BTreeMap;

use super::percent::decoded;

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The route key, as in `POST /api/v1/{proxy+}`.
    pub(crate) key: String,
    method: Option<String>,
    segments: Vec<Segment>,
    is_default: bool,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

impl Segment {
    /// Lower is more specific.
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Variable(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

impl Route {
    /// A route of a method, or `ANY`, and a path, which may have `{names}` and end in `{name+}`. The path
    /// `$default` matches every request that no other route matches.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let is_default = path == "$default" || path == "/$default";
        let key = if is_default { "$default".to_owned() } else { format!("{method} {path}") };
        let segments = path.trim_start_matches('/').split('/').map(|part| {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                None => Segment::Literal(part.to_owned()),
                Some(name) => match name.strip_suffix('+') {
                    None => Segment::Variable(name.to_owned()),
                    Some(name) => Segment::Greedy(name.to_owned()),
                },
            }
        });
        let method = (!method.eq_ignore_ascii_case("ANY")).then(|| method.to_ascii_uppercase());
        Self { key, method, segments: segments.collect(), is_default }
    }

    /// The values of the path's variables, if the request matches.
    fn matches(&self, method: &str, path: &str) -> Option<BTreeMap<String, String>> {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return None;
        }
        if self.is_default {
            return Some(BTreeMap::new());
        }
        let mut values = BTreeMap::new();
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let left = rest?;
            let (part, after) = match left.split_once('/') {
                Some((part, after)) => (part, Some(after)),
                None => (left, None),
            };
            match segment {
                Segment::Literal(literal) if literal == part => rest = after,
                Segment::Variable(name) if !part.is_empty() => {
                    values.insert(name.clone(), decoded(part));
                    rest = after;
                }
                Segment::Greedy(name) if !left.is_empty() => {
                    values.insert(name.clone(), decoded(left));
                    rest = None;
                }
                Segment::Literal(_) | Segment::Variable(_) | Segment::Greedy(_) => return None,
            }
        }
        rest.is_none().then_some(values)
    }

    /// Of several routes that match, the one with the smallest precedence is taken.
    fn precedence(&self) -> (bool, bool, Vec<u8>, bool) {
        let is_greedy = matches!(self.segments.last(), Some(Segment::Greedy(_)));
        let ranks = self.segments.iter().map(Segment::rank).collect();
        (self.is_default, is_greedy, ranks, self.method.is_none())
    }
}

/// The routes of the API, each with its target.
#[derive(Debug, Clone)]
pub(crate) struct Routes<T>(Vec<(Route, T)>);

impl<T> Routes<T> {
    /// A table of routes.
    pub(crate) fn new(mut routes: Vec<(Route, T)>) -> Self {
        routes.sort_by_key(|(route, _)| route.precedence());
        Self(routes)
    }

    /// The route that a request takes, its target, and the values of the path's variables.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(&Route, &T, BTreeMap<String, String>)> {
        self.0.iter().find_map(|(route, to)| Some((route, to, route.matches(method, path)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Routes<u8> {
        Routes::new(vec![
            (Route::new("ANY", "/api/v1/{proxy+}"), 1),
            (Route::new("POST", "/api/v1/webhooks/{type}/{id}"), 2),
            (Route::new("POST", "/api/v1/webhooks/{type}/{id}/{token}"), 3),
            (Route::new("ANY", "/api/v1/webhooks/{type}/{id}"), 4),
            (Route::new("GET", "/api/v1/webhooks/github/{id}"), 5),
            (Route::new("GET", "/portal"), 6),
            (Route::new("GET", "/portal/{proxy+}"), 7),
            (Route::new("GET", "/"), 8),
        ])
    }

    #[test]
    fn the_most_specific_route_that_matches_is_taken() {
        let table = table();
        for (method, path, expected) in [
            ("GET", "/api/v1/events", Some(1)),
            ("GET", "/api/v1/events/1/2", Some(1)),
            ("POST", "/api/v1/webhooks/registry/x", Some(2)),
            ("PUT", "/api/v1/webhooks/registry/x", Some(4)),
            ("GET", "/api/v1/webhooks/github/x", Some(5)),
            ("POST", "/api/v1/webhooks/github/x", Some(2)),
            ("POST", "/api/v1/webhooks/registry/x/t", Some(3)),
            ("GET", "/api/v1/webhooks/registry/x/t", Some(1)),
            ("GET", "/portal", Some(6)),
            ("GET", "/portal/app.js", Some(7)),
            ("GET", "/portal/", None),
            ("POST", "/portal", None),
            ("GET", "/", Some(8)),
            ("GET", "/api/v1", None),
            ("GET", "/api/v1/", None),
            ("GET", "/else", None),
            ("OPTIONS", "*", None),
            ("CONNECT", "", None),
        ] {
            assert_eq!(table.find(method, path).map(|(_, to, _)| *to), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_full_match_precedes_a_greedy_one() {
        let table =
            Routes::new(vec![(Route::new("ANY", "/a/{proxy+}"), 1), (Route::new("ANY", "/{x}/b"), 2)]);
        assert_eq!(table.find("GET", "/a/b").map(|(_, to, _)| *to), Some(2));
        assert_eq!(table.find("GET", "/a/c").map(|(_, to, _)| *to), Some(1));
    }

    #[test]
    fn path_variables_are_decoded() {
        let table = table();
        let (route, _, values) = table.find("POST", "/api/v1/webhooks/registry/a%20b").unwrap();
        assert_eq!(route.key, "POST /api/v1/webhooks/{type}/{id}");
        assert_eq!(values["type"], "registry");
        assert_eq!(values["id"], "a b");
        let (route, _, values) = table.find("GET", "/api/v1/events/1").unwrap();
        assert_eq!(route.key, "ANY /api/v1/{proxy+}");
        assert_eq!(values["proxy"], "events/1");
    }

    #[test]
    fn the_default_route_takes_all_other_requests() {
        let table = Routes::new(vec![(Route::new("ANY", "$default"), 1), (Route::new("GET", "/a"), 2)]);
        assert_eq!(table.find("GET", "/a").map(|(_, to, _)| *to), Some(2));
        let (route, to, _) = table.find("POST", "/b/c").unwrap();
        assert_eq!((route.key.as_str(), *to), ("$default", 1));
    }
}
