//! The sections that describe what it needs and who may call it: `[env]`, `[secrets]`, `[access]`.

use toml_edit::Item;

use super::reader::{Fields, nearest, span_at};
use super::{Access, Secret, auth, names, rate_limit};

/// The setting that the generated code reads itself: the lowest level that `ctx.log` writes.
const LOG_LEVEL: &str = "LOG_LEVEL";
pub(super) const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

pub fn env(root: &Fields<'_, '_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let wrong = "a setting's value must be a string";
    let fields = variables(root, "env", wrong, "write it in quotes", |_, name, item| {
        all.push((name.to_owned(), item.as_str()?.to_owned()));
        Some(())
    });
    // Any other would mean: everything is logged.
    if let Some(fields) = fields
        && let Some(level) = fields.item(LOG_LEVEL).and_then(Item::as_str)
        && !LEVELS.contains(&level)
    {
        let levels = LEVELS.map(|level| format!("`{level}`")).join(", ");
        let message =
            format!("`{}` is `{}`; it must be one of {levels}", fields.path_of(LOG_LEVEL), names::shown(level));
        fields.error(LOG_LEVEL, message, nearest(level, LEVELS.into_iter()));
    }
    all
}

/// `[build] external`: names of npm packages.
pub fn external(root: &Fields<'_, '_>) -> Vec<String> {
    let Some(fields) = root.fields("build") else { return Vec::new() };
    let mut all: Vec<String> = Vec::new();
    for (name, span) in fields.strings("external").unwrap_or_default() {
        if names::package(&name) {
            all.push(name);
        } else {
            let message = format!("`{}` is not the name of an npm package", names::shown(&name));
            root.reader().error(span, message, Some("write a name such as `sharp` or `@scope/name`".into()));
        }
    }
    fields.finish();
    all
}

pub fn secrets(root: &Fields<'_, '_>) -> Vec<Secret> {
    let mut all = Vec::new();
    let wrong = "a secret is declared with a description, never with its value";
    let hint = "write what it is, such as `\"Key of the weather service\"`";
    variables(root, "secrets", wrong, hint, |fields, name, item| {
        let secret = match item.as_str() {
            Some(description) => Secret::new(name, description),
            None => described(fields, name, item)?,
        };
        all.push(secret);
        Some(())
    });
    let settings: Vec<String> = match root.entries().into_iter().find(|(key, _)| *key == "env") {
        Some((_, item)) => item.as_table_like().into_iter().flat_map(|t| t.iter()).map(|(k, _)| k.to_owned()).collect(),
        None => Vec::new(),
    };
    for Secret { name, .. } in &all {
        if settings.contains(name) {
            let hint = "declare a secret in `[secrets]` only: `[env]` is committed and readable".to_owned();
            let span = root.entries().into_iter().find(|(key, _)| *key == "secrets");
            let span = span.and_then(|(_, item)| span_at(item, &format!("/{name}")));
            root.reader().error(span, format!("`{name}` is declared in `[env]` and in `[secrets]`"), Some(hint));
        }
    }
    all
}

/// `NAME = { description = "…", optional = true }`; `None` if it is not a table.
fn described(fields: &Fields<'_, '_>, name: &str, item: &Item) -> Option<Secret> {
    item.as_table_like()?;
    let table = fields.reader().table(item, &fields.path_of(name), fields.key_span(name))?;
    let description = table.required_string("description", "write what it is and where to get it");
    let optional = table.bool("optional").unwrap_or_default();
    table.finish();
    Some(Secret { optional, ..Secret::new(name, description) })
}

/// Every entry of a section whose keys are names of variables; `take` answers `None` for a value of the wrong kind.
fn variables<'r, 't>(
    root: &Fields<'r, 't>,
    key: &'static str,
    wrong: &str,
    hint: &str,
    mut take: impl FnMut(&Fields<'_, '_>, &str, &Item) -> Option<()>,
) -> Option<Fields<'r, 't>> {
    let fields = root.fields(key)?;
    for (name, item) in fields.entries() {
        if let Some(problem) = names::variable(name) {
            fields.reader().error(fields.key_span(name), problem, None);
        }
        if take(&fields, name, item).is_none() {
            fields.error(name, format!("`{key}.{}`: {wrong}", names::shown(name)), Some(hint.to_owned()));
        }
    }
    Some(fields)
}

pub fn access(root: &Fields<'_, '_>) -> Access {
    let mut access = Access::default();
    let Some(fields) = root.fields("access") else { return access };
    for (origin, span) in fields.strings("origins").unwrap_or_default() {
        if origin != "*" && !is_origin(&origin) {
            let hint = "write scheme and host only, such as `https://app.example` or `http://localhost:3000`";
            fields.reader().error(span, format!("`{}` is not an origin", names::shown(&origin)), Some(hint.into()));
        }
        access.origins.push(origin);
    }
    for (host, span) in fields.strings("hosts").unwrap_or_default() {
        if !is_host(&host) {
            fields.reader().error(
                span,
                format!("`{}` is not a host name", names::shown(&host)),
                Some("write the name only, such as `mcp.example.com`".into()),
            );
        }
        access.hosts.push(host);
    }
    access.auth = auth::auth(&fields);
    access.rate_limit = rate_limit::rate_limit(&fields);
    fields.finish();
    access
}

fn is_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let (host, port) = rest.split_once(':').unwrap_or((rest, "1"));
    is_host(host) && port.parse::<u16>().is_ok()
}

pub(super) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    !host.is_empty() && host.len() <= 253 && host.split('.').all(label)
}
