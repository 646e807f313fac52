//! Lint of the JSON Schemas in a manifest: whatever would break a server, or make a client drop a tool, is found here,
//! before anything is deployed. Pure: a schema goes in, problems come out.
use super::Severity;
use jsonschema::error::ValidationErrorKind;
use jsonschema::meta::MetaValidator;
use jsonschema::{Draft, Registry, ValidationError, draft6, draft7, draft201909, draft202012};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the schema describes; each has rules of its own at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    ToolInput,
    ToolOutput,
    PromptArguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the schema; empty for its root.
    pub pointer: String,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
}

/// Levels of arrays and objects a schema may have: a validator recurses into each.
pub const MAX_DEPTH: usize = 100;

/// Every problem of `schema`, in document order and each once.
pub fn lint(schema: &Value, role: Role) -> Vec<Problem> {
    if let Some(pointer) = too_deep(schema) {
        return vec![Problem {
            pointer,
            severity: Severity::Error,
            message: format!(
                "the schema is nested more than {MAX_DEPTH} levels deep, and validators recurse into every level"
            ),
            hint: Some("flatten it, or name the part that repeats in `$defs` and refer to it with `$ref`".into()),
        }];
    }
    let Value::Object(_) = schema else {
        return vec![Problem {
            pointer: String::new(),
            severity: Severity::Error,
            message: format!("{} must be a JSON Schema object, but its root is {}", role.subject(), describe(schema)),
            hint: Some("write a schema such as `{ \"type\": \"object\" }`".into()),
        }];
    };
    let dialect = Dialect::of(schema);
    let index = Index::new(schema);
    let mut lint = Lint {
        role,
        dialect,
        root: schema,
        invalid: invalid_places(schema, dialect),
        cycles: index.cycles(IN_PLACE),
        index,
        headers: HashMap::new(),
        anchors: HashSet::new(),
        registry: OnceCell::new(),
        seen: HashSet::new(),
        problems: Vec::new(),
    };
    lint.visit(schema, &Place::root());
    lint.rest();
    lint.problems.sort_by_cached_key(|p| position(schema, &p.pointer));
    lint.problems
}

impl Role {
    fn subject(self) -> &'static str {
        match self {
            Role::ToolInput => "the input of a tool",
            Role::ToolOutput => "the output of a tool",
            Role::PromptArguments => "the arguments of a prompt",
        }
    }
}

// ---- the dialects ----------------------------------------------------------------------------------------------------

#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// Without its scheme and a closing `#`, which the server's validator ignores too.
    uri: &'static str,
    draft: Draft,
    /// Compiled once and kept by the crate.
    meta: fn() -> MetaValidator<'static>,
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        uri: "json-schema.org/draft/2020-12/schema",
        draft: Draft::Draft202012,
        meta: draft202012::meta::validator,
    },
    Dialect {
        uri: "json-schema.org/draft/2019-09/schema",
        draft: Draft::Draft201909,
        meta: draft201909::meta::validator,
    },
    Dialect { uri: "json-schema.org/draft-07/schema", draft: Draft::Draft7, meta: draft7::meta::validator },
    Dialect { uri: "json-schema.org/draft-06/schema", draft: Draft::Draft6, meta: draft6::meta::validator },
];

impl Dialect {
    fn named(uri: &str) -> Option<Dialect> {
        let uri = uri.strip_suffix('#').unwrap_or(uri);
        let bare = uri.strip_prefix("https://").or(uri.strip_prefix("http://"))?;
        DIALECTS.iter().find(|d| d.uri == bare).copied()
    }

    /// Draft 6 and 7 have no anchors but `$id`s, and ignore whatever stands beside a `$ref`.
    pub(super) fn is_old(self) -> bool {
        matches!(self.draft, Draft::Draft7 | Draft::Draft6)
    }

    /// Elsewhere a tuple is a list in `items`.
    pub(super) fn has_prefix_items(self) -> bool {
        self.draft == Draft::Draft202012
    }

    /// A schema that names no dialect, or one we do not know, is read as 2020-12.
    pub(super) fn of(root: &Value) -> Dialect {
        let named = root.get("$schema").and_then(Value::as_str);
        named.and_then(Dialect::named).unwrap_or(DIALECTS[0])
    }
}

// ---- the keywords ----------------------------------------------------------------------------------------------------

/// Where the schemas are in a keyword's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Value,
    Schema,
    List,
    Map,
    /// `items` and its like: one schema, or in older drafts a list.
    SchemaOrList,
}
use Shape::{List, Map as SchemaMap, Schema, SchemaOrList, Value as Plain};

type Check = fn(&mut Lint, &Site);

struct Keyword {
    name: &'static str,
    shape: Shape,
    /// Ends the sentence "`name` must be …".
    wants: &'static str,
    /// What to do when it is not.
    hint: Option<&'static str>,
    check: Option<Check>,
}

const fn keyword(name: &'static str, shape: Shape, wants: &'static str) -> Keyword {
    Keyword { name, shape, wants, hint: None, check: None }
}

impl Keyword {
    const fn hint(self, hint: &'static str) -> Keyword {
        Keyword { hint: Some(hint), ..self }
    }

    const fn check(self, check: Check) -> Keyword {
        Keyword { check: Some(check), ..self }
    }
}

const SCHEMA: &str = "a schema";
const STRING: &str = "a string";
const NUMBER: &str = "a number";
const COUNT: &str = "a whole number of 0 or more";
const BOOL: &str = "`true` or `false`";
const SCHEMAS: &str = "a list of at least one schema";
const MAP: &str = "an object that maps names to schemas";
const ANCHOR: &str = "a name of letters, digits, `-`, `_` and `.`";
const LIMIT: &str = "write the limit itself; `true` beside `minimum` or `maximum` is draft 4";
const REQUIRED: &str = "list the names in the `required` of the object that has the properties";

static KEYWORDS: &[Keyword] = &[
    keyword("$schema", Plain, "the URI of a dialect").check(check_dialect),
    keyword("$id", Plain, "a URI reference without a fragment").check(check_id),
    keyword("id", Plain, STRING).check(check_id),
    keyword("$ref", Plain, "a reference such as `#/$defs/NAME`").check(check_reference),
    keyword("$dynamicRef", Plain, "a reference such as `#NAME`").check(check_dynamic_reference),
    keyword("$recursiveRef", Plain, "`#`").check(check_reference),
    keyword("$recursiveAnchor", Plain, BOOL),
    keyword("$anchor", Plain, ANCHOR).check(check_anchor),
    keyword("$dynamicAnchor", Plain, ANCHOR),
    keyword("$vocabulary", Plain, "an object that maps URIs to `true` or `false`"),
    keyword("$comment", Plain, STRING),
    keyword("$defs", SchemaMap, MAP),
    keyword("definitions", SchemaMap, MAP),
    keyword("type", Plain, "the name of a type, or a list of different ones").check(check_type),
    keyword("enum", Plain, "a list of values").check(check_enum),
    keyword("const", Plain, "any value"),
    keyword("title", Plain, STRING),
    keyword("description", Plain, STRING),
    keyword("default", Plain, "any value").check(check_default),
    keyword("examples", Plain, "a list of values").hint("put the example in `[…]`"),
    keyword("deprecated", Plain, BOOL),
    keyword("readOnly", Plain, BOOL),
    keyword("writeOnly", Plain, BOOL),
    keyword("format", Plain, STRING).check(check_format),
    keyword("pattern", Plain, "a regular expression in a string").check(check_pattern),
    keyword("minLength", Plain, COUNT).check(check_lower_bound),
    keyword("maxLength", Plain, COUNT),
    keyword("contentEncoding", Plain, STRING),
    keyword("contentMediaType", Plain, STRING),
    keyword("contentSchema", Schema, SCHEMA),
    keyword("minimum", Plain, NUMBER).check(check_lower_bound),
    keyword("maximum", Plain, NUMBER),
    keyword("exclusiveMinimum", Plain, NUMBER).hint(LIMIT).check(check_lower_bound),
    keyword("exclusiveMaximum", Plain, NUMBER).hint(LIMIT),
    keyword("multipleOf", Plain, "a number above 0"),
    keyword("properties", SchemaMap, MAP),
    keyword("patternProperties", SchemaMap, "an object that maps patterns to schemas").check(check_pattern_properties),
    keyword("additionalProperties", Schema, SCHEMA),
    keyword("unevaluatedProperties", Schema, SCHEMA),
    keyword("propertyNames", Schema, SCHEMA),
    keyword("required", Plain, "a list of different names").hint(REQUIRED).check(check_required),
    keyword("minProperties", Plain, COUNT).check(check_lower_bound),
    keyword("maxProperties", Plain, COUNT),
    keyword("dependentRequired", Plain, "an object that maps names to lists of different names"),
    keyword("dependentSchemas", SchemaMap, MAP),
    keyword("dependencies", SchemaMap, "an object that maps names to schemas or lists of names"),
    keyword("items", SchemaOrList, SCHEMA).hint("list the schemas of a tuple in `prefixItems`"),
    keyword("prefixItems", List, SCHEMAS),
    keyword("additionalItems", Schema, SCHEMA),
    keyword("unevaluatedItems", Schema, SCHEMA),
    keyword("contains", Schema, SCHEMA),
    keyword("minContains", Plain, COUNT).check(check_lower_bound),
    keyword("maxContains", Plain, COUNT),
    keyword("minItems", Plain, COUNT).check(check_lower_bound),
    keyword("maxItems", Plain, COUNT),
    keyword("uniqueItems", Plain, BOOL),
    keyword("allOf", List, SCHEMAS),
    keyword("anyOf", List, SCHEMAS),
    keyword("oneOf", List, SCHEMAS),
    keyword("not", Schema, SCHEMA),
    keyword("if", Schema, SCHEMA),
    keyword("then", Schema, SCHEMA),
    keyword("else", Schema, SCHEMA),
    keyword("x-mcp-header", Plain, "the name of a header").check(check_header),
];

