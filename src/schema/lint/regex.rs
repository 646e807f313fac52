//! Rules for regular expressions, which JavaScript must be able to compile.

use serde_json::Map;

use super::pattern::{Slow, slow};
use super::pointer::join;
use super::words::{lower_first, show};
use super::{Lint, Site};

/// A piece of a regular expression of another flavour, and what JavaScript has for it.
const REGEX_HINTS: &[(&str, &str)] = &[
    ("\\A", "use `^` for the start of the text"),
    ("\\Z", "use `$` for the end of the text"),
    ("\\z", "use `$` for the end of the text"),
    ("(?P<", "name a group as in `(?<name>…)`"),
    ("(?P=", "refer to a group as in `\\k<name>`"),
    ("(?i)", "JavaScript has no inline flags: list both cases, as in `[aA]`"),
    ("(?x)", "JavaScript has no inline flags: leave the spaces out"),
    ("(?s)", "JavaScript has no inline flags: use `[^]` for any character"),
    ("(?m)", "JavaScript has no inline flags: leave it out"),
    ("(?>", "JavaScript has no atomic groups: use `(?:…)`"),
    ("(?#", "JavaScript has no comments in a pattern: leave it out"),
    ("\\-", "`-` needs no backslash outside `[…]`"),
    ("\\_", "`_` needs no backslash"),
    ("\\@", "`@` needs no backslash"),
    ("\\:", "`:` needs no backslash"),
    ("\\ ", "a space needs no backslash"),
    ("\\'", "`'` needs no backslash"),
    ("\\\"", "`\"` needs no backslash"),
    ("\\#", "`#` needs no backslash"),
    ("\\%", "`%` needs no backslash"),
];

pub fn check_pattern(lint: &mut Lint, site: &Site) {
    if let Some(pattern) = site.value.as_str() {
        check_regex(lint, site.at(), "`pattern`", pattern);
    }
}

pub fn check_pattern_properties(lint: &mut Lint, site: &Site) {
    for pattern in site.value.as_object().into_iter().flat_map(Map::keys) {
        check_regex(lint, join(&site.pointer, pattern), "the key", pattern);
    }
}

fn check_regex(lint: &mut Lint, pointer: String, what: &str, pattern: &str) {
    let Some(why) = regex_fault(pattern) else {
        return check_time(lint, pointer, what, pattern);
    };
    let known = REGEX_HINTS.iter().find(|(piece, _)| pattern.contains(piece));
    lint.error(
        pointer,
        format!("{what} {} does not compile in JavaScript with the `u` flag: {}", show(pattern), why),
        known.map_or("try it as `new RegExp(pattern, \"u\")`", |(_, hint)| hint),
    );
}

/// A text that a caller chose must not keep the server busy for minutes.
fn check_time(lint: &mut Lint, pointer: String, what: &str, pattern: &str) {
    let Some(slow) = slow(pattern) else {
        return;
    };
    let (why, hint) = match &slow {
        Slow::Nested(part) => (
            format!("the repetition {} can match the same text in more than one way", show(part)),
            "let each round begin with what the round before cannot take, as in `^[a-z]+(-[a-z]+)*$`",
        ),
        Slow::Adjacent(one, two) => (
            format!("{} and {} follow each other and can take the same text", show(one), show(two)),
            "write one repetition, or put between them what the first cannot take, as in `^[a-z]+(-[a-z0-9]+)?$`",
        ),
        Slow::Several => (
            "three of its repetitions can take the same text, the search from every place among them".to_owned(),
            "begin with `^`, and let each repetition exclude what follows it, as in `^[^@]+@[^@.]+(\\.[^@.]+)+$`",
        ),
    };
    lint.error(pointer, format!("{what} {} may take very long: {why}", show(pattern)), hint);
}

/// Why JavaScript would not compile a pattern with the `u` flag.
fn regex_fault(pattern: &str) -> Option<String> {
    let flags = regress::Flags { unicode: true, no_opt: true, ..Default::default() };
    match regress::Regex::with_flags(pattern, flags) {
        Err(why) => Some(lower_first(&why.to_string())),
        // The one thing this engine takes and JavaScript does not.
        Ok(_) if repeats_boundary(pattern) => Some("a word boundary cannot be repeated".into()),
        Ok(_) => None,
    }
}

/// Whether `*`, `+`, `?` or `{` follows a `\b` or `\B` outside a class.
fn repeats_boundary(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '[' => class = true,
            ']' => class = false,
            '\\' => {
                let boundary = matches!(chars.next(), Some('b' | 'B')) && !class;
                if boundary && matches!(chars.peek(), Some('*' | '+' | '?' | '{')) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::schema::lint::tests::Rows::Property;
    use crate::schema::lint::tests::table;

    #[test]
    fn patterns() {
        table(
            Property,
            &[
                (r#"{"pattern":"^\\p{L}[\\w\\-]+$","patternProperties":{"^x-":{}}}"#, &[]),
                (
                    r#"{"pattern":"("}"#,
                    &[
                        r#"error /pattern: `pattern` `(` does not compile in JavaScript with the `u` flag: unbalanced parenthesis [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
                (
                    r#"{"pattern":"\\Afoo\\Z"}"#,
                    &[
                        r#"error /pattern: `pattern` `\Afoo\Z` does not compile in JavaScript with the `u` flag: invalid character escape [use `^` for the start of the text]"#,
                    ],
                ),
                (
                    r#"{"pattern":"(?P<year>\\d+)"}"#,
                    &[
                        r#"error /pattern: `pattern` `(?P<year>\d+)` does not compile in JavaScript with the `u` flag: invalid group modifier [name a group as in `(?<name>…)`]"#,
                    ],
                ),
                (
                    r#"{"pattern":"(?i)abc"}"#,
                    &[
                        "error /pattern: `pattern` `(?i)abc` does not compile in JavaScript with the `u` flag: invalid group modifier [JavaScript has no inline flags: list both cases, as in `[aA]`]",
                    ],
                ),
                (
                    r#"{"pattern":"a\\-b"}"#,
                    &[
                        r#"error /pattern: `pattern` `a\-b` does not compile in JavaScript with the `u` flag: invalid character escape [`-` needs no backslash outside `[…]`]"#,
                    ],
                ),
                (r#"{"pattern":"\\b[\\b*]+\\\\b+","patternProperties":{"\\Bx":{}}}"#, &[]),
                (
                    r#"{"pattern":"x\\b+"}"#,
                    &[
                        r#"error /pattern: `pattern` `x\b+` does not compile in JavaScript with the `u` flag: a word boundary cannot be repeated [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
                (
                    r#"{"pattern":"^(a+)+$","patternProperties":{"^.*.*$":{}}}"#,
                    &[
                        "error /pattern: `pattern` `^(a+)+$` may take very long: the repetition `(a+)+` can match the same text in more than one way [let each round begin with what the round before cannot take, as in `^[a-z]+(-[a-z]+)*$`]",
                        "error /patternProperties/^.*.*$: the key `^.*.*$` may take very long: `.*` and `.*` follow each other and can take the same text [write one repetition, or put between them what the first cannot take, as in `^[a-z]+(-[a-z0-9]+)?$`]",
                    ],
                ),
                (
                    r#"{"patternProperties":{"a/[":{}}}"#,
                    &[
                        r#"error /patternProperties/a~1[: the key `a/[` does not compile in JavaScript with the `u` flag: unbalanced bracket [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
            ],
        );
    }
}
