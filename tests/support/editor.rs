//! What an editor says of a manifest that has the JSON Schema of `mcp-deploy schema`.

use std::sync::LazyLock;

use jsonschema::Validator;
use mcp_deploy::manifest::json_schema;
use serde_json::{Map, Value};
use toml_edit::{Item, TableLike};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| validator(&json_schema()));

pub fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("the schema is valid")
}

/// A manifest that the program accepts, an editor must accept too.
#[track_caller]
pub fn accepts(manifest: &str) {
    accepts_by(&SCHEMA, manifest);
}

#[track_caller]
pub fn accepts_by(validator: &Validator, manifest: &str) {
    let value = table(toml_edit::Document::parse(manifest).expect("TOML").as_table());
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{}\n{manifest}", faults.join("\n"));
}

fn table(table: &dyn TableLike) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect::<Map<_, _>>())
}

fn json(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(toml_edit::Value::Array(values)) => {
            values.iter().map(|value| json(&value.clone().into())).collect()
        }
        Item::Value(toml_edit::Value::InlineTable(inline)) => table(inline),
        Item::Value(toml_edit::Value::String(text)) => text.value().as_str().into(),
        Item::Value(toml_edit::Value::Integer(number)) => (*number.value()).into(),
        Item::Value(toml_edit::Value::Float(number)) => (*number.value()).into(),
        Item::Value(toml_edit::Value::Boolean(flag)) => (*flag.value()).into(),
        Item::Value(toml_edit::Value::Datetime(date)) => date.to_string().into(),
        Item::Table(inner) => table(inner),
        Item::ArrayOfTables(tables) => tables.iter().map(|inner| table(inner)).collect(),
    }
}
