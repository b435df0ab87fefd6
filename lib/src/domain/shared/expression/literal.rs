//! Strings and numbers in a JSONPath (RFC 9535, 2.3.1.1, 2.3.3.1 and 2.3.5.1).

use serde_json::Value;

use super::scan::Scan;

/// The greatest integer that every JSON reader represents exactly (RFC 7493, 2.2), and that RFC 9535, 2.1,
/// allows.
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Reads a string in single or double quotes.
pub(super) fn text(scan: &mut Scan<'_>) -> Result<Box<str>, String> {
    let Some(quote) = scan.next() else { return scan.fail("A text is missing") };
    let mut text = String::new();
    loop {
        match scan.next() {
            Some(end) if end == quote => return Ok(text.into()),
            Some('\\') => text.push(escape(scan, quote)?),
            Some(control) if control < ' ' => return scan.fail("A text has a control character"),
            Some(other) => text.push(other),
            None => return scan.fail("A text has no end"),
        }
    }
}

fn escape(scan: &mut Scan<'_>, quote: char) -> Result<char, String> {
    match scan.next() {
        Some('b') => Ok('\u{8}'),
        Some('f') => Ok('\u{c}'),
        Some('n') => Ok('\n'),
        Some('r') => Ok('\r'),
        Some('t') => Ok('\t'),
        Some('u') => code_point(scan),
        Some(other) if other == quote || matches!(other, '/' | '\\') => Ok(other),
        _ => scan.fail("A text has an unknown escape"),
    }
}

/// The four digits after `\u`, and those of the second half, if this is the first of a surrogate pair.
fn code_point(scan: &mut Scan<'_>) -> Result<char, String> {
    let first = four_digits(scan)?;
    let code = if (0xd800..0xdc00).contains(&first) && scan.eat("\\u") {
        match four_digits(scan)? {
            second @ 0xdc00..0xe000 => {
                let (high, low) = (first & 0x3ff, second & 0x3ff);
                (high << 10 | low).saturating_add(0x1_0000)
            }
            _ => first,
        }
    } else {
        first
    };
    char::from_u32(code).map_or_else(|| scan.fail("A text has half of a surrogate pair"), Ok)
}

fn four_digits(scan: &mut Scan<'_>) -> Result<u32, String> {
    let mut code = 0;
    for _ in 0..4 {
        match scan.next().and_then(|digit| digit.to_digit(16)) {
            Some(digit) => code = code << 4 | digit,
            None => return scan.fail("\\u must have four hexadecimal digits"),
        }
    }
    Ok(code)
}

/// Reads an index.
pub(super) fn integer(scan: &mut Scan<'_>) -> Result<i64, String> {
    let place = scan.mark();
    let sign = if scan.eat("-") { "-" } else { "" };
    let digits = scan.take_while(|next| next.is_ascii_digit());
    let is_zero = digits == "0" && sign.is_empty();
    let number = format!("{sign}{digits}").parse::<i64>().ok().filter(|number| number.abs() <= MAX_INTEGER);
    match number {
        Some(number) if is_zero || !digits.starts_with('0') => Ok(number),
        _ => {
            scan.back_to(place);
            scan.fail("An index must be a whole number without leading zeros, of at most 9007199254740991")
        }
    }
}

/// Reads a number.
pub(super) fn number(scan: &mut Scan<'_>) -> Result<Value, String> {
    let whole = scan.rest();
    let place = scan.mark();
    let digits = |scan: &mut Scan<'_>| scan.take_while(|next| next.is_ascii_digit()).len();
    scan.eat("-");
    digits(scan);
    if scan.eat(".") {
        digits(scan);
    }
    if scan.eat("e") || scan.eat("E") {
        let _ = scan.eat("-") || scan.eat("+");
        digits(scan);
    }
    let length = scan.mark().saturating_sub(place);
    let number = whole.get(..length).and_then(|text| serde_json::from_str(text).ok());
    number.map_or_else(
        || {
            scan.back_to(place);
            scan.fail("This is not a number")
        },
        Ok,
    )
}
