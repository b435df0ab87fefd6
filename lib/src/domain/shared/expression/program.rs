//! A regular expression as an automaton, whose every step is counted.
//!
//! The automaton is Thompson's: at each byte of a text it is in a set of states. A step is one state at one
//! byte, so a text costs at most its length in bytes times the number of states, whatever it contains.
//! Nothing is cached from one text to the next, and a run needs a few bytes of memory for each state.
//! Compiling is counted in steps, too, whether it is done or was done before, so that a result does not
//! depend on that.

use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::look::{Look, LookMatcher};
use regex_automata::util::primitives::StateID;
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::hir::translate::TranslatorBuilder;

use super::budget::{Budget, MAX_STEPS};
use super::{Failure, ascii};

/// The maximum size of a compiled regular expression, in bytes. A larger one is refused.
pub const MAX_COMPILED_BYTES: usize = 64 * 1024;

/// The length of text that every regular expression may search, in bytes.
pub(super) const MIN_TEXT: usize = 512;

/// The cost of compiling a state, in steps.
const COMPILING_STEPS: usize = 64;

/// The maximum cost of classes, in states. An expression that needs more is refused before it is compiled.
const MAX_WEIGHT: usize = 2_048;

/// The maximum size of an automaton that is kept, in states.
const MAX_KEPT: usize = 64;

/// How deep a regular expression may be nested.
const MAX_NESTED: u32 = 64;

/// The number of a state.
type Id = u16;

#[derive(Debug, Clone, Copy)]
enum State {
    /// Goes on with a byte from `low` to `high`.
    Byte { low: u8, high: u8, next: Id },
    /// Goes on with a byte in one of these ranges, which are sorted.
    Ranges { first: u16, end: u16 },
    /// Goes on to all of these states at once.
    Fork { first: u16, end: u16 },
    /// Goes on if the assertion holds.
    Look { look: Look, next: Id },
    /// The expression matches.
    Match,
    /// Goes nowhere.
    Fail,
}

#[derive(Debug, Clone, Copy)]
struct Range {
    low: u8,
    high: u8,
    next: Id,
}

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub(super) struct Program {
    states: Box<[State]>,
    ranges: Box<[Range]>,
    forks: Box<[Id]>,
    start: Id,
    is_anchored: bool,
    looks: LookMatcher,
    /// The cost of compiling it, in steps.
    compiling: usize,
}

