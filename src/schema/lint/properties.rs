//! Rules for roots and for properties: their types, their names and `required`.

use serde_json::{Map, Value};

use super::keywords::IN_PLACE;
use super::near::nearest;
use super::values::TYPES;
use super::words::{describe, show};
use super::{Lint, SchemaPlace, SchemaRole, Site};

/// Names every JavaScript object inherits: a handler finds them in `{}`.
pub const INHERITED: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

impl<'a> Lint<'a> {
    /// MCP wants an object at the root; clients refuse the whole list for one that is not.
    pub fn root_type(&mut self, root: &Map<String, Value>) {
        if self.role == SchemaRole::ToolOutput || root.get("type").and_then(Value::as_str) == Some("object") {
            return;
        }
        let (pointer, found) = match root.get("type") {
            None => (String::new(), "its root has no `type`".to_string()),
            // An unknown name is reported where it stands.
            Some(Value::String(name)) if !TYPES.contains(&name.as_str()) => return,
            Some(Value::String(name)) => ("/type".into(), format!("its root has `type` `{name}`")),
            Some(other) => ("/type".into(), format!("the `type` of its root is {}", describe(other))),
        };
        self.error(
            pointer,
            format!("{} must be an object, but {found}: the server could not list anything", self.role.subject()),
            "set `type` to `object` and describe the arguments in `properties`",
        );
    }

    pub fn property(&mut self, schema: &Map<String, Value>, place: &SchemaPlace) {
        let Some(name) = place.property else { return };
        if INHERITED.contains(&name) {
            self.error(
                place.pointer.clone(),
                format!(
                    "property {} has a name that every JavaScript object inherits, so a handler finds it where a call lacks it",
                    show(name)
                ),
                "rename it",
            );
        }
        if self.role == SchemaRole::PromptArguments && place.by_properties && place.pointer.matches('/').count() == 2 {
            self.prompt_argument(name, schema, place);
        }
    }

    /// MCP carries the arguments of a prompt as text.
    fn prompt_argument(&mut self, name: &str, schema: &Map<String, Value>, place: &SchemaPlace) {
        let strings = |values: &Value| values.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        let (pointer, found) = match (schema.get("type"), schema.get("enum")) {
            (Some(Value::String(t)), _) if !TYPES.contains(&t.as_str()) => return,
            (Some(Value::String(t)), None) if t == "string" => return,
            (Some(Value::String(t)), Some(values)) if t == "string" && strings(values) => return,
            (None, Some(values)) if strings(values) => return,
            (Some(Value::String(t)), _) if t != "string" => (place.at("type"), format!("has `type` `{t}`")),
            (_, Some(_)) => (place.at("enum"), "has an `enum` with other values".into()),
            (Some(_), None) => (place.at("type"), "has a list of types".into()),
            (None, None) => (place.pointer.clone(), "has no `type`".into()),
        };
        self.error(
            pointer,
            format!(
                "prompt argument {} must be a string, since clients send these as text, but it {found}",
                show(name)
            ),
            "set `type` to `string` and convert the text in the handler",
        );
    }
}

pub fn check_required(lint: &mut Lint, site: &Site) {
    let Some(names) = site.value.as_array() else {
        return;
    };
    let own = site.schema.get("properties").and_then(Value::as_object);
    let closed = site.schema.get("additionalProperties") == Some(&Value::Bool(false));
    let complete = declares_all(site.schema);
    // A pattern may stand for any name.
    let open = site.schema.get("patternProperties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    for (i, name) in names.iter().enumerate() {
        let Some(name) = name.as_str() else { continue };
        if own.is_some_and(|own| own.contains_key(name)) || open {
            continue;
        }
        let hint = match own.and_then(|own| nearest(name, own.keys().map(String::as_str))) {
            Some(near) => format!("did you mean {}?", show(near)),
            None => "describe it in `properties`, or remove it from `required`".into(),
        };
        let declared = site.place.siblings.iter().any(|properties| properties.contains_key(name));
        let name = show(name);
        if closed {
            let message = format!(
                "`required` names {name}, which `additionalProperties` = `false` forbids: no value would be valid"
            );
            lint.error(site.item(i), message, hint);
        } else if complete && !declared {
            let message = format!("`required` names {name}, which is not in `properties`, so nothing describes it");
            lint.warn(site.item(i), message, hint);
        }
    }
}

/// Whether a schema says by itself which properties there are: a mere condition, or a part of a whole, does not.
fn declares_all(schema: &Map<String, Value>) -> bool {
    let refers = |key: &&str| schema.contains_key(*key);
    let parts = IN_PLACE.iter().chain(&["$ref", "$dynamicRef", "$recursiveRef"]).any(refers);
    let map = matches!(schema.get("additionalProperties"), Some(Value::Object(_)));
    ["type", "properties"].iter().any(refers) && !parts && !map
}

#[cfg(test)]
mod tests {
    use crate::schema::lint::SchemaRole;
    use crate::schema::lint::tests::Rows::{Property, Whole};
    use crate::schema::lint::tests::table;

