//! `\d`, `\w`, `\s` and `\b` of a regular expression as ASCII, unless its author said `(?u)`.
//!
//! With Unicode's classes each of them is some hundred states instead of one, and a tag with Devanagari digits is
//! not what anybody means by `\d`. Everything else is about characters, not bytes, as usual.

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl, ClassPerlKind,
    ClassSet, ClassSetItem, Flag, Flags, FlagsItem, FlagsItemKind, Group, GroupKind,
};

/// Says it so in the expression. `is_unicode`: whether it was said where this part begins; the same is left as of
/// its end.
pub(super) fn prefer(ast: &mut Ast, is_unicode: &mut bool) {
    match ast {
        Ast::Flags(said) => *is_unicode = said.flags.flag_state(Flag::Unicode).unwrap_or(*is_unicode),
        Ast::ClassPerl(class) if !*is_unicode => {
            let kind = ClassSet::Item(ClassSetItem::Ascii(ascii(class)));
            *ast = Ast::class_bracketed(ClassBracketed { span: class.span, negated: false, kind });
        }
        Ast::ClassBracketed(class) if !*is_unicode => prefer_in_set(&mut class.kind),
        Ast::Assertion(assertion) if !*is_unicode && is_about_words(&assertion.kind) => {
            *ast = bytewise(assertion);
        }
        Ast::Repetition(repetition) => prefer(&mut repetition.ast, is_unicode),
        // What is said within a group ends with it.
        Ast::Group(group) => {
            let mut within =
                group.flags().and_then(|flags| flags.flag_state(Flag::Unicode)).unwrap_or(*is_unicode);
            prefer(&mut group.ast, &mut within);
        }
        Ast::Alternation(alternation) => alternation.asts.iter_mut().for_each(|ast| prefer(ast, is_unicode)),
        Ast::Concat(concat) => concat.asts.iter_mut().for_each(|ast| prefer(ast, is_unicode)),
        Ast::Empty(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_) => {}
    }
}

fn prefer_in_set(set: &mut ClassSet) {
    match set {
        ClassSet::Item(item) => prefer_in_item(item),
        ClassSet::BinaryOp(operation) => {
            prefer_in_set(&mut operation.lhs);
            prefer_in_set(&mut operation.rhs);
        }
    }
}

fn prefer_in_item(item: &mut ClassSetItem) {
    match item {
        ClassSetItem::Perl(class) => *item = ClassSetItem::Ascii(ascii(class)),
        ClassSetItem::Bracketed(class) => prefer_in_set(&mut class.kind),
        ClassSetItem::Union(union) => union.items.iter_mut().for_each(prefer_in_item),
        ClassSetItem::Empty(_)
        | ClassSetItem::Literal(_)
        | ClassSetItem::Range(_)
        | ClassSetItem::Ascii(_)
        | ClassSetItem::Unicode(_) => {}
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

/// The assertion within `(?-u:…)`.
fn bytewise(assertion: &Assertion) -> Ast {
    let span = assertion.span;
    let items = [FlagsItemKind::Negation, FlagsItemKind::Flag(Flag::Unicode)];
    let items = items.map(|kind| FlagsItem { span, kind }).into();
    let kind = GroupKind::NonCapturing(Flags { span, items });
    Ast::group(Group { span, kind, ast: Box::new(Ast::assertion(assertion.clone())) })
}
