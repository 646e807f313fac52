//! Rules for references and for what they lead to.

use super::near::nearest;
use super::pointer::percent_decode;
use super::words::show;
use super::{Lint, Site};

pub fn check_id(lint: &mut Lint, site: &Site) {
    let Some(id) = site.value.as_str().filter(|id| !id.is_empty() && !site.place.is_root()) else {
        return;
    };
    let named = id.strip_prefix('#').filter(|name| !name.starts_with('/'));
    if let (true, Some(name)) = (lint.dialect.is_old(), named) {
        check_unique_anchor(lint, site, name);
    } else {
        lint.error(
            site.at(),
            format!("`{}` below the root changes what every `#…` reference inside it means", site.key),
            "remove it: nothing can refer to it, since references must begin with `#`",
        );
    }
}

pub fn check_anchor(lint: &mut Lint, site: &Site) {
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

pub fn check_reference(lint: &mut Lint, site: &Site) {
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

fn resolves(lint: &mut Lint, site: &Site, reference: &str) -> bool {
    let (key, shown) = (site.key, show(reference));
    if !reference.starts_with('#') {
        lint.error(
            site.at(),
            format!("`{key}` {shown} points outside this schema, and a server does not fetch schemas"),
            "copy that schema into `$defs` and refer to it as `#/$defs/NAME`",
        );
        return false;
    }
    if lint.index.resolve(reference).is_none() {
        let (why, hint) = unresolved(lint, reference);
        lint.error(site.at(), format!("`{key}` {shown} {why}"), hint);
        return false;
    }
    true
}

fn unresolved(lint: &Lint, reference: &str) -> (&'static str, String) {
    let name = &reference[1..];
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

#[cfg(test)]
mod tests {
    use crate::schema::lint::SchemaRole;
    use crate::schema::lint::tests::Rows::Whole;
    use crate::schema::lint::tests::table;

    #[test]
    fn references() {
        table(
            Whole(SchemaRole::ToolInput),
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
                    &[],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$dynamicRef":"#dynamic"}},"$defs":{"A":{"$dynamicAnchor":"dynamic"}}}"##,
                    &[],
                ),
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Page[Item]"},"b":{"$ref":"#/$defs/Page%5BItem%5D"}},"$defs":{"Page[Item]":{}}}"##,
                    &[],
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
            Whole(SchemaRole::ToolInput),
            &[
                (
                    r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/List"}},"$defs":{"List":{"anyOf":[{"type":"null"},{"properties":{"next":{"$ref":"#/$defs/List"}}},{"items":{"$ref":"#/$defs/List"}}]}}}"##,
                    &[],
                ),
                (
                    r##"{"type":"object","allOf":[{"$dynamicRef":"#"}]}"##,
                    &[
                        "error /allOf/0/$dynamicRef: `$dynamicRef` `#` leads back to itself without entering a property or an item: checking a value would never end [put the recursion inside `properties` or `items`]",
                    ],
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
            Whole(SchemaRole::ToolInput),
            &[
                (r#"{"$id":"https://example.com/tools/x.json#","type":"object"}"#, &[]),
                (r#"{"$id":"urn:example:x","type":"object"}"#, &[]),
                (
                    r#"{"$id":"x.json","type":"object","properties":{"id":{"type":"string"},"$id":{"type":"string"}}}"#,
                    &[],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"$id":"a.json"},"b":{"id":"b"}}}"#,
                    &[
                        "error /properties/a/$id: `$id` below the root changes what every `#…` reference inside it means [remove it: nothing can refer to it, since references must begin with `#`]",
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
}
