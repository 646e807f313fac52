//! The sections that describe the server: `[server]`, `[limits]`, `[cache]`, `[tools]`, `[resources]`, `[prompts]`.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value};
use toml_edit::Item;

use super::reader::{Fields, REQUIRED, Reader, a, span_at, to_json};
use super::{API_KEYS, Auth, Cache, Kind, Manifest, Prompt, Resource, Secret, Server, Tool};
use super::{about, auth, names, uri_template};
use super::{limits, rate_limit, settings, state, targets};
use crate::fault::{Position, Severity};
use crate::schema::clients;
use crate::schema::lint::{self, SchemaProblem, SchemaRole};

type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The whole document; `None` only when its root is not a table.
pub fn manifest(reader: &Reader<'_>, root: &Item, read: ReadFile<'_>) -> Option<Manifest> {
    let fields = reader.table(root, "", None)?;
    let server = server(&fields);
    let targets = targets::targets(&fields);
    let mut manifest = Manifest {
        app: server.name.clone(),
        stages: targets::stages(&fields, &server.name, &targets),
        server,
        limits: limits::limits(&fields),
        cache: cache(&fields),
        access: settings::access(&fields),
        tools: declarations(&fields, Kind::Tool, |name, fields| tool(name, fields, read)),
        resources: declarations(&fields, Kind::Resource, resource),
        prompts: declarations(&fields, Kind::Prompt, |name, fields| prompt(name, fields, read)),
        env: settings::env(&fields),
        secrets: settings::secrets(&fields),
        targets,
        external: settings::external(&fields),
        files: Vec::new(),
    };
    duplicates(&fields, &manifest);
    unpopular(&fields, &manifest);
    about::missing_pages(&fields, &manifest);
    scopes_without_tokens(&fields, &manifest);
    state::faults(&fields, &manifest);
    if manifest.access.auth == Auth::ApiKey {
        // Declared by what needs it: preflight, `secrets push` and the clouds' files then know it like any other.
        manifest.secrets.push(Secret::new(API_KEYS, "Names of the callers and hashes of their API keys"));
    }
    state::secrets(&mut manifest);
    limits::platforms(&fields, &manifest);
    targets::check(&fields, &manifest);
    rate_limit::expressible(&fields, &manifest);
    fields.finish();
    Some(manifest)
}

fn server(root: &Fields<'_, '_>) -> Server {
    let Some(fields) = root.fields("server") else {
        if root.entries().iter().all(|(key, _)| *key != "server") {
            root.reader().error(
                None,
                "the table `[server]` is missing",
                Some("add `[server]` with `name`, `version` and `description`".into()),
            );
        }
        return Server::default();
    };
    let name =
        fields.required_string("name", "write the server's name, such as `weather`; it is also its name on each cloud");
    if let Some(problem) = names::server(&name).filter(|_| !name.trim().is_empty()) {
        fields.error("name", problem, names::server_like(&name).map(|like| format!("write `{like}`")));
    }
    let version = fields.required_string("version", "write a version, such as `0.1.0`");
    if !version.is_empty() && semver::Version::parse(&version).is_err() {
        fields.error(
            "version",
            format!("`server.version` is `{}`, which is not a version", names::shown(&version)),
            Some("write three numbers, such as `1.0.0`".into()),
        );
    }
    let description =
        fields.required_string("description", "say in one sentence what the server offers; assistants read it");
    let website_url = fields.string("website_url");
    if website_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        fields.error("website_url", "`server.website_url` must begin with `https://`", None);
    }
    let server = Server {
        name,
        version,
        title: fields.string("title"),
        description,
        instructions: fields.string("instructions"),
        website_url,
        icons: icons(&fields),
    };
    fields.finish();
    server
}

fn cache(root: &Fields<'_, '_>) -> Cache {
    let mut cache = Cache { ttl: Duration::from_secs(300), scope: "public".into() };
    if let Some(fields) = root.fields("cache") {
        cache.ttl = fields.duration("ttl").unwrap_or(cache.ttl);
        cache.scope = fields.choice("scope", &["public", "private"]).unwrap_or(cache.scope);
        fields.finish();
    }
    cache
}

