//! Rules for `x-mcp-header`, which has a client repeat an argument in a header.

use serde_json::Value;

use super::words::{describe, show};
use super::{Lint, SchemaRole, Site};

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

/// Words that make the `token` after them a cursor, which is not a secret.
const CURSOR_WORDS: &[&str] = &["page", "continuation", "sync", "next", "cursor"];

pub fn check_header(lint: &mut Lint, site: &Site) {
    if lint.role != SchemaRole::ToolInput {
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

fn is_token(name: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(tchar)
}

fn looks_secret(name: &str) -> bool {
    let words = format!(" {} ", words(name).join(" "));
    let has = |phrase: &str| words.contains(&format!(" {phrase} "));
    let cursor = CURSOR_WORDS.iter().any(|word| has(&format!("{word} token")));
    SECRET_WORDS.iter().any(|word| has(word) && !(cursor && *word == "token"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::lint::tests::Rows::Whole;
    use crate::schema::lint::tests::table;

    #[test]
    fn headers() {
        table(
            Whole(SchemaRole::ToolInput),
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
            Whole(SchemaRole::ToolOutput),
            &[(
                r#"{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"}}}"#,
                &[
                    "warning /properties/a/x-mcp-header: `x-mcp-header` has a meaning in the input of a tool only [remove it]",
                ],
            )],
        );
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
}
