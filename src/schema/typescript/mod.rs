//! JSON Schema → TypeScript types for handlers. A type admits every value the schema admits and often a few more: what
//! TypeScript cannot say is `unknown`, so a type is never wrong.

mod kinds;
mod printer;
#[cfg(test)]
mod tests;
mod text;
mod types;

pub use text::string_literal;

use serde_json::Value;

use printer::Printer;
use text::{TypeMember, braces, property_name};

/// The type of a value after validation and, with `applied_defaults`, after the defaults of the root's properties were
/// filled in; and the type that holds whatever the references in the schema lead to, for the member [`defs_member`] of
/// its owner: `None` when there is nothing of the kind.
///
/// `access` is the indexed access path of the schema's owner, such as `Tools["get_weather"]`, and `member` the owner's
/// member that holds this type, such as `input`: local references are spelt with them. `indent` is the level, of two
/// spaces each, of the line on which the types begin.
pub fn types_of(
    schema: &Value,
    access: &str,
    member: &str,
    applied_defaults: bool,
    indent: usize,
) -> (String, Option<String>) {
    let printer = Printer::new(schema, access, member, applied_defaults);
    let print = |(pointer, name): &(String, String)| {
        let target = printer.index.get(pointer)?;
        let doc = target.get("description").and_then(Value::as_str).map(String::from);
        Some((name.clone(), doc, printer.print(target, pointer, false, indent + 1)))
    };
    let entries: Vec<_> = printer.defs.iter().filter_map(print).collect();
    let defs = (!entries.is_empty()).then(|| object_type(&entries, indent));
    (printer.print(schema, "", applied_defaults, indent), defs)
}

/// The member beside `member` that holds its definitions. An input and an output may both define a `Node`, and the two
/// need not be alike.
pub fn defs_member(member: &str) -> String {
    match member {
        "input" => "defs".into(),
        other => format!("{other}Defs"),
    }
}

/// An object type of required members: name, comment, type. The types are printed for the level `indent + 1`.
pub fn object_type(entries: &[(String, Option<String>, String)], indent: usize) -> String {
    let members = entries.iter().map(|(name, doc, text)| TypeMember {
        name: property_name(name),
        doc: doc.as_deref(),
        optional: false,
        text: text.clone(),
    });
    braces(&members.collect::<Vec<_>>(), indent)
}