impl Program {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let (nfa, weight) = automaton(text)?;
        let program = Self::of(&nfa, weight).ok_or("is too large a regular expression")?;
        if program.max_text() < MIN_TEXT {
            return Err(format!(
                "is too large a regular expression: it has {} states, too many for a text of {MIN_TEXT} bytes",
                program.states.len()
            ));
        }
        Ok(program)
    }

    fn of(nfa: &NFA, weight: usize) -> Option<Self> {
        let id = |state: StateID| Id::try_from(state.as_usize()).ok();
        let (mut states, mut ranges, mut forks) = (Vec::new(), Vec::new(), Vec::new());
        for state in nfa.states() {
            let place = |length: usize| u16::try_from(length).ok();
            let (first_range, first_fork) = (place(ranges.len())?, place(forks.len())?);
            states.push(match state {
                thompson::State::ByteRange { trans } => {
                    State::Byte { low: trans.start, high: trans.end, next: id(trans.next)? }
                }
                thompson::State::Sparse(sparse) => {
                    for trans in &sparse.transitions {
                        ranges.push(Range { low: trans.start, high: trans.end, next: id(trans.next)? });
                    }
                    State::Ranges { first: first_range, end: place(ranges.len())? }
                }
                thompson::State::Dense(dense) => {
                    for (byte, next) in (0..=u8::MAX).zip(&dense.transitions) {
                        if *next != StateID::ZERO {
                            ranges.push(Range { low: byte, high: byte, next: id(*next)? });
                        }
                    }
                    State::Ranges { first: first_range, end: place(ranges.len())? }
                }
                thompson::State::Look { look, next } => State::Look { look: *look, next: id(*next)? },
                thompson::State::Union { alternates } => {
                    for alternate in alternates {
                        forks.push(id(*alternate)?);
                    }
                    State::Fork { first: first_fork, end: place(forks.len())? }
                }
                thompson::State::BinaryUnion { alt1, alt2 } => {
                    forks.extend([id(*alt1)?, id(*alt2)?]);
                    State::Fork { first: first_fork, end: place(forks.len())? }
                }
                thompson::State::Capture { next, .. } => {
                    forks.push(id(*next)?);
                    State::Fork { first: first_fork, end: place(forks.len())? }
                }
                thompson::State::Fail => State::Fail,
                thompson::State::Match { .. } => State::Match,
            });
        }
        Some(Self {
            compiling: states.len().saturating_add(weight).saturating_mul(COMPILING_STEPS),
            states: states.into(),
            ranges: ranges.into(),
            forks: forks.into(),
            start: id(nfa.start_anchored())?,
            is_anchored: nfa.is_always_start_anchored(),
            looks: nfa.look_matcher().clone(),
        })
    }

    /// The longest text that it may search, in bytes: no text of this length uses up the budget.
    pub(super) fn max_text(&self) -> usize {
        let steps = usize::try_from(MAX_STEPS).unwrap_or(0).saturating_sub(self.compiling).saturating_sub(1);
        // Each state is stepped on once before each byte, and once at the end.
        steps.checked_div(self.states.len()).unwrap_or(0).saturating_sub(1)
    }

    /// Whether it is small enough to be kept in memory.
    pub(super) fn is_small(&self) -> bool {
        self.compiling <= COMPILING_STEPS.saturating_mul(MAX_KEPT)
    }

    /// Counts the cost of compiling it.
    pub(super) fn count(&self, budget: &mut Budget) -> Result<(), Failure> {
        budget.step(self.compiling)
    }

    /// Its size in memory, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let (states, ranges) = (size_of_val(&*self.states), size_of_val(&*self.ranges));
        [states, ranges, size_of_val(&*self.forks)].into_iter().sum()
    }

    /// The number of states.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// The state after `state`, with a byte.
    #[inline]
    fn over(&self, state: Id, byte: u8) -> Option<Id> {
        match self.states.get(usize::from(state))? {
            State::Byte { low, high, next } => (*low..=*high).contains(&byte).then_some(*next),
            State::Ranges { first, end } => {
                let ranges = self.ranges.get(usize::from(*first)..usize::from(*end))?;
                let place = ranges.partition_point(|range| range.high < byte);
                ranges.get(place).filter(|range| range.low <= byte).map(|range| range.next)
            }
            State::Fork { .. } | State::Look { .. } | State::Match | State::Fail => None,
        }
    }

    /// Whether it finds a match in the text.
    ///
    /// # Errors
    /// The text is too long, or the budget is used up.
    pub(super) fn finds(&self, text: &str, budget: &mut Budget) -> Result<bool, Failure> {
        if text.len() > self.max_text() {
            return Err(Failure::Text);
        }
        let mut run = Run::new(self, text);
        for at in 0..=text.len() {
            if (at == 0 || !self.is_anchored) && text.is_char_boundary(at) && run.follow(self.start, at) {
                return Ok(true);
            }
            budget.step(std::mem::take(&mut run.steps))?;
            let Some(byte) = text.as_bytes().get(at) else { break };
            if run.read(*byte, at) {
                return Ok(true);
            }
            if self.is_anchored && run.now.is_empty() {
                break;
            }
        }
        budget.step(run.steps)?;
        Ok(false)
    }
}

