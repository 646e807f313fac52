//! The comparison of what is served with what was promised: the first difference, and where it is.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::eras::{EraServer, LISTS, List, count, settle};
use super::{CheckFault, Probe};
use crate::ui::shorten;

/// What servers made by 0.1.0 say of a tool beside the manifest.
const NOT_OURS: &str = "execution";

pub fn compare(probe: &mut Probe, modern: Option<&EraServer>, legacy: Option<&EraServer>) {
    let Some(contract) = probe.contract else {
        return probe.check("contract", "is what the manifest says", || Err(CheckFault::skip("no manifest was given")));
    };
    for (at, list) in LISTS.iter().enumerate() {
        let title = format!("has the {}s of the manifest", list.what);
        probe.check(list.contract_id, title, || {
            let live = [modern, legacy].into_iter().flatten().find_map(|server| server.lists[at].as_deref());
            let live = live.ok_or_else(|| CheckFault::skip(format!("the server's {}s are not known", list.what)))?;
            let promised = (list.promised)(contract);
            // A template's handler may list further resources, which no manifest can name.
            let open = list.contract_id == "contract.resources" && !contract.resource_templates.is_empty();
            settle(differences(list, promised, live, open), count(promised.len(), list.what)).map_err(|fault| {
                fault.hint("deploy again; or the manifest was changed after the build: render it anew")
            })
        });
    }
}

fn differences(list: &List, promised: &[Value], live: &[Value], open: bool) -> Vec<String> {
    let (wanted, found) = (ListEntries::of(promised, list), ListEntries::of(live, list));
    let names = |these: &[Value], those: &ListEntries| -> Vec<String> {
        let alone = these.iter().filter(|one| those.named_like(one).is_none());
        alone.map(|one| format!("`{}`", one[list.name].as_str().unwrap_or("?"))).collect()
    };
    let mut faults = Vec::new();
    for (word, names) in
        [("missing", names(promised, &found)), ("unexpected", if open { Vec::new() } else { names(live, &wanted) })]
    {
        if !names.is_empty() {
            faults.push(format!("{word}: {}", names.join(", ")));
        }
    }
    let found = promised.iter().find_map(|want| {
        let got = without_era(found.named_like(want)?);
        Some((want, difference(&without_era(want), &got)?))
    });
    faults.extend(found.map(|(want, found)| {
        format!("{} `{}`: {}", list.what, want[list.name].as_str().unwrap_or("?"), found.shown("expected", "got"))
    }));
    faults
}

/// ListEntries by what tells them apart, so that a list of any length is compared in linear time; of several the first.
pub struct ListEntries<'a> {
    key: &'static str,
    by_name: HashMap<String, &'a Value>,
}

impl<'a> ListEntries<'a> {
    pub fn of(entries: &'a [Value], list: &List) -> ListEntries<'a> {
        let mut by_name = HashMap::with_capacity(entries.len());
        for entry in entries {
            by_name.entry(entry[list.name].to_string()).or_insert(entry);
        }
        ListEntries { key: list.name, by_name }
    }

    pub fn named_like(&self, one: &Value) -> Option<&'a Value> {
        self.by_name.get(&one[self.key].to_string()).copied()
    }
}

/// The entry without what is not the manifest's, and without the wrapping that 2025 clients get: they know only objects
/// as structured content, so any other output schema arrives as `{"result": …}`.
pub fn without_era(entry: &Value) -> Value {
    let Some(entry) = entry.as_object() else {
        return entry.clone();
    };
    let kept = entry.iter().filter(|(key, value)| *key != NOT_OURS && !value.is_null());
    let mut entry: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(schema) = entry.get("outputSchema").and_then(wrapped_schema).cloned() {
        entry.insert("outputSchema".to_owned(), schema);
    }
    Value::Object(entry)
}

pub fn wrapped_schema(schema: &Value) -> Option<&Value> {
    let properties = schema["properties"].as_object().filter(|properties| properties.len() == 1)?;
    let required = schema["required"].as_array().is_some_and(|required| required.len() == 1 && required[0] == "result");
    let inner = properties.get("result").filter(|_| required && schema["type"] == "object")?;
    (inner["type"] != "object").then_some(inner)
}

#[derive(Debug, PartialEq)]
pub struct Difference {
    /// A JSON pointer; empty for the whole value.
    pub pointer: String,
    pub one: Option<Value>,
    pub other: Option<Value>,
}

