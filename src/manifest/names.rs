//! What may be called how: the rules of the protocol, of the file system and of the three clouds.

use super::{Kind, targets};
use crate::ui;

/// Why `name` cannot name a tool, resource or prompt; `None` when it can.
pub fn declaration(kind: Kind, name: &str) -> Option<String> {
    let noun = kind.noun();
    if name.is_empty() {
        return Some(format!("the {noun} has an empty name"));
    }
    if name.len() > 128 {
        return Some(format!("the {noun} name is {} characters long; the MCP specification allows 128", name.len()));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "_.-".contains(*c))) {
        return Some(format!(
            "the {noun} name `{}` has the character {bad:?}; allowed are A-Z a-z 0-9 _ - .",
            shown(name)
        ));
    }
    // Looked up as a property, each of these is found on every JavaScript object: the server would not start.
    const INHERITED: [&str; 7] = [
        "constructor",
        "toString",
        "toLocaleString",
        "valueOf",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
    ];
    if INHERITED.contains(&name) || name.starts_with("__") {
        return Some(format!("the {noun} cannot be called `{name}`: every JavaScript object has that already"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') || name.ends_with('.') {
        return Some(format!(
            "the {noun} name `{name}` must begin with a letter, a digit or `_` and not end with `.`: it is also a file name"
        ));
    }
    None
}

/// Why `name` cannot be the server's name, which is also its name on each cloud.
///
/// The rule is the common part of a CloudFormation stack name, a Vercel project name and a Worker name.
pub fn server(name: &str) -> Option<String> {
    let ok = !name.is_empty()
        && name.len() <= 54
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && !name.contains("---");
    (!ok).then(|| {
        format!(
            "the server name `{}` cannot be its name on every cloud: at most 54 of a-z 0-9 -, beginning with a letter, not ending with `-`",
            shown(name)
        )
    })
}

/// The nearest name that [`server`] accepts, for a hint or a default; `None` when nothing is left of it.
pub fn server_like(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => out.push(c),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    let start = out.find(|c: char| c.is_ascii_lowercase())?;
    let name: String = out[start..].chars().take(54).collect();
    let name = name.trim_end_matches('-').to_owned();
    server(&name).is_none().then_some(name)
}

/// Why `name` cannot be a stage of `server`; `None` when it can.
pub fn stage(name: &str, server_name: &str) -> Option<String> {
    let ok = name.len() <= 20 && server(name).is_none();
    if !ok {
        return Some(format!(
            "the stage name `{}` must be at most 20 of a-z 0-9 -, beginning with a letter",
            shown(name)
        ));
    }
    let app = format!("{server_name}-{name}");
    (app.len() > 54)
        .then(|| format!("the name `{app}` on the clouds would be longer than 54 characters; shorten the stage's name"))
}

/// Whether npm knows a package by such a name: `sharp`, `@scope/name`, `.prisma/client`.
pub fn package(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-~".contains(c);
    let parts: Vec<&str> = name.split('/').collect();
    let is_part = |part: &str| part.chars().all(legal) && part.chars().any(|c| c.is_ascii_alphanumeric());
    match parts.as_slice() {
        [one] => is_part(one) && !one.starts_with('.'),
        [scope, one] if scope.starts_with(['@', '.']) => is_part(&scope[1..]) && is_part(one) && !one.starts_with('.'),
        _ => false,
    }
}

/// Why `name` cannot be an environment variable of the server; `None` when it can.
pub fn variable(name: &str) -> Option<String> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if !well_formed {
        return Some(format!("the name `{}` must be in capitals: A-Z 0-9 _, beginning with a letter", shown(name)));
    }
    // Those of every cloud, chosen or not: the manifest may name another one tomorrow.
    const RESERVED: [(&str, &str); 3] =
        [("NODE_", "Node.js"), (super::API_KEYS, "mcp-deploy"), ("MCP_LOCAL_", "mcp-deploy")];
    let reserved = targets::ALL.iter().flat_map(|target| target.reserved).chain(&RESERVED);
    let taken = reserved.into_iter().find(|(prefix, _)| name.starts_with(prefix));
    taken.map(|(prefix, owner)| format!("the name `{name}` is reserved: {owner} uses `{prefix}…` itself"))
}

/// At most 40 characters of a name somebody gave, for a message.
pub fn shown(name: &str) -> String {
    ui::shorten(name, 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declaration_names() {
        for good in ["a", "get_weather", "a.b", "A-1", "_x", "9", &"x".repeat(128)] {
            assert_eq!(declaration(Kind::Tool, good), None, "{good}");
        }
        for bad in
            ["", "bad name!", ".hidden", "-x", "x.", "naïve", "a/b", "..", "constructor", "__proto__", &"x".repeat(129)]
        {
            assert!(declaration(Kind::Tool, bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn server_names() {
        for good in ["weather", "a", "a-1", "x--y"] {
            assert_eq!(server(good), None, "{good}");
        }
        for bad in ["", "Weather", "1a", "a-", "a---b", "a_b", &"a".repeat(55)] {
            assert!(server(bad).is_some(), "{bad}");
        }
        assert_eq!(server_like("My Weather_Server!"), Some("my-weather-server".into()));
        assert_eq!(server_like("42 tools"), Some("tools".into()));
        assert_eq!(server_like("天気"), None);
    }

    #[test]
    fn variable_names() {
        assert_eq!(variable("LOG_LEVEL"), None);
        for bad in ["log", "1A", "AWS_REGION", "VERCEL_URL", "NODE_OPTIONS", "A-B", ""] {
            assert!(variable(bad).is_some(), "{bad}");
        }
    }
}
