//! The text of `src/generated/types.ts`: what every handler receives and returns, from the schemas.

use serde_json::Value;

use crate::manifest::{Manifest, Prompt, Resource, Tool};
use crate::schema::typescript::{defs_member, string_literal as literal, types_of};

/// The interfaces `Tools`, `Resources`, `Prompts` and `Env`.
pub fn declarations(manifest: &Manifest) -> String {
    let mut text =
        interface("Tools", "What each tool receives, defaults applied, and returns.", manifest.tools.iter().map(tool));
    text.push_str(&interface(
        "Resources",
        "The variables of each resource's URI template.",
        manifest.resources.iter().map(resource),
    ));
    text.push_str(&interface(
        "Prompts",
        "What each prompt receives, defaults applied.",
        manifest.prompts.iter().map(prompt),
    ));
    let settings = manifest.env.iter().map(|(name, _)| (name, false));
    let secrets = manifest.secrets.iter().filter(|secret| secret.only.is_empty());
    let secrets = secrets.map(|secret| (&secret.name, secret.optional));
    let variables = settings.chain(secrets).map(|(name, optional)| {
        let kind = if optional { "string | undefined" } else { "string" };
        format!("  readonly {}: {kind};\n", literal(name))
    });
    text.push_str(&interface("Env", "Settings and secrets, by name.", variables));
    text.truncate(text.trim_end().len());
    text
}

fn interface(name: &str, doc: &str, members: impl Iterator<Item = String>) -> String {
    let members: String = members.collect();
    match members.is_empty() {
        true => format!("/** {doc} */\nexport interface {name} {{}}\n\n"),
        false => format!("/** {doc} */\nexport interface {name} {{\n{members}}}\n\n"),
    }
}

fn entry(name: &str, members: &[(String, String)]) -> String {
    let members: String = members.iter().map(|(member, text)| format!("    {member}: {text};\n")).collect();
    format!("  {}: {{\n{members}  }};\n", literal(name))
}

fn tool(tool: &Tool) -> String {
    let access = format!("Tools[{}]", literal(&tool.name));
    let mut members = schema(&tool.input, &access, "input", true);
    members.extend(tool.output.iter().flat_map(|output| schema(output, &access, "output", false)));
    members.extend(tool.state.iter().map(|_| ("state".to_owned(), "true".to_owned())));
    entry(&tool.name, &members)
}

/// A schema's type, and beside it what its references lead to.
fn schema(schema: &Value, access: &str, member: &str, applied_defaults: bool) -> Vec<(String, String)> {
    let (text, defs) = types_of(schema, access, member, applied_defaults, 2);
    let defs = defs.map(|defs| (defs_member(member), defs));
    std::iter::once((member.to_owned(), text)).chain(defs).collect()
}

fn resource(resource: &Resource) -> String {
    let variables = resource.variables.iter().flatten().map(|variable| {
        let (mark, kind) =
            (if variable.optional { "?" } else { "" }, if variable.list { "string | string[]" } else { "string" });
        format!("{}{mark}: {kind}", literal(&variable.name))
    });
    let variables: Vec<String> = variables.collect();
    let text =
        if variables.is_empty() { "Record<string, never>".into() } else { format!("{{ {} }}", variables.join("; ")) };
    entry(&resource.name, &[("variables".to_owned(), text)])
}

fn prompt(prompt: &Prompt) -> String {
    let access = format!("Prompts[{}]", literal(&prompt.name));
    let members = match &prompt.input {
        Some(input) => schema(input, &access, "arguments", true),
        None => vec![("arguments".to_owned(), "Record<string, never>".to_owned())],
    };
    entry(&prompt.name, &members)
}
