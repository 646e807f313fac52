//! `[targets.NAME.overrides]`: raw tables for a cloud's own file, merged into it as it is rendered.

use serde_json::{Map, Value};
use toml_edit::Item;

use crate::manifest::names::shown;
use crate::manifest::reader::{Fields, span_at, to_json};

/// What mcp-deploy itself relies on in a cloud's file, by its path, and what to do instead; `*` stands for any end of a
/// name.
pub type Relied = [(&'static [&'static str], &'static str)];

/// Lists that may change as long as this text is in them: the end of their path, and the text.
pub type Kept = [(&'static str, &'static str)];

/// The table merged over `base`, which is the manifest's own when a stage is read.
pub fn overrides(
    fields: &Fields<'_, '_>,
    mut base: Map<String, Value>,
    relied: &Relied,
    kept: &Kept,
) -> Map<String, Value> {
    let Some(item) = fields.item("overrides") else { return base };
    let path = fields.path_of("overrides");
    if fields.reader().table(item, &path, fields.key_span("overrides")).is_none() {
        return base;
    }
    let Some(Value::Object(own)) = to_json(fields.reader(), item) else { return base };
    let leaves = Leaves { fields, item, relied, kept };
    own.iter().for_each(|(key, value)| leaves.check(&mut vec![key], value));
    merge(&mut base, own);
    base
}

/// Tables are merged; everything else replaces.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

struct Leaves<'f, 'r, 't> {
    fields: &'f Fields<'r, 't>,
    item: &'r Item,
    relied: &'f Relied,
    kept: &'f Kept,
}

impl Leaves<'_, '_, '_> {
    /// A leaf must neither be one of those places nor replace what holds one; an empty table replaces no other.
    fn check<'v>(&self, path: &mut Vec<&'v str>, value: &'v Value) {
        if let Value::Object(table) = value
            && !table.is_empty()
        {
            for (key, value) in table {
                path.push(key);
                self.check(path, value);
                path.pop();
            }
            return;
        }
        let fits = |wanted: &str, key: &str| match wanted.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => wanted == key,
        };
        let shallow = |place: &[&str]| value.is_object() && path.len() < place.len();
        let meets =
            |place: &[&str]| !shallow(place) && place.iter().zip(path.iter()).all(|(wanted, key)| fits(wanted, key));
        let Some((place, instead)) = self.relied.iter().find(|(place, _)| meets(place)) else { return };
        let is_kept = |(key, text): &(&str, &str)| place.last() == Some(key) && value.to_string().contains(text);
        if self.kept.iter().any(is_kept) {
            return;
        }
        let pointer: String =
            path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
        let span = span_at(self.item, &pointer).or_else(|| self.fields.key_span("overrides"));
        let path: Vec<_> = path.iter().map(|key| shown(key)).collect();
        let message = format!("`overrides` must not change `{}`: mcp-deploy relies on it", path.join("."));
        self.fields.reader().error(span, message, Some((*instead).to_owned()).filter(|hint| !hint.is_empty()));
    }
}
