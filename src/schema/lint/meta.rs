//! What the meta-schema of the dialect refuses, and which keyword is to blame.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::dialect::Dialect;
use super::keywords::Shape::{List, Map as SchemaMap, Schema, SchemaOrList};
use super::keywords::known;

/// What the meta-schema refuses: the pointer of the keyword, or of the schema when that has the wrong type.
pub fn invalid_places(schema: &Value, dialect: Dialect) -> BTreeMap<String, String> {
    let meta = (dialect.meta)();
    let mut found = BTreeMap::new();
    if !meta.is_valid(schema) {
        meta.iter_errors(schema).for_each(|e| collect(&e, &mut found));
    }
    found
}

/// When a value fits none of several forms, the form that fails deepest inside it is the one that was meant.
fn collect(error: &ValidationError, found: &mut BTreeMap<String, String>) {
    let path = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } = error.kind() {
        let inner = context.iter().flatten();
        let mut deeper = inner.filter(|e| e.instance_path().as_str().len() > path.len()).peekable();
        if deeper.peek().is_some() {
            return deeper.for_each(|e| collect(e, found));
        }
    }
    found.entry(blame(path)).or_insert_with(|| error.to_string());
}

/// The innermost keyword, or schema, that a pointer into a schema passes.
fn blame(pointer: &str) -> String {
    let mut blamed = String::new();
    let mut tokens = pointer.split('/').skip(1).peekable();
    while let Some(token) = tokens.next() {
        blamed = format!("{blamed}/{token}");
        let indexed = tokens.peek().is_some_and(|next| next.bytes().all(|b| b.is_ascii_digit()));
        let inner = match known(token).map(|keyword| keyword.shape) {
            Some(Schema) => continue,
            Some(SchemaOrList) if !indexed => continue,
            Some(SchemaMap | List | SchemaOrList) => tokens.next(),
            _ => None,
        };
        let Some(name) = inner else { break };
        blamed = format!("{blamed}/{name}");
    }
    blamed
}
