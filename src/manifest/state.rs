//! `[tools.NAME] state`: whose the values are that a handler keeps, and what the clouds need to keep them.

use super::reader::{Fields, a, nearest};
use super::sections::span_at_root;
use super::targets::stores::Credential;
use super::{Auth, Manifest, Secret, State, Tool, names, targets};

/// `"caller"`, `"shared"` or `{ handle = "PARAM" }`.
pub fn of_tool(fields: &Fields<'_, '_>) -> Option<State> {
    let item = fields.item("state")?;
    if item.is_table_like() {
        let table = fields.fields("state")?;
        let handle = table.required_string("handle", "name the parameter that holds the handle: `{ handle = \"id\" }`");
        table.finish();
        return Some(State::Handle(handle)).filter(|_| table.item("handle").is_some());
    }
    if !item.is_str() {
        let message = format!("`{}` must be a string or a table, not {}", fields.path_of("state"), a(item.type_name()));
        let hint = "write `\"caller\"`, `\"shared\"` or `{ handle = \"PARAM\" }`".to_owned();
        fields.error("state", message, Some(hint));
        return None;
    }
    match fields.choice("state", &["caller", "shared"])?.as_str() {
        "caller" => Some(State::Caller),
        _ => Some(State::Shared),
    }
}

/// Values that would be nobody's, or of another than the manifest says.
pub fn faults(root: &Fields<'_, '_>, manifest: &Manifest) {
    for tool in &manifest.tools {
        let fault = match &tool.state {
            Some(State::Caller) if manifest.access.auth == Auth::None => Some((
                format!("the state of `{}` is each caller's own, but no caller proves who it is", tool.name),
                "write `auth = \"api-key\"` in `[access]`, or `state = \"shared\"`, or `state = { handle = \"PARAM\" }`".to_owned(),
            )),
            Some(State::Handle(parameter)) => no_handle(tool, parameter),
            _ => None,
        };
        if let Some((message, hint)) = fault {
            root.reader().error(span_at_root(root, &format!("/tools/{}/state", tool.name)), message, Some(hint));
        }
    }
}

/// Why a parameter cannot name what the state belongs to.
fn no_handle(tool: &Tool, parameter: &str) -> Option<(String, String)> {
    let shown = names::shown(parameter);
    let declared = format!("declare it: `{shown} = {{ type = \"string\" }}` in `[tools.{}.input]`", tool.name);
    let known = tool.input["properties"].as_object();
    let Some(property) = known.and_then(|known| known.get(parameter)) else {
        let near = known.and_then(|known| nearest(parameter, known.keys().map(String::as_str)));
        return Some((format!("the handle `{shown}` is not a parameter of `{}`", tool.name), near.unwrap_or(declared)));
    };
    if property["type"] != "string" {
        return Some((format!("the handle `{shown}` of `{}` must be a string", tool.name), declared));
    }
    let required = tool.input["required"].as_array().is_some_and(|all| all.iter().any(|name| name == parameter));
    if !required {
        let hint = "remove its `optional` or `default`: without the handle the state has no owner".to_owned();
        return Some((format!("the handle `{shown}` of `{}` must be required", tool.name), hint));
    }
    None
}

/// The credentials of a store are secrets of the targets that keep something in it, declared by what needs them.
pub fn secrets(manifest: &mut Manifest) {
    manifest.secrets.retain(|secret| secret.only.is_empty());
    let stores = targets::chosen(&manifest.targets).map(|target| (target, (target.store)(&manifest.targets)));
    let used: Vec<_> = stores.filter(|(_, store)| store.is_used(manifest)).collect();
    for (target, store) in used {
        for Credential { name, alias, description } in store.secrets {
            match manifest.secrets.iter_mut().find(|secret| secret.name == *name) {
                Some(shared) if !shared.only.is_empty() => {
                    shared.description = format!("{}, {}", target.title, shared.description);
                    shared.only.push(target.name);
                }
                Some(_) => {}
                None => {
                    let secret = Secret::new(*name, format!("{}: {description}", target.title));
                    manifest.secrets.push(Secret { only: vec![target.name], alias: Some(alias), ..secret });
                }
            }
        }
    }
}