/// Keywords that apply their schemas to the very value at hand, so that a `$ref` cycle through them never ends.
const IN_PLACE: &[&str] = &["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];

/// Lower bound, its upper bound, and whether the two may be equal.
const BOUNDS: &[(&str, &str, bool)] = &[
    ("minimum", "maximum", true),
    ("minimum", "exclusiveMaximum", false),
    ("exclusiveMinimum", "maximum", false),
    ("exclusiveMinimum", "exclusiveMaximum", false),
    ("minLength", "maxLength", true),
    ("minItems", "maxItems", true),
    ("minProperties", "maxProperties", true),
    ("minContains", "maxContains", true),
];

pub(super) const TYPES: &[&str] = &["string", "number", "integer", "boolean", "null", "array", "object"];

/// What other languages call a type.
const TYPE_ALIASES: &[(&str, &str)] = &[
    ("str", "string"),
    ("text", "string"),
    ("char", "string"),
    ("date", "string"),
    ("datetime", "string"),
    ("int", "integer"),
    ("long", "integer"),
    ("int32", "integer"),
    ("int64", "integer"),
    ("uint", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("decimal", "number"),
    ("bool", "boolean"),
    ("none", "null"),
    ("nil", "null"),
    ("undefined", "null"),
    ("list", "array"),
    ("vec", "array"),
    ("tuple", "array"),
    ("set", "array"),
    ("dict", "object"),
    ("map", "object"),
    ("record", "object"),
    ("struct", "object"),
];

/// Keywords of other schema languages, and what JSON Schema has for them.
const KEYWORD_ALIASES: &[(&str, &str)] = &[
    ("nullable", "list `null` in `type`, as in `[\"string\", \"null\"]`"),
    ("optional", "leave the property out of the `required` of the object that holds it"),
    ("min", "use `minimum`, `minLength` or `minItems`"),
    ("max", "use `maximum`, `maxLength` or `maxItems`"),
    ("regex", "use `pattern`"),
    ("values", "use `enum`"),
    ("choices", "use `enum`"),
    ("desc", "use `description`"),
    ("example", "use `examples`, which is a list"),
    ("discriminator", "use a `const` property in every branch of `oneOf`"),
];

/// Formats the server's validator checks, then the standard ones it takes as a remark.
const FORMATS: &[&str] = &[
    "date",
    "time",
    "date-time",
    "duration",
    "uri",
    "uri-reference",
    "uri-template",
    "url",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
    "json-pointer",
    "json-pointer-uri-fragment",
    "relative-json-pointer",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
];

/// Names every JavaScript object inherits: the server's validator asks `name in value` and finds them in `{}`.
pub(super) const INHERITED: &[&str] = &[
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

/// One or two neighbouring words that make a name look secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "token",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "authorization",
    "apikey",
    "api key",
    "access key",
    "private key",
    "secret key",
    "bearer",
    "jwt",
    "cookie",
];

/// Words that make the `token` after them a cursor, which is no secret.
const CURSOR_WORDS: &[&str] = &["page", "continuation", "sync", "next", "cursor"];

/// A piece of a regular expression of another flavour, and what JavaScript has for it.
const REGEX_HINTS: &[(&str, &str)] = &[
    ("\\A", "use `^` for the start of the text"),
    ("\\Z", "use `$` for the end of the text"),
    ("\\z", "use `$` for the end of the text"),
    ("(?P<", "name a group as in `(?<name>…)`"),
    ("(?P=", "refer to a group as in `\\k<name>`"),
    ("(?i)", "JavaScript has no inline flags: list both cases, as in `[aA]`"),
    ("(?x)", "JavaScript has no inline flags: leave the spaces out"),
    ("(?s)", "JavaScript has no inline flags: use `[^]` for any character"),
    ("(?m)", "JavaScript has no inline flags: leave it out"),
    ("(?>", "JavaScript has no atomic groups: use `(?:…)`"),
    ("(?#", "JavaScript has no comments in a pattern: leave it out"),
    ("\\-", "`-` needs no backslash outside `[…]`"),
    ("\\_", "`_` needs no backslash"),
    ("\\@", "`@` needs no backslash"),
    ("\\:", "`:` needs no backslash"),
    ("\\ ", "a space needs no backslash"),
    ("\\'", "`'` needs no backslash"),
    ("\\\"", "`\"` needs no backslash"),
    ("\\#", "`#` needs no backslash"),
    ("\\%", "`%` needs no backslash"),
];

fn known(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.name == name)
}

// ---- the walk --------------------------------------------------------------------------------------------------------

struct Lint<'a> {
    role: Role,
    dialect: Dialect,
    root: &'a Value,
    index: Index<'a>,
    /// What the meta-schema refuses and nothing was said about yet: where, and its own words.
    invalid: BTreeMap<String, String>,
    /// The `$ref`s that close a cycle.
    cycles: HashSet<String>,
    /// `x-mcp-header` names seen so far: lower case to where.
    headers: HashMap<String, String>,
    anchors: HashSet<String>,
    /// The schema under a name, for a `default` whose schema holds a `$ref`.
    registry: OnceCell<Option<Registry<'a>>>,
    seen: HashSet<(String, String)>,
    problems: Vec<Problem>,
}

/// Where a schema stands.
#[derive(Clone)]
struct Place<'a> {
    pointer: String,
    /// The keyword under which it stands: `None` at the root.
    under: Option<&'static str>,
    /// Its name, when it is a property.
    property: Option<&'a str>,
    /// Whether only `properties` lead here, as `x-mcp-header` demands.
    by_properties: bool,
    /// The `properties` of the schemas that judge the same value.
    siblings: Vec<&'a Map<String, Value>>,
}

impl<'a> Place<'a> {
    fn root() -> Place<'a> {
        Place { pointer: String::new(), under: None, property: None, by_properties: true, siblings: Vec::new() }
    }

    fn child(&self, keyword: &'static str, path: String, key: Option<&'a str>, owner: &'a Map<String, Value>) -> Self {
        let mut siblings = Vec::new();
        if IN_PLACE.contains(&keyword) {
            siblings.clone_from(&self.siblings);
            siblings.extend(owner.get("properties").and_then(Value::as_object));
        }
        Place {
            pointer: path,
            under: Some(keyword),
            property: key.filter(|_| keyword == "properties"),
            by_properties: self.by_properties && keyword == "properties",
            siblings,
        }
    }

    fn at(&self, key: &str) -> String {
        join(&self.pointer, key)
    }

    fn is_root(&self) -> bool {
        self.under.is_none()
    }
}

impl<'a> Lint<'a> {
    fn visit(&mut self, schema: &'a Value, place: &Place<'a>) {
        let Value::Object(map) = schema else {
            return self.visit_no_object(schema, place);
        };
        if place.is_root() {
            self.root_type(map);
        }
        self.property(map, place);
        for (key, value) in map {
            let pointer = place.at(key);
            let Some(keyword) = known(key) else {
                self.unknown_keyword(key, pointer);
                continue;
            };
            let before = self.problems.len();
            if let Some(check) = keyword.check {
                let site = Site { key: keyword.name, pointer: pointer.clone(), value, schema: map, place };
                check(self, &site);
            }
            let invalid = self.invalid.remove(&pointer).is_some();
            if invalid && self.problems.len() == before {
                self.invalid_keyword(keyword, pointer, value);
            } else {
                for (path, name, child) in children(keyword, &pointer, value) {
                    self.visit(child, &place.child(keyword.name, path, name, map));
                }
            }
        }
    }

    fn visit_no_object(&mut self, schema: &Value, place: &Place) {
        match (schema, place.property) {
            (Value::Bool(any), Some(name)) => self.bare_property(*any, name, place),
            (Value::Bool(_), None) => {}
            (Value::Array(_), _) if place.under == Some("dependencies") => {}
            _ => {
                self.invalid.remove(&place.pointer);
                let found = describe(schema);
                let message = format!("a schema must be an object, but this is {found}");
                self.error(place.pointer.clone(), message, schema_hint(schema));
            }
        }
    }

    fn bare_property(&mut self, any: bool, name: &str, place: &Place) {
        let hint = match any {
            true => "say what it holds with `type`, or write `{}` for anything",
            false => "leave it out, and set `additionalProperties` to `false`",
        };
        let message = format!(
            "property {} is the bare schema `{any}`, which strict clients such as the MCP Inspector refuse",
            show(name)
        );
        self.warn(place.pointer.clone(), message, hint);
    }

    /// What the walk did not come to: the meta-schema knows best.
    fn rest(&mut self) {
        for (pointer, why) in std::mem::take(&mut self.invalid) {
            let message = format!("this is not valid JSON Schema: {}", clip(&why, 200));
            self.push(pointer, Severity::Error, message, None);
        }
    }

    fn invalid_keyword(&mut self, keyword: &Keyword, pointer: String, value: &Value) {
        let hint = match (keyword.shape, value) {
            (Schema | SchemaOrList, value) if !value.is_array() => Some(schema_hint(value)),
            _ => keyword.hint.map(String::from),
        };
        let (name, wants) = (keyword.name, keyword.wants);
        let found = describe_inside(keyword, value);
        self.push(pointer, Severity::Error, format!("`{name}` must be {wants}, but is {found}"), hint);
    }

    fn unknown_keyword(&mut self, key: &str, pointer: String) {
        let plain = |s: &str| s.replace(['_', '-', ' '], "").to_lowercase();
        let alias = KEYWORD_ALIASES.iter().find(|(name, _)| *name == key);
        let same = KEYWORDS.iter().find(|k| plain(k.name) == plain(key));
        let near = same.map(|k| k.name).or_else(|| nearest(key, KEYWORDS.iter().map(|k| k.name)));
        let hint = match (alias, near) {
            (Some((_, hint)), _) => (*hint).to_string(),
            (None, Some(name)) => format!("did you mean `{name}`?"),
            (None, None) => return,
        };
        self.warn(pointer, format!("{} is not a JSON Schema keyword, so it has no effect", show(key)), hint);
    }

    fn error(&mut self, pointer: String, message: String, hint: impl Into<String>) {
        self.push(pointer, Severity::Error, message, Some(hint.into()));
    }

    fn warn(&mut self, pointer: String, message: String, hint: impl Into<String>) {
        self.push(pointer, Severity::Warning, message, Some(hint.into()));
    }

