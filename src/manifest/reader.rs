//! Reads a TOML table field by field and keeps every fault with its place.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Number, Value};
use toml_edit::{Item, TableLike, Value as TomlValue};

use super::names::shown;
use crate::fault::{Fault, Lines, Position, Severity};

/// Of a manifest that has more, the others are counted.
const MOST_FAULTS: usize = 1000;

/// The text of the manifest and the faults found in it so far.
pub struct Reader<'t> {
    lines: Lines<'t>,
    file: &'t str,
    faults: RefCell<Vec<Fault>>,
    /// How many more there are than [`MOST_FAULTS`], and the worst of them.
    left_out: Cell<(usize, Option<Severity>)>,
    /// Every key that was asked for, by its path.
    #[cfg(test)]
    pub asked: RefCell<std::collections::BTreeSet<String>>,
}

impl<'t> Reader<'t> {
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Reader {
            lines: Lines::of(text),
            file,
            faults: RefCell::default(),
            left_out: Cell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    pub fn error(&self, span: Option<Range<usize>>, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Error, span, message.into(), hint);
    }

    pub fn warning(&self, span: Option<Range<usize>>, message: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Warning, span, message.into(), hint);
    }

    pub fn add(&self, severity: Severity, span: Option<Range<usize>>, message: String, hint: Option<String>) {
        if self.is_full() {
            let (count, worst) = self.left_out.get();
            return self.left_out.set((count + 1, worst.min(Some(severity)).or(Some(severity))));
        }
        let at = self.position(span);
        self.faults.borrow_mut().push(Fault { severity, file: self.file.to_owned(), at, message, hint });
    }

    /// Nobody reads as many: what would take time to say of another one need not be worked out.
    fn is_full(&self) -> bool {
        self.faults.borrow().len() >= MOST_FAULTS
    }

    pub fn position(&self, span: Option<Range<usize>>) -> Position {
        self.lines.position(span.map_or(0, |span| span.start))
    }

    /// All faults, in the order of the file.
    pub fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        if let (count @ 1.., Some(severity)) = self.left_out.get() {
            let message = format!("there are {count} more: only {MOST_FAULTS} are shown at once");
            let at = faults.iter().map(|fault: &Fault| fault.at).max().unwrap_or(Position { line: 1, column: 1 });
            faults.push(Fault { severity, file: self.file.to_owned(), at, message, hint: None });
        }
        faults.sort_by(|a, b| a.at.cmp(&b.at).then(a.severity.cmp(&b.severity)));
        faults.dedup();
        faults
    }

    /// `item` as a table whose fields are then asked for one by one; [`Fields::finish`] reports the rest.
    pub fn table<'r>(&'r self, item: &'r Item, path: &str, span: Option<Range<usize>>) -> Option<Fields<'r, 't>> {
        match item.as_table_like() {
            Some(table) => {
                let span = item.span().or(span);
                Some(Fields { reader: self, table, path: path.to_owned(), span, known: RefCell::default() })
            }
            None => {
                self.error(
                    item.span().or(span),
                    format!("`{path}` must be a table, not {}", a(item.type_name())),
                    None,
                );
                None
            }
        }
    }
}

/// One table; every key that is asked for becomes a known key.
pub struct Fields<'r, 't> {
    reader: &'r Reader<'t>,
    table: &'r dyn TableLike,
    path: String,
    span: Option<Range<usize>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'r, 't> Fields<'r, 't> {
    pub fn reader(&self) -> &'r Reader<'t> {
        self.reader
    }

    /// Where the table begins.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.key(key).and_then(|key| key.span()).or_else(|| self.span())
    }

