//! `[access] auth` and `[access.oauth]`: how callers prove who they are.

use std::ops::Range;

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
            let hint = "write `auth = \"oauth\"` in `[access]`, or remove `[access.oauth]`".to_owned();
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
    let wanted = "write the `iss` of its tokens, such as `https://login.example.com/`";
    let issuers = each(&fields, "issuer", fields.one_or_more("issuer", Some(wanted)), |issuer, span| {
        secure(&fields, "issuer", issuer, span.clone());
        if issuer.contains(['?', '#']) {
            fields.reader().error(span, "`access.oauth.issuer` must not have a query or a fragment", None);
        }
    });
    let no_spaces = |key: &'static str| {
        let fields = &fields;
        move |text: &str, span| {
            if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
                fields.reader().error(span, format!("`{}` must not hold spaces", fields.path_of(key)), None);
            }
        }
    };
    let named = fields.item("client_ids").is_some();
    let client_ids =
        each(&fields, "client_ids", fields.strings("client_ids").unwrap_or_default(), no_spaces("client_ids"));
    // Tokens that name the client alone have no audience.
    let wanted = "write the `aud` of tokens for this server: its URL, such as `https://mcp.example.com/mcp`, or its name at the issuer; for tokens that name the client alone, `client_ids`";
    let audience = fields.one_or_more("audience", (!named).then_some(wanted));
    let audience = each(&fields, "audience", audience, no_spaces("audience"));
    if named && client_ids.is_empty() && audience.is_empty() {
        fields.error(
            "client_ids",
            "`access.oauth.client_ids` names no client: every token would be refused",
            Some(wanted.into()),
        );
    }
    let jwks_uri = fields.string("jwks_uri");
    if let Some(uri) = &jwks_uri {
        secure(&fields, "jwks_uri", uri, fields.value_span("jwks_uri"));
        if issuers.len() > 1 {
            let hint = "remove it: the metadata of each issuer names its keys".to_owned();
            fields.error(
                "jwks_uri",
                "`access.oauth.jwks_uri` holds the keys of one issuer, and there are several",
                Some(hint),
            );
        }
    }
    let oauth = OAuth { issuers, audience, client_ids, scopes: scopes(&fields), jwks_uri };
    fields.finish();
    oauth
}

type Span = Option<Range<usize>>;

/// The texts of a list, none of them empty or there twice.
fn each(
    fields: &Fields<'_, '_>,
    key: &'static str,
    all: Vec<(String, Span)>,
    check: impl Fn(&str, Span),
) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (text, span) in all {
        if text.trim().is_empty() {
            fields.reader().error(span, format!("`{}` holds an empty string", fields.path_of(key)), None);
        } else if found.contains(&text) {
            let message = format!("`{}` lists `{}` twice", fields.path_of(key), names::shown(&text));
            fields.reader().error(span, message, None);
        } else {
            check(&text, span);
        }
        found.push(text);
    }
    found
}

/// Whoever can change what is read there can make tokens: HTTPS keeps all others out, and on this machine nobody is
/// between.
fn secure(fields: &Fields<'_, '_>, key: &'static str, url: &str, span: Span) {
    let path = fields.path_of(key);
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        if !url.trim().is_empty() {
            fields.reader().error(span, format!("`{path}` must begin with `https://`"), None);
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
        fields.reader().error(span, format!("`{path}` is not a URL"), None);
    } else if !local && !url.starts_with("https://") {
        let hint = format!("write `https://{}`; `http` is for this machine only", names::shown(rest));
        let message = format!("`{path}` is not encrypted: anybody on the network could forge tokens");
        fields.reader().error(span, message, Some(hint));
    }
}

/// `scopes = ["…"]` of a table, each a scope token of RFC 6749.
pub fn scopes(fields: &Fields<'_, '_>) -> Vec<String> {
    let mut scopes = Vec::new();
    for (scope, span) in fields.strings("scopes").unwrap_or_default() {
        let legal = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if scope.is_empty() || !scope.chars().all(legal) {
            let hint = "write one scope per string, such as `\"weather:read\"`".to_owned();
            fields.reader().error(span, format!("`{}` is not a scope", names::shown(&scope)), Some(hint));
        } else if scopes.contains(&scope) {
            fields.reader().error(span, format!("the scope `{}` is listed twice", names::shown(&scope)), None);
        }
        scopes.push(scope);
    }
    scopes
}
