//! The part of RFC 6570 that the runtime matches: `{name}`, `{+name}`, `{/name}`, `{.name}`, `{name*}`, `{?a,b}`.

/// One variable of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// `{name*}`: several values arrive as a list.
    pub list: bool,
    /// `{?name}`: may be absent.
    pub optional: bool,
}

/// The variables of `uri`; `None` when it is a fixed URI, an error when the server could not match it.
pub fn variables(uri: &str) -> Result<Option<Vec<Variable>>, String> {
    let mut found: Vec<Variable> = Vec::new();
    let mut rest = uri;
    while let Some(open) = rest.find(['{', '}']) {
        if rest[open..].starts_with('}') {
            return Err("the URI template has a `}` without its `{`".into());
        }
        let inner = &rest[open + 1..];
        let close = inner.find('}').ok_or("the URI template has a `{` that is never closed")?;
        expression(&inner[..close], &mut found)?;
        rest = &inner[close + 1..];
    }
    Ok((!found.is_empty()).then_some(found))
}

/// Whether `uri` may be one of those that `template` stands for; a fixed URI stands for itself.
pub fn may_match(template: &str, uri: &str) -> bool {
    let literals = template.split('{').map(|part| part.split_once('}').map_or(part, |(_, literal)| literal));
    let literals: Vec<&str> = literals.collect();
    let (Some((first, others)), Some((last, _))) = (literals.split_first(), literals.split_last()) else {
        return false;
    };
    if others.is_empty() {
        return template == uri;
    }
    let inner = &others[..others.len() - 1];
    let rest = uri.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    inner.iter().try_fold(rest.unwrap_or_default(), |rest, literal| Some(rest.split_once(literal)?.1)).is_some()
        && rest.is_some()
}

fn expression(text: &str, found: &mut Vec<Variable>) -> Result<(), String> {
    let operator = text.chars().next().filter(|c| "+#./;?&|!=,@".contains(*c));
    if let Some(other @ ('#' | ';' | '|' | '!' | '=' | ',' | '@')) = operator {
        return Err(format!(
            "the URI template expression `{{{text}}}` begins with `{other}`, which an MCP server cannot match"
        ));
    }
    let optional = matches!(operator, Some('?' | '&'));
    let names: Vec<&str> = text[operator.map_or(0, char::len_utf8)..].split(',').collect();
    if names.len() > 1 && !optional {
        return Err(format!(
            "the URI template expression `{{{text}}}` holds several names; write each in separate braces"
        ));
    }
    for name in names {
        let list = name.ends_with('*');
        let name = name.strip_suffix('*').unwrap_or(name);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!("the URI template variable `{name}` must be made of A-Z a-z 0-9 _"));
        }
        if found.iter().any(|variable| variable.name == name) {
            return Err(format!("the URI template names the variable `{name}` twice"));
        }
        found.push(Variable { name: name.to_owned(), list, optional });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_variables() {
        let names = |uri| {
            variables(uri).unwrap().map(|all| all.into_iter().map(|v| (v.name, v.list, v.optional)).collect::<Vec<_>>())
        };
        assert_eq!(names("test://fixed"), None);
        assert_eq!(names("weather://{city}/forecast"), Some(vec![("city".into(), false, false)]));
        assert_eq!(names("x://{a}{/b*}"), Some(vec![("a".into(), false, false), ("b".into(), true, false)]));
        assert_eq!(
            names("log://x{?offset,limit}"),
            Some(vec![("offset".into(), false, true), ("limit".into(), false, true)])
        );
    }

    #[test]
    fn tells_what_a_template_stands_for() {
        for (template, uri) in
            [("ui://a", "ui://a"), ("ui://{a}", "ui://b"), ("ui://{a}/b.html", "ui://a/b.html/b.html")]
        {
            assert!(may_match(template, uri), "{template} {uri}");
        }
        for (template, uri) in
            [("ui://a", "ui://ab"), ("ui://a", "ui://"), ("ui://{a}/b", "ui://a/c"), ("x://{a}", "ui://a")]
        {
            assert!(!may_match(template, uri), "{template} {uri}");
        }
    }

    #[test]
    fn refuses_what_the_server_cannot_match() {
        for bad in ["x://{", "x://}", "x://{}", "x://{a,b}", "x://{#a}", "x://{a}/{a}", "x://{a-b}"] {
            assert!(variables(bad).is_err(), "{bad}");
        }
    }
}