    fn push(&mut self, pointer: String, severity: Severity, message: String, hint: Option<String>) {
        if self.seen.insert((pointer.clone(), message.clone())) {
            self.problems.push(Problem { pointer, severity, message, hint });
        }
    }
}

// ---- rules for the root and for properties ---------------------------------------------------------------------------

impl<'a> Lint<'a> {
    /// A root that is no object makes the SDK fail the whole list, not one entry of it.
    fn root_type(&mut self, root: &Map<String, Value>) {
        if self.role == Role::ToolOutput || root.get("type").and_then(Value::as_str) == Some("object") {
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

    fn property(&mut self, schema: &Map<String, Value>, place: &Place) {
        let Some(name) = place.property else { return };
        if INHERITED.contains(&name) {
            self.error(
                place.pointer.clone(),
                format!(
                    "property {} has a name that every JavaScript object inherits, so calls without it fail too",
                    show(name)
                ),
                "rename it",
            );
        }
        if self.role == Role::PromptArguments && place.by_properties && place.pointer.matches('/').count() == 2 {
            self.prompt_argument(name, schema, place);
        }
    }

    /// MCP carries the arguments of a prompt as text.
    fn prompt_argument(&mut self, name: &str, schema: &Map<String, Value>, place: &Place) {
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

// ---- rules for keywords ----------------------------------------------------------------------------------------------

/// One keyword where it stands.
struct Site<'s, 'a> {
    key: &'static str,
    pointer: String,
    value: &'a Value,
    schema: &'a Map<String, Value>,
    place: &'s Place<'a>,
}

impl Site<'_, '_> {
    fn at(&self) -> String {
        self.pointer.clone()
    }

    fn item(&self, i: usize) -> String {
        format!("{}/{i}", self.pointer)
    }
}

fn check_dialect(lint: &mut Lint, site: &Site) {
    let Some(uri) = site.value.as_str() else {
        return;
    };
    if Dialect::named(uri).is_none() {
        lint.error(
            site.at(),
            format!("`$schema` is {}, a dialect the server does not know: every request would fail", show(uri)),
            "remove it, or name `https://json-schema.org/draft/2020-12/schema`",
        );
    }
}

/// The server's validator reads draft 4's `id` like `$id`.
fn check_id(lint: &mut Lint, site: &Site) {
    let Some(id) = site.value.as_str().filter(|id| !id.is_empty()) else {
        return;
    };
    let named = id.strip_prefix('#').filter(|name| !name.starts_with('/'));
    if site.place.is_root() {
        if !is_url(id) {
            lint.error(
                site.at(),
                format!("`{}` is {}, which is not a URL: every request would fail", site.key, show(id)),
                "remove it: nothing needs it",
            );
        }
    } else if let (true, "$id", Some(name)) = (lint.dialect.is_old(), site.key, named) {
        check_unique_anchor(lint, site, name);
    } else {
        lint.error(
            site.at(),
            format!("`{}` below the root changes what every `#…` reference inside it means", site.key),
            "remove it: nothing can refer to it, since references must begin with `#`",
        );
    }
}

fn check_anchor(lint: &mut Lint, site: &Site) {
    if let Some(name) = site.value.as_str() {
        check_unique_anchor(lint, site, name);
    }
}

fn check_unique_anchor(lint: &mut Lint, site: &Site, name: &str) {
    if !lint.anchors.insert(name.to_string()) {
        lint.error(
            site.at(),
            format!("the anchor {} is there twice, so a reference to it is ambiguous", show(name)),
            "rename one of the two",
        );
    }
}

fn check_reference(lint: &mut Lint, site: &Site) {
    let Some(reference) = site.value.as_str() else {
        return;
    };
    if resolves(lint, site, reference) && lint.cycles.contains(&site.place.pointer) {
        lint.error(
            site.at(),
            format!(
                "`{}` {} leads back to itself without entering a property or an item: checking a value would never end",
                site.key,
                show(reference)
            ),
            "put the recursion inside `properties` or `items`",
        );
    }
}

fn check_dynamic_reference(lint: &mut Lint, site: &Site) {
    let Some(reference) = site.value.as_str() else {
        return;
    };
    let dynamic = reference.strip_prefix('#').is_some_and(|name| lint.index.is_dynamic(name));
    if dynamic || resolves(lint, site, reference) {
        lint.warn(
            site.at(),
            "the server's validator ignores `$dynamicRef`, so it lets any value pass here".into(),
            "use `$ref`",
        );
    }
}

fn resolves(lint: &mut Lint, site: &Site, reference: &str) -> bool {
    let (key, shown) = (site.key, show(reference));
    let Some(fragment) = reference.strip_prefix('#') else {
        lint.error(
            site.at(),
            format!("`{key}` {shown} points outside this schema, and a server does not fetch schemas"),
            "copy that schema into `$defs` and refer to it as `#/$defs/NAME`",
        );
        return false;
    };
    let Some(target) = lint.index.resolve(reference) else {
        let (why, hint) = unresolved(lint, reference);
        lint.error(site.at(), format!("`{key}` {shown} {why}"), hint);
        return false;
    };
    // The validator compares the two spelt as URLs, and decodes neither.
    let filed_under = encode_uri(target);
    let same = lint.index.is_anchor(fragment) || as_url_fragment(fragment) == filed_under;
    if !same {
        lint.error(
            site.at(),
            format!("`{key}` {shown} is not spelt as the server's validator looks it up: it would find nothing"),
            format!("write it as {}", show(&format!("#{filed_under}"))),
        );
    }
    same
}

fn unresolved(lint: &Lint, reference: &str) -> (&'static str, String) {
    let name = &reference[1..];
    if lint.index.is_dynamic(name) {
        return (
            "names a `$dynamicAnchor`, which the server's validator does not look up",
            "use `$anchor` for it".into(),
        );
    }
    if percent_decode(name).is_some_and(|pointer| lint.root.pointer(&pointer).is_some()) {
        return (
            "points to a place where no schema can stand",
            "move the schema into `$defs` and refer to it as `#/$defs/NAME`".into(),
        );
    }
    let targets = lint.index.targets();
    let hint = match nearest(reference, targets.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {}?", show(near)),
        None => "define it in `$defs`".into(),
    };
    ("points to nothing in this schema", hint)
}

fn check_type(lint: &mut Lint, site: &Site) {
    let names = match site.value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    for (i, name) in names.iter().enumerate() {
        let Some(name) = name.as_str().filter(|n| !TYPES.contains(n)) else {
            continue;
        };
        let hint = match nearest_type(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of `{}`", TYPES.join("`, `")),
        };
        lint.error(
            if site.value.is_array() { site.item(i) } else { site.at() },
            format!("{} is not a JSON Schema type, so no value would be valid", show(name)),
            hint,
        );
    }
}

fn check_enum(lint: &mut Lint, site: &Site) {
    let Some(values) = site.value.as_array() else {
        return;
    };
    if values.is_empty() {
        lint.error(
            site.at(),
            "`enum` is empty, so no value would be valid".into(),
            "list the values it may have, or remove it",
        );
    }
    let mut seen = HashSet::new();
    for (i, value) in values.iter().enumerate() {
        if !seen.insert(canonical(value)) {
            lint.error(
                site.item(i),
                format!("`enum` lists {} twice, which some validators refuse", show_value(value)),
                "remove one of the two",
            );
        }
    }
}

fn check_format(lint: &mut Lint, site: &Site) {
    let Some(name) = site.value.as_str().filter(|name| !FORMATS.contains(name)) else {
        return;
    };
    if INHERITED.contains(&name) {
        let message = format!("{} is not a format, and the server's validator fails on it", show(name));
        return lint.error(site.at(), message, "remove it");
    }
    let hint = match nearest(name, FORMATS.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use a `pattern`, or say it in the `description`".into(),
    };
    lint.warn(site.at(), format!("{} is not a format the server knows, so nothing checks it", show(name)), hint);
}

fn check_pattern(lint: &mut Lint, site: &Site) {
    if let Some(pattern) = site.value.as_str() {
        check_regex(lint, site.at(), "`pattern`", pattern);
    }
}

fn check_pattern_properties(lint: &mut Lint, site: &Site) {
    for pattern in site.value.as_object().into_iter().flat_map(Map::keys) {
        check_regex(lint, join(&site.pointer, pattern), "the key", pattern);
    }
}

fn check_regex(lint: &mut Lint, pointer: String, what: &str, pattern: &str) {
    let Some(why) = regex_fault(pattern) else {
        return;
    };
    let known = REGEX_HINTS.iter().find(|(piece, _)| pattern.contains(piece));
    lint.error(
        pointer,
        format!("{what} {} does not compile in JavaScript with the `u` flag: {}", show(pattern), why),
        known.map_or("try it as `new RegExp(pattern, \"u\")`", |(_, hint)| hint),
    );
}

/// A pair of bounds is reported at the lower one.
fn check_lower_bound(lint: &mut Lint, site: &Site) {
    for (_, high, may_be_equal) in BOUNDS.iter().filter(|(low, ..)| *low == site.key) {
        let Some(upper) = site.schema.get(*high) else {
            continue;
        };
        let (Some(min), Some(max)) = (site.value.as_f64(), upper.as_f64()) else {
            continue;
        };
        if min > max || (min == max && !may_be_equal) {
            lint.error(
                site.at(),
                format!(
                    "`{}` {} and `{high}` {} leave no valid value",
                    site.key,
                    show_value(site.value),
                    show_value(upper)
                ),
                "swap the two, or correct one of them",
            );
        }
    }
}

fn check_required(lint: &mut Lint, site: &Site) {
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
            None => "describe it in `properties`, or take it out of `required`".into(),
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

fn check_default(lint: &mut Lint, site: &Site) {
    if let Some(why) = refusal(lint, site) {
        lint.error(
            site.at(),
            format!("`default` does not match its own schema: {}", clip(&why, 200)),
            "correct the default, or the schema it is in",
        );
    }
}

/// Why the schema refuses its `default`. One that does not compile has problems of its own, told elsewhere.
fn refusal(lint: &Lint, site: &Site) -> Option<String> {
    let options = jsonschema::options().with_draft(lint.dialect.draft).offline();
    let first = |validator: &jsonschema::Validator| Some(validator.iter_errors(site.value).next()?.to_string());
    if holds(site.schema, &["$dynamicRef", "$recursiveRef"]) {
        return None;
    }
    if !holds(site.schema, &["$ref"]) {
        return first(&options.build(&Value::Object(site.schema.clone())).ok()?);
    }
    if !lint.cycles.is_empty() {
        return None;
    }
    let prepare = || Registry::new().add(WHOLE, lint.root).ok()?.prepare().ok();
    let registry = lint.registry.get_or_init(prepare).as_ref()?;
    let place = json!({ "$ref": format!("{WHOLE}#{}", encode_uri(&site.place.pointer)) });
    first(&options.with_registry(registry).build(&place).ok()?)
}

/// What the schema is called when one of its parts is compiled.
const WHOLE: &str = "mcp-deploy:schema";

fn check_header(lint: &mut Lint, site: &Site) {
    if lint.role != Role::ToolInput {
        let message = "`x-mcp-header` has a meaning in the input of a tool only";
        return lint.warn(site.at(), message.into(), "remove it");
    }
    if site.place.is_root() || !site.place.by_properties {
        lint.error(
            site.at(),
            "`x-mcp-header` may be reached through `properties` only: clients drop the tool".into(),
            "move it to a property of the root, or of an object below it",
        );
    }
    if !site.place.is_root() {
        check_header_type(lint, site);
    }
    let Some(name) = site.value.as_str().filter(|name| is_token(name)) else {
        return lint.error(
            site.at(),
            format!(
                "`x-mcp-header` must be the name of a header, but is {}: clients drop the tool",
                describe(site.value)
            ),
            "use letters, digits and `-`, as in `Region`",
        );
    };
    if let Some(first) = lint.headers.insert(name.to_lowercase(), site.at()) {
        lint.error(
            site.at(),
            format!("`x-mcp-header` {} is already at {}: clients drop the tool", show(name), show(&first)),
            "rename one of the two; upper and lower case are the same",
        );
    }
    let names = [site.place.property.unwrap_or_default(), name];
    if let Some(secret) = names.into_iter().find(|name| looks_secret(name)) {
        lint.error(
            site.at(),
            format!("`x-mcp-header` on {}, which looks secret: proxies on the way log headers", show(secret)),
            "remove it, and keep what is secret in `[secrets]`",
        );
    }
}

fn check_header_type(lint: &mut Lint, site: &Site) {
    let found = match site.schema.get("type") {
        Some(Value::String(t)) if ["string", "integer", "boolean"].contains(&t.as_str()) => return,
        Some(Value::String(t)) => format!("has `type` {}", show(t)),
        Some(_) => "has a list of types".into(),
        None => "has no `type`".into(),
    };
    lint.error(
        site.at(),
        format!(
            "`x-mcp-header` is for a `string`, an `integer` or a `boolean`, but this {found}: clients drop the tool"
        ),
        "set `type` to one of these, or remove the header",
    );
}

// ---- where schemas stand, and what references mean -------------------------------------------------------------------

/// Every schema inside a schema by its pointer. Bounded in depth, so that it can be made of anything.
pub(super) struct Index<'a> {
    places: HashMap<String, &'a Value>,
    /// The same in document order.
    order: Vec<String>,
    anchors: HashMap<&'a str, String>,
    dynamic: HashSet<&'a str>,
}

impl<'a> Index<'a> {
    pub(super) fn new(root: &'a Value) -> Index<'a> {
        let mut index =
            Index { places: HashMap::new(), order: Vec::new(), anchors: HashMap::new(), dynamic: HashSet::new() };
        index.add(root, String::new(), 0);
        index
    }

    fn add(&mut self, schema: &'a Value, pointer: String, depth: usize) {
        if depth > MAX_DEPTH || !(schema.is_object() || schema.is_boolean()) {
            return;
        }
        self.order.push(pointer.clone());
        self.places.insert(pointer.clone(), schema);
        for (key, value) in schema.as_object().into_iter().flatten() {
            match (key.as_str(), value.as_str()) {
                ("$anchor", Some(name)) => drop(self.anchors.insert(name, pointer.clone())),
                ("$id", Some(id)) if id.len() > 1 && id.starts_with('#') => {
                    self.anchors.insert(&id[1..], pointer.clone());
                }
                ("$dynamicAnchor", Some(name)) => drop(self.dynamic.insert(name)),
                _ => {}
            }
            let Some(keyword) = known(key) else { continue };
            for (path, _, child) in children(keyword, &join(&pointer, key), value) {
                self.add(child, path, depth + 1);
            }
        }
    }

    /// The pointer of the schema a local reference names.
    pub(super) fn resolve(&self, reference: &str) -> Option<&str> {
        let fragment = reference.strip_prefix('#')?;
        if let Some(pointer) = self.anchors.get(fragment) {
            return Some(pointer);
        }
        let decoded = percent_decode(fragment)?;
        let tokens = decoded.split('/').map(unescape).collect::<Option<Vec<_>>>()?;
        let pointer = tokens[1..].iter().fold(String::new(), |path, token| join(&path, token));
        let found = self.places.get_key_value(&pointer)?;
        (tokens[0].is_empty()).then_some(found.0)
    }

    pub(super) fn get(&self, pointer: &str) -> Option<&'a Value> {
        self.places.get(pointer).copied()
    }

    pub(super) fn pointers(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    fn is_anchor(&self, name: &str) -> bool {
        self.anchors.contains_key(name)
    }

    fn is_dynamic(&self, name: &str) -> bool {
        self.dynamic.contains(name)
    }

    /// What a reference could have meant: the definitions and anchors.
    fn targets(&self) -> Vec<String> {
        let defined =
            |p: &&str| p.matches('/').count() == 2 && (p.starts_with("/$defs/") || p.starts_with("/definitions/"));
        let mut all: Vec<String> = self.pointers().filter(defined).map(|p| format!("#{p}")).collect();
        let mut anchors: Vec<_> = self.anchors.keys().map(|name| format!("#{name}")).collect();
        anchors.sort();
        all.append(&mut anchors);
        all
    }

    /// The schemas whose `$ref` closes a cycle, when only `$ref` and `through` are followed: without those the schema
    /// has no such cycle.
    pub(super) fn cycles(&self, through: &[&str]) -> HashSet<String> {
        let mut closing = HashSet::new();
        let mut done: HashSet<&str> = HashSet::new();
        for start in self.pointers() {
            if done.contains(start) {
                continue;
            }
            // Depth first with a stack of our own: a chain of references may be long.
            let mut path = vec![(start, self.edges(start, through))];
            let mut open: HashSet<&str> = HashSet::from([start]);
            while let Some((at, edges)) = path.last_mut() {
                let Some((from, to)) = edges.pop() else {
                    open.remove(at);
                    done.insert(at);
                    path.pop();
                    continue;
                };
                if open.contains(to) {
                    closing.insert(from.to_string());
                } else if !done.contains(to) {
                    open.insert(to);
                    path.push((to, self.edges(to, through)));
                }
            }
        }
        closing
    }

    /// Every reference in the schema at `start` that is reached through the given keywords: where it stands, where it
    /// leads. The last one first.
    fn edges(&self, start: &str, through: &[&str]) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        let mut todo = vec![start.to_string()];
        while let Some(pointer) = todo.pop() {
            let Some((here, schema)) = self.places.get_key_value(&pointer) else {
                continue;
            };
            let Some(map) = schema.as_object() else {
                continue;
            };
            for key in ["$recursiveRef", "$ref"] {
                let target = map.get(key).and_then(Value::as_str).and_then(|r| self.resolve(r));
                found.extend(target.map(|to| (here.as_str(), to)));
            }
            let inner = map.iter().filter(|(key, _)| through.contains(&key.as_str()));
            let mut below: Vec<String> = inner
                .filter_map(|(key, value)| Some(children(known(key)?, &join(&pointer, key), value)))
                .flatten()
                .map(|(path, _, _)| path)
                .collect();
            below.reverse();
            todo.append(&mut below);
        }
        found.reverse();
        found
    }
}

/// The schemas right below a keyword: pointer, name in a map, schema.
fn children<'a>(keyword: &Keyword, pointer: &str, value: &'a Value) -> Vec<(String, Option<&'a str>, &'a Value)> {
    match (keyword.shape, value) {
        (SchemaMap, Value::Object(map)) => {
            let named = map.iter().map(|(k, v)| (join(pointer, k), Some(k.as_str()), v));
            named.collect()
        }
        (List | SchemaOrList, Value::Array(list)) => {
            let numbered = list.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), None, v));
            numbered.collect()
        }
        (Schema | SchemaOrList, value) => vec![(pointer.to_string(), None, value)],
        _ => Vec::new(),
    }
}

