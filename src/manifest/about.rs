//! What clients learn about a tool, a resource or a prompt besides its name and description: `meta`, and a resource's
//! `annotations`.

use serde_json::{Map, Value};
use toml_edit::Datetime;

use super::names::shown;
use super::reader::{Fields, a, to_json};
use super::sections::span_at_root;
use super::{Manifest, uri_template};

/// `meta = { … }`: sent as `_meta`, as it is written.
pub fn meta(fields: &Fields<'_, '_>) -> Option<Map<String, Value>> {
    let item = fields.item("meta")?;
    if item.as_table_like().is_none() {
        let message = format!("`{}` must be a table, not {}", fields.path_of("meta"), a(item.type_name()));
        fields.error("meta", message, Some("write `meta = { KEY = \"value\" }`".to_owned()));
        return None;
    }
    match to_json(fields.reader(), item) {
        Some(Value::Object(meta)) => Some(meta),
        _ => None,
    }
}

/// Whom a resource may be for.
pub const AUDIENCES: [&str; 2] = ["user", "assistant"];

/// `annotations` of a resource, under the names of the specification.
pub fn annotations(fields: &Fields<'_, '_>) -> Map<String, Value> {
    let mut annotations = Map::new();
    let Some(table) = fields.fields("annotations") else { return annotations };
    if let Some(audience) = audience(&table) {
        annotations.insert("audience".into(), audience.into());
    }
    if let Some(priority) = table.fraction("priority") {
        annotations.insert("priority".into(), priority);
    }
    if let Some(at) = table.string("last_modified") {
        if !is_iso_8601(&at) {
            let message =
                format!("`{}` is `{}`, which is not an ISO 8601 date", table.path_of("last_modified"), shown(&at));
            table.error(
                "last_modified",
                message,
                Some("write a date and a time, such as `\"2026-11-28T15:00:00Z\"`".into()),
            );
        }
        annotations.insert("lastModified".into(), at.into());
    }
    table.finish();
    annotations
}

fn audience(table: &Fields<'_, '_>) -> Option<Vec<String>> {
    let mut audience = Vec::new();
    for (role, span) in table.strings("audience")? {
        if !AUDIENCES.contains(&role.as_str()) {
            let message = format!("`{}` is not an audience: it must be `user` or `assistant`", shown(&role));
            table.reader().error(span, message, super::nearest(&role, AUDIENCES.into_iter()));
        } else if audience.contains(&role) {
            table.reader().error(span, format!("the audience `{role}` is listed twice"), None);
        }
        audience.push(role);
    }
    Some(audience)
}

/// A date, or a date and a time; TOML takes a space between the two, which ISO 8601 does not.
fn is_iso_8601(text: &str) -> bool {
    let parsed = text.parse::<Datetime>();
    parsed.is_ok_and(|parsed| parsed.date.is_some()) && !text.contains([' ', 't', 'z'])
}

/// Where the `meta` of a tool names the page that shows its results: MCP Apps, its first drafts, and ChatGPT.
const PAGES: [&str; 3] = ["/ui/resourceUri", "/ui~1resourceUri", "/openai~1outputTemplate"];

/// A page that no resource of the manifest serves would be missing in every client.
pub fn missing_pages(root: &Fields<'_, '_>, manifest: &Manifest) {
    for tool in &manifest.tools {
        let Some(meta) = tool.meta.clone().map(Value::Object) else { continue };
        for place in PAGES {
            let Some(uri) = meta.pointer(place).and_then(Value::as_str).filter(|uri| uri.starts_with("ui://")) else {
                continue;
            };
            if manifest.resources.iter().any(|resource| uri_template::may_match(&resource.uri, uri)) {
                continue;
            }
            let pages = manifest.resources.iter().map(|resource| resource.uri.as_str());
            let hint = super::nearest(uri, pages.filter(|uri| uri.starts_with("ui://")));
            let hint = hint.unwrap_or_else(|| format!("add `[resources.NAME]` with `uri = \"{}\"`", shown(uri)));
            let message =
                format!("the tool `{}` names `{}`, which is not a resource of this manifest", tool.name, shown(uri));
            root.reader().error(span_at_root(root, &format!("/tools/{}/meta{place}", tool.name)), message, Some(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in ["2026-11-28", "2026-11-28T15:00:00Z", "2026-11-28T15:00:00.5+01:00", "2026-11-28T15:00:00"] {
            assert!(is_iso_8601(good), "{good}");
        }
        for bad in
            ["", "yesterday", "28.11.2026", "15:00:00", "2026-13-01", "2026-11-28 15:00:00Z", "2026-11-28t15:00:00z"]
        {
            assert!(!is_iso_8601(bad), "{bad}");
        }
    }
}
