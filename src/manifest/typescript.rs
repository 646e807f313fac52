//! JSON Schema → TypeScript types for handlers. A type admits every value the schema admits and often a few more: what
//! TypeScript cannot say is `unknown`, so a type is never wrong.
use super::schema::{Dialect, INHERITED, Index, MAX_DEPTH, join};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// The type of a value after validation and, with `applied_defaults`, after the defaults of the root's properties were
/// filled in.
///
/// `access` is the indexed access path of the schema's owner, such as `Tools["get_weather"]`, and `member` the owner's
/// member that holds this type, such as `input`: local references are spelt with them. `indent` is the level, of two
/// spaces each, of the line on which the type begins.
pub fn type_of(schema: &Value, access: &str, member: &str, applied_defaults: bool, indent: usize) -> String {
    let printer = Printer::new(schema, access, member, applied_defaults);
    printer.print(schema, "", applied_defaults, indent)
}

/// The type that holds whatever the references in the schema lead to, for the member [`defs_member`] of its owner;
/// `None` when there is nothing of the kind.
pub fn defs_of(schema: &Value, access: &str, member: &str, applied_defaults: bool, indent: usize) -> Option<String> {
    let printer = Printer::new(schema, access, member, applied_defaults);
    let print = |(pointer, name): &(String, String)| {
        let target = printer.index.get(pointer)?;
        let doc = target.get("description").and_then(Value::as_str).map(String::from);
        Some((name.clone(), doc, printer.print(target, pointer, false, indent + 1)))
    };
    let entries: Vec<_> = printer.defs.iter().filter_map(print).collect();
    (!entries.is_empty()).then(|| object_type(&entries, indent))
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
    let members = entries.iter().map(|(name, doc, text)| Member {
        name: property_name(name),
        doc: doc.as_deref(),
        optional: false,
        text: text.clone(),
    });
    braces(&members.collect::<Vec<_>>(), indent)
}

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

// ---- types as text ---------------------------------------------------------------------------------------------------

#[derive(Clone, PartialEq, Eq, Hash)]
enum Type {
    Unknown,
    Never,
    /// Text that can stand before `[]`, and the sorts of value it admits.
    Atom(String, Kinds),
    Union(Vec<Type>),
    Intersection(Vec<Type>),
}

/// TypeScript multiplies an intersection of unions out, and gives up at 100,000.
const MAX_WIDTH: usize = 10_000;

impl Type {
    fn text(&self) -> String {
        match self {
            Type::Unknown => "unknown".into(),
            Type::Never => "never".into(),
            Type::Atom(text, _) => text.clone(),
            Type::Union(parts) => parts.iter().map(Type::text).collect::<Vec<_>>().join(" | "),
            Type::Intersection(parts) => parts.iter().map(Type::operand).collect::<Vec<_>>().join(" & "),
        }
    }

    /// The text where something that binds stronger follows.
    fn operand(&self) -> String {
        match self {
            Type::Union(_) | Type::Intersection(_) => format!("({})", self.text()),
            other => other.text(),
        }
    }

    fn kinds(&self) -> Kinds {
        match self {
            Type::Unknown => ALL,
            Type::Never => 0,
            Type::Atom(_, kinds) => *kinds,
            Type::Union(parts) => parts.iter().fold(0, |kinds, part| kinds | part.kinds()),
            Type::Intersection(parts) => parts.iter().fold(ALL, |kinds, part| kinds & part.kinds()),
        }
    }

    /// How many types TypeScript makes of it.
    fn width(&self) -> usize {
        match self {
            Type::Union(parts) => parts.iter().map(Type::width).sum(),
            Type::Intersection(parts) => parts.iter().map(Type::width).product(),
            _ => 1,
        }
    }
}

fn union(types: Vec<Type>) -> Type {
    let flat = types.into_iter().flat_map(|part| match part {
        Type::Union(parts) => parts,
        other => vec![other],
    });
    let mut seen = HashSet::new();
    let mut parts: Vec<Type> = flat.filter(|t| *t != Type::Never && seen.insert(t.clone())).collect();
    match parts.len() {
        _ if parts.contains(&Type::Unknown) => Type::Unknown,
        0 => Type::Never,
        1 => parts.remove(0),
        _ => Type::Union(parts),
    }
}

/// Leaving a part out of an intersection only admits more.
fn intersection(types: Vec<Type>) -> Type {
    let mut seen = HashSet::new();
    let mut width = 1usize;
    let mut fits = |part: &Type| {
        let product = width.saturating_mul(part.width());
        let fits = *part != Type::Unknown && product <= MAX_WIDTH && seen.insert(part.clone());
        if fits {
            width = product;
        }
        fits
    };
    if types.contains(&Type::Never) {
        return Type::Never;
    }
    let mut parts: Vec<Type> = types.into_iter().filter(|part| fits(part)).collect();
    match parts.len() {
        0 => Type::Unknown,
        1 => parts.remove(0),
        _ => Type::Intersection(parts),
    }
}