    pub fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub fn item(&self, key: &'static str) -> Option<&'r Item> {
        self.known.borrow_mut().push(key);
        #[cfg(test)]
        self.reader.asked.borrow_mut().insert(self.path_of(key));
        self.table.get(key)
    }

    /// Every entry, for tables whose keys are the user's own names.
    pub fn entries(&self) -> Vec<(&'r str, &'r Item)> {
        self.table.iter().collect()
    }

    pub fn fields(&self, key: &'static str) -> Option<Fields<'r, 't>> {
        let item = self.item(key)?;
        self.reader.table(item, &self.path_of(key), self.key_span(key))
    }

    /// The tables of an array, `KEY[0]` and so on; `None` for anything else.
    pub fn tables(&self, key: &'static str) -> Option<Vec<Fields<'r, 't>>> {
        let tables: Vec<(Option<Range<usize>>, &'r dyn TableLike)> = match self.item(key)? {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| (table.span(), table as _)).collect(),
            Item::Value(TomlValue::Array(values)) => {
                let tables = values.iter().map(|value| Some((value.span(), value.as_inline_table()? as _)));
                tables.collect::<Option<_>>()?
            }
            _ => return None,
        };
        let fields = tables.into_iter().enumerate().map(|(index, (span, table))| Fields {
            reader: self.reader,
            table,
            path: format!("{}[{index}]", self.path_of(key)),
            span: span.or_else(|| self.value_span(key)),
            known: RefCell::default(),
        });
        Some(fields.collect())
    }

    pub fn error(&self, key: &str, message: impl Into<String>, hint: Option<String>) {
        self.reader.error(self.value_span(key), message, hint);
    }

    pub fn value_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key).and_then(Item::span).or_else(|| self.key_span(key))
    }

    fn wrong_type(&self, key: &str, wanted: &str, item: &Item) {
        let message = format!("`{}` must be {wanted}, not {}", self.path_of(key), a(item.type_name()));
        self.error(key, message, None);
    }

    pub fn string(&self, key: &'static str) -> Option<String> {
        let item = self.item(key)?;
        match item.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(key, "a string", item);
                None
            }
        }
    }

    /// A string that must be there and say something.
    pub fn required_string(&self, key: &'static str, hint: &str) -> String {
        match self.string(key) {
            Some(text) if text.trim().is_empty() => {
                self.error(key, format!("`{}` is empty", self.path_of(key)), Some(hint.to_owned()));
                text
            }
            Some(text) => text,
            None => {
                if !self.table.contains_key(key) {
                    self.reader.error(
                        self.span(),
                        format!("`{}` is missing", self.path_of(key)),
                        Some(hint.to_owned()),
                    );
                }
                String::new()
            }
        }
    }

    pub fn bool(&self, key: &'static str) -> Option<bool> {
        let item = self.item(key)?;
        if item.as_bool().is_none() {
            self.wrong_type(key, "true or false", item);
        }
        item.as_bool()
    }

    pub fn integer(&self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> Option<u64> {
        let item = self.item(key)?;
        match item.as_integer() {
            Some(number) if range.contains(&number) => u64::try_from(number).ok(),
            Some(number) => {
                let (low, high) = (range.start(), range.end());
                self.error(key, format!("`{}` is {number}; it must be from {low} to {high}", self.path_of(key)), None);
                None
            }
            None => {
                self.wrong_type(key, "an integer", item);
                None
            }
        }
    }

    /// A number from 0 to 1.
    pub fn fraction(&self, key: &'static str) -> Option<Value> {
        let item = self.item(key)?;
        let number = item.as_float().or_else(|| item.as_integer().map(|number| number as f64));
        match number {
            None => self.wrong_type(key, "a number", item),
            Some(number) if !(0.0..=1.0).contains(&number) => {
                self.error(key, format!("`{}` is {number}; it must be from 0 to 1", self.path_of(key)), None);
            }
            Some(_) => return to_json(self.reader, item),
        }
        None
    }

    /// `"500ms"`, `"25s"`, `"2m"` or `"1h"`.
    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        let item = self.item(key)?;
        let parsed = item.as_str().and_then(parse_duration);
        if parsed.is_none() {
            let message = match item.as_str() {
                Some(text) => format!("`{}` is `{}`, which is not a duration", self.path_of(key), shown(text)),
                None => format!("`{}` must be a duration, not {}", self.path_of(key), a(item.type_name())),
            };
            self.error(
                key,
                message,
                Some("write a number and a unit: `\"500ms\"`, `\"25s\"`, `\"2m\"` or `\"1h\"`".into()),
            );
        }
        parsed
    }

    /// Bytes: `"512KiB"`, `"1MiB"` or an integer.
    pub fn size(&self, key: &'static str) -> Option<u64> {
        let item = self.item(key)?;
        let parsed = match (item.as_integer(), item.as_str()) {
            (Some(number), _) => u64::try_from(number).ok(),
            (_, Some(text)) => parse_size(text),
            _ => None,
        };
        if parsed.is_none() {
            let message = format!("`{}` is not a size in bytes", self.path_of(key));
            self.error(key, message, Some("write `\"512KiB\"`, `\"1MiB\"` or a number of bytes".into()));
        }
        parsed
    }

    pub fn choice(&self, key: &'static str, choices: &[&str]) -> Option<String> {
        let text = self.string(key)?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        let listed = choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{}` is `{}`; it must be one of {listed}", self.path_of(key), shown(&text));
        self.error(key, message, nearest(&text, choices.iter().copied()));
        None
    }

    /// Strings with the place of each.
    pub fn strings(&self, key: &'static str) -> Option<Vec<(String, Option<Range<usize>>)>> {
        let item = self.item(key)?;
        let Some(array) = item.as_array() else {
            self.wrong_type(key, "an array of strings", item);
            return None;
        };
        let mut all = Vec::new();
        for value in array {
            match value.as_str() {
                Some(text) => all.push((text.to_owned(), value.span())),
                None => {
                    let message =
                        format!("`{}` must hold strings only, not {}", self.path_of(key), a(value.type_name()));
                    self.reader.error(value.span(), message, None);
                }
            }
        }
        Some(all)
    }

    /// A text, or a list of some, with the place of each; `required` is the hint where there is none.
    pub fn one_or_more(&self, key: &'static str, required: Option<&str>) -> Vec<(String, Option<Range<usize>>)> {
        let Some(item) = self.item(key) else {
            if let Some(hint) = required {
                self.reader.error(self.span(), format!("`{}` is missing", self.path_of(key)), Some(hint.to_owned()));
            }
            return Vec::new();
        };
        if let Some(text) = item.as_str() {
            if text.trim().is_empty() {
                self.error(key, format!("`{}` is empty", self.path_of(key)), required.map(str::to_owned));
                return Vec::new();
            }
            return vec![(text.to_owned(), self.value_span(key))];
        }
        if !item.is_array() {
            self.wrong_type(key, "a string or an array of strings", item);
            return Vec::new();
        }
        let all = self.strings(key).unwrap_or_default();
        if item.as_array().is_some_and(toml_edit::Array::is_empty) {
            self.error(key, format!("`{}` is empty", self.path_of(key)), required.map(str::to_owned));
        }
        all
    }

    /// Reports every key that nobody asked for, with the nearest known one.
    pub fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter() {
            if known.contains(&key) {
                continue;
            }
            if self.reader.is_full() {
                self.reader.error(None, "", None);
                continue;
            }
            let place = if self.path.is_empty() { "the manifest".to_owned() } else { format!("`[{}]`", self.path) };
            let is_required = key == "required" && known.contains(&"optional");
            let near = if is_required { Some(REQUIRED.to_owned()) } else { nearest(key, known.iter().copied()) };
            let hint = near.or_else(|| {
                let mut names: Vec<_> = known.iter().map(|k| format!("`{k}`")).collect();
                names.dedup();
                (!names.is_empty()).then(|| format!("known keys: {}", names.join(", ")))
            });
            self.reader.error(self.key_span(key), format!("unknown key `{}` in {place}", shown(key)), hint);
        }
    }
}

/// What others call the opposite of `optional`.
pub const REQUIRED: &str = "leave it out; write `optional = true` for what may be absent";

/// `did you mean …?` for the candidate that is close enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    near(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The candidate that is closest to `word`, and close enough to be a slip.
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A TOML item as JSON; dates and infinities, which JSON has not, are faults.
pub fn to_json(reader: &Reader<'_>, item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => value_to_json(reader, value),
        Item::Table(table) => {
            let entries = table.iter().map(|(key, item)| Some((key.to_owned(), to_json(reader, item)?)));
            entries.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Item::ArrayOfTables(tables) => {
            let elements = tables.iter().map(|table| {
                let entries = table.iter().map(|(key, item)| Some((key.to_owned(), to_json(reader, item)?)));
                entries.collect::<Option<Map<_, _>>>().map(Value::Object)
            });
            elements.collect::<Option<Vec<_>>>().map(Value::Array)
        }
    }
}

fn value_to_json(reader: &Reader<'_>, value: &TomlValue) -> Option<Value> {
    match value {
        TomlValue::String(text) => Some(Value::String(text.value().clone())),
        TomlValue::Integer(number) => Some(Value::Number((*number.value()).into())),
        TomlValue::Boolean(flag) => Some(Value::Bool(*flag.value())),
        TomlValue::Float(number) => {
            let parsed = Number::from_f64(*number.value());
            if parsed.is_none() {
                reader.error(value.span(), "JSON has no `nan` and no `inf`", None);
            }
            parsed.map(Value::Number)
        }
        TomlValue::Datetime(_) => {
            reader.error(value.span(), "JSON has no dates", Some("write the date in quotes".into()));
            None
        }
        TomlValue::Array(array) => {
            array.iter().map(|value| value_to_json(reader, value)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        TomlValue::InlineTable(table) => {
            let entries = table.iter().map(|(key, value)| Some((key.to_owned(), value_to_json(reader, value)?)));
            entries.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
    }
}

/// The place of what a JSON pointer names inside a TOML item: the value itself, or the deepest part of the way to it.
pub fn span_at(item: &Item, pointer: &str) -> Option<Range<usize>> {
    let mut best = item.span();
    let mut at = item;
    let mut value: Option<&TomlValue> = None;
    for raw in pointer.split('/').skip(1) {
        let token = raw.replace("~1", "/").replace("~0", "~");
        let next = match value {
            None => match at.as_table_like() {
                Some(table) => table.get(&token).map(|item| (table.key(&token).and_then(|key| key.span()), item)),
                None => {
                    let element = at.as_array().zip(token.parse().ok()).and_then(|(array, index)| array.get(index));
                    value = element;
                    best = element?.span().or(best);
                    continue;
                }
            },
            Some(inner) => {
                let element = match inner {
                    TomlValue::Array(array) => token.parse().ok().and_then(|index| array.get(index)),
                    TomlValue::InlineTable(table) => table.get(&token),
                    _ => None,
                };
                let Some(element) = element else { return best };
                value = Some(element);
                best = element.span().or(best);
                continue;
            }
        };
        let Some((key_span, item)) = next else { return best };
        best = key_span.or_else(|| item.span()).or(best);
        at = item;
    }
    best
}

pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let duration = match text[digits..].trim_start() {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    };
    (!duration.is_zero()).then_some(duration)
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        _ => return None,
    };
    number.checked_mul(unit).filter(|bytes| *bytes > 0)
}

/// `a string`, `an integer`.
pub fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(parse_duration("25s"), Some(Duration::from_secs(25)));
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        for bad in ["", "25", "s", "-1s", "1.5s", "0s", "5 days"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
        assert_eq!(parse_size("1MiB"), Some(1 << 20));
        assert_eq!(parse_size("1 KiB"), Some(1024));
        assert_eq!(parse_size("1XB"), None);
    }

    #[test]
    fn nearest_known_word() {
        let known = ["description", "title", "timeout"];
        assert_eq!(nearest("descripton", known.into_iter()), Some("did you mean `description`?".into()));
        assert_eq!(nearest("zebra", known.into_iter()), None);
    }
}
