//! TypeScript's literals, names, members and comments.

use serde_json::Value;

use crate::schema::lint::MAX_DEPTH;

/// A string literal that is the same in JSON, JavaScript and TypeScript. Characters that end lines, are invisible or
/// turn the reading direction are escaped.
pub fn string_literal(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let json = Value::from(text).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        match hidden(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
        out
    })
}

pub fn literal(value: &Value, depth: usize) -> String {
    match value {
        _ if depth > MAX_DEPTH => "unknown".into(),
        Value::String(text) => string_literal(text),
        Value::Array(list) => {
            let items: Vec<_> = list.iter().map(|v| literal(v, depth + 1)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) if map.is_empty() => EMPTY.into(),
        Value::Object(map) => {
            let member = |(name, v): (&String, &Value)| format!("{}: {}", property_name(name), literal(v, depth + 1));
            let members: Vec<_> = map.iter().map(member).collect();
            format!("{{ {} }}", members.join("; "))
        }
        plain => plain.to_string(),
    }
}

const EMPTY: &str = "Record<string, never>";

pub struct TypeMember<'d> {
    /// As it is written.
    pub name: String,
    pub doc: Option<&'d str>,
    pub optional: bool,
    pub text: String,
}

pub fn braces(members: &[TypeMember], indent: usize) -> String {
    match members {
        [] => return EMPTY.into(),
        [only] if only.name.starts_with('[') => {
            return format!("{{ {}: {} }}", only.name, only.text);
        }
        _ => {}
    }
    let pad = "  ".repeat(indent + 1);
    let mut out = String::from("{\n");
    for member in members {
        out.push_str(&comment(member.doc.unwrap_or_default(), &pad));
        let mark = if member.optional { "?" } else { "" };
        out.push_str(&format!("{pad}{}{mark}: {};\n", member.name, member.text));
    }
    out.push_str(&"  ".repeat(indent));
    out.push('}');
    out
}

/// A property's name: bare where that reads the same.
pub fn property_name(name: &str) -> String {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let bare = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if bare { name.to_string() } else { string_literal(name) }
}

/// A JSDoc comment on separate lines; empty for a blank text.
fn comment(text: &str, pad: &str) -> String {
    // Whatever ends a line in TypeScript ends one here; other control characters have no business in a source file.
    let broken = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let clean: String = broken.chars().map(shown).collect();
    // `@ts-expect-error` in a comment is an instruction to the compiler.
    let safe = clean.replace("*/", "*\\/").replace("@ts-", "@ ts-");
    let safe = safe.trim();
    let lines: Vec<&str> = safe.lines().map(str::trim_end).collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("{pad}/** {one} */\n"),
        many => {
            let body: String = many.iter().map(|line| format!("{}\n", format!("{pad} * {line}").trim_end())).collect();
            format!("{pad}/**\n{body}{pad} */\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stay_comments() {
        let table = [
            ("", ""),
            (" \n ", ""),
            ("one", "/** one */\n"),
            ("a\r\nb\rc\u{2028}d", "/**\n * a\n * b\n * c\n * d\n */\n"),
            ("a\n\nb", "/**\n * a\n *\n * b\n */\n"),
            ("*/ x */", "/** *\\/ x *\\/ */\n"),
            ("*\u{0}/", "/** * / */\n"),
            ("**//", "/** **\\// */\n"),
            ("@ts-expect-error", "/** @ ts-expect-error */\n"),
            ("\u{202e}x", "/** x */\n"),
        ];
        for (text, expected) in table {
            assert_eq!(comment(text, ""), expected, "{text:?}");
        }
    }
}