/// What the meta-schema refuses: the pointer of the keyword, or of the schema when that is no schema at all.
fn invalid_places(schema: &Value, dialect: Dialect) -> BTreeMap<String, String> {
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
    let mut tokens = pointer.split('/').skip(1);
    while let Some(token) = tokens.next() {
        blamed = format!("{blamed}/{token}");
        let shape = unescape(token).and_then(|name| known(&name)).map(|k| k.shape);
        let inner = match shape {
            Some(Schema) => continue,
            Some(SchemaMap | List) => tokens.next(),
            Some(SchemaOrList) => {
                // An index follows in a list, a keyword otherwise.
                let mut ahead = tokens.clone();
                match ahead.next() {
                    Some(t) if t.bytes().all(|b| b.is_ascii_digit()) => tokens.next(),
                    _ => continue,
                }
            }
            _ => return blamed,
        };
        match inner {
            Some(name) => blamed = format!("{blamed}/{name}"),
            None => return blamed,
        }
    }
    blamed
}

/// The pointer of the first place that is too deep.
fn too_deep(root: &Value) -> Option<String> {
    fn go(value: &Value, depth: usize, path: &mut Vec<String>) -> bool {
        let all: Box<dyn Iterator<Item = (String, &Value)>> = match value {
            Value::Object(map) => Box::new(map.iter().map(|(k, v)| (k.clone(), v))),
            Value::Array(list) => Box::new(list.iter().enumerate().map(|(i, v)| (i.to_string(), v))),
            _ => return false,
        };
        if depth > MAX_DEPTH {
            return true;
        }
        for (key, child) in all {
            path.push(key);
            if go(child, depth + 1, path) {
                return true;
            }
            path.pop();
        }
        false
    }
    let mut path = Vec::new();
    go(root, 1, &mut path).then(|| path.iter().fold(String::new(), |pointer, key| join(&pointer, key)))
}