/// The automaton, and the compile cost of the classes, in states.
fn automaton(text: &str) -> Result<(NFA, usize), String> {
    let wrong = |what: String, before: usize| {
        let character = text.get(..before).unwrap_or_default().chars().count().saturating_add(1);
        format!("is not a regular expression: {what} (at character {character})")
    };
    let mut ast = ParserBuilder::new()
        .nest_limit(MAX_NESTED)
        .build()
        .parse(text)
        .map_err(|error| wrong(error.kind().to_string(), error.span().start.offset))?;
    let mut seen = ascii::Seen::default();
    ascii::prefer(&mut ast, &mut false, &mut seen);
    let weight = usize::try_from(seen.weight()).unwrap_or(usize::MAX);
    if weight > MAX_WEIGHT {
        return Err("is too large a regular expression: it has too many Unicode classes".to_owned());
    }
    let hir = TranslatorBuilder::new()
        .build()
        .translate(text, &ast)
        .map_err(|error| wrong(error.kind().to_string(), error.span().start.offset))?;
    let config =
        thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(MAX_COMPILED_BYTES));
    let nfa = thompson::Compiler::new().configure(config).build_from_hir(&hir);
    nfa.map(|nfa| (nfa, weight)).map_err(|error| {
        if error.size_limit().is_some() {
            format!("is too large a regular expression: compiled it may have {MAX_COMPILED_BYTES} bytes")
        } else {
            format!("is not a regular expression: {error}")
        }
    })
}

/// A search of one text.
struct Run<'p, 't> {
    program: &'p Program,
    text: &'t str,
    /// For each state: one more than the last position at which it was stepped on.
    seen: Vec<u32>,
    /// The states that wait for the byte at the current position, and those for the byte after it.
    now: Vec<Id>,
    next: Vec<Id>,
    pending: Vec<Id>,
    steps: usize,
}

impl<'p, 't> Run<'p, 't> {
    fn new(program: &'p Program, text: &'t str) -> Self {
        let seen = vec![0; program.states.len()];
        let (now, next, pending) = (Vec::new(), Vec::new(), Vec::new());
        Self { program, text, seen, now, next, pending, steps: 0 }
    }

    /// Steps on a state, and on all states that it leads to without a byte. Whether one of them is the match.
    fn follow(&mut self, state: Id, at: usize) -> bool {
        // Most states lead nowhere without a byte.
        if self.step_on(state, at) {
            return true;
        }
        while let Some(id) = self.pending.pop() {
            if self.step_on(id, at) {
                return true;
            }
        }
        false
    }

    /// Steps on one state. Whether it is the match.
    #[inline]
    fn step_on(&mut self, id: Id, at: usize) -> bool {
        let program = self.program;
        // A text is far shorter than `u32::MAX`.
        let place = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
        match self.seen.get_mut(usize::from(id)) {
            Some(seen) if *seen != place => *seen = place,
            _ => return false,
        }
        self.steps = self.steps.saturating_add(1);
        match program.states.get(usize::from(id)) {
            Some(State::Byte { .. } | State::Ranges { .. }) => self.now.push(id),
            Some(State::Fork { first, end }) => {
                let forks = program.forks.get(usize::from(*first)..usize::from(*end));
                self.pending.extend(forks.unwrap_or_default());
            }
            Some(State::Look { look, next }) => {
                if program.looks.matches(*look, self.text.as_bytes(), at) {
                    self.pending.push(*next);
                }
            }
            Some(State::Match) => return true,
            Some(State::Fail) | None => {}
        }
        false
    }

    /// Goes on over the byte at a position. Whether the expression matches then.
    fn read(&mut self, byte: u8, at: usize) -> bool {
        let program = self.program;
        std::mem::swap(&mut self.now, &mut self.next);
        self.now.clear();
        let waiting = std::mem::take(&mut self.next);
        let after = at.saturating_add(1);
        let has_matched =
            waiting.iter().any(|id| program.over(*id, byte).is_some_and(|next| self.follow(next, after)));
        self.next = waiting;
        has_matched
    }
}