/// Every table of `[tools]`, `[resources]` or `[prompts]`.
fn declarations<T>(root: &Fields<'_, '_>, kind: Kind, read: impl Fn(&str, &Fields<'_, '_>) -> T) -> Vec<T> {
    let Some(all) = root.fields(kind.plural()) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, item) in all.entries() {
        if let Some(problem) = names::declaration(kind, name) {
            all.reader().error(all.key_span(name), problem, None);
        }
        if let Some(fields) = all.reader().table(item, &all.path_of(name), all.key_span(name)) {
            found.push(read(name, &fields));
            fields.finish();
        }
    }
    found
}

const DESCRIPTION: &str = "an assistant chooses by the description: say what it does and when to use it";

fn tool(name: &str, fields: &Fields<'_, '_>, read: ReadFile<'_>) -> Tool {
    let input = schema_of(fields, Kind::Tool, ("input", "input_schema"), SchemaRole::ToolInput, read);
    Tool {
        name: name.to_owned(),
        title: fields.string("title"),
        description: fields.required_string("description", DESCRIPTION),
        annotations: annotations(fields),
        timeout: fields.duration("timeout"),
        scopes: auth::scopes(fields),
        input: input.unwrap_or_else(|| object_schema(Map::new(), Vec::new(), true)),
        output: schema_of(fields, Kind::Tool, ("output", "output_schema"), SchemaRole::ToolOutput, read),
        icons: icons(fields),
        meta: about::meta(fields),
        state: state::of_tool(fields),
        at: fields.reader().position(fields.span()),
    }
}

/// The manifest's name of an annotation and the specification's.
pub const ANNOTATIONS: [(&str, &str); 4] = [
    ("read_only", "readOnlyHint"),
    ("destructive", "destructiveHint"),
    ("idempotent", "idempotentHint"),
    ("open_world", "openWorldHint"),
];

fn annotations(fields: &Fields<'_, '_>) -> Map<String, Value> {
    let mut annotations = Map::new();
    let Some(table) = fields.fields("annotations") else { return annotations };
    for (key, hint) in ANNOTATIONS {
        if let Some(flag) = table.bool(key) {
            annotations.insert(hint.into(), flag.into());
        }
    }
    table.finish();
    annotations
}

fn resource(name: &str, fields: &Fields<'_, '_>) -> Resource {
    let uri =
        fields.required_string("uri", "write a URI such as `docs://guide`, or a template such as `docs://{page}`");
    let variables = uri_template::variables(&uri).unwrap_or_else(|problem| {
        fields.error("uri", problem, None);
        None
    });
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !uri.is_empty() && (!scheme_ok || uri.chars().any(|c| c.is_whitespace() || c.is_control())) {
        fields.error(
            "uri",
            format!("`{}` is not a URI: it needs a scheme and no spaces", names::shown(&uri)),
            Some(format!("write `{name}://…`")),
        );
    }
    Resource {
        name: name.to_owned(),
        uri,
        variables,
        title: fields.string("title"),
        description: fields.required_string("description", DESCRIPTION),
        mime_type: fields.string("mime_type"),
        annotations: about::annotations(fields),
        icons: icons(fields),
        meta: about::meta(fields),
        at: fields.reader().position(fields.span()),
    }
}

fn prompt(name: &str, fields: &Fields<'_, '_>, read: ReadFile<'_>) -> Prompt {
    Prompt {
        name: name.to_owned(),
        title: fields.string("title"),
        description: fields.required_string("description", DESCRIPTION),
        input: schema_of(fields, Kind::Prompt, ("input", "input_schema"), SchemaRole::PromptArguments, read),
        icons: icons(fields),
        meta: about::meta(fields),
        at: fields.reader().position(fields.span()),
    }
}

