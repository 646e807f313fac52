//! Just enough of a tokenizer for TypeScript and JSON with comments.

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Text,
}

/// The parts of a source in order. Template literals count as text as a whole.
fn parts(source: &str) -> Vec<(Part, String)> {
    let mut parts: Vec<(Part, String)> = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (part, length) = match first {
            _ if rest.starts_with("//") => {
                (Part::Comment, rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len()))
            }
            _ if rest.starts_with("/*") => (Part::Comment, rest[2..].find("*/").map_or(rest.len(), |at| at + 4)),
            '"' | '\'' | '`' => (Part::Text, text_length(rest, first)),
            c => (Part::Code, c.len_utf8()),
        };
        let (piece, after) = rest.split_at(length);
        parts.push((part, piece.to_owned()));
        rest = after;
    }
    parts
}

fn text_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn keep(source: &str, wanted: impl Fn(Part) -> bool) -> String {
    parts(source).into_iter().map(|(part, text)| if wanted(part) { text } else { " ".into() }).collect()
}

pub fn outside_comments_and_strings(source: &str) -> String {
    keep(source, |part| part == Part::Code)
}

pub fn without_comments(source: &str) -> String {
    keep(source, |part| part != Part::Comment)
}

#[test]
fn parts_are_told_apart() {
    let source = "a = \"// no\\\"*/\"; // comment 'x\nb /* c\n\" */ = `d ${e}`;";
    assert_eq!(outside_comments_and_strings(source), "a =  ;  \nb   =  ;");
    assert_eq!(without_comments(source), "a = \"// no\\\"*/\";  \nb   = `d ${e}`;");
}
