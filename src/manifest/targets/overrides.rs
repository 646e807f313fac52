//! `[targets.NAME.overrides]`: raw tables for a cloud's own file, merged into it as it is rendered.

use serde_json::{Map, Value};
use toml_edit::Item;

use crate::manifest::names::shown;
use crate::manifest::reader::{Fields, span_at, to_json};

/// What mcp-deploy itself relies on in a cloud's file, by its path, and what to do instead; `*` stands for any end of a name.
pub type Relied = [(&'static [&'static str], &'static str)];

const FUNCTION: &str = "McpFunction";
const BUNDLED: &str = "sam builds nothing: `src/generated/bundle.ts` makes the folder that it uploads";

pub const LAMBDA: &Relied = &[
    (&["AWSTemplateFormatVersion"], ""),
    (&["Transform"], ""),
    (&["Outputs", "McpEndpoint"], ""),
    (&["Outputs", "RegionEndpoint"], ""),
    (&["Outputs", "FunctionName"], ""),
    (&["Resources", "McpApi", "Type"], ""),
    (&["Resources", "McpApi", "Properties", "StageName"], ""),
    (&["Resources", "McpTable", "Type"], ""),
    (&["Resources", "McpTable", "Properties", "AttributeDefinitions"], ""),
    (&["Resources", "McpTable", "Properties", "KeySchema"], ""),
    (&["Resources", "McpTable", "Properties", "TimeToLiveSpecification"], ""),
    (&["Resources", FUNCTION, "Type"], ""),
    (&["Resources", FUNCTION, "Metadata", "BuildMethod"], BUNDLED),
    (&["Resources", FUNCTION, "Metadata", "BuildProperties"], BUNDLED),
    (&["Resources", FUNCTION, "Metadata", "SkipBuild"], BUNDLED),
    (
        &["Resources", FUNCTION, "Properties", "Architectures"],
        "use `architecture`: the adapter's layer has to be the same",
    ),
    (&["Resources", FUNCTION, "Properties", "AutoPublishAlias"], ""),
    (&["Resources", FUNCTION, "Properties", "CodeUri"], ""),
    (&["Resources", FUNCTION, "Properties", "Events"], "use `front`"),
    (&["Resources", FUNCTION, "Properties", "FunctionUrlConfig"], "use `front`, and `[access]` for who may call"),
    (&["Resources", FUNCTION, "Properties", "Handler"], ""),
    (&["Resources", FUNCTION, "Properties", "InlineCode"], ""),
    (&["Resources", FUNCTION, "Properties", "Layers"], "keep the adapter in the list: arrays replace"),
    (&["Resources", FUNCTION, "Properties", "PackageType"], ""),
    (&["Resources", FUNCTION, "Properties", "Policies"], "use `policies`"),
    (&["Resources", FUNCTION, "Properties", "Runtime"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LAMBDA_EXEC_WRAPPER"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_PORT"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_INVOKE_MODE"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_READINESS_*"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "MCP_*"], ""),
];

pub const VERCEL: &Relied = &[
    (&["buildCommand"], ""),
    (&["builds"], ""),
    (&["framework"], ""),
    (&["functions", "dist/vercel/server.mjs", "runtime"], ""),
    (&["outputDirectory"], ""),
];

pub const CLOUDFLARE: &Relied = &[
    (&["env"], "use `[stages]`"),
    (&["migrations"], ""),
    (&["main"], ""),
    (&["name"], "it is `[server] name`, and the stage's behind it"),
    (&["route"], "use `domains`"),
    (&["routes"], "use `domains`"),
    (&["secrets"], "use `[secrets]`"),
    (&["workers_dev"], "it is off when there are `domains`"),
];

/// The table merged over `base`, which is the manifest's own when a stage is read.
pub fn overrides(fields: &Fields<'_, '_>, mut base: Map<String, Value>, relied: &Relied) -> Map<String, Value> {
    let Some(item) = fields.item("overrides") else { return base };
    let path = fields.path_of("overrides");
    if fields.reader().table(item, &path, fields.key_span("overrides")).is_none() {
        return base;
    }
    let Some(Value::Object(own)) = to_json(fields.reader(), item) else { return base };
    let leaves = Leaves { fields, item, relied };
    own.iter().for_each(|(key, value)| leaves.check(&mut vec![key], value));
    merge(&mut base, own);
    base
}

/// Tables are merged; everything else replaces.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

struct Leaves<'f, 'r, 't> {
    fields: &'f Fields<'r, 't>,
    item: &'r Item,
    relied: &'f Relied,
}

impl Leaves<'_, '_, '_> {
    /// A leaf must neither be one of those places nor replace what holds one; an empty table replaces no other.
    fn check<'v>(&self, path: &mut Vec<&'v str>, value: &'v Value) {
        if let Value::Object(table) = value
            && !table.is_empty()
        {
            for (key, value) in table {
                path.push(key);
                self.check(path, value);
                path.pop();
            }
            return;
        }
        let fits = |wanted: &str, key: &str| match wanted.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => wanted == key,
        };
        let shallow = |place: &[&str]| value.is_object() && path.len() < place.len();
        let meets =
            |place: &[&str]| !shallow(place) && place.iter().zip(path.iter()).all(|(wanted, key)| fits(wanted, key));
        let Some((place, instead)) = self.relied.iter().find(|(place, _)| meets(place)) else { return };
        // More layers are fine as long as the adapter is one of them.
        if place.last() == Some(&"Layers") && value.to_string().contains("LambdaAdapterLayer") {
            return;
        }
        let pointer: String =
            path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect();
        let span = span_at(self.item, &pointer).or_else(|| self.fields.key_span("overrides"));
        let path: Vec<_> = path.iter().map(|key| shown(key)).collect();
        let message = format!("`overrides` must not change `{}`: mcp-deploy relies on it", path.join("."));
        self.fields.reader().error(span, message, Some((*instead).to_owned()).filter(|hint| !hint.is_empty()));
    }
}