/// The six sorts of JSON values, as bits.
type Kinds = u8;
const ALL: Kinds = 0b11_1111;
const OBJECT: Kinds = 32;
const ARRAY: Kinds = 16;
const KINDS: &[(&str, Kinds)] =
    &[("string", 1), ("number", 2), ("integer", 2), ("boolean", 4), ("null", 8), ("array", ARRAY), ("object", OBJECT)];

fn kind_named(name: &str) -> Kinds {
    // An unknown type is the lint's business; here it must not make a type wrong.
    KINDS.iter().find(|(known, _)| *known == name).map_or(ALL, |(_, kind)| *kind)
}

fn kind_of(value: &Value) -> Kinds {
    kind_named(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

// ---- from schemas to types -------------------------------------------------------------------------------------------

/// Keywords whose schemas TypeScript resolves together with the type they stand in. A reference that leads back through
/// these alone would be a circular type.
const EAGER: &[&str] = &["allOf", "anyOf", "oneOf", "items", "prefixItems", "additionalItems"];

struct Printer<'a> {
    index: Index<'a>,
    dialect: Dialect,
    /// What references lead to: pointer and name, in the order they are printed.
    defs: Vec<(String, String)>,
    /// The same as types.
    refs: HashMap<String, String>,
    /// Schemas whose `$ref` would make a type circular.
    circular: HashSet<String>,
    /// The sorts of value that a reference's target admits.
    kinds: RefCell<HashMap<String, Kinds>>,
}

/// Where a type is printed.
#[derive(Clone, Copy)]
struct Spot {
    indent: usize,
    depth: usize,
    applied_defaults: bool,
}

impl Spot {
    /// One level deeper, where no defaults are applied.
    fn inner(self, levels: usize) -> Spot {
        Spot { indent: self.indent + levels, depth: self.depth + 1, applied_defaults: false }
    }
}

impl<'a> Printer<'a> {
    fn new(root: &'a Value, access: &str, member: &str, applied_defaults: bool) -> Printer<'a> {
        let index = Index::new(root);
        let circular = index.cycles(EAGER);
        let defs = definitions(&index, applied_defaults && has_defaults(root));
        let holder = format!("{access}[{}]", string_literal(&defs_member(member)));
        let spell =
            |(pointer, name): &(String, String)| (pointer.clone(), format!("{holder}[{}]", string_literal(name)));
        let mut refs: HashMap<_, _> = defs.iter().map(spell).collect();
        refs.entry(String::new()).or_insert_with(|| format!("{access}[{}]", string_literal(member)));
        Printer { index, dialect: Dialect::of(root), defs, refs, circular, kinds: RefCell::default() }
    }

    fn print(&self, schema: &Value, at: &str, applied_defaults: bool, indent: usize) -> String {
        let spot = Spot { indent, depth: 0, applied_defaults };
        self.of(schema, at, ALL, spot).text()
    }

    /// `outer` are the sorts of value that the schemas around this one leave for it.
    fn of(&self, schema: &Value, at: &str, outer: Kinds, spot: Spot) -> Type {
        let map = match schema {
            Value::Bool(false) => return Type::Never,
            Value::Object(map) if spot.depth <= MAX_DEPTH => map,
            _ => return Type::Unknown,
        };
        let reference = self.reference(map, at);
        if map.contains_key("$ref") && self.dialect.is_old() {
            return reference;
        }
        let kinds = outer & self.kinds_of(schema, 0);
        if let Some(values) = literals(map) {
            let possible = values.iter().filter(|v| kinds & kind_of(v) != 0);
            return union(possible.map(|v| Type::Atom(literal(v, 0), kind_of(v))).collect());
        }
        let branches = |key: &str, spot: Spot| -> Vec<Type> {
            let list = map.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let at = join(at, key);
            let each = list.iter().enumerate().map(|(i, s)| self.of(s, &format!("{at}/{i}"), kinds, spot));
            each.collect()
        };
        let inside = spot.inner(0);
        let mut parts = branches("allOf", inside);
        parts.push(reference);
        for key in ["anyOf", "oneOf"] {
            let types = branches(key, inside);
            parts.push(if types.is_empty() { Type::Unknown } else { union(types) });
        }
        let left = parts.iter().fold(ALL, |kinds, part| kinds & part.kinds());
        parts.insert(0, self.own(map, at, kinds, left, spot));
        intersection(parts)
    }

    fn reference(&self, schema: &Map<String, Value>, at: &str) -> Type {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| self.index.resolve(r));
        match target.and_then(|pointer| self.refs.get(pointer)) {
            Some(path) if !self.circular.contains(at) => {
                Type::Atom(path.clone(), self.kinds_at(target.unwrap_or_default(), 0))
            }
            _ => Type::Unknown,
        }
    }

    /// What the schema says by itself. Without details that is its `type`, which goes without saying when the parts it
    /// is put together from admit no other sorts of value.
    fn own(&self, schema: &Map<String, Value>, at: &str, kinds: Kinds, left: Kinds, spot: Spot) -> Type {
        let has = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
        let about = |kind: Kinds, keys: &[&str]| kinds & kind != 0 && has(keys);
        let detailed = about(OBJECT, &["properties", "required", "patternProperties", "additionalProperties"])
            || about(ARRAY, &["items", "prefixItems"]);
        if kinds == 0 {
            return Type::Never;
        }
        if !detailed && (!schema.contains_key("type") || left & !kinds == 0) {
            return Type::Unknown;
        }
        let order = match schema.get("type") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(name)) => vec![name.as_str()],
            _ => KINDS.iter().map(|(name, _)| *name).collect(),
        };
        let possible = order.into_iter().filter(|name| kinds & kind_named(name) != 0);
        union(possible.map(|name| self.of_kind(name, schema, at, spot)).collect())
    }

    fn of_kind(&self, name: &str, schema: &Map<String, Value>, at: &str, spot: Spot) -> Type {
        match name {
            "string" | "boolean" | "null" => Type::Atom(name.into(), kind_named(name)),
            "number" | "integer" => Type::Atom("number".into(), kind_named("number")),
            "array" => self.array(schema, at, spot),
            "object" => self.object(schema, at, spot),
            _ => Type::Unknown,
        }
    }

    fn object(&self, schema: &Map<String, Value>, at: &str, spot: Spot) -> Type {
        let listed = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is_required: HashSet<&str> = required.iter().copied().collect();
        let path = join(at, "properties");
        let mut members = Vec::new();
        for (name, property) in listed.into_iter().flatten() {
            let filled_in = spot.applied_defaults && property.get("default").is_some();
            members.push(Member {
                name: property_name(name),
                doc: property.get("description").and_then(Value::as_str),
                optional: !is_required.contains(name.as_str()) && !filled_in,
                text: self.property(name, property, &path, spot),
            });
        }
        let others = self.other_properties(schema, at, spot);
        let mut unlisted = HashSet::new();
        for name in required {
            if listed.is_none_or(|all| !all.contains_key(name)) && unlisted.insert(name) {
                members.push(Member {
                    name: property_name(name),
                    doc: None,
                    optional: false,
                    text: others.as_ref().map_or("unknown".into(), Type::text),
                });
            }
        }
        if let Some(others) = others {
            // An index signature binds the members too.
            let fits = members.iter().all(|m| !m.optional && m.text == others.text());
            members.push(Member {
                name: "[key: string]".into(),
                doc: None,
                optional: false,
                text: if fits { others.text() } else { "unknown".into() },
            });
        }
        Type::Atom(braces(&members, spot.indent), OBJECT)
    }

    fn property(&self, name: &str, schema: &Value, path: &str, spot: Spot) -> String {
        // Every object has these in TypeScript's eyes, and so would never fit another type.
        if INHERITED.contains(&name) {
            return "unknown".into();
        }
        self.of(schema, &join(path, name), ALL, spot.inner(1)).text()
    }

    /// The type of properties that are not listed, when there may be any.
    fn other_properties(&self, schema: &Map<String, Value>, at: &str, spot: Spot) -> Option<Type> {
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        match schema.get("additionalProperties") {
            _ if patterns.is_some_and(|all| !all.is_empty()) => Some(Type::Unknown),
            Some(Value::Bool(false)) => None,
            Some(other) => Some(self.of(other, &join(at, "additionalProperties"), ALL, spot.inner(1))),
            None => Some(Type::Unknown),
        }
    }

    fn array(&self, schema: &Map<String, Value>, at: &str, spot: Spot) -> Type {
        let (list_key, rest_key) = match self.dialect.has_prefix_items() {
            true => ("prefixItems", "items"),
            false => ("items", "additionalItems"),
        };
        let foreign = match self.dialect.has_prefix_items() {
            true => schema.get("items").is_some_and(Value::is_array),
            false => schema.contains_key("prefixItems"),
        };
        if foreign {
            return Type::Atom("unknown[]".into(), ARRAY);
        }
        let item = |key: &str| {
            let schema = schema.get(key).filter(|s| !s.is_array());
            schema.map_or(Type::Unknown, |s| self.of(s, &join(at, key), ALL, spot.inner(0)))
        };
        match schema.get(list_key).and_then(Value::as_array) {
            Some(list) if !list.is_empty() => self.tuple(list, &join(at, list_key), item(rest_key), schema, spot),
            _ => Type::Atom(format!("{}[]", item("items").operand()), ARRAY),
        }
    }

    fn tuple(&self, list: &[Value], at: &str, rest: Type, schema: &Map<String, Value>, spot: Spot) -> Type {
        let count = |key: &str| schema.get(key).and_then(Value::as_f64);
        let present = count("minItems").unwrap_or(0.0);
        let closed = rest == Type::Never || count("maxItems").is_some_and(|max| max <= list.len() as f64);
        let element = |(i, s): (usize, &Value)| {
            let element = self.of(s, &format!("{at}/{i}"), ALL, spot.inner(0)).operand();
            if (i as f64) < present { element } else { format!("{element}?") }
        };
        let mut elements: Vec<String> = list.iter().enumerate().map(element).collect();
        if !closed {
            elements.push(format!("...{}[]", rest.operand()));
        }
        Type::Atom(format!("[{}]", elements.join(", ")), ARRAY)
    }

    /// The sorts of value a schema admits, or more.
    fn kinds_of(&self, schema: &Value, depth: usize) -> Kinds {
        match schema {
            Value::Bool(false) => 0,
            Value::Object(map) if map.contains_key("$ref") && self.dialect.is_old() => self.kinds_of_parts(map, depth),
            Value::Object(map) if depth <= MAX_DEPTH => named_kinds(map) & self.kinds_of_parts(map, depth),
            _ => ALL,
        }
    }

    /// The same, but for the schema's own `type`.
    fn kinds_of_parts(&self, map: &Map<String, Value>, depth: usize) -> Kinds {
        let target = map.get("$ref").and_then(Value::as_str).and_then(|r| self.index.resolve(r));
        let referred = target.map_or(ALL, |pointer| self.kinds_at(pointer, depth));
        if map.contains_key("$ref") && self.dialect.is_old() {
            return referred;
        }
        let each = |key: &str| -> Option<Vec<Kinds>> {
            let list = map.get(key)?.as_array().filter(|list| !list.is_empty())?;
            Some(list.iter().map(|s| self.kinds_of(s, depth + 1)).collect())
        };
        let literals = literals(map).map_or(ALL, |all| all.iter().fold(0, |kinds, v| kinds | kind_of(v)));
        let all_of = each("allOf").into_iter().flatten().fold(ALL, |a, b| a & b);
        let one = |key| each(key).map_or(ALL, |kinds| kinds.into_iter().fold(0, |a, b| a | b));
        literals & referred & all_of & one("anyOf") & one("oneOf")
    }

    fn kinds_at(&self, pointer: &str, depth: usize) -> Kinds {
        if let Some(kinds) = self.kinds.borrow().get(pointer) {
            return *kinds;
        }
        // Stands for the answer while it is worked out, should the target lead back here.
        self.kinds.borrow_mut().insert(pointer.to_string(), ALL);
        let kinds = self.index.get(pointer).map_or(ALL, |target| self.kinds_of(target, depth + 1));
        self.kinds.borrow_mut().insert(pointer.to_string(), kinds);
        kinds
    }
}