/// A schema given as `[….input]` (one key a property), as an inline JSON Schema or as the path of a JSON file.
fn schema_of(
    fields: &Fields<'_, '_>,
    kind: Kind,
    (short, full): (&'static str, &'static str),
    role: SchemaRole,
    read: ReadFile<'_>,
) -> Option<Value> {
    let (short_item, full_item) = (fields.item(short), fields.item(full));
    if let (Some(_), Some(_)) = (short_item, full_item) {
        let message = format!("`{}` and `{}` exclude each other", fields.path_of(short), full);
        fields.error(
            full,
            message,
            Some(format!("keep one of them: `{short}` lists properties, `{full}` is a whole JSON Schema")),
        );
        return None;
    }
    if let Some(item) = short_item {
        let schema = shorthand(fields, short, item, role)?;
        report(fields, item, &schema, role, "/properties");
        return Some(schema);
    }
    let item = full_item?;
    let Some(path) = item.as_str() else {
        let schema = to_json(fields.reader(), item)?;
        report(fields, item, &schema, role, "");
        return Some(schema);
    };
    let text = match read(path) {
        Ok(text) => text,
        Err(problem) => {
            let hint = format!(
                "the path is relative to the project folder; the {}'s schema may also stand in `{}`",
                kind.noun(),
                fields.path_of(short)
            );
            fields.error(full, problem, Some(hint));
            return None;
        }
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(schema) => {
            for problem in problems(&schema, role) {
                let place =
                    if problem.pointer.is_empty() { String::new() } else { format!(" at `{}`", problem.pointer) };
                fields.reader().add(
                    problem.severity,
                    fields.value_span(full),
                    format!("`{path}`{place}: {}", problem.message),
                    problem.hint,
                );
            }
            Some(schema)
        }
        Err(error) => {
            fields.error(full, format!("`{path}` is not valid JSON: {error}"), None);
            None
        }
    }
}

/// `[tools.NAME.input]`: each key a property, its value JSON Schema and our one key `optional`.
fn shorthand(fields: &Fields<'_, '_>, key: &'static str, item: &Item, role: SchemaRole) -> Option<Value> {
    let path = fields.path_of(key);
    let table = fields.reader().table(item, &path, fields.key_span(key))?;
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, item) in table.entries() {
        let span = table.key_span(name);
        if item.as_table_like().is_none() {
            let hint =
                format!("write `{name} = {{ type = \"string\" }}`; a whole JSON Schema belongs in `{key}_schema`");
            fields.reader().error(
                span,
                format!("`{path}.{name}` must be a table with the property's JSON Schema, not {}", a(item.type_name())),
                Some(hint),
            );
            continue;
        }
        let Some(Value::Object(mut property)) = to_json(fields.reader(), item) else { continue };
        property.shift_remove("optional");
        let keys = fields.reader().table(item, &table.path_of(name), None);
        for key in property.keys().cloned().collect::<Vec<_>>() {
            let Some(hint) = meant_optional(&key, &property[&key]) else { continue };
            let message = format!("unknown key `{key}` in `{path}.{name}`");
            fields.reader().error(span_at(item, &format!("/{key}")), message, Some(hint));
            property.shift_remove(&key);
        }
        let optional = match keys.and_then(|keys| keys.item("optional")).map(Item::as_bool) {
            None => false,
            Some(Some(flag)) => flag,
            Some(_) => {
                fields.reader().error(
                    span_at(item, "/optional"),
                    format!("`{path}.{name}.optional` must be true or false"),
                    None,
                );
                true
            }
        };
        if !optional && !property.contains_key("default") {
            required.push(Value::from(name));
        }
        properties.insert(name.to_owned(), Value::Object(property));
    }
    Some(object_schema(properties, required, role == SchemaRole::ToolInput))
}

/// What to write instead of a key that is to be `optional`, or its opposite.
fn meant_optional(key: &str, value: &Value) -> Option<String> {
    if key == "required" && !value.is_array() {
        return Some(REQUIRED.to_owned());
    }
    let distance = strsim::damerau_levenshtein(&key.to_lowercase(), "optional");
    (distance <= 2 && key != "optional").then(|| "did you mean `optional`?".to_owned())
}

fn object_schema(properties: Map<String, Value>, required: Vec<Value>, closed: bool) -> Value {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    // An argument that the tool does not know is a mistake of the model: it is an error, so that the model learns of
    // it.
    if closed {
        schema.insert("additionalProperties".into(), false.into());
    }
    schema.into()
}

/// What is wrong with a schema; of a sound one, what assistants refuse too.
fn problems(schema: &Value, role: SchemaRole) -> Vec<SchemaProblem> {
    let mut problems = lint::lint(schema, role);
    if problems.iter().all(|problem| problem.severity == Severity::Warning) {
        problems.extend(clients::refused(schema, role, &problems));
    }
    problems
}

fn report(fields: &Fields<'_, '_>, item: &Item, schema: &Value, role: SchemaRole, prefix: &str) {
    for problem in problems(schema, role) {
        let pointer = problem.pointer.strip_prefix(prefix).unwrap_or(&problem.pointer);
        fields.reader().add(
            problem.severity,
            span_at(item, pointer).or_else(|| fields.span()),
            problem.message,
            problem.hint,
        );
    }
}

