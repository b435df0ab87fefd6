//! Parses JSONPath by the grammar of RFC 9535, and refuses what of it is not allowed (see the
//! [module](super)).
//!
//! A syntax error ends the parsing. Of what is not allowed, every occurrence is reported.

use serde_json::Value;

use super::literal;
use super::scan::Scan;
use super::syntax::{Comparison, Logic, Operand, Query, Segment, Selector, Slice, Step};

/// How deep parentheses and functions may be nested.
const MAX_NESTED: u8 = 16;

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

struct Parser<'t> {
    scan: Scan<'t>,
    /// What is not allowed, as far as parsed.
    mistakes: Vec<String>,
    nested: u8,
}

/// The segments of a JSONPath.
///
/// # Errors
/// What is wrong with it, with its place.
pub(super) fn parse(text: &str) -> Result<Box<[Segment]>, String> {
    let mut parser = Parser { scan: Scan::new(text), mistakes: Vec::new(), nested: 0 };
    let segments = parser.path().map_err(|mistake| format!("is not a JSONPath: {mistake}"))?;
    if parser.mistakes.is_empty() {
        Ok(segments.into())
    } else {
        Err(format!("is a JSONPath that is not allowed: {}", parser.mistakes.join("; ")))
    }
}

impl Parser<'_> {
    fn path(&mut self) -> Result<Vec<Segment>, String> {
        self.scan.expect("$")?;
        let segments = self.segments(false)?;
        if !self.scan.rest().is_empty() {
            return self.scan.fail("A path goes on with . or [");
        }
        Ok(segments)
    }

    fn mistake(&mut self, message: &str) {
        self.mistakes.push(self.scan.wrong(message));
    }

    fn segments(&mut self, in_filter: bool) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        let mut has_descended = false;
        loop {
            let place = self.scan.mark();
            self.scan.blank();
            let descends = self.scan.eat("..");
            if descends && std::mem::replace(&mut has_descended, true) && !in_filter {
                self.mistake("a path may descend with .. once only");
            }
            let selector = if self.scan.eat("[") {
                self.bracketed(in_filter)?
            } else if descends || self.scan.eat(".") {
                self.dotted()?
            } else {
                self.scan.back_to(place);
                return Ok(segments);
            };
            segments.push(Segment { descends, selector });
        }
    }

    /// The selector after a dot.
    fn dotted(&mut self) -> Result<Selector, String> {
        if self.scan.eat("*") {
            return Ok(Selector::Wildcard);
        }
        let begins = |next: char| next.is_ascii_alphabetic() || next == '_' || !next.is_ascii();
        if !self.scan.peek().is_some_and(begins) {
            return self.scan.fail("A name or * is missing behind the dot; other names are written ['so']");
        }
        let name = self.scan.take_while(|next| begins(next) || next.is_ascii_digit());
        Ok(Selector::Name(name.into()))
    }

    /// The selector after an opening bracket.
    fn bracketed(&mut self, in_filter: bool) -> Result<Selector, String> {
        self.scan.blank();
        let selector = self.selector(in_filter)?;
        self.scan.blank();
        let mut others: usize = 0;
        while self.scan.eat(",") {
            others = others.saturating_add(1);
            if others == 1 && !in_filter {
                self.mistake("a pair of brackets may have one selector only");
            }
            self.scan.blank();
            self.selector(in_filter)?;
            self.scan.blank();
        }
        self.scan.expect("]")?;
        // In a filter, a list of selectors must not pass for a single one: it is not allowed there either.
        Ok(if others > 0 { Selector::Wildcard } else { selector })
    }

    fn selector(&mut self, in_filter: bool) -> Result<Selector, String> {
        match self.scan.peek() {
            Some('\'' | '"') => Ok(Selector::Name(literal::text(&mut self.scan)?)),
            Some('*') => {
                self.scan.next();
                Ok(Selector::Wildcard)
            }
            Some('?') if in_filter => self.scan.fail("A filter inside a filter is not allowed"),
            Some('?') => {
                self.scan.next();
                self.scan.blank();
                Ok(Selector::Filter(self.any()?))
            }
            Some('-' | ':' | '0'..='9') => self.index_or_slice(),
            _ => self.scan.fail("A selector is missing: a name in quotes, an index, a slice, * or a filter"),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, String> {
        let start = self.optional_integer()?;
        let place = self.scan.mark();
        self.scan.blank();
        if !self.scan.eat(":") {
            self.scan.back_to(place);
            return start
                .map_or_else(|| self.scan.fail("An index is missing"), |index| Ok(Selector::Index(index)));
        }
        self.scan.blank();
        let end = self.optional_integer()?;
        let place = self.scan.mark();
        self.scan.blank();
        let step = if self.scan.eat(":") {
            self.scan.blank();
            self.optional_integer()?
        } else {
            self.scan.back_to(place);
            None
        };
        Ok(Selector::Slice(Slice { start, end, step: step.unwrap_or(1) }))
    }

    fn optional_integer(&mut self) -> Result<Option<i64>, String> {
        match self.scan.peek() {
            Some('-' | '0'..='9') => literal::integer(&mut self.scan).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads up to the closing parenthesis, one level deeper.
    fn nest<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.nested >= MAX_NESTED {
            return self.scan.fail(&format!("Parentheses may be nested at most {MAX_NESTED} deep"));
        }
        self.nested = self.nested.saturating_add(1);
        self.scan.blank();
        let inner = read(self)?;
        self.scan.blank();
        self.scan.expect(")")?;
        self.nested = self.nested.saturating_sub(1);
        Ok(inner)
    }

    fn any(&mut self) -> Result<Logic, String> {
        Ok(match self.joined("||", Self::all)? {
            (only, rest) if rest.is_empty() => only,
            (first, rest) => Logic::Any(std::iter::once(first).chain(rest).collect()),
        })
    }

    fn all(&mut self) -> Result<Logic, String> {
        Ok(match self.joined("&&", Self::basic)? {
            (only, rest) if rest.is_empty() => only,
            (first, rest) => Logic::All(std::iter::once(first).chain(rest).collect()),
        })
    }

    /// One part, or several that are joined by an operator.
    fn joined(
        &mut self,
        operator: &str,
        part: fn(&mut Self) -> Result<Logic, String>,
    ) -> Result<(Logic, Vec<Logic>), String> {
        let first = part(self)?;
        let mut rest = Vec::new();
        loop {
            let place = self.scan.mark();
            self.scan.blank();
            if !self.scan.eat(operator) {
                self.scan.back_to(place);
                return Ok((first, rest));
            }
            self.scan.blank();
            rest.push(part(self)?);
        }
    }

    fn basic(&mut self) -> Result<Logic, String> {
        let is_negated = self.scan.eat("!");
        if is_negated {
            self.scan.blank();
        }
        let logic = if self.scan.eat("(") {
            self.nest(Self::any)?
        } else {
            let left = self.operand()?;
            match self.comparison() {
                Some(_) if is_negated => return self.scan.fail("! stands before a test or a parenthesis"),
                Some(comparison) => Logic::Compare(left, comparison, self.operand()?),
                None => match left {
                    Operand::Query(query) => Logic::Exists(query),
                    Operand::Literal(_) | Operand::Length(_) | Operand::Count(_) => {
                        return self.scan.fail("This is to be compared with something");
                    }
                },
            }
        };
        Ok(if is_negated { Logic::Not(Box::new(logic)) } else { logic })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let place = self.scan.mark();
        self.scan.blank();
        for (written, comparison) in COMPARISONS {
            if self.scan.eat(written) {
                self.scan.blank();
                return Some(comparison);
            }
        }
        self.scan.back_to(place);
        None
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.scan.peek() {
            Some('@' | '$') => Ok(Operand::Query(self.query()?)),
            Some('\'' | '"') => Ok(Operand::Literal(Value::from(&*literal::text(&mut self.scan)?))),
            Some('-' | '0'..='9') => Ok(Operand::Literal(literal::number(&mut self.scan)?)),
            Some('a'..='z') => self.word(),
            _ => self.scan.fail("A filter compares or tests @, texts, numbers, true, false and null"),
        }
    }

    /// A literal that is a word, or a function.
    fn word(&mut self) -> Result<Operand, String> {
        let place = self.scan.mark();
        let word = self.scan.take_while(|next| matches!(next, 'a'..='z' | '0'..='9' | '_'));
        let is_called = self.scan.eat("(");
        match (word, is_called) {
            ("true", false) => Ok(Operand::Literal(Value::Bool(true))),
            ("false", false) => Ok(Operand::Literal(Value::Bool(false))),
            ("null", false) => Ok(Operand::Literal(Value::Null)),
            ("length", true) => Ok(Operand::Length(Box::new(self.nest(Self::operand)?))),
            ("count", true) => Ok(Operand::Count(self.nest(Self::query)?)),
            // The query selects at most one node, whose value is that of the function.
            ("value", true) => Ok(Operand::Query(self.nest(Self::query)?)),
            _ => {
                self.scan.back_to(place);
                self.scan.fail("A filter has the functions length, count and value, and no other word")
            }
        }
    }

    fn query(&mut self) -> Result<Query, String> {
        if self.scan.peek() == Some('$') {
            self.mistake("a filter may look at @ only, not at $");
        }
        if self.scan.next().is_none_or(|begins| !matches!(begins, '@' | '$')) {
            return self.scan.fail("A query that begins with @ is missing");
        }
        let segments = self.segments(true)?;
        let step = |segment: Segment| match segment.selector {
            Selector::Name(name) if !segment.descends => Some(Step::Name(name)),
            Selector::Index(index) if !segment.descends => Some(Step::Index(index)),
            Selector::Name(_)
            | Selector::Index(_)
            | Selector::Wildcard
            | Selector::Slice(_)
            | Selector::Filter(_) => None,
        };
        let count = segments.len();
        let steps: Vec<Step> = segments.into_iter().filter_map(step).collect();
        if steps.len() < count {
            self.mistake("behind @ there may be names and single indexes only");
        }
        Ok(Query(steps.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        parse(text).expect_err(text)
    }

    #[test]
    fn allowed_paths_are_accepted() {
        for text in [
            "$",
            "$.a.b_1.ü",
            "$['a']['b c'][\"d'e\"]",
            "$ [ 'a' ] .b",
            "$.a[0][-1]",
            "$[1:3][::2][-1:][:-2:-1][ 1 : 2 : 1 ]",
            "$..a[*].*",
            "$..[0]",
            "$.a[?@.b == 'c']",
            "$.a[?@]",
            "$.a[? !@.b && (@.c || @['d'] != null) ]",
            "$.a[?@.n >= 1.5e3 && @.n < -0]",
            "$.a[?length(@.b) > 1 || count(@.c) == 0 || value(@[0]) == true]",
            "$.a[?length(value(@)) == length('xy')]",
            r"$['\u00e9\ud83d\ude00\n\'']",
            "$.a[?1 == 1]",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn syntax_errors_are_refused_with_their_place() {
        for (text, place) in [
            ("", 1),
            ("a", 1),
            ("$.", 3),
            ("$.a ", 4),
            ("$a", 2),
            ("$..", 4),
            ("$[", 3),
            ("$[01]", 3),
            ("$[-0]", 3),
            ("$[9007199254740992]", 3),
            ("$['a", 5),
            ("$['a'", 6),
            (r"$['\x']", 6),
            (r"$['\ud800']", 10),
            ("$.a[?]", 6),
            ("$.a[?@.b ==]", 12),
            ("$.a[?'b']", 9),
            ("$.a[?length(@.b)]", 17),
            ("$.a[?(@.b]", 10),
            ("$.a[?!@.b == 1]", 14),
            ("$.a[?!!@.b]", 7),
            ("$.a[?True]", 6),
            ("$.a[?01 == 1]", 6),
        ] {
            let mistake = mistake(text);
            assert!(mistake.starts_with("is not a JSONPath: "), "{text}: {mistake}");
            assert!(mistake.ends_with(&format!("(at character {place})")), "{text}: {mistake}");
        }
    }

    #[test]
    fn expensive_paths_are_refused_and_every_mistake_is_reported() {
        for (text, mistakes) in [
            ("$..a..b", 1),
            ("$..*..*..*", 2),
            ("$['a','b']", 1),
            ("$[*,*,*,*]", 1),
            ("$[0,1]..a..b", 2),
            ("$.a[?@.b == $.c]", 1),
            ("$.a[?$]", 1),
            ("$.a[?@.*]", 1),
            ("$.a[?@..b]", 1),
            ("$.a[?@[0:1]]", 1),
            ("$.a[?@['b','c']]", 1),
            ("$.a[?count(@.*) > 1 && value(@..b) == $.d]", 3),
        ] {
            let mistake = mistake(text);
            assert!(mistake.starts_with("is a JSONPath that is not allowed: "), "{text}: {mistake}");
            assert_eq!(mistake.matches("(at character ").count(), mistakes, "{text}: {mistake}");
        }
        for text in ["$.a[?match(@.b, 'x')]", "$.a[?search(@.b, 'x')]", "$.a[?@[?@.b]]", "$.a[?lookup(@.b)]"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parentheses_may_be_nested_sixteen_deep() {
        let nested = |levels| format!("$[?{}@{}]", "(".repeat(levels), ")".repeat(levels));
        assert!(parse(&nested(16)).is_ok());
        assert!(mistake(&nested(17)).contains("at most 16 deep"));
        assert!(mistake(&nested(100_000)).contains("at most 16 deep"));
    }
}