/// Where a pointer is in the document: the place of every step among its siblings.
fn position(root: &Value, pointer: &str) -> Vec<usize> {
    let mut at = Some(root);
    let step = |token: &str| {
        let (place, child) = match at? {
            Value::Object(map) => {
                let name = unescape(token)?;
                let (place, (_, child)) = map.iter().enumerate().find(|(_, (key, _))| **key == name)?;
                (place, child)
            }
            Value::Array(list) => (token.parse().ok()?, list.get(token.parse::<usize>().ok()?)?),
            _ => return None,
        };
        at = Some(child);
        Some(place)
    };
    pointer.split('/').skip(1).map_while(step).collect()
}

pub(super) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn unescape(token: &str) -> Option<String> {
    let bad = token.match_indices('~').any(|(i, _)| !matches!(token.as_bytes().get(i + 1), Some(b'0' | b'1')));
    (!bad).then(|| token.replace("~1", "/").replace("~0", "~"))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        let byte =
            hex.filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// JavaScript's `encodeURI`, under which the server's validator files every schema.
fn encode_uri(text: &str) -> String {
    percent_encode(text, |b| !b.is_ascii_alphanumeric() && !b";,/?:@&=+$-_.!~*'()#".contains(&b))
}

/// A fragment as `new URL()` spells it: that is how the server's validator looks a reference up.
fn as_url_fragment(text: &str) -> String {
    let trimmed = text.trim_end_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
    percent_encode(&trimmed, |b| b <= b' ' || b > b'~' || b"\"<>`".contains(&b))
}

fn percent_encode(text: &str, encode: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match encode(byte) {
            true => out.push_str(&format!("%{byte:02X}")),
            false => out.push(char::from(byte)),
        }
    }
    out
}

/// Whether `new URL(text, base)` takes it; in doubt it does not.
fn is_url(text: &str) -> bool {
    let plain = !text.contains(|c: char| c <= ' ' || c == '\\');
    let Some((scheme, rest)) = text.split_once(':') else {
        return plain && !text.starts_with("//");
    };
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let Some(rest) = rest.strip_prefix("//") else {
        return plain && named && !["http", "https", "ws", "wss", "ftp", "file"].contains(&scheme);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let numeric = host.rsplit('.').next().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_digit()));
    plain
        && named
        && !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && (!numeric || host.parse::<std::net::Ipv4Addr>().is_ok())
        && port.parse::<u16>().is_ok()
}

// ---- small judgements ------------------------------------------------------------------------------------------------

/// Why JavaScript would not compile a pattern with the `u` flag.
fn regex_fault(pattern: &str) -> Option<String> {
    let flags = regress::Flags { unicode: true, no_opt: true, ..Default::default() };
    match regress::Regex::with_flags(pattern, flags) {
        Err(why) => Some(lower_first(&why.to_string())),
        // The one thing this engine takes and JavaScript does not.
        Ok(_) if repeats_boundary(pattern) => Some("a word boundary cannot be repeated".into()),
        Ok(_) => None,
    }
}

/// Whether `*`, `+`, `?` or `{` follows a `\b` or `\B` outside a class.
fn repeats_boundary(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '[' => class = true,
            ']' => class = false,
            '\\' => {
                let boundary = matches!(chars.next(), Some('b' | 'B')) && !class;
                if boundary && matches!(chars.peek(), Some('*' | '+' | '?' | '{')) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

fn holds(schema: &Map<String, Value>, keys: &[&str]) -> bool {
    schema.iter().any(|(key, value)| {
        let below = |v: &Value| v.as_object().is_some_and(|map| holds(map, keys));
        keys.contains(&key.as_str()) || below(value) || value.as_array().is_some_and(|list| list.iter().any(below))
    })
}

fn is_token(name: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(tchar)
}

fn looks_secret(name: &str) -> bool {
    let words = words(name);
    words.iter().enumerate().any(|(i, word)| {
        let before = i.checked_sub(1).map(|i| words[i].as_str());
        let pair = before.map(|before| format!("{before} {word}"));
        let cursor = word == "token" && before.is_some_and(|w| CURSOR_WORDS.contains(&w));
        let secret = |w: &str| SECRET_WORDS.contains(&w);
        !cursor && (secret(word) || pair.is_some_and(|pair| secret(&pair)))
    })
}

/// `apiKey`, `API_KEY` and `api-key` are all `api`, `key`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (lower && c.is_uppercase()) {
            words.push(String::new());
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// What to write where a schema is missing.
fn schema_hint(found: &Value) -> String {
    match found.as_str().and_then(nearest_type) {
        Some(name) => format!("did you mean `{{ \"type\": \"{name}\" }}`?"),
        None => "write a schema such as `{ \"type\": \"string\" }`".into(),
    }
}

fn nearest_type(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let same = TYPES.iter().copied().find(|t| *t == lower);
    let alias = TYPE_ALIASES.iter().find(|(alias, _)| *alias == lower).map(|(_, t)| *t);
    same.or(alias).or_else(|| nearest(&lower, TYPES.iter().copied()))
}

/// The candidate most like `name`, when it is near enough to be a slip.
fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let length = name.chars().count();
    if length > 200 {
        return None;
    }
    let slips = if length <= 5 { 1 } else { 2 };
    candidates
        .filter(|c| c.len() <= 4 * (length + slips))
        .map(|c| (strsim::damerau_levenshtein(name, c), c))
        .filter(|(distance, c)| *distance <= slips && *distance < c.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// Equal for values that JSON Schema holds equal: `1` and `1.0`, and objects in any order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (None, None, Some(f)) if f.fract() == 0.0 && f.abs() < 9e15 => format!("{}", f as i64),
            _ => n.to_string(),
        },
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().map(|(k, v)| format!("{k:?}:{}", canonical(v))).collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(","))
        }
        other => other.to_string(),
    }
}

// ---- words -----------------------------------------------------------------------------------------------------------

/// Text of the manifest inside a message: on one line, short, and unable to end its backticks.
fn show(text: &str) -> String {
    clip(text, 60)
}

fn clip(text: &str, length: usize) -> String {
    if text.is_empty() {
        return "`\"\"`".into();
    }
    let shown: String = text.chars().take(length).flat_map(visible).collect();
    let more = if text.chars().nth(length).is_some() { "…" } else { "" };
    format!("`{shown}{more}`")
}

fn visible(c: char) -> Vec<char> {
    match c {
        '`' => vec!['\''],
        '\'' | '"' | '\\' => vec![c],
        other => other.escape_debug().collect(),
    }
}

fn show_value(value: &Value) -> String {
    match value {
        Value::String(text) => show(text),
        other => show(&other.to_string()),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {}", show(text)),
        Value::Array(list) if list.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => show_value(other),
    }
}