fn icons(fields: &Fields<'_, '_>) -> Vec<Value> {
    let Some(item) = fields.item("icons") else { return Vec::new() };
    let Some(tables) = fields.tables("icons") else {
        let hint = "write `icons = [{ src = \"https://…\", mime_type = \"image/png\" }]`".to_owned();
        fields.error("icons", format!("`{}` must be an array of tables", fields.path_of("icons")), Some(hint));
        return Vec::new();
    };
    tables.iter().for_each(icon);
    let Some(Value::Array(icons)) = to_json(fields.reader(), item) else { return Vec::new() };
    icons.into_iter().map(camel_case_icon).collect()
}

fn icon(table: &Fields<'_, '_>) {
    let src = table.string("src");
    let is_text = src.is_some() || table.item("src").is_none();
    if is_text && !src.is_some_and(|src| src.starts_with("https://") || src.starts_with("data:")) {
        table.reader().error(table.span(), "an icon's `src` must begin with `https://` or `data:`", None);
    }
    table.string("mime_type");
    table.strings("sizes");
    table.choice("theme", &["light", "dark"]);
    table.finish();
}

fn camel_case_icon(icon: Value) -> Value {
    let Value::Object(icon) = icon else { return icon };
    let renamed =
        icon.into_iter().map(|(key, value)| (if key == "mime_type" { "mimeType".to_owned() } else { key }, value));
    Value::Object(renamed.collect())
}

/// Names and URIs that differ for TOML but not for a file system or a client.
fn duplicates(root: &Fields<'_, '_>, manifest: &Manifest) {
    for kind in Kind::ALL {
        let mut seen: HashMap<String, (&str, Position)> = HashMap::new();
        for (name, at) in manifest.declared(kind) {
            if let Some((first, other)) = seen.insert(name.to_ascii_lowercase(), (name, at)) {
                let message = format!(
                    "the {} names `{first}` and `{name}` differ only in case: one file on many disks",
                    kind.noun()
                );
                root.reader().error(
                    offset(root, kind, name),
                    message,
                    Some(format!("rename one of them; the other is at line {}", other.line)),
                );
            }
        }
    }
    let mut uris: HashMap<&str, &str> = HashMap::new();
    for resource in manifest.resources.iter().filter(|resource| !resource.uri.is_empty()) {
        if let Some(first) = uris.insert(&resource.uri, &resource.name) {
            let message = format!(
                "the resources `{first}` and `{}` have the same URI `{}`",
                resource.name,
                names::shown(&resource.uri)
            );
            root.reader().error(offset(root, Kind::Resource, &resource.name), message, None);
        }
    }
}

/// What assistants refuse of the tools, their names and their number.
fn unpopular(root: &Fields<'_, '_>, manifest: &Manifest) {
    for rule in clients::too_many(manifest.tools.len()) {
        root.reader().warning(root.key_span("tools"), rule.says, Some(rule.hint()));
    }
    let legal = manifest.tools.iter().filter(|tool| names::declaration(Kind::Tool, &tool.name).is_none());
    for tool in legal {
        for rule in clients::unpopular(&manifest.server.name, &tool.name, &tool.description) {
            root.reader().warning(offset(root, Kind::Tool, &tool.name), rule.says, Some(rule.hint()));
        }
    }
}

fn scopes_without_tokens(root: &Fields<'_, '_>, manifest: &Manifest) {
    if matches!(manifest.access.auth, Auth::OAuth(_)) {
        return;
    }
    for tool in manifest.tools.iter().filter(|tool| !tool.scopes.is_empty()) {
        let hint = "write `auth = \"oauth\"` in `[access]`, or remove the scopes".to_owned();
        let message = format!("the tool `{}` asks for scopes, which only OAuth tokens have", tool.name);
        root.reader().error(span_at_root(root, &format!("/tools/{}/scopes", tool.name)), message, Some(hint));
    }
}

fn offset(root: &Fields<'_, '_>, kind: Kind, name: &str) -> Option<Range<usize>> {
    let all = root.entries().into_iter().find(|(key, _)| *key == kind.plural())?.1;
    span_at(all, &format!("/{name}"))
}

pub(super) fn span_at_root(root: &Fields<'_, '_>, pointer: &str) -> Option<Range<usize>> {
    let (section, rest) = pointer[1..].split_once('/')?;
    let item = root.entries().into_iter().find(|(key, _)| *key == section)?.1;
    span_at(item, &format!("/{rest}"))
}
