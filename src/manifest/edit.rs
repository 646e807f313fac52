//! Edits the text of `mcp.toml`: the result is the old text plus or minus one table, byte for byte.

use std::ops::Range;

use anyhow::{Result, bail};
use serde_json::{Map, Value};
use toml_edit::{Document, Item, Table, Value as TomlValue};

use super::Kind;
use crate::error::Error;

/// A value in a table to be written, in the order of writing.
pub type Entries = Vec<(String, Value)>;

/// One declaration to be added: the keys of `[tools.NAME]` and of its sub-tables (`input`, `output`).
#[derive(Debug, Clone)]
pub struct Declaration {
    pub kind: Kind,
    pub name: String,
    pub entries: Entries,
    pub tables: Vec<(&'static str, Entries)>,
}

/// `text` with the declaration's tables put behind the last one of its kind, or at the end.
pub fn add(text: &str, declaration: &Declaration) -> Result<String> {
    let document = parse(text)?;
    let plural = declaration.kind.plural();
    if let Some(form) = document.as_table().get(plural).and_then(closed_form) {
        let why = format!("`{plural}` is written as {form} in `mcp.toml`, to which TOML allows no `[{plural}.NAME]`");
        bail!(Error::new(why).hint(format!("write each as a `[{plural}.NAME]` table")));
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let tables = render(declaration).replace('\n', line_end);
    let at = insertion_point(text, &document, plural);
    let (before, after) = text.split_at(at);
    let mut edited = before.to_owned();
    if !edited.is_empty() {
        if !edited.ends_with('\n') {
            edited.push_str(line_end);
        }
        edited.push_str(line_end);
    }
    edited.push_str(&tables);
    edited.push_str(after);
    parse(&edited)?;
    Ok(edited)
}

/// Tables that cannot be extended from elsewhere in the file.
fn closed_form(item: &Item) -> Option<&'static str> {
    match item {
        Item::Value(_) => Some("an inline table"),
        Item::Table(table) if table.is_dotted() => Some("dotted keys"),
        _ => None,
    }
}

/// `text` without the declaration: its tables, its keys and the comment lines directly above them.
pub fn remove(text: &str, kind: Kind, name: &str) -> Result<String> {
    let document = parse(text)?;
    let path = [kind.plural(), name].map(str::to_owned);
    let mut cuts: Vec<Range<usize>> = Vec::new();
    for header in headers(&document).iter().filter(|header| header.path.starts_with(&path)) {
        cuts.push(attached_comments(text, header.start)..header.end);
    }
    let by_header = !cuts.is_empty();
    if let Some(Item::Table(parent)) = document.as_table().get(kind.plural()) {
        cut_keys(text, parent, name, &mut cuts);
    }
    if cuts.is_empty() {
        let why = format!("`{}.{name}` stands inside an inline table in `mcp.toml`", kind.plural());
        bail!(Error::new(why).hint("remove it by hand"));
    }
    let mut edited = String::new();
    let mut at = 0;
    for cut in joined(cuts) {
        let cut = if by_header { with_blank_line(text, cut) } else { cut };
        edited.push_str(&text[at..cut.start.max(at)]);
        at = cut.end.max(at);
    }
    edited.push_str(&text[at..]);
    let left = parse(&edited)?;
    if left.as_table().get(kind.plural()).and_then(|item| item.as_table_like()?.get(name)).is_some() {
        let why = format!("`{}.{name}` is written in a form that mcp-deploy cannot remove", kind.plural());
        bail!(Error::new(why).hint("remove it by hand"));
    }
    Ok(edited)
}

/// In the order of the text, neighbours made one.
fn joined(mut cuts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    cuts.sort_by_key(|cut| cut.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for cut in cuts {
        match joined.last_mut() {
            Some(last) if cut.start <= last.end => last.end = last.end.max(cut.end),
            _ => joined.push(cut),
        }
    }
    joined
}

/// The blank line that separates what is cut goes too: the one above, as `add` puts it there, else the one below.
fn with_blank_line(text: &str, cut: Range<usize>) -> Range<usize> {
    let above = text[..cut.start].strip_suffix('\n').map(|rest| rest.rfind('\n').map_or(0, |at| at + 1));
    let below = line_end_after(text, cut.end);
    match above {
        Some(above) if text[above..cut.start].trim().is_empty() => above..cut.end,
        _ if text[cut.end..below].trim().is_empty() => cut.start..below,
        _ => cut,
    }
}

fn parse(text: &str) -> Result<Document<&str>> {
    Ok(Document::parse(text)?)
}

/// A `[table]` or `[[table]]` header: its path and where its line begins.
struct Header {
    path: Vec<String>,
    start: usize,
    /// Behind the table's last line, comments that follow it directly included.
    end: usize,
}

fn headers(document: &Document<&str>) -> Vec<Header> {
    let mut found = Vec::new();
    collect(document.as_table(), &mut Vec::new(), &mut found);
    found.sort_by_key(|header| header.start);
    let text = document.raw();
    for header in &mut found {
        header.end = behind_comments(text, line_end_after(text, header.end));
    }
    found
}

fn collect(table: &Table, path: &mut Vec<String>, found: &mut Vec<Header>) {
    for (key, item) in table.iter() {
        path.push(key.to_owned());
        let tables: Vec<&Table> = match item {
            Item::Table(table) => vec![table],
            Item::ArrayOfTables(tables) => tables.iter().collect(),
            _ => Vec::new(),
        };
        for table in tables {
            if let Some(span) = table.span().filter(|_| !table.is_implicit() && !table.is_dotted()) {
                let end = last_value_end(table).unwrap_or(span.end).max(span.end);
                found.push(Header { path: path.clone(), start: span.start, end });
            }
            collect(table, path, found);
        }
        path.pop();
    }
}

/// The end of the last value that stands in the table itself, dotted keys included.
fn last_value_end(table: &Table) -> Option<usize> {
    let ends = table.iter().filter_map(|(_, item)| match item {
        Item::Value(value) => value.span().map(|span| span.end),
        Item::Table(inner) if inner.is_dotted() => last_value_end(inner),
        _ => None,
    });
    ends.max()
}

fn line_end_after(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// Behind the comment lines at `offset`, such as a key that is commented out, unless they stand directly above what
/// follows.
fn behind_comments(text: &str, offset: usize) -> usize {
    let mut end = offset;
    while text[end..].trim_start_matches([' ', '\t']).starts_with('#') {
        end = line_end_after(text, end);
    }
    let next = text[end..line_end_after(text, end)].trim();
    if next.is_empty() { end } else { offset }
}

/// Behind the last table of this kind, else the end of the text.
fn insertion_point(text: &str, document: &Document<&str>, plural: &str) -> usize {
    let headers = headers(document);
    let last = headers.iter().filter(|header| header.path.first().is_some_and(|first| first == plural));
    last.map(|header| header.end).max().unwrap_or(text.len())
}

/// Where the comment lines directly above the line at `offset` begin.
fn attached_comments(text: &str, offset: usize) -> usize {
    let mut start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    while start > 0 {
        let previous = text[..start - 1].rfind('\n').map_or(0, |at| at + 1);
        if !text[previous..start].trim_start().starts_with('#') {
            break;
        }
        start = previous;
    }
    start
}

/// The lines of `NAME = {…}` and `NAME.key = …` inside `[tools]`, or with `tools.` before them.
fn cut_keys(text: &str, parent: &Table, name: &str, cuts: &mut Vec<Range<usize>>) {
    let mut keys = Vec::new();
    match parent.get_key_value(name) {
        Some((key, Item::Value(value))) => keys.extend(key.span().zip(value.span())),
        Some((_, Item::Table(table))) if table.is_dotted() => dotted_values(table, &mut keys),
        _ => {}
    }
    cuts.extend(keys.into_iter().map(|(key, value)| {
        let line = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
        attached_comments(text, line)..line_end_after(text, value.end)
    }));
}

fn dotted_values(table: &Table, keys: &mut Vec<(Range<usize>, Range<usize>)>) {
    for (name, item) in table.iter() {
        match item {
            Item::Value(value) => keys.extend(table.key(name).and_then(|key| key.span()).zip(value.span())),
            Item::Table(inner) => dotted_values(inner, keys),
            _ => {}
        }
    }
}

fn render(declaration: &Declaration) -> String {
    let header = format!("{}.{}", declaration.kind.plural(), key(&declaration.name));
    let mut text = format!("[{header}]\n");
    text.extend(declaration.entries.iter().map(|(name, value)| format!("{} = {}\n", key(name), toml(value))));
    for (table, entries) in &declaration.tables {
        text.push_str(&format!("[{header}.{table}]\n"));
        text.extend(entries.iter().map(|(name, value)| format!("{} = {}\n", key(name), toml(value))));
    }
    text
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { string(name) }
}

/// A basic string on one line, every control character escaped.
pub fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A JSON value as TOML on one line; `null`, which TOML has not, is left out of objects.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(all) => format!("[{}]", all.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => inline(map),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.to_string(),
            None => TomlValue::from(number.as_f64().unwrap_or_default()).to_string(),
        },
        Value::Bool(flag) => flag.to_string(),
        Value::Null => string(""),
    }
}

fn inline(map: &Map<String, Value>) -> String {
    if map.is_empty() {
        return "{}".into();
    }
    let entries = map.iter().filter(|(_, value)| !value.is_null());
    format!(
        "{{ {} }}",
        entries.map(|(name, value)| format!("{} = {}", key(name), toml(value))).collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(name: &str) -> Declaration {
        Declaration {
            kind: Kind::Tool,
            name: name.to_owned(),
            entries: vec![("description".into(), json!("say \"hi\""))],
            tables: vec![("input", vec![("city".into(), json!({ "type": "string" }))])],
        }
    }

    const ADDED: &str = "[tools.b]\ndescription = \"say \\\"hi\\\"\"\n[tools.b.input]\ncity = { type = \"string\" }\n";

    #[test]
    fn adds_behind_the_last_of_its_kind() {
        let before = "# head\n[server]\nname = 'x'   # odd  spacing\n\n[tools.a]\ndescription = 'd'\n[tools.a.input]\nq = { type = \"string\" } # trailing\n";
        let after = "\n# about settings\n[env]\nA = \"1\"\n";
        assert_eq!(add(&format!("{before}{after}"), &sample("b")).unwrap(), format!("{before}\n{ADDED}{after}"));
    }

    #[test]
    fn adds_at_the_end_and_mends_a_missing_line_end() {
        assert_eq!(add("[server]\nname = 'x'", &sample("b")).unwrap(), format!("[server]\nname = 'x'\n\n{ADDED}"));
        assert_eq!(add("", &sample("b")).unwrap(), ADDED);
    }

    #[test]
    fn keeps_crlf() {
        let edited = add("[server]\r\nname = 'x'\r\n", &sample("b")).unwrap();
        assert_eq!(edited, format!("[server]\r\nname = 'x'\r\n\r\n{}", ADDED.replace('\n', "\r\n")));
    }

    #[test]
    fn does_not_extend_an_inline_table() {
        assert!(
            add("tools = { a = { description = 'd' } }\n", &sample("b"))
                .unwrap_err()
                .to_string()
                .contains("inline table")
        );
    }

    #[test]
    fn removing_what_was_added_gives_the_text_back() {
        let texts = [
            "[server]\nname = 'x'\n",
            "[tools.a]\ndescription = 'd'\n\n# about settings\n[env]\nA = \"1\"\n",
            "[server]\r\nname = 'x'\r\n\r\n[env]\r\nA = \"1\"\r\n",
        ];
        for text in texts {
            let added = add(text, &sample("b")).unwrap();
            let removed = remove(&added, Kind::Tool, "b").unwrap();
            // Only the blank line that separated it may stay.
            assert_eq!(
                removed.replace("\r\n", "\n").replace("\n\n\n", "\n\n").trim_end(),
                text.replace("\r\n", "\n").trim_end()
            );
        }
    }

    #[test]
    fn removes_every_way_of_writing_it() {
        let rest = "[env]\nA = \"1\"\n";
        let ways = [
            "# about b\n[tools.b]\ndescription = 'd'\n[tools.b.input]\nq = { type = 'string' }\n",
            "[tools]\nb = { description = 'd' }\n",
            "[tools]\nb.description = 'd'\nb.title = 't'\n",
        ];
        for way in ways {
            let removed = remove(&format!("{way}{rest}"), Kind::Tool, "b").unwrap();
            assert!(removed == rest || removed == format!("[tools]\n{rest}"), "{removed:?}");
        }
        assert!(remove("tools = { b = { description = 'd' }, c = { description = 'd' } }\n", Kind::Tool, "b").is_err());
    }

    #[test]
    fn strings_come_back() {
        for text in ["", "a\"b", "line\nline", "tab\t\u{7f}\u{0}", "emoji 🌦 \u{2028}", "\\", "'''", "\u{85}"] {
            let document = format!("a = {}", string(text));
            assert_eq!(Document::parse(&document).unwrap().as_table()["a"].as_str(), Some(text), "{document}");
        }
    }
}