fn named_kinds(schema: &Map<String, Value>) -> Kinds {
    match schema.get("type") {
        Some(Value::String(name)) => kind_named(name),
        Some(Value::Array(names)) if !names.is_empty() => {
            let kind = |name: &Value| name.as_str().map_or(ALL, kind_named);
            names.iter().fold(0, |kinds, name| kinds | kind(name))
        }
        _ => ALL,
    }
}

fn has_defaults(root: &Value) -> bool {
    let properties = root.get("properties").and_then(Value::as_object);
    properties.is_some_and(|all| all.values().any(|p| p.get("default").is_some()))
}

/// Everything that needs a name: the definitions, then whatever else is referred to. The root has one already, unless
/// it is printed with its defaults applied, which the values inside it do not have.
fn definitions(index: &Index, root_too: bool) -> Vec<(String, String)> {
    let mut taken = HashSet::new();
    let mut defs = Vec::new();
    let mut name = |pointer: &str, wanted: String| {
        let mut name = wanted;
        while !taken.insert(name.clone()) {
            name.insert(0, '#');
        }
        defs.push((pointer.to_string(), name));
    };
    let mut named = HashSet::new();
    for prefix in ["/$defs/", "/definitions/"] {
        for pointer in index.pointers() {
            let key = pointer.strip_prefix(prefix).filter(|key| !key.contains('/'));
            if let Some(key) = key {
                name(pointer, key.replace("~1", "/").replace("~0", "~"));
                named.insert(pointer);
            }
        }
    }
    let referred = index.pointers().filter_map(|p| {
        let reference = index.get(p)?.get("$ref")?.as_str()?;
        index.resolve(reference)
    });
    for target in referred {
        if (root_too || !target.is_empty()) && named.insert(target) {
            name(target, format!("#{target}"));
        }
    }
    defs
}

