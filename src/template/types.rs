//! The text of `src/generated/types.ts`: what every handler receives and returns, from the schemas.

use crate::manifest::typescript::{defs_of, literal, type_of};
use crate::manifest::{Manifest, Prompt, Resource, Tool};

/// The interfaces `Tools`, `Resources`, `Prompts` and `Env`.
pub fn declarations(manifest: &Manifest) -> String {
    let mut text =
        interface("Tools", "What each tool receives, defaults applied, and returns.", manifest.tools.iter().map(tool));
    // A `$ref` inside an output's schema means that schema's own `$defs`, not those of the input.
    let outputs: Vec<String> = manifest.tools.iter().filter_map(output_with_defs).collect();
    if !outputs.is_empty() {
        text.push_str(&interface(
            "Outputs",
            "Outputs whose schemas have definitions of their own.",
            outputs.into_iter(),
        ));
    }
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
    let settings = manifest.env.iter().map(|(name, _)| name);
    let secrets = manifest.secrets.iter().map(|secret| &secret.name);
    let variables = settings.chain(secrets).map(|name| format!("  readonly {}: string;\n", literal(name)));
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

fn entry(name: &str, members: &[(&str, String)]) -> String {
    let members: String = members.iter().map(|(member, text)| format!("    {member}: {text};\n")).collect();
    format!("  {}: {{\n{members}  }};\n", literal(name))
}

fn tool(tool: &Tool) -> String {
    let access = format!("Tools[{}]", literal(&tool.name));
    let mut members = vec![("input", type_of(&tool.input, &access, "input", true, 2))];
    if let Some(output) = &tool.output {
        let text = match output_with_defs(tool) {
            Some(_) => format!("Outputs[{}][\"output\"]", literal(&tool.name)),
            None => type_of(output, &access, "output", false, 2),
        };
        members.push(("output", text));
    }
    members.extend(defs_of(&tool.input, &access, "input", 2).map(|text| ("defs", text)));
    entry(&tool.name, &members)
}

fn output_with_defs(tool: &Tool) -> Option<String> {
    let output = tool.output.as_ref()?;
    let access = format!("Outputs[{}]", literal(&tool.name));
    let defs = defs_of(output, &access, "output", 2)?;
    Some(entry(&tool.name, &[("output", type_of(output, &access, "output", false, 2)), ("defs", defs)]))
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
    entry(&resource.name, &[("variables", text)])
}

fn prompt(prompt: &Prompt) -> String {
    let access = format!("Prompts[{}]", literal(&prompt.name));
    let mut members = Vec::new();
    match &prompt.input {
        Some(schema) => {
            members.push(("arguments", type_of(schema, &access, "arguments", true, 2)));
            members.extend(defs_of(schema, &access, "arguments", 2).map(|text| ("defs", text)));
        }
        None => members.push(("arguments", "Record<string, never>".to_owned())),
    }
    entry(&prompt.name, &members)
}