/// When the value is of the right sort, what is wrong is inside it: show it.
fn describe_inside(keyword: &Keyword, value: &Value) -> String {
    let inside = match value {
        Value::Array(list) => !list.is_empty() && keyword.wants.contains("list"),
        Value::Object(_) => keyword.wants.contains("object"),
        _ => false,
    };
    if inside { show(&value.to_string()) } else { describe(value) }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rows::{Property, Whole};

    /// What the rows of a table are: whole schemas, or the schema of a property `p` of a tool's input.
    #[derive(Clone, Copy)]
    enum Rows {
        Whole(Role),
        Property,
    }

    /// Schema → what is said about it, each as `severity pointer: message [hint]`.
    fn table(rows: Rows, cases: &[(&str, &[&str])]) {
        for (text, expected) in cases {
            let schema: Value = serde_json::from_str(text).unwrap();
            let (schema, role, prefix) = match rows {
                Whole(role) => (schema, role, ""),
                Property => {
                    (json!({ "type": "object", "properties": { "p": schema } }), Role::ToolInput, "/properties/p")
                }
            };
            let said: Vec<String> = lint(&schema, role).iter().map(|p| tell(p, prefix)).collect();
            assert_eq!(&said, expected, "{text}");
        }
    }

    fn tell(problem: &Problem, prefix: &str) -> String {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let pointer = problem.pointer.strip_prefix(prefix).unwrap_or(&problem.pointer);
        let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(" [{hint}]"));
        format!("{severity} {pointer}: {}{hint}", problem.message)
    }

    #[test]
    fn types() {
        table(
            Property,
            &[
                (r#"{"type":"string"}"#, &[]),
                (r#"{"type":["string","null"]}"#, &[]),
                (
                    r#"{"type":"strng"}"#,
                    &[
                        "error /type: `strng` is not a JSON Schema type, so no value would be valid [did you mean `string`?]",
                    ],
                ),
                (
                    r#"{"type":"int"}"#,
                    &[
                        "error /type: `int` is not a JSON Schema type, so no value would be valid [did you mean `integer`?]",
                    ],
                ),
                (
                    r#"{"type":"zebra"}"#,
                    &[
                        "error /type: `zebra` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]",
                    ],
                ),
                (
                    r#"{"type":["string","nul"]}"#,
                    &[
                        "error /type/1: `nul` is not a JSON Schema type, so no value would be valid [did you mean `null`?]",
                    ],
                ),
                (
                    r#"{"type":5}"#,
                    &["error /type: `type` must be the name of a type, or a list of different ones, but is `5`"],
                ),
                (
                    r#"{"type":[]}"#,
                    &[
                        "error /type: `type` must be the name of a type, or a list of different ones, but is an empty list",
                    ],
                ),
                (
                    r#"{"type":["string","string"]}"#,
                    &[
                        r#"error /type: `type` must be the name of a type, or a list of different ones, but is `["string","string"]`"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn shapes() {
        table(
            Property,
            &[
                (r#"{"minLength":0,"items":true,"anyOf":[{}],"examples":[1],"exclusiveMinimum":5,"required":[]}"#, &[]),
                (
                    r#""string""#,
                    &[
                        r#"error : a schema must be an object, but this is the string `string` [did you mean `{ "type": "string" }`?]"#,
                    ],
                ),
                (
                    "5",
                    &[
                        r#"error : a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                    ],
                ),
                (
                    r#"["string"]"#,
                    &[
                        r#"error : a schema must be an object, but this is a list [write a schema such as `{ "type": "string" }`]"#,
                    ],
                ),
                (
                    r#"{"items":"integer"}"#,
                    &[
                        r#"error /items: `items` must be a schema, but is the string `integer` [did you mean `{ "type": "integer" }`?]"#,
                    ],
                ),
                (
                    r#"{"not":5}"#,
                    &[
                        r#"error /not: `not` must be a schema, but is `5` [write a schema such as `{ "type": "string" }`]"#,
                    ],
                ),
                (
                    r#"{"properties":{"inner":"text"}}"#,
                    &[
                        r#"error /properties/inner: a schema must be an object, but this is the string `text` [did you mean `{ "type": "string" }`?]"#,
                    ],
                ),
                (
                    r#"{"allOf":[5]}"#,
                    &[
                        r#"error /allOf/0: a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                    ],
                ),
                (
                    r#"{"minLength":-1}"#,
                    &["error /minLength: `minLength` must be a whole number of 0 or more, but is `-1`"],
                ),
                (
                    r#"{"maxLength":1.5}"#,
                    &["error /maxLength: `maxLength` must be a whole number of 0 or more, but is `1.5`"],
                ),
                (
                    r#"{"required":true}"#,
                    &[
                        "error /required: `required` must be a list of different names, but is `true` [list the names in the `required` of the object that has the properties]",
                    ],
                ),
                (
                    r#"{"required":["a","a"]}"#,
                    &[
                        r#"error /required: `required` must be a list of different names, but is `["a","a"]` [list the names in the `required` of the object that has the properties]"#,
                    ],
                ),
                (
                    r#"{"items":[{"type":"string"}]}"#,
                    &[
                        "error /items: `items` must be a schema, but is a list [list the schemas of a tuple in `prefixItems`]",
                    ],
                ),
                (
                    r#"{"exclusiveMinimum":true}"#,
                    &[
                        "error /exclusiveMinimum: `exclusiveMinimum` must be a number, but is `true` [write the limit itself; `true` beside `minimum` or `maximum` is draft 4]",
                    ],
                ),
                (
                    r#"{"anyOf":[]}"#,
                    &["error /anyOf: `anyOf` must be a list of at least one schema, but is an empty list"],
                ),
                (r#"{"multipleOf":0}"#, &["error /multipleOf: `multipleOf` must be a number above 0, but is `0`"]),
                (
                    r#"{"properties":[]}"#,
                    &[
                        "error /properties: `properties` must be an object that maps names to schemas, but is an empty list",
                    ],
                ),
                (
                    r#"{"additionalProperties":"no"}"#,
                    &[
                        r#"error /additionalProperties: `additionalProperties` must be a schema, but is the string `no` [write a schema such as `{ "type": "string" }`]"#,
                    ],
                ),
                (
                    r#"{"examples":"x"}"#,
                    &[
                        "error /examples: `examples` must be a list of values, but is the string `x` [put the example in `[…]`]",
                    ],
                ),
                (r#"{"description":5}"#, &["error /description: `description` must be a string, but is `5`"]),
                (r#"{"enum":"a"}"#, &["error /enum: `enum` must be a list of values, but is the string `a`"]),
                (
                    r#"{"pattern":5}"#,
                    &["error /pattern: `pattern` must be a regular expression in a string, but is `5`"],
                ),
                (
                    r#"{"uniqueItems":"yes"}"#,
                    &["error /uniqueItems: `uniqueItems` must be `true` or `false`, but is the string `yes`"],
                ),
                (
                    r#"{"$anchor":"1 2"}"#,
                    &[
                        "error /$anchor: `$anchor` must be a name of letters, digits, `-`, `_` and `.`, but is the string `1 2`",
                    ],
                ),
                (
                    r#"{"dependentRequired":{"a":"b"}}"#,
                    &[
                        r#"error /dependentRequired: `dependentRequired` must be an object that maps names to lists of different names, but is `{"a":"b"}`"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn dialects() {
        table(
            Whole(Role::ToolInput),
            &[
                (r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#, &[]),
                (
                    r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"items":[{"type":"string"}]},"b":{"$id":"#b"},"c":{"$ref":"#b"}},"dependencies":{"a":["b"],"b":{"required":["a"]}}}"##,
                    &[],
                ),
                (r#"{"$schema":"http://json-schema.org/draft-06/schema","type":"object"}"#, &[]),
                (
                    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","properties":{"again":{"$recursiveRef":"#"}}}"##,
                    &[],
                ),
                (
                    r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"object"}"#,
                    &[
                        "error /$schema: `$schema` is `http://json-schema.org/draft-04/schema#`, a dialect the server does not know: every request would fail [remove it, or name `https://json-schema.org/draft/2020-12/schema`]",
                    ],
                ),
                (
                    r#"{"$schema":5,"type":"object"}"#,
                    &["error /$schema: `$schema` must be the URI of a dialect, but is `5`"],
                ),
                (
                    r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"items":[{"type":"strng"},5]},"b":{"enum":[]}},"dependencies":{"a":[5],"c":"d","b":{"minLength":-1}}}"#,
                    &[
                        "error /properties/a/items/0/type: `strng` is not a JSON Schema type, so no value would be valid [did you mean `string`?]",
                        r#"error /properties/a/items/1: a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                        "error /properties/b/enum: `enum` is empty, so no value would be valid [list the values it may have, or remove it]",
                        r#"error /dependencies/a/0: this is not valid JSON Schema: `5 is not of type "string"`"#,
                        r#"error /dependencies/c: a schema must be an object, but this is the string `d` [write a schema such as `{ "type": "string" }`]"#,
                        "error /dependencies/b/minLength: `minLength` must be a whole number of 0 or more, but is `-1`",
                    ],
                ),
                (
                    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","$recursiveRef":"#"}"##,
                    &[
                        "error /$recursiveRef: `$recursiveRef` `#` leads back to itself without entering a property or an item: checking a value would never end [put the recursion inside `properties` or `items`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn roots_of_inputs() {
        table(
            Whole(Role::ToolInput),
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
            Whole(Role::ToolOutput),
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
            Whole(Role::PromptArguments),
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
    fn references() {
        table(
            Whole(Role::ToolInput),
            &[
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Node"},"b":{"$ref":"#/properties/a"},"c":{"$ref":"#named"},"d":{"$ref":"#/$defs/x~1y%20z"},"e":{"$ref":"#"},"f":{"$ref":"#/definitions/old"},"g":{"$ref":"#/$defs/Node/properties/next"}},"$defs":{"Node":{"$anchor":"named","properties":{"next":{"$ref":"#/$defs/Node"}}},"x/y z":{}},"definitions":{"old":{}}}"##,
                    &[],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$ref":"https://example.com/x.json"}}}"#,
                    &[
                        "error /properties/a/$ref: `$ref` `https://example.com/x.json` points outside this schema, and a server does not fetch schemas [copy that schema into `$defs` and refer to it as `#/$defs/NAME`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$ref":"other.json#/x"}}}"#,
                    &[
                        "error /properties/a/$ref: `$ref` `other.json#/x` points outside this schema, and a server does not fetch schemas [copy that schema into `$defs` and refer to it as `#/$defs/NAME`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$ref":""}}}"#,
                    &[
                        r#"error /properties/a/$ref: `$ref` `""` points outside this schema, and a server does not fetch schemas [copy that schema into `$defs` and refer to it as `#/$defs/NAME`]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$ref":5}}}"#,
                    &["error /properties/a/$ref: `$ref` must be a reference such as `#/$defs/NAME`, but is `5`"],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Nod"}},"$defs":{"Node":{}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/$defs/Nod` points to nothing in this schema [did you mean `#/$defs/Node`?]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/nowhere"}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/nowhere` points to nothing in this schema [define it in `$defs`]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/x~2"}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/$defs/x~2` points to nothing in this schema [define it in `$defs`]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/components/schemas/A"}},"components":{"schemas":{"A":{}}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/components/schemas/A` points to a place where no schema can stand [move the schema into `$defs` and refer to it as `#/$defs/NAME`]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/properties"}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/properties` points to a place where no schema can stand [move the schema into `$defs` and refer to it as `#/$defs/NAME`]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#dynamic"}},"$defs":{"A":{"$dynamicAnchor":"dynamic"}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#dynamic` names a `$dynamicAnchor`, which the server's validator does not look up [use `$anchor` for it]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$dynamicRef":"#dynamic"}},"$defs":{"A":{"$dynamicAnchor":"dynamic"}}}"##,
                    &[
                        "warning /properties/a/$dynamicRef: the server's validator ignores `$dynamicRef`, so it lets any value pass here [use `$ref`]",
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Page[Item]"},"b":{"$ref":"#/$defs/Page%5BItem%5D"}},"$defs":{"Page[Item]":{}}}"##,
                    &[
                        "error /properties/a/$ref: `$ref` `#/$defs/Page[Item]` is not spelt as the server's validator looks it up: it would find nothing [write it as `#/$defs/Page%5BItem%5D`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$anchor":"same"},"b":{"$anchor":"same"}}}"#,
                    &[
                        "error /properties/b/$anchor: the anchor `same` is there twice, so a reference to it is ambiguous [rename one of the two]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn cycles() {
        table(
            Whole(Role::ToolInput),
            &[
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/List"}},"$defs":{"List":{"anyOf":[{"type":"null"},{"properties":{"next":{"$ref":"#/$defs/List"}}},{"items":{"$ref":"#/$defs/List"}}]}}}"##,
                    &[],
                ),
                (
                    r##"{"type":"object","allOf":[{"$ref":"#"}]}"##,
                    &[
                        "error /allOf/0/$ref: `$ref` `#` leads back to itself without entering a property or an item: checking a value would never end [put the recursion inside `properties` or `items`]",
                    ],
                ),
                (
                    r##"{"type":"object","$defs":{"A":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/B"}]},"B":{"$ref":"#/$defs/A"}}}"##,
                    &[
                        "error /$defs/B/$ref: `$ref` `#/$defs/A` leads back to itself without entering a property or an item: checking a value would never end [put the recursion inside `properties` or `items`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn identifiers() {
        table(
            Whole(Role::ToolInput),
            &[
                (r#"{"$id":"https://example.com/tools/x.json#","type":"object"}"#, &[]),
                (r#"{"$id":"urn:example:x","type":"object"}"#, &[]),
                (
                    r#"{"$id":"x.json","type":"object","properties":{"id":{"type":"string"},"$id":{"type":"string"}}}"#,
                    &[],
                ),
                (
                    r#"{"$id":"http://a b/","type":"object"}"#,
                    &[
                        "error /$id: `$id` is `http://a b/`, which is not a URL: every request would fail [remove it: nothing needs it]",
                    ],
                ),
                (
                    r#"{"$id":"http://","type":"object"}"#,
                    &[
                        "error /$id: `$id` is `http://`, which is not a URL: every request would fail [remove it: nothing needs it]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$id":"a.json"},"b":{"id":"b"}}}"#,
                    &[
                        "error /properties/a/$id: `$id` below the root changes what every `#…` reference inside it means [remove it: nothing can refer to it, since references must begin with `#`]",
                        "error /properties/b/id: `id` below the root changes what every `#…` reference inside it means [remove it: nothing can refer to it, since references must begin with `#`]",
                    ],
                ),
                (
                    r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"$id":"#/properties/a"}}}"##,
                    &[
                        "error /properties/a/$id: `$id` below the root changes what every `#…` reference inside it means [remove it: nothing can refer to it, since references must begin with `#`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn patterns() {
        table(
            Property,
            &[
                (r#"{"pattern":"^\\p{L}[\\w\\-]+$","patternProperties":{"^x-":{}}}"#, &[]),
                (
                    r#"{"pattern":"("}"#,
                    &[
                        r#"error /pattern: `pattern` `(` does not compile in JavaScript with the `u` flag: unbalanced parenthesis [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
                (
                    r#"{"pattern":"\\Afoo\\Z"}"#,
                    &[
                        r#"error /pattern: `pattern` `\Afoo\Z` does not compile in JavaScript with the `u` flag: invalid character escape [use `^` for the start of the text]"#,
                    ],
                ),
                (
                    r#"{"pattern":"(?P<year>\\d+)"}"#,
                    &[
                        r#"error /pattern: `pattern` `(?P<year>\d+)` does not compile in JavaScript with the `u` flag: invalid group modifier [name a group as in `(?<name>…)`]"#,
                    ],
                ),
                (
                    r#"{"pattern":"(?i)abc"}"#,
                    &[
                        "error /pattern: `pattern` `(?i)abc` does not compile in JavaScript with the `u` flag: invalid group modifier [JavaScript has no inline flags: list both cases, as in `[aA]`]",
                    ],
                ),
                (
                    r#"{"pattern":"a\\-b"}"#,
                    &[
                        r#"error /pattern: `pattern` `a\-b` does not compile in JavaScript with the `u` flag: invalid character escape [`-` needs no backslash outside `[…]`]"#,
                    ],
                ),
                (r#"{"pattern":"\\b[\\b*]+\\\\b+","patternProperties":{"\\Bx":{}}}"#, &[]),
                (
                    r#"{"pattern":"x\\b+"}"#,
                    &[
                        r#"error /pattern: `pattern` `x\b+` does not compile in JavaScript with the `u` flag: a word boundary cannot be repeated [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
                (
                    r#"{"patternProperties":{"a/[":{}}}"#,
                    &[
                        r#"error /patternProperties/a~1[: the key `a/[` does not compile in JavaScript with the `u` flag: unbalanced bracket [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn headers() {
        table(
            Whole(Role::ToolInput),
            &[
                (
                    r#"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"in":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry-Run"}}},"max_tokens":{"type":"integer","x-mcp-header":"Max-Tokens"},"pageToken":{"type":"string","x-mcp-header":"Page"}}}"#,
                    &[],
                ),
                (
                    r#"{"type":"object","x-mcp-header":"Root"}"#,
                    &[
                        "error /x-mcp-header: `x-mcp-header` may be reached through `properties` only: clients drop the tool [move it to a property of the root, or of an object below it]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#,
                    &[
                        "error /properties/a/items/x-mcp-header: `x-mcp-header` may be reached through `properties` only: clients drop the tool [move it to a property of the root, or of an object below it]",
                    ],
                ),
                (
                    r#"{"type":"object","$defs":{"A":{"type":"string","x-mcp-header":"A"}}}"#,
                    &[
                        "error /$defs/A/x-mcp-header: `x-mcp-header` may be reached through `properties` only: clients drop the tool [move it to a property of the root, or of an object below it]",
                    ],
                ),
                (
                    r#"{"type":"object","anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
                    &[
                        "error /anyOf/0/properties/a/x-mcp-header: `x-mcp-header` may be reached through `properties` only: clients drop the tool [move it to a property of the root, or of an object below it]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"string","x-mcp-header":"REGION"}}}"#,
                    &[
                        "error /properties/b/x-mcp-header: `x-mcp-header` `REGION` is already at `/properties/a/x-mcp-header`: clients drop the tool [rename one of the two; upper and lower case are the same]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` is for a `string`, an `integer` or a `boolean`, but this has `type` `number`: clients drop the tool [set `type` to one of these, or remove the header]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"x-mcp-header":"A"}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` is for a `string`, an `integer` or a `boolean`, but this has no `type`: clients drop the tool [set `type` to one of these, or remove the header]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` is for a `string`, an `integer` or a `boolean`, but this has a list of types: clients drop the tool [set `type` to one of these, or remove the header]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` must be the name of a header, but is the string `a b`: clients drop the tool [use letters, digits and `-`, as in `Region`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
                    &[
                        r#"error /properties/a/x-mcp-header: `x-mcp-header` must be the name of a header, but is the string `""`: clients drop the tool [use letters, digits and `-`, as in `Region`]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":true}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` must be the name of a header, but is `true`: clients drop the tool [use letters, digits and `-`, as in `Region`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"apiKey":{"type":"string","x-mcp-header":"Key"}}}"#,
                    &[
                        "error /properties/apiKey/x-mcp-header: `x-mcp-header` on `apiKey`, which looks secret: proxies on the way log headers [remove it, and keep what is secret in `[secrets]`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"X-Access-Token"}}}"#,
                    &[
                        "error /properties/a/x-mcp-header: `x-mcp-header` on `X-Access-Token`, which looks secret: proxies on the way log headers [remove it, and keep what is secret in `[secrets]`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn headers_elsewhere() {
        table(
            Whole(Role::ToolOutput),
            &[(
                r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}"#,
                &[
                    "warning /properties/a/x-mcp-header: `x-mcp-header` has a meaning in the input of a tool only [remove it]",
                ],
            )],
        );
    }

    #[test]
    fn defaults() {
        table(
            Whole(Role::ToolInput),
            &[
                (
                    r##"{"type":"object","properties":{"a":{"type":"string","default":"x"},"b":{"enum":["x",null],"default":null},"c/~ d":{"$ref":"#/$defs/N","default":1},"e":{"type":"string","format":"date","default":"today"}},"$defs":{"N":{"type":"number"}}}"##,
                    &[],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","default":5}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `5 is not of type "string"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"enum":["celsius","fahrenheit"],"default":"kelvin"}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `"kelvin" is not one of "celsius" or "fahrenheit"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","pattern":"^\\d+$","default":"abc"}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `"abc" does not match "^\d+$"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"c/~ d":{"$ref":"#/$defs/N","default":"x"}},"$defs":{"N":{"type":"number"}}}"##,
                    &[
                        r#"error /properties/c~1~0 d/default: `default` does not match its own schema: `"x" is not of type "number"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"properties":{"deep":{"maximum":3,"default":4}}}}}"#,
                    &[
                        "error /properties/a/properties/deep/default: `default` does not match its own schema: `4 is greater than the maximum of 3` [correct the default, or the schema it is in]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn enums() {
        table(
            Property,
            &[
                (r#"{"enum":["a","b",1,"1",null]}"#, &[]),
                (
                    r#"{"enum":[]}"#,
                    &[
                        "error /enum: `enum` is empty, so no value would be valid [list the values it may have, or remove it]",
                    ],
                ),
                (
                    r#"{"enum":["x","y","x"]}"#,
                    &["error /enum/2: `enum` lists `x` twice, which some validators refuse [remove one of the two]"],
                ),
                (
                    r#"{"enum":[1,1.0]}"#,
                    &["error /enum/1: `enum` lists `1.0` twice, which some validators refuse [remove one of the two]"],
                ),
                (
                    r#"{"enum":[{"a":1,"b":2},{"b":2,"a":1}]}"#,
                    &[
                        r#"error /enum/1: `enum` lists `{"b":2,"a":1}` twice, which some validators refuse [remove one of the two]"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn required() {
        table(
            Whole(Role::ToolInput),
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
                        "warning /required/0: `required` names `city`, which is not in `properties`, so nothing describes it [describe it in `properties`, or take it out of `required`]",
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"location":{}},"required":["locaton","city"],"additionalProperties":false}"#,
                    &[
                        "error /required/0: `required` names `locaton`, which `additionalProperties` = `false` forbids: no value would be valid [did you mean `location`?]",
                        "error /required/1: `required` names `city`, which `additionalProperties` = `false` forbids: no value would be valid [describe it in `properties`, or take it out of `required`]",
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
            Whole(Role::ToolInput),
            &[
                (r#"{"type":"object","properties":{"prototype":{},"to_string":{}}}"#, &[]),
                (
                    r#"{"type":"object","properties":{"constructor":{},"__proto__":{}}}"#,
                    &[
                        "error /properties/constructor: property `constructor` has a name that every JavaScript object inherits, so calls without it fail too [rename it]",
                        "error /properties/__proto__: property `__proto__` has a name that every JavaScript object inherits, so calls without it fail too [rename it]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn bounds() {
        table(
            Property,
            &[
                (
                    r#"{"minimum":3,"maximum":3,"minLength":1,"maxLength":2,"exclusiveMinimum":1,"exclusiveMaximum":4}"#,
                    &[],
                ),
                (
                    r#"{"minimum":5,"maximum":3}"#,
                    &[
                        "error /minimum: `minimum` `5` and `maximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minLength":5,"maxLength":3}"#,
                    &[
                        "error /minLength: `minLength` `5` and `maxLength` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minItems":5,"maxItems":3}"#,
                    &[
                        "error /minItems: `minItems` `5` and `maxItems` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minProperties":5,"maxProperties":3}"#,
                    &[
                        "error /minProperties: `minProperties` `5` and `maxProperties` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minContains":5,"maxContains":3}"#,
                    &[
                        "error /minContains: `minContains` `5` and `maxContains` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"exclusiveMinimum":3,"maximum":3}"#,
                    &[
                        "error /exclusiveMinimum: `exclusiveMinimum` `3` and `maximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minimum":3,"exclusiveMaximum":3}"#,
                    &[
                        "error /minimum: `minimum` `3` and `exclusiveMaximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"exclusiveMinimum":2.5,"exclusiveMaximum":2.5}"#,
                    &[
                        "error /exclusiveMinimum: `exclusiveMinimum` `2.5` and `exclusiveMaximum` `2.5` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn unknown_keywords() {
        table(
            Property,
            &[
                (
                    r#"{"x-internal":1,"widget":"slider","$comment":"x","deprecated":true,"contentEncoding":"base64"}"#,
                    &[],
                ),
                (
                    r#"{"descripton":"x"}"#,
                    &[
                        "warning /descripton: `descripton` is not a JSON Schema keyword, so it has no effect [did you mean `description`?]",
                    ],
                ),
                (
                    r#"{"minlength":3}"#,
                    &[
                        "warning /minlength: `minlength` is not a JSON Schema keyword, so it has no effect [did you mean `minLength`?]",
                    ],
                ),
                (
                    r#"{"max_length":3}"#,
                    &[
                        "warning /max_length: `max_length` is not a JSON Schema keyword, so it has no effect [did you mean `maxLength`?]",
                    ],
                ),
                (
                    r#"{"Title":"x"}"#,
                    &[
                        "warning /Title: `Title` is not a JSON Schema keyword, so it has no effect [did you mean `title`?]",
                    ],
                ),
                (
                    r#"{"enums":["a"]}"#,
                    &[
                        "warning /enums: `enums` is not a JSON Schema keyword, so it has no effect [did you mean `enum`?]",
                    ],
                ),
                (
                    r#"{"x-mcp-headr":"A"}"#,
                    &[
                        "warning /x-mcp-headr: `x-mcp-headr` is not a JSON Schema keyword, so it has no effect [did you mean `x-mcp-header`?]",
                    ],
                ),
                (
                    r#"{"nullable":true}"#,
                    &[
                        r#"warning /nullable: `nullable` is not a JSON Schema keyword, so it has no effect [list `null` in `type`, as in `["string", "null"]`]"#,
                    ],
                ),
                (
                    r#"{"optional":true}"#,
                    &[
                        "warning /optional: `optional` is not a JSON Schema keyword, so it has no effect [leave the property out of the `required` of the object that holds it]",
                    ],
                ),
                (
                    r#"{"example":"x"}"#,
                    &[
                        "warning /example: `example` is not a JSON Schema keyword, so it has no effect [use `examples`, which is a list]",
                    ],
                ),
                (
                    r#"{"min":1}"#,
                    &[
                        "warning /min: `min` is not a JSON Schema keyword, so it has no effect [use `minimum`, `minLength` or `minItems`]",
                    ],
                ),
                (
                    r#"{"regex":"x"}"#,
                    &["warning /regex: `regex` is not a JSON Schema keyword, so it has no effect [use `pattern`]"],
                ),
            ],
        );
    }

    #[test]
    fn formats() {
        table(
            Property,
            &[
                (r#"{"format":"date-time"}"#, &[]),
                (r#"{"format":"iri"}"#, &[]),
                (
                    r#"{"format":"date-tme"}"#,
                    &[
                        "warning /format: `date-tme` is not a format the server knows, so nothing checks it [did you mean `date-time`?]",
                    ],
                ),
                (
                    r#"{"format":"int64"}"#,
                    &[
                        "warning /format: `int64` is not a format the server knows, so nothing checks it [use a `pattern`, or say it in the `description`]",
                    ],
                ),
                (
                    r#"{"format":"__proto__"}"#,
                    &["error /format: `__proto__` is not a format, and the server's validator fails on it [remove it]"],
                ),
            ],
        );
    }

    #[test]
    fn hostile_texts() {
        table(
            Property,
            &[
                (
                    r#"{"type":"a`b\n\"c\\"}"#,
                    &[
                        r#"error /type: `a'b\n"c\` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]"#,
                    ],
                ),
                (
                    r#"{"type":"\u202e0123456789012345678901234567890123456789012345678901234567890123456789"}"#,
                    &[
                        r#"error /type: `\u{202e}01234567890123456789012345678901234567890123456789012345678…` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]"#,
                    ],
                ),
                (
                    r##"{"$ref":"#/\ud83d\ude00`"}"##,
                    &["error /$ref: `$ref` `#/😀'` points to nothing in this schema [define it in `$defs`]"],
                ),
                (
                    r#"{"pattern":"[\n"}"#,
                    &[
                        r#"error /pattern: `pattern` `[\n` does not compile in JavaScript with the `u` flag: unbalanced bracket [try it as `new RegExp(pattern, "u")`]"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn problems_come_in_document_order() {
        let schema = json!({
            "type": "object",
            "required": ["b"],
            "properties": {
                "z": { "maxLength": 1, "minLength": 2, "type": "strng" },
                "a": { "properties": { "constructor": {} }, "pattern": "(" },
            },
        });
        let places: Vec<_> = lint(&schema, Role::ToolInput).into_iter().map(|p| p.pointer).collect();
        let expected = [
            "/required/0",
            "/properties/z/minLength",
            "/properties/z/type",
            "/properties/a/properties/constructor",
            "/properties/a/pattern",
        ];
        assert_eq!(places, expected);
    }

    fn nested(levels: usize) -> Value {
        let around = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_string(), value)]));
        let inner = (1..levels).fold(json!({}), |schema, _| around("items", schema));
        let mut schema = inner;
        schema["type"] = "object".into();
        schema
    }

    #[test]
    fn depth_is_limited() {
        assert_eq!(lint(&nested(MAX_DEPTH), Role::ToolInput), []);
        for levels in [MAX_DEPTH + 1, 50_000] {
            let schema = nested(levels);
            let problems = lint(&schema, Role::ToolInput);
            // Dropping it would recurse.
            std::mem::forget(schema);
            let said: Vec<_> = problems.iter().map(|p| tell(p, &"/items".repeat(MAX_DEPTH))).collect();
            let expected = "error : the schema is nested more than 100 levels deep, and validators recurse into every level \
                            [flatten it, or name the part that repeats in `$defs` and refer to it with `$ref`]";
            assert_eq!(said, [expected]);
        }
    }

    #[test]
    fn long_chains_and_patterns_are_no_trouble() {
        let link = |i: usize| (format!("d{i}"), json!({ "$ref": format!("#/$defs/d{}", i + 1) }));
        let mut chain: Map<String, Value> = (0..3_000).map(link).collect();
        chain.insert("d3000".into(), json!({ "type": "string" }));
        let schema = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/d0", "default": "x" } }, "$defs": chain });
        assert_eq!(lint(&schema, Role::ToolInput), []);
        for pattern in ["(".repeat(100_000), "(a{1000}){1000}{1000}".into(), "[a-z]".repeat(10_000)] {
            let schema = json!({ "type": "object", "patternProperties": { pattern.clone(): {} }, "pattern": pattern });
            lint(&schema, Role::ToolInput);
        }
    }

    /// The two spellings of a name that the server's validator compares; the right ones are what `encodeURI` and
    /// `new URL().hash` gave.
    #[test]
    fn references_are_spelt_like_urls() {
        let table = [
            ("a b", "a%20b", "a%20b"),
            ("é", "%C3%A9", "%C3%A9"),
            ("P[I]", "P%5BI%5D", "P[I]"),
            ("P<I>", "P%3CI%3E", "P%3CI%3E"),
            ("a`b^|{}", "a%60b%5E%7C%7B%7D", "a%60b^|{}"),
            ("a%20b", "a%2520b", "a%20b"),
            ("a\tb", "a%09b", "ab"),
            ("a\"b\\c", "a%22b%5Cc", "a%22b\\c"),
            ("a'b~0c!*()", "a'b~0c!*()", "a'b~0c!*()"),
        ];
        for (name, filed_under, looked_up) in table {
            assert_eq!(encode_uri(name), filed_under);
            assert_eq!(as_url_fragment(name), looked_up);
        }
    }

    #[test]
    fn secrets_are_known_by_their_words() {
        for name in [
            "password",
            "userPassword",
            "API_KEY",
            "api-key",
            "apikey",
            "accessToken",
            "X-Auth-Token",
            "clientSecret",
            "JWT",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in
            ["max_tokens", "tokenizer", "next_page_token", "pageToken", "keyboard", "key", "secretary", "region", ""]
        {
            assert!(!looks_secret(name), "{name}");
        }
    }

    #[test]
    fn only_what_new_url_takes_is_a_url() {
        for url in [
            "https://example.com/x#",
            "http://localhost:8080",
            "x.json",
            "/x/y",
            "urn:a:b",
            "tag:x,2026:y",
            "http://10.0.0.1/x",
        ] {
            assert!(is_url(url), "{url}");
        }
        for text in
            ["http://", "https://a b", "http://x:99999", "http://1.2.3.999", "//", "http:x", "1:2", "https://[", "a\\b"]
        {
            assert!(!is_url(text), "{text}");
        }
    }
}
