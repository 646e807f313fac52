//! `[access] auth` and `[access.oauth]`: how callers prove who they are.

use super::reader::Fields;
use super::{Auth, OAuth, names};

pub fn auth(access: &Fields<'_, '_>) -> Auth {
    let kind = access.choice("auth", &["none", "api-key", "oauth"]);
    let misspelt = kind.is_none() && access.item("auth").is_some();
    let table = access.item("oauth");
    let oauth = access.fields("oauth").map(oauth);
    match (kind.as_deref(), oauth) {
        (Some("oauth"), None) if table.is_none() => {
            let hint = "add `[access.oauth]` with `issuer` and `audience`".to_owned();
            access.error("auth", "`auth = \"oauth\"` needs to know whose tokens count", Some(hint));
        }
        (kind, Some(_)) if kind != Some("oauth") && !misspelt => {
            let message = format!("`[access.oauth]` has no effect: `auth` is `{}`", kind.unwrap_or("none"));
            let hint = "write `auth = \"oauth\"` in `[access]`, or take `[access.oauth]` out".to_owned();
            access.reader().error(access.key_span("oauth"), message, Some(hint));
        }
        (Some("oauth"), Some(oauth)) => return Auth::OAuth(oauth),
        _ => {}
    }
    match kind.as_deref() {
        Some("oauth") => Auth::OAuth(OAuth::default()),
        Some("api-key") => Auth::ApiKey,
        _ => Auth::None,
    }
}

fn oauth(fields: Fields<'_, '_>) -> OAuth {
    let issuer =
        fields.required_string("issuer", "write the `iss` of its tokens, such as `https://login.example.com/`");
    secure(&fields, "issuer", &issuer);
    if issuer.contains(['?', '#']) {
        fields.error("issuer", "`access.oauth.issuer` must not have a query or a fragment", None);
    }
    let audience = fields.required_string(
        "audience",
        "write the `aud` of tokens for this server: its URL, such as `https://mcp.example.com/mcp`, or its name at the issuer",
    );
    if audience.contains(|c: char| c.is_whitespace() || c.is_control()) {
        fields.error("audience", "`access.oauth.audience` must not hold spaces", None);
    }
    let jwks_uri = fields.string("jwks_uri");
    if let Some(uri) = &jwks_uri {
        secure(&fields, "jwks_uri", uri);
    }
    let oauth = OAuth { issuer, audience, scopes: scopes(&fields), jwks_uri };
    fields.finish();
    oauth
}

/// Whoever can change what is read there can make tokens: HTTPS keeps all others out, and on this machine nobody is between.
fn secure(fields: &Fields<'_, '_>, key: &'static str, url: &str) {
    let path = fields.path_of(key);
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        if !url.trim().is_empty() {
            fields.error(key, format!("`{path}` must begin with `https://`"), None);
        }
        return;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let local = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if host.is_empty() || !(local || host.chars().all(legal)) || url.contains(|c: char| !c.is_ascii_graphic()) {
        fields.error(key, format!("`{path}` is no URL"), None);
    } else if !local && !url.starts_with("https://") {
        let hint = format!("write `https://{}`; `http` is for this machine only", names::shown(rest));
        fields.error(key, format!("`{path}` is not encrypted: anybody on the way could make tokens"), Some(hint));
    }
}

/// `scopes = ["…"]` of a table, each a scope token of RFC 6749.
pub fn scopes(fields: &Fields<'_, '_>) -> Vec<String> {
    let mut scopes = Vec::new();
    for (scope, span) in fields.strings("scopes").unwrap_or_default() {
        let legal = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if scope.is_empty() || !scope.chars().all(legal) {
            let hint = "write one scope a string, such as `\"weather:read\"`".to_owned();
            fields.reader().error(span, format!("`{}` is no scope", names::shown(&scope)), Some(hint));
        } else if scopes.contains(&scope) {
            fields.reader().error(span, format!("the scope `{}` is listed twice", names::shown(&scope)), None);
        }
        scopes.push(scope);
    }
    scopes
}
