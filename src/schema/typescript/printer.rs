//! From schemas to types.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::defs_member;
use super::kinds::{ALL, ARRAY, KINDS, Kinds, OBJECT, kind_named, kind_of};
use super::text::{TypeMember, braces, literal, property_name, string_literal};
use super::types::{Type, intersection, union};
use crate::schema::lint::{Dialect, INHERITED, Index, MAX_DEPTH, join};

/// Keywords whose schemas TypeScript resolves together with the type they stand in. A reference that leads back through
/// these alone would be a circular type.
const EAGER: &[&str] = &["allOf", "anyOf", "oneOf", "items", "prefixItems", "additionalItems"];

pub struct Printer<'a> {
    pub index: Index<'a>,
    pub dialect: Dialect,
    /// What references lead to: pointer and name, in the order they are printed.
    pub defs: Vec<(String, String)>,
    /// The same as types.
    refs: HashMap<String, String>,
    /// Schemas whose `$ref` would make a type circular.
    circular: HashSet<String>,
    /// Whether handlers make such values: JSON leaves out what is `undefined`, so that an optional member may be that,
    /// too.
    made: bool,
    /// The sorts of value that a reference's target admits.
    pub kinds: RefCell<HashMap<String, Kinds>>,
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
    pub fn new(root: &'a Value, access: &str, member: &str, applied_defaults: bool) -> Printer<'a> {
        let index = Index::new(root);
        let circular = index.cycles(EAGER);
        let defs = definitions(&index, applied_defaults && has_defaults(root));
        let holder = format!("{access}[{}]", string_literal(&defs_member(member)));
        let spell =
            |(pointer, name): &(String, String)| (pointer.clone(), format!("{holder}[{}]", string_literal(name)));
        let mut refs: HashMap<_, _> = defs.iter().map(spell).collect();
        refs.entry(String::new()).or_insert_with(|| format!("{access}[{}]", string_literal(member)));
        let made = member == "output";
        Printer { index, dialect: Dialect::of(root), defs, refs, circular, made, kinds: RefCell::default() }
    }

    pub fn print(&self, schema: &Value, at: &str, applied_defaults: bool, indent: usize) -> String {
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
            let optional = !is_required.contains(name.as_str()) && !filled_in;
            let mut text = self.property(name, property, &path, spot);
            if optional && self.made && text != "unknown" {
                text += " | undefined";
            }
            let doc = property.get("description").and_then(Value::as_str);
            members.push(TypeMember { name: property_name(name), doc, optional, text });
        }
        let others = self.other_properties(schema, at, spot);
        let mut unlisted = HashSet::new();
        for name in required {
            if listed.is_none_or(|all| !all.contains_key(name)) && unlisted.insert(name) {
                members.push(TypeMember {
                    name: property_name(name),
                    doc: None,
                    optional: false,
                    text: others.as_ref().map_or("unknown".into(), Type::text),
                });
            }
        }
        // TypeScript's objects are open anyway, and an index signature would hide a misspelt name: only an object of
        // which nothing else is known needs one.
        let anything = members.is_empty() && !schema.contains_key("additionalProperties");
        if let Some(others) = others.or(anything.then_some(Type::Unknown)) {
            // An index signature binds the members too.
            let fits = members.iter().all(|m| !m.optional && m.text == others.text());
            members.push(TypeMember {
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

    /// The type of properties that are not listed, where the schema speaks of any.
    fn other_properties(&self, schema: &Map<String, Value>, at: &str, spot: Spot) -> Option<Type> {
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        match schema.get("additionalProperties") {
            _ if patterns.is_some_and(|all| !all.is_empty()) => Some(Type::Unknown),
            None | Some(Value::Bool(false)) => None,
            Some(other) => Some(self.of(other, &join(at, "additionalProperties"), ALL, spot.inner(1))),
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
    let referred = index.schemas().filter_map(|(_, schema)| index.resolve(schema.get("$ref")?.as_str()?));
    for target in referred {
        if (root_too || !target.is_empty()) && named.insert(target) {
            name(target, format!("#{target}"));
        }
    }
    defs
}

/// The values of `const` or `enum`, which leave nothing for other keywords to say.
pub fn literals(schema: &Map<String, Value>) -> Option<&[Value]> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(std::slice::from_ref(value)),
        (None, Some(Value::Array(values))) => Some(values),
        _ => None,
    }
}
