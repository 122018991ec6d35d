//! The keys of writes: two that are the same are one, and what is found of the one would be taken for the other.
use crate::object::Object;
use crate::tree::Node;

/// What stands for the number of a request.
const SEQ: &str = "{{seq}}";

/// A key as it is written in a load, and where.
struct Key<'a> {
    load: &'a str,
    node: &'a Node,
    text: &'a str,
}

/// Puts down every key that a request of another load, or another request of the same one, may write too.
pub fn differ<'a>(loads: &[(&'a str, Object<'a>)]) {
    let mut before: Vec<Key> = vec![];
    for (load, object) in loads {
        let requests = object.node.get("requests");
        for request in requests.into_iter().flat_map(Node::items) {
            let Some(key) = request.get("key").and_then(|node| of(load, node)) else {
                continue;
            };
            if let Some(other) = before.iter().find(|other| may_meet(other, &key)) {
                object
                    .log
                    .bad(key.node, message(other, &key), way_out(&key));
            }
            before.push(key);
        }
    }
}

fn of<'a>(load: &'a str, node: &'a Node) -> Option<Key<'a>> {
    let text = node.text().filter(|text| text.contains(SEQ))?;
    Some(Key { load, node, text })
}

fn message(other: &Key, key: &Key) -> String {
    let whose = match other.load == key.load {
        true => "another request of this load".into(),
        false => format!("\"{}\"", other.load),
    };
    let same = match other.text == key.text {
        true => "writes the same keys",
        false => "may write the same keys",
    };
    format!(
        "{whose} {same}, as {}: what is found of one would be taken for the other",
        other.text
    )
}

fn way_out(key: &Key) -> String {
    format!(
        "begin it with another word, as {}-{}, in the body too",
        key.load, key.text
    )
}

/// Numbers are unique in a load, so two requests of one load may share a key as it is written.
fn may_meet(a: &Key, b: &Key) -> bool {
    match a.load == b.load && a.text == b.text {
        true => false,
        false => meet(&pieces(a.text), &pieces(b.text)),
    }
}

/// A piece of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    Letter(char),
    /// One digit or more.
    Number,
}

impl Piece {
    fn is(self, c: char) -> bool {
        match self {
            Piece::Letter(letter) => letter == c,
            Piece::Number => c.is_ascii_digit(),
        }
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = vec![];
    for (i, part) in text.split(SEQ).enumerate() {
        pieces.extend((i > 0).then_some(Piece::Number));
        pieces.extend(part.chars().map(Piece::Letter));
    }
    pieces
}

/// Whether some text is both: walks through the two side by side, letter by letter, in every way there is.
fn meet(a: &[Piece], b: &[Piece]) -> bool {
    let mut seen = vec![false; (a.len() + 1) * (b.len() + 1)];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        if std::mem::replace(&mut seen[i * (b.len() + 1) + j], true) {
            continue;
        }
        if (i, j) == (a.len(), b.len()) {
            return true;
        }
        let (Some(x), Some(y)) = (a.get(i), b.get(j)) else {
            continue;
        };
        if !one_letter_of_both(*x, *y) {
            continue;
        }
        // After this letter each of the two is at its next piece, or still in its number.
        let stays = |piece: &Piece| *piece == Piece::Number;
        open.push((i + 1, j + 1));
        open.extend(stays(x).then_some((i, j + 1)));
        open.extend(stays(y).then_some((i + 1, j)));
    }
    false
}

fn one_letter_of_both(x: Piece, y: Piece) -> bool {
    match (x, y) {
        (Piece::Letter(c), other) | (other, Piece::Letter(c)) => other.is(c),
        (Piece::Number, Piece::Number) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        meet(&pieces(a), &pieces(b))
    }

    #[test]
    fn keys_meet_where_two_numbers_make_one_text() {
        assert!(same("k-{{seq}}", "k-{{seq}}"));
        assert!(same("k-{{seq}}", "k-1{{seq}}"));
        assert!(same("{{seq}}", "{{seq}}{{seq}}"));
        assert!(same("a{{seq}}-2", "a1-{{seq}}"));
        assert!(same("{{seq}}00", "7{{seq}}"));
    }

    #[test]
    fn keys_that_no_two_numbers_make_alike_do_not_meet() {
        assert!(!same("k-{{seq}}", "l-{{seq}}"));
        assert!(!same("k-{{seq}}", "k{{seq}}"));
        assert!(!same("(host)host {{seq}}", "guest {{seq}}"));
        assert!(!same("{{seq}}", "a{{seq}}"));
        assert!(!same("{{seq}}-a", "{{seq}}-b"));
        assert!(!same("{{seq}}", "{{seq}}-{{seq}}"));
    }
}