    #[test]
    fn roots_of_inputs() {
        table(
            Whole(SchemaRole::ToolInput),
            &[
                (r#"{"type":"object"}"#, &[]),
                (
                    "true",
                    &[
                        r#"error : the input of a tool must be a JSON Schema object, but its root is `true` [write a schema such as `{ "type": "object" }`]"#,
                    ],
                ),
                (
                    "[]",
                    &[
                        r#"error : the input of a tool must be a JSON Schema object, but its root is an empty list [write a schema such as `{ "type": "object" }`]"#,
                    ],
                ),
                (
                    "{}",
                    &[
                        "error : the input of a tool must be an object, but its root has no `type`: the server could not list anything [set `type` to `object` and describe the arguments in `properties`]",
                    ],
                ),
                (
                    r#"{"type":"string"}"#,
                    &[
                        "error /type: the input of a tool must be an object, but its root has `type` `string`: the server could not list anything [set `type` to `object` and describe the arguments in `properties`]",
                    ],
                ),
                (
                    r#"{"type":["object"]}"#,
                    &[
                        "error /type: the input of a tool must be an object, but the `type` of its root is a list: the server could not list anything [set `type` to `object` and describe the arguments in `properties`]",
                    ],
                ),
                (
                    r#"{"type":"objct"}"#,
                    &[
                        "error /type: `objct` is not a JSON Schema type, so no value would be valid [did you mean `object`?]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn roots_of_outputs() {
        table(
            Whole(SchemaRole::ToolOutput),
            &[
                (r#"{"type":"string"}"#, &[]),
                ("{}", &[]),
                (r#"{"type":"array","items":{"type":"string"}}"#, &[]),
                (
                    "true",
                    &[
                        r#"error : the output of a tool must be a JSON Schema object, but its root is `true` [write a schema such as `{ "type": "object" }`]"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn prompt_arguments() {
        table(
            Whole(SchemaRole::PromptArguments),
            &[
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","pattern":"^a"},"b":{"type":"string","enum":["x"]},"c":{"enum":["x","y"]}}}"#,
                    &[],
                ),
                (
                    r#"{"type":"array"}"#,
                    &[
                        "error /type: the arguments of a prompt must be an object, but its root has `type` `array`: the server could not list anything [set `type` to `object` and describe the arguments in `properties`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#,
                    &[
                        "error /properties/a/type: prompt argument `a` must be a string, since clients send these as text, but it has `type` `integer` [set `type` to `string` and convert the text in the handler]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#,
                    &[
                        "error /properties/a/type: prompt argument `a` must be a string, since clients send these as text, but it has a list of types [set `type` to `string` and convert the text in the handler]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{}}}"#,
                    &[
                        "error /properties/a: prompt argument `a` must be a string, since clients send these as text, but it has no `type` [set `type` to `string` and convert the text in the handler]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"enum":["x",1]}}}"#,
                    &[
                        "error /properties/a/enum: prompt argument `a` must be a string, since clients send these as text, but it has an `enum` with other values [set `type` to `string` and convert the text in the handler]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"strin"}}}"#,
                    &[
                        "error /properties/a/type: `strin` is not a JSON Schema type, so no value would be valid [did you mean `string`?]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn required() {
        table(
            Whole(SchemaRole::ToolInput),
            &[
                (r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#, &[]),
                (
                    r#"{"type":"object","properties":{"a":{}},"patternProperties":{"^x-":{}},"required":["x-1"],"additionalProperties":false}"#,
                    &[],
                ),
                (
                    r#"{"type":"object","properties":{"a":{},"b":{}},"anyOf":[{"required":["a"]},{"type":"object","required":["b"]}]}"#,
                    &[],
                ),
                (
                    r##"{"type":"object","allOf":[{"$ref":"#/$defs/A"}],"required":["a"],"$defs":{"A":{"properties":{"a":{}}},"NeedsB":{"required":["b"]}}}"##,
                    &[],
                ),
                (r#"{"type":"object","required":["total"],"additionalProperties":{"type":"number"}}"#, &[]),
                (
                    r#"{"type":"object","properties":{"location":{}},"required":["locaton"]}"#,
                    &[
                        "warning /required/0: `required` names `locaton`, which is not in `properties`, so nothing describes it [did you mean `location`?]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"location":{}},"required":["city"]}"#,
                    &[
                        "warning /required/0: `required` names `city`, which is not in `properties`, so nothing describes it [describe it in `properties`, or remove it from `required`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"location":{}},"required":["locaton","city"],"additionalProperties":false}"#,
                    &[
                        "error /required/0: `required` names `locaton`, which `additionalProperties` = `false` forbids: no value would be valid [did you mean `location`?]",
                        "error /required/1: `required` names `city`, which `additionalProperties` = `false` forbids: no value would be valid [describe it in `properties`, or remove it from `required`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn properties() {
        table(
            Property,
            &[
                ("{}", &[]),
                (
                    "true",
                    &[
                        "warning : property `p` is the bare schema `true`, which strict clients such as the MCP Inspector refuse [say what it holds with `type`, or write `{}` for anything]",
                    ],
                ),
                (
                    "false",
                    &[
                        "warning : property `p` is the bare schema `false`, which strict clients such as the MCP Inspector refuse [leave it out, and set `additionalProperties` to `false`]",
                    ],
                ),
                (r#"{"items":true,"additionalProperties":false,"not":false}"#, &[]),
            ],
        );
    }

    #[test]
    fn inherited_names() {
        table(
            Whole(SchemaRole::ToolInput),
            &[
                (r#"{"type":"object","properties":{"prototype":{},"to_string":{}}}"#, &[]),
                (
                    r#"{"type":"object","properties":{"constructor":{},"__proto__":{}}}"#,
                    &[
                        "error /properties/constructor: property `constructor` has a name that every JavaScript object inherits, so a handler finds it where a call lacks it [rename it]",
                        "error /properties/__proto__: property `__proto__` has a name that every JavaScript object inherits, so a handler finds it where a call lacks it [rename it]",
                    ],
                ),
            ],
        );
    }
}
