//! Values of the manifest inside a message.

use serde_json::Value;

use super::keywords::Keyword;

/// Text of the manifest inside a message: on one line, short, and unable to end its backticks.
pub fn show(text: &str) -> String {
    clip(text, 60)
}

pub fn clip(text: &str, length: usize) -> String {
    if text.is_empty() {
        return "`\"\"`".into();
    }
    let shown: String = text.chars().take(length).flat_map(visible).collect();
    let more = if text.chars().nth(length).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

fn visible(c: char) -> Vec<char> {
    match c {
        '`' => vec!['\''],
        '\'' | '"' | '\\' => vec![c],
        other => other.escape_debug().collect(),
    }
}

pub fn show_value(value: &Value) -> String {
    match value {
        Value::String(text) => show(text),
        other => show(&other.to_string()),
    }
}

pub fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {}", show(text)),
        Value::Array(list) if list.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => show_value(other),
    }
}

/// When the value is of the right sort, what is wrong is inside it: show it.
pub fn describe_inside(keyword: &Keyword, value: &Value) -> String {
    let inside = match value {
        Value::Array(list) => !list.is_empty() && keyword.wants.contains("list"),
        Value::Object(_) => keyword.wants.contains("object"),
        _ => false,
    };
    if inside { show(&value.to_string()) } else { describe(value) }
}

pub fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}
