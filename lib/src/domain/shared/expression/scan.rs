//! Reads a text character by character, and gives mistakes their place.

/// A text that is being read.
pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The text that has not been read.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(next.len_utf8());
        Some(next)
    }

    /// Reads `expected`, if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let comes = self.rest().starts_with(expected);
        if comes {
            self.at = self.at.saturating_add(expected.len());
        }
        comes
    }

    /// Reads `expected`, which must come next.
    pub(super) fn expect(&mut self, expected: &str) -> Result<(), String> {
        if self.eat(expected) { Ok(()) } else { self.fail(&format!("{expected} is missing")) }
    }

    /// Reads characters as long as they are wanted, and returns them.
    pub(super) fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|next| !is_wanted(next)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(end);
        rest.get(..end).unwrap_or_default()
    }

    /// Skips blanks.
    pub(super) fn blank(&mut self) {
        self.take_while(|next| matches!(next, ' ' | '\t' | '\n' | '\r'));
    }

    /// The current position, for [`back_to`](Self::back_to).
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// Returns to an earlier position.
    pub(super) fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }

    /// A message with the current place.
    pub(super) fn wrong(&self, message: &str) -> String {
        let before = self.text.get(..self.at).unwrap_or_default().chars().count();
        format!("{message} (at character {})", before.saturating_add(1))
    }

    /// Fails with a message and the current place.
    pub(super) fn fail<T>(&self, message: &str) -> Result<T, String> {
        Err(self.wrong(message))
    }
}