// ---- literals, names, comments ---------------------------------------------------------------------------------------

/// The values of `const` or `enum`, which leave nothing for other keywords to say.
fn literals(schema: &Map<String, Value>) -> Option<&[Value]> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(std::slice::from_ref(value)),
        (None, Some(Value::Array(values))) => Some(values),
        _ => None,
    }
}

fn literal(value: &Value, depth: usize) -> String {
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

struct Member<'d> {
    /// As it is written.
    name: String,
    doc: Option<&'d str>,
    optional: bool,
    text: String,
}

fn braces(members: &[Member], indent: usize) -> String {
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
fn property_name(name: &str) -> String {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let bare = name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit());
    if bare { name.to_string() } else { string_literal(name) }
}

/// A JSDoc comment on lines of its own; nothing for a blank text.
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
    use proptest::prelude::*;
    use serde_json::json;

    fn input(schema: &Value) -> String {
        type_of(schema, "Tools[\"t\"]", "input", true, 0)
    }

    fn defs(schema: &Value) -> Option<String> {
        defs_of(schema, "Tools[\"t\"]", "input", true, 0)
    }

    #[test]
    fn a_schema_becomes_a_type() {
        let table = [
            (json!(true), "unknown"),
            (json!(false), "never"),
            (json!({}), "unknown"),
            (json!({ "description": "x" }), "unknown"),
            (json!({ "type": "string", "minLength": 1 }), "string"),
            (json!({ "type": "integer" }), "number"),
            (json!({ "type": ["string", "null"] }), "string | null"),
            (json!({ "type": ["integer", "number"] }), "number"),
            (json!({ "type": "strng" }), "unknown"),
            (json!({ "enum": ["a", 1, null, true] }), "\"a\" | 1 | null | true"),
            (json!({ "type": "string", "enum": ["a", 1] }), "\"a\""),
            (json!({ "enum": [] }), "never"),
            (json!({ "const": { "a": [1, "b"], "c": {} } }), "{ a: [1, \"b\"]; c: Record<string, never> }"),
            (json!({ "const": "\u{2028}\"\n`${}*/" }), "\"\\u2028\\\"\\n`${}*/\""),
            (json!({ "type": "array" }), "unknown[]"),
            (json!({ "type": "array", "items": { "type": "string" } }), "string[]"),
            (json!({ "type": "array", "items": { "type": ["string", "null"] } }), "(string | null)[]"),
            (json!({ "type": "array", "items": { "enum": ["a", "b"] }, "uniqueItems": true }), "(\"a\" | \"b\")[]"),
            (json!({ "type": "array", "items": false }), "never[]"),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": ["number", "null"] }] }),
                "[string?, (number | null)?, ...unknown[]]",
            ),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": false, "minItems": 1 }),
                "[string]",
            ),
            (json!({ "type": "array", "prefixItems": [{}, {}], "maxItems": 2, "minItems": 1 }), "[unknown, unknown?]"),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "null" }], "items": { "enum": [1, 2] } }),
                "[null?, ...(1 | 2)[]]",
            ),
            (json!({ "type": "object" }), "{ [key: string]: unknown }"),
            (json!({ "type": "object", "additionalProperties": false }), "Record<string, never>"),
            (
                json!({ "type": "object", "additionalProperties": { "type": ["number", "null"] } }),
                "{ [key: string]: number | null }",
            ),
            (
                json!({ "type": "object", "additionalProperties": false, "patternProperties": { "^x": {} } }),
                "{ [key: string]: unknown }",
            ),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }), "string | number"),
            (json!({ "oneOf": [{ "type": "string" }, {}] }), "unknown"),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "string", "minLength": 2 }, false] }), "string"),
            (json!({ "allOf": [{ "type": "string" }, { "minLength": 2 }] }), "string"),
            (json!({ "allOf": [{ "type": "string" }, { "type": "number" }] }), "never"),
            (json!({ "type": ["string", "number"], "anyOf": [{ "type": "string" }, { "type": "null" }] }), "string"),
            (json!({ "type": "string", "not": { "const": "x" }, "if": {}, "then": false }), "string"),
            (json!({ "$ref": "#/$defs/Missing" }), "unknown"),
            (json!({ "$ref": "https://example.com/x" }), "unknown"),
            (json!({ "$ref": "#" }), "unknown"),
            (
                json!({ "minItems": 1, "items": { "type": "string" } }),
                "string | number | boolean | null | string[] | { [key: string]: unknown }",
            ),
        ];
        for (schema, expected) in table {
            assert_eq!(input(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn an_object_lists_its_properties() {
        let schema = json!({
            "type": "object",
            "required": ["location", "two words"],
            "additionalProperties": false,
            "properties": {
                "location": { "type": "string", "description": "City name\nor coordinates" },
                "units": { "enum": ["celsius", "fahrenheit"], "default": "celsius" },
                "two words": { "type": "boolean", "description": "Ends */ early" },
                "near": {
                    "type": "object",
                    "properties": { "days": { "type": "integer", "default": 1, "description": "@ts-ignore" } },
                },
            },
        });
        let expected = r#"{
  /**
   * City name
   * or coordinates
   */
  location: string;
  units: "celsius" | "fahrenheit";
  /** Ends *\/ early */
  "two words": boolean;
  near?: {
    /** @ ts-ignore */
    days?: number;
    [key: string]: unknown;
  };
}"#;
        assert_eq!(input(&schema), expected);
        let before = type_of(&schema, "Tools[\"t\"]", "input", false, 0);
        assert_eq!(before, expected.replace("units:", "units?:"));
        let deeper = type_of(&schema, "Tools[\"t\"]", "input", true, 2);
        assert_eq!(deeper, expected.replace('\n', "\n    "));
    }

    #[test]
    fn an_index_signature_never_contradicts_a_member() {
        let number = json!({ "type": "number" });
        let total = |required: &[&str], property: Value| {
            input(&json!({
                "type": "object", "required": required, "properties": { "total": property }, "additionalProperties": number,
            }))
        };
        let same = "{\n  total: number;\n  [key: string]: number;\n}";
        assert_eq!(total(&["total"], number.clone()), same);
        let optional = "{\n  total?: number;\n  [key: string]: unknown;\n}";
        assert_eq!(total(&[], number.clone()), optional);
        let other = "{\n  total: string;\n  [key: string]: unknown;\n}";
        assert_eq!(total(&["total"], json!({ "type": "string" })), other);
        let unlisted = json!({ "type": "object", "required": ["total"], "additionalProperties": number });
        assert_eq!(input(&unlisted), same);
    }

    #[test]
    fn parts_are_put_together() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": "string" } },
            "additionalProperties": false,
            "anyOf": [{ "required": ["a"] }, { "maxProperties": 0 }],
        });
        assert_eq!(input(&schema), "{\n  a?: string;\n}");
        let schema = json!({
            "$defs": { "Base": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } } },
            "allOf": [{ "$ref": "#/$defs/Base" }, { "properties": { "x": { "type": "number" } } }],
        });
        let expected = "Tools[\"t\"][\"defs\"][\"Base\"] & {\n  x?: number;\n  [key: string]: unknown;\n}";
        assert_eq!(input(&schema), expected);
        let schema = json!({
            "type": ["object", "null"],
            "oneOf": [{ "type": "null" }, { "properties": { "x": { "const": 1 } }, "required": ["x"] }],
        });
        assert_eq!(input(&schema), "null | {\n  x: 1;\n  [key: string]: unknown;\n}");
    }

    #[test]
    fn references_are_paths_into_the_owner() {
        let schema = json!({
            "type": "object",
            "properties": {
                "node": { "$ref": "#/$defs/Node" },
                "nodes": { "type": "array", "items": { "$ref": "#/$defs/Node" } },
                "again": { "$ref": "#" },
                "alias": { "$ref": "#/properties/nodes" },
                "anchored": { "$ref": "#named" },
                "odd": { "$ref": "#/$defs/a~1b%22" },
            },
            "additionalProperties": false,
            "$defs": {
                "Node": {
                    "type": "object",
                    "description": "A node",
                    "properties": { "next": { "$ref": "#/$defs/Node" } },
                    "additionalProperties": false,
                },
                "N2": { "$anchor": "named", "type": "string" },
                "a/b\"": { "type": "null" },
            },
        });
        let expected = r##"{
  node?: Tools["t"]["defs"]["Node"];
  nodes?: Tools["t"]["defs"]["Node"][];
  again?: Tools["t"]["input"];
  alias?: Tools["t"]["defs"]["#/properties/nodes"];
  anchored?: Tools["t"]["defs"]["N2"];
  odd?: Tools["t"]["defs"]["a/b\""];
}"##;
        assert_eq!(input(&schema), expected);
        let expected = r##"{
  /** A node */
  Node: {
    next?: Tools["t"]["defs"]["Node"];
  };
  N2: string;
  "a/b\"": null;
  "#/properties/nodes": Tools["t"]["defs"]["Node"][];
}"##;
        assert_eq!(defs(&schema).as_deref(), Some(expected));
        assert_eq!(defs(&json!({ "type": "object" })), None);
        let output = type_of(&schema, "Tools[\"t\"]", "output", false, 0);
        assert!(output.contains(r#"node?: Tools["t"]["outputDefs"]["Node"];"#), "{output}");
        assert_eq!(defs_member("output"), "outputDefs");
    }

    /// Defaults are applied to the outermost value only.
    #[test]
    fn a_value_inside_has_no_defaults_applied() {
        let schema = json!({
            "type": "object",
            "properties": { "depth": { "type": "number", "default": 1 }, "inner": { "$ref": "#" } },
            "additionalProperties": false,
        });
        let expected = "{\n  depth: number;\n  inner?: Tools[\"t\"][\"defs\"][\"#\"];\n}";
        assert_eq!(input(&schema), expected);
        let expected = "{\n  \"#\": {\n    depth?: number;\n    inner?: Tools[\"t\"][\"defs\"][\"#\"];\n  };\n}";
        assert_eq!(defs(&schema).as_deref(), Some(expected));
    }

    /// TypeScript refuses a member that needs itself to be known.
    #[test]
    fn circular_types_are_cut() {
        let schema = json!({ "$defs": {
            "Json": { "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "$ref": "#/$defs/Json" } },
                { "type": "object", "additionalProperties": { "$ref": "#/$defs/Json" } },
            ] },
            "Loop": { "$ref": "#/$defs/Loop" },
        } });
        let expected =
            "{\n  Json: string | unknown[] | { [key: string]: Tools[\"t\"][\"defs\"][\"Json\"] };\n  Loop: unknown;\n}";
        assert_eq!(defs(&schema).as_deref(), Some(expected));
    }

    #[test]
    fn older_drafts_read_differently() {
        let draft7 = "http://json-schema.org/draft-07/schema#";
        let table = [
            (
                json!({ "$schema": draft7, "type": "array", "items": [{ "type": "string" }], "additionalItems": false }),
                "[string?]",
            ),
            (json!({ "$schema": draft7, "type": "array", "prefixItems": [{ "type": "string" }] }), "unknown[]"),
            (
                json!({ "$schema": draft7, "$ref": "#/definitions/S", "type": "number", "definitions": { "S": {} } }),
                "Tools[\"t\"][\"defs\"][\"S\"]",
            ),
            (json!({ "type": "array", "items": [{ "type": "string" }] }), "unknown[]"),
        ];
        for (schema, expected) in table {
            assert_eq!(input(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn maps_of_members() {
        assert_eq!(object_type(&[], 0), "Record<string, never>");
        let entries = [
            ("LOG_LEVEL".to_string(), Some("How much".to_string()), "string".to_string()),
            ("a-b".to_string(), None, "number".to_string()),
        ];
        assert_eq!(object_type(&entries, 0), "{\n  /** How much */\n  LOG_LEVEL: string;\n  \"a-b\": number;\n}");
    }

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

    #[test]
    fn a_wide_intersection_is_cut_before_typescript_gives_up() {
        let wide = json!({ "anyOf": (0..400).map(|i| json!({ "type": "object", "required": [format!("p{i}")] })).collect::<Vec<_>>() });
        let text = input(&json!({ "allOf": [wide, { "anyOf": [{ "required": ["q"] }, { "required": ["r"] }] }] }));
        assert!(text.contains(" & "));
        let text = input(&json!({ "allOf": [wide, { "oneOf": wide["anyOf"] , "type": "object" }, wide] }));
        assert!(!text.contains(" & "), "{}", text.len());
    }

    #[test]
    fn no_depth_overflows_the_stack() {
        // `json!` itself would recurse.
        let around = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_string(), value)]));
        let mut schema = json!({ "type": "string" });
        for _ in 0..20_000 {
            let items = around("items", around("anyOf", Value::Array(vec![schema])));
            schema = items;
            schema["type"] = "array".into();
        }
        let printed = input(&schema);
        // Dropping it would recurse too.
        std::mem::forget(schema);
        assert!(printed.starts_with("unknown[][]"), "{printed}");
    }

    // ---- hostile schemas ----

    pub(super) fn text() -> impl Strategy<Value = String> {
        let nasty = [
            "*/",
            "\"",
            "'",
            "`",
            "${x}",
            "\n",
            "\r\n",
            "\u{2028}",
            "\\",
            "//",
            "/*",
            "@ts-expect-error",
            "__proto__",
            "constructor",
            "]",
            "}",
            "😀",
            "\u{0}",
            "\u{202e}",
            "\u{feff}",
            "[key: string]",
            "new",
            "get",
            "0",
            "-1",
            "a",
            "b",
            "type",
            "$ref",
            "é",
            "~",
            "/",
            "%",
            "#",
            "",
        ];
        prop_oneof![
            4 => prop::sample::select(vec!["a", "b", "c"]).prop_map(String::from),
            2 => prop::sample::select(nasty.to_vec()).prop_map(String::from),
            1 => any::<String>(),
            1 => prop::collection::vec(prop::sample::select(nasty.to_vec()), 1..6).prop_map(|all| all.concat()),
        ]
    }

    fn instance() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..4).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..4).prop_map(|all| Value::Object(all.into_iter().collect())),
            ]
        })
    }

    fn keywords() -> impl Strategy<Value = Value> {
        let type_ = prop::sample::select(vec!["string", "number", "integer", "boolean", "null", "array", "object"]);
        let reference = prop::sample::select(vec![
            "#",
            "#/$defs/A",
            "#/$defs/B",
            "#/$defs/C",
            "#/properties/a",
            "#/properties/b",
            "#/$defs/A/items",
            "#nope",
        ]);
        prop_oneof![
            4 => type_.clone().prop_map(|t| json!({ "type": t })),
            1 => prop::collection::vec(type_, 1..4).prop_map(|t| json!({ "type": t })),
            2 => reference.prop_map(|r| json!({ "$ref": r })),
            1 => prop::collection::vec(instance(), 1..4).prop_map(|v| json!({ "enum": v })),
            1 => instance().prop_map(|v| json!({ "const": v })),
            1 => instance().prop_map(|v| json!({ "default": v })),
            1 => prop::collection::vec(text(), 0..3).prop_map(|v| json!({ "type": "object", "required": v })),
            1 => (0..3u8).prop_map(|n| json!({ "minItems": n })),
            1 => (0..3u8).prop_map(|n| json!({ "maxItems": n, "minLength": n })),
            1 => text().prop_map(|t| json!({ "pattern": t, "format": t })),
            1 => text().prop_map(|t| json!({ t.clone(): t })),
            1 => instance().prop_map(|v| json!({ "items": v, "x-mcp-header": v })),
        ]
    }

    fn merged(parts: Vec<Value>) -> Value {
        let maps = parts.into_iter().filter_map(|v| v.as_object().cloned());
        Value::Object(maps.flatten().collect())
    }

    fn part() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            1 => any::<bool>().prop_map(Value::from),
            8 => prop::collection::vec(keywords(), 0..3).prop_map(merged),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            let one = prop_oneof![
                3 => prop::collection::vec((text(), inner.clone()), 0..4).prop_map(
                    |p| json!({ "type": "object", "properties": Map::from_iter(p) })
                ),
                1 => prop::collection::vec((text(), inner.clone()), 0..3).prop_map(
                    |p| json!({ "properties": Map::from_iter(p) })
                ),
                1 => prop::collection::vec((text(), inner.clone()), 1..3).prop_map(
                    |p| json!({ "patternProperties": Map::from_iter(p) })
                ),
                2 => inner.clone().prop_map(|s| json!({ "additionalProperties": s })),
                2 => Just(json!({ "additionalProperties": false })),
                2 => inner.clone().prop_map(|s| json!({ "type": "array", "items": s })),
                1 => inner.clone().prop_map(|s| json!({ "items": s })),
                1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "prefixItems": s })),
                1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "anyOf": s })),
                1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "oneOf": s })),
                1 => prop::collection::vec(inner.clone(), 1..3).prop_map(|s| json!({ "allOf": s })),
                1 => inner.prop_map(|s| json!({ "not": s })),
                1 => text().prop_map(|t| json!({ "description": t })),
                2 => keywords(),
            ];
            prop::collection::vec(one, 1..4).prop_map(merged)
        })
    }

    pub(super) fn schema() -> impl Strategy<Value = Value> {
        let properties = prop::collection::vec((text(), part()), 0..5);
        let draft = prop::sample::select(vec![None, None, None, Some("http://json-schema.org/draft-07/schema#")]);
        (part(), properties, part(), part(), part(), draft).prop_map(|(root, properties, a, b, c, draft)| {
            let mut root = merged(vec![root, json!({ "type": "object", "properties": Map::from_iter(properties) })]);
            root["$defs"] = json!({ "A": a, "B": b, "C": c });
            if let Some(draft) = draft {
                root["$schema"] = draft.into();
            }
            root
        })
    }

    /// Outside strings and comments every bracket has its partner.
    fn balanced(text: &str) -> bool {
        let mut open = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let skip = match c {
                '"' => match string_end(rest) {
                    Some(end) => end,
                    None => return false,
                },
                '/' => match rest.find("*/") {
                    Some(end) if rest.starts_with("/**") => end + 2,
                    _ => return false,
                },
                _ => c.len_utf8(),
            };
            match c {
                '{' | '[' | '(' | '<' => open.push(c),
                '}' | ']' | ')' | '>' => {
                    let partner = open.pop();
                    if !matches!(
                        (partner, c),
                        (Some('{'), '}') | (Some('['), ']') | (Some('('), ')') | (Some('<'), '>')
                    ) {
                        return false;
                    }
                }
                _ => {}
            }
            rest = &rest[skip..];
        }
        open.is_empty()
    }

    fn string_end(text: &str) -> Option<usize> {
        let mut escaped = false;
        for (i, c) in text.char_indices().skip(1) {
            match c {
                '"' if !escaped => return Some(i + 1),
                '\n' => return None,
                _ => escaped = c == '\\' && !escaped,
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn whatever_the_schema_the_type_is_well_formed(schema in schema(), applied: bool) {
            let printed = type_of(&schema, "Tools[\"t\"]", "input", applied, 1);
            prop_assert!(balanced(&printed), "{printed}");
            let printed = defs_of(&schema, "Tools[\"t\"]", "input", applied, 1).unwrap_or_default();
            prop_assert!(balanced(&printed), "{printed}");
        }

        #[test]
        fn whatever_the_schema_the_lint_says_each_thing_once(schema in schema()) {
            use super::super::schema::{Role, lint};
            for role in [Role::ToolInput, Role::ToolOutput, Role::PromptArguments] {
                let problems = lint(&schema, role);
                prop_assert_eq!(&problems, &lint(&schema, role));
                for (i, problem) in problems.iter().enumerate() {
                    prop_assert!(!problem.message.contains('\n'));
                    prop_assert!(schema.pointer(&problem.pointer).is_some());
                    prop_assert!(!problems[..i].contains(problem));
                }
            }
        }
    }
}
