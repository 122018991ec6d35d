//! Text from elsewhere as it may be shown: what would steer a terminal, a browser or a parser becomes a sign that is seen.
use std::borrow::Cow;

/// Several lines: line feeds and tabs stay, every other character that is not seen is shown.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c| matches!(c, '\n' | '\t'))
}

/// A name, a reason, a cell: as [`visible`], on one line.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    replaced(text, |_| false)
}

fn replaced(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let shown = |c: char| if stays(c) { c } else { sign(c) };
    match text.chars().all(|c| shown(c) == c) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(shown).collect()),
    }
}

/// Control characters have pictures (␛, ␍, ␡); what has none, or turns the direction of writing, is �.
fn sign(c: char) -> char {
    match c {
        '\0'..='\x1f' => {
            char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        '\x7f' => '␡',
        '\u{80}'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        // Marks, embeddings, overrides and isolates of direction, and the separators that some take for line feeds.
        '\u{200e}'
        | '\u{200f}'
        | '\u{061c}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        // No character at all: XML allows neither, and the first is the mark of a byte order.
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_shown_in_its_place() {
        assert_eq!(visible_line("\x1b[31mred\x07"), "␛[31mred␇");
        assert_eq!(visible_line("a\r\nb\tc\x7f\u{9b}d"), "a␍␊b␉c␡\u{fffd}d");
        assert_eq!(
            visible_line("gpj\u{202e}exe.\u{2028}"),
            "gpj\u{fffd}exe.\u{fffd}"
        );
    }

    #[test]
    fn lines_stay_lines_where_there_may_be_several_and_plain_text_stays_as_it_is() {
        assert_eq!(visible("a\n\tb\r\x1b"), "a\n\tb␍␛");
        assert!(matches!(visible_line("호텔 – “예”"), Cow::Borrowed(_)));
    }
}
