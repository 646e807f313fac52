//! What others wrote, made fit for a terminal: nothing of it moves the cursor, changes colours or the direction of the
//! text, or hides.

use std::borrow::Cow;

/// Whether a terminal does something else with a character than to show it: control characters, marks that change the
/// direction of the text, line ends other than ours, and what has no width.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn shown(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(|c| is_kept(c) || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_kept(c) || !is_hidden(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_default()),
        }
    }
    Cow::Owned(shown)
}

/// The text with every such character as Rust writes it, `\u{1b}`; it keeps its lines and tabs.
pub fn visible(text: &str) -> Cow<'_, str> {
    shown(text, |c| c == '\n' || c == '\t')
}

/// The same on one line: a foreign text cannot begin a new line.
pub fn flat(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// At most so many characters of a text, and `…` where there were more.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The same for a text that is JSON, where such characters stand in strings alone: it stays JSON, and says the same.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| is_hidden(c) && c != '\n';
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_escaped(c) {
            false => shown.push(c),
            true => shown.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Each does something to a terminal, or hides what it stands in.
    pub const HOSTILE: &[&str] = &[
        "\u{1b}[2J",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]8;;https://evil.example\u{1b}\\link",
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{1b}P+q544e\u{1b}\\",
        "\u{1b}c",
        "\u{9b}31m",
        "\u{9d}0;t\u{9c}",
        "\u{7}",
        "\u{8}\u{8}\u{8}ok",
        "\rok   everything",
        "\u{b}\u{c}",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{202e}txt.exe",
        "\u{2066}a\u{2069}",
        "\u{200f}\u{200e}\u{61c}",
        "\u{2028}\u{2029}",
        "\u{200b}\u{feff}\u{2060}",
        "\u{e0041}\u{e007f}",
    ];

    #[test]
    fn nothing_of_it_reaches_a_terminal_as_it_is() {
        for hostile in HOSTILE {
            let text = format!("a {hostile} b");
            for shown in [visible(&text), flat(&text)] {
                assert!(!shown.chars().any(is_hidden) && shown != text, "{shown:?}");
                assert!(shown.starts_with("a ") && shown.ends_with(" b"), "{shown:?}");
            }
            let json = serde_json::to_string_pretty(&serde_json::json!({ "a": [text] })).unwrap();
            let shown = visible_json(&json);
            assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["a"][0], *text);
        }
    }

    #[test]
    fn what_people_write_stays() {
        // Scripts from right to left, joined emoji, accents that are written apart, and wide letters.
        for text in ["naïve 天気 שלום مرحبا 👩\u{200d}💻 e\u{301} नमस्ते\u{200c}", "", "a\n\tb"]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(visible_json(text), Cow::Borrowed(_)) || text.contains('\t'), "{text}");
        }
        assert_eq!(flat("a\nok   b\tc"), "a\\nok   b\\tc");
        assert_eq!(visible("\u{1b}[31m\r\u{202e}"), "\\u{1b}[31m\\r\\u{202e}");
        assert_eq!(visible_json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
    }
}
