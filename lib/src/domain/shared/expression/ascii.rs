//! Makes `\d`, `\w`, `\s` and `\b` of a regular expression ASCII, unless its author wrote `(?u)`.
//!
//! As a Unicode class each of them has some hundred states instead of one, and nobody means Devanagari digits
//! by `\d`. Everything else is about characters, not bytes, as usual.

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl, ClassPerlKind,
    ClassSet, ClassSetItem, Flag, Flags, FlagsItem, FlagsItemKind, Group, GroupKind,
};

/// The compile cost of a Unicode class, in states of the automaton.
const WIDE_WEIGHT: u32 = 512;
/// The same for each Unicode class and each bracket, if case is ignored.
const FOLDED_WEIGHT: u32 = 512;

/// The parts of an expression that take long to compile.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Unicode classes, and ranges beyond ASCII.
    wide: u32,
    /// Bracketed classes.
    brackets: u32,
    /// Whether case is ignored anywhere.
    is_folded: bool,
}

impl Seen {
    /// The compile cost of the classes, in states. A Unicode class is a table of some hundred ranges. If case
    /// is ignored, each range is looked up in another table, bracket by bracket.
    pub(super) fn weight(&self) -> u32 {
        if self.is_folded && self.wide > 0 {
            self.wide.saturating_add(self.brackets).saturating_mul(FOLDED_WEIGHT)
        } else {
            self.wide.saturating_mul(WIDE_WEIGHT)
        }
    }

    fn flags(&mut self, flags: &Flags) {
        self.is_folded |= flags.flag_state(Flag::CaseInsensitive) == Some(true);
    }
}

/// Rewrites the expression. `is_unicode` is the flag `u` at the beginning of this part, and is left as it is
/// at its end.
pub(super) fn prefer(ast: &mut Ast, is_unicode: &mut bool, seen: &mut Seen) {
    match ast {
        Ast::Flags(set) => {
            seen.flags(&set.flags);
            *is_unicode = set.flags.flag_state(Flag::Unicode).unwrap_or(*is_unicode);
        }
        Ast::ClassPerl(class) if !*is_unicode => {
            let kind = ClassSet::Item(ClassSetItem::Ascii(ascii(class)));
            *ast = Ast::class_bracketed(ClassBracketed { span: class.span, negated: false, kind });
        }
        Ast::ClassBracketed(class) => {
            seen.brackets = seen.brackets.saturating_add(1);
            prefer_in_set(&mut class.kind, *is_unicode, seen);
        }
        Ast::ClassUnicode(_) | Ast::ClassPerl(_) => seen.wide = seen.wide.saturating_add(1),
        Ast::Assertion(assertion) if !*is_unicode && is_about_words(&assertion.kind) => {
            *ast = bytewise(assertion);
        }
        Ast::Repetition(repetition) => prefer(&mut repetition.ast, is_unicode, seen),
        // Flags that are set in a group end with it.
        Ast::Group(group) => {
            let mut within = *is_unicode;
            if let Some(flags) = group.flags() {
                seen.flags(flags);
                within = flags.flag_state(Flag::Unicode).unwrap_or(within);
            }
            prefer(&mut group.ast, &mut within, seen);
        }
        Ast::Alternation(alternation) => {
            alternation.asts.iter_mut().for_each(|ast| prefer(ast, is_unicode, seen));
        }
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(|ast| prefer(ast, is_unicode, seen)),
        Ast::Empty(_) | Ast::Literal(_) | Ast::Dot(_) | Ast::Assertion(_) => {}
    }
}

fn prefer_in_set(set: &mut ClassSet, is_unicode: bool, seen: &mut Seen) {
    match set {
        ClassSet::Item(item) => prefer_in_item(item, is_unicode, seen),
        ClassSet::BinaryOp(operation) => {
            prefer_in_set(&mut operation.lhs, is_unicode, seen);
            prefer_in_set(&mut operation.rhs, is_unicode, seen);
        }
    }
}

fn prefer_in_item(item: &mut ClassSetItem, is_unicode: bool, seen: &mut Seen) {
    match item {
        ClassSetItem::Perl(class) if !is_unicode => *item = ClassSetItem::Ascii(ascii(class)),
        ClassSetItem::Perl(_) | ClassSetItem::Unicode(_) => seen.wide = seen.wide.saturating_add(1),
        ClassSetItem::Range(range) if !range.end.c.is_ascii() => seen.wide = seen.wide.saturating_add(1),
        ClassSetItem::Bracketed(class) => {
            seen.brackets = seen.brackets.saturating_add(1);
            prefer_in_set(&mut class.kind, is_unicode, seen);
        }
        ClassSetItem::Union(union) => {
            union.items.iter_mut().for_each(|item| prefer_in_item(item, is_unicode, seen));
        }
        ClassSetItem::Empty(_)
        | ClassSetItem::Literal(_)
        | ClassSetItem::Range(_)
        | ClassSetItem::Ascii(_) => {}
    }
}

fn ascii(class: &ClassPerl) -> ClassAscii {
    let kind = match class.kind {
        ClassPerlKind::Digit => ClassAsciiKind::Digit,
        ClassPerlKind::Space => ClassAsciiKind::Space,
        ClassPerlKind::Word => ClassAsciiKind::Word,
    };
    ClassAscii { span: class.span, kind, negated: class.negated }
}

fn is_about_words(kind: &AssertionKind) -> bool {
    match kind {
        AssertionKind::StartLine
        | AssertionKind::EndLine
        | AssertionKind::StartText
        | AssertionKind::EndText => false,
        AssertionKind::WordBoundary
        | AssertionKind::NotWordBoundary
        | AssertionKind::WordBoundaryStart
        | AssertionKind::WordBoundaryEnd
        | AssertionKind::WordBoundaryStartAngle
        | AssertionKind::WordBoundaryEndAngle
        | AssertionKind::WordBoundaryStartHalf
        | AssertionKind::WordBoundaryEndHalf => true,
    }
}

/// The assertion, inside `(?-u:…)`.
fn bytewise(assertion: &Assertion) -> Ast {
    let span = assertion.span;
    let items = [FlagsItemKind::Negation, FlagsItemKind::Flag(Flag::Unicode)];
    let items = items.map(|kind| FlagsItem { span, kind }).into();
    let kind = GroupKind::NonCapturing(Flags { span, items });
    Ast::group(Group { span, kind, ast: Box::new(Ast::assertion(assertion.clone())) })
}