impl Difference {
    pub fn shown(&self, one: &str, other: &str) -> String {
        let start = match (&self.one, &self.other) {
            (Some(Value::String(one)), Some(Value::String(other))) => common(one, other).saturating_sub(16),
            _ => 0,
        };
        let place = if self.pointer.is_empty() { "the value" } else { &self.pointer };
        format!("{place}: {one} {}, {other} {}", short(&self.one, start), short(&self.other, start))
    }
}

fn short(value: &Option<Value>, start: usize) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) if start > 16 => {
            let tail: String = text.chars().skip(start).collect();
            format!("\"…{}\"", shorten(&tail, 60))
        }
        Some(value) => shorten(&value.to_string(), 80),
    }
}

fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// The first place where two values differ; the order of keys does not matter, and 1 is 1.0.
pub fn difference(one: &Value, other: &Value) -> Option<Difference> {
    match (one, other) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let below = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
                either(ours.get(key), theirs.get(key), &below)
            })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            (0..ours.len().max(theirs.len())).find_map(|at| either(ours.get(at), theirs.get(at), &format!("/{at}")))
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => None,
        _ if one == other => None,
        _ => Some(Difference { pointer: String::new(), one: Some(one.clone()), other: Some(other.clone()) }),
    }
}

fn either(one: Option<&Value>, other: Option<&Value>, below: &str) -> Option<Difference> {
    match (one, other) {
        (Some(one), Some(other)) => difference(one, other).map(|mut found| {
            found.pointer.insert_str(0, below);
            found
        }),
        (None, None) => None,
        _ => Some(Difference { pointer: below.to_owned(), one: one.cloned(), other: other.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_pointer() {
        let want = json!({"name": "a", "inputSchema": {"properties": {"a/b~c": {"enum": [1, 2.0]}}}});
        let same = json!({"inputSchema": {"properties": {"a/b~c": {"enum": [1.0, 2]}}}, "name": "a"});
        assert_eq!(difference(&want, &same), None);
        let other = json!({"name": "a", "inputSchema": {"properties": {"a/b~c": {"enum": [1, 3]}}}});
        let found = difference(&want, &other).unwrap();
        assert_eq!(found.pointer, "/inputSchema/properties/a~1b~0c/enum/1");
        assert_eq!(found.shown("expected", "got"), "/inputSchema/properties/a~1b~0c/enum/1: expected 2.0, got 3");
        let more = json!({"name": "a", "title": "A"});
        let found = difference(&json!({"name": "a"}), &more).unwrap();
        assert_eq!(found.shown("expected", "got"), "/title: expected nothing, got \"A\"");
    }

    #[test]
    fn long_texts_are_shown_where_they_part() {
        let text = "the same beginning, said at great length, ".repeat(5);
        let found = difference(&json!(format!("{text}one")), &json!(format!("{text}two"))).unwrap();
        assert_eq!(
            found.shown("expected", "got"),
            "the value: expected \"…t great length, one\", got \"…t great length, two\""
        );
    }

    #[test]
    fn missing_unexpected_and_changed_entries_are_all_told() {
        let promised = [json!({"name": "a", "title": "A"}), json!({"name": "b"})];
        let live = [json!({"name": "a", "title": "B", "execution": {}}), json!({"name": "c"})];
        let page = |uri: &str| [json!({"name": "a", "_meta": {"ui": {"resourceUri": uri}}})];
        assert_eq!(
            differences(&LISTS[0], &page("ui://a"), &page("ui://b"), false),
            ["tool `a`: /_meta/ui/resourceUri: expected \"ui://a\", got \"ui://b\""]
        );
        assert_eq!(
            differences(&LISTS[0], &promised, &live, false),
            ["missing: `b`", "unexpected: `c`", "tool `a`: /title: expected \"A\", got \"B\""]
        );
    }

    #[test]
    fn the_wrapping_for_2025_clients_is_no_difference() {
        let plain = json!({"name": "a", "outputSchema": {"type": "array"}});
        let wrapped = json!({"name": "a", "outputSchema": {
            "type": "object", "properties": {"result": {"type": "array"}}, "required": ["result"]}});
        assert_eq!(difference(&without_era(&plain), &without_era(&wrapped)), None);
    }
}
