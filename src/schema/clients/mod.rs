//! What assistants refuse though MCP allows it. [`RULES`] is the one table: who refuses what, what to write instead,
//! and who says so. `docs/clients.md` shows it to people.

mod finds;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::Value;

use super::lint::{Index, SchemaProblem, SchemaRole};
use crate::fault::Severity;
use finds::{Finds, Name};

/// One row.
pub struct ClientRule {
    pub id: &'static str,
    /// Who refuses what: the warning.
    pub says: &'static str,
    pub instead: &'static str,
    /// Where a person or a vendor says so.
    pub source: &'static str,
    /// When that was said.
    pub date: &'static str,
    finds: Finds,
}

/// In the order in which they are shown.
pub static RULES: &[ClientRule] = &[
    ClientRule {
        id: "root-union",
        says: "Claude and OpenAI's models refuse every request that lists this tool: no `oneOf`, `anyOf` or `allOf` may stand at the root of an input",
        instead: "say it in the description and check it in the handler",
        source: "https://github.com/makenotion/notion-mcp-server/issues/341",
        date: "2026-08-05",
        finds: Finds::Root(finds::root_union),
    },
    ClientRule {
        id: "root-value",
        says: "OpenAI's models refuse every request that lists this tool: no `enum`, `const` or `not` may stand at the root of an input",
        instead: "say it in the description and check it in the handler",
        source: "https://github.com/goruck/home-generative-agent/pull/545",
        date: "2026-08-12",
        finds: Finds::Root(finds::root_value),
    },
    ClientRule {
        id: "array-items",
        says: "Visual Studio Code's Copilot refuses this tool, and OpenAI's models every request that lists it: an array without `items`",
        instead: "write `items`, `{}` for anything",
        source: "https://github.com/vespo92/SolidworksMCP-TS/pull/30",
        date: "2026-09-17",
        finds: Finds::Anywhere(finds::array_items),
    },
    ClientRule {
        id: "number-enum",
        says: "Gemini refuses every request that lists this tool: it only takes strings in `enum` and `const`",
        instead: "use strings, or `minimum` and `maximum`",
        source: "https://github.com/chrisdoc/hevy-mcp/issues/1161",
        date: "2026-09-18",
        finds: Finds::Anywhere(finds::number_enum),
    },
    ClientRule {
        id: "empty-enum",
        says: "Gemini refuses every request that lists this tool: a string in `enum` must not be empty",
        instead: "remove the empty string, and make the property optional",
        source: "https://github.com/anomalyco/opencode/pull/46676",
        date: "2026-09-01",
        finds: Finds::Anywhere(finds::empty_enum),
    },
    ClientRule {
        id: "property-name",
        says: "Claude refuses every request that lists this tool: the name of an argument has 1 to 64 of A-Z a-z 0-9 _ . -",
        instead: "rename it",
        source: "https://github.com/decocms/studio/pull/6874",
        date: "2026-09-02",
        finds: Finds::Root(finds::property_name),
    },
    ClientRule {
        id: "lookaround",
        says: "OpenAI's models refuse every request that lists this tool: a pattern may not look ahead or behind, as `(?=`, `(?!`, `(?<=` and `(?<!` do",
        instead: "write it without them, or check it in the handler",
        source: "https://github.com/cline/cline/pull/14019",
        date: "2026-09-10",
        finds: Finds::Anywhere(finds::lookaround),
    },
    ClientRule {
        id: "python-pattern",
        says: "OpenAI's models refuse every request that lists this tool: a pattern must be one for Python too, which has no `\\p{…}`, `\\u{…}`, `\\c`, `\\k<…>`, `(?<name>…)`, `[]` and `[^]`",
        instead: "write it without them, or check it in the handler",
        source: "https://github.com/pleaseai/shunt/pull/488",
        date: "2026-09-09",
        finds: Finds::Anywhere(finds::python_pattern),
    },
    ClientRule {
        id: "old-dialect",
        says: "Claude leaves this tool out, and so does every client that knows JSON Schema 2020-12 alone: `$schema` names another dialect",
        instead: "remove `$schema`, or name `https://json-schema.org/draft/2020-12/schema`",
        source: "https://github.com/ankimcp/anki-mcp-server-addon/issues/75",
        date: "2026-09-11",
        finds: Finds::InputOrOutput(finds::old_dialect),
    },
    ClientRule {
        id: "no-object",
        says: "Gemini refuses every request that lists this tool: `properties` and `required` may stand beside the type `object` alone",
        instead: "set `type` to `object`, or remove them",
        source: "https://github.com/anomalyco/opencode/issues/11889",
        date: "2026-02-03",
        finds: Finds::Anywhere(finds::no_object),
    },
    ClientRule {
        id: "required-unknown",
        says: "Gemini refuses every request that lists this tool: `required` names what the `properties` of the same schema lack",
        instead: "describe it in those `properties`, or remove it from `required`",
        source: "https://github.com/anomalyco/opencode/issues/3140",
        date: "2025-12-18",
        finds: Finds::Anywhere(finds::required_unknown),
    },
    ClientRule {
        id: "beside-ref",
        says: "Gemini refuses every request that lists this tool: beside `$ref` only `description` and `default` may stand",
        instead: "move the rest into the definition that it refers to",
        source: "https://github.com/anomalyco/opencode/issues/12295",
        date: "2026-02-05",
        finds: Finds::Anywhere(finds::beside_ref),
    },
    ClientRule {
        id: "ref-circle",
        says: "Gemini refuses every request that lists this tool: a schema may not contain itself",
        instead: "write out the levels that are needed, or take JSON in a string",
        source: "https://github.com/google-gemini/gemini-cli/issues/14945",
        date: "2025-12-11",
        finds: Finds::Circle,
    },
    ClientRule {
        id: "name-length",
        says: "Claude and OpenAI's models refuse a tool name of more than 64 characters",
        instead: "shorten it",
        source: "https://github.com/nanbingxyz/5ire/issues/403",
        date: "2026-01-17",
        finds: Finds::Name(|name| name.tool.len() > 64),
    },
    ClientRule {
        id: "name-dot",
        says: "OpenAI's models refuse a tool name with a `.`: they take A-Z a-z 0-9 _ -",
        instead: "write `_` in its place",
        source: "https://github.com/Lucassssss/eechat/issues/52",
        date: "2025-07-12",
        finds: Finds::Name(|name| name.tool.contains('.')),
    },
    ClientRule {
        id: "name-cursor",
        says: "Cursor leaves this tool out: its name and the server's have 60 characters or more together",
        instead: "shorten one of them",
        source: "https://github.com/ComposioHQ/composio/issues/2788",
        date: "2026-02-27",
        // One that is too long by itself has its own message.
        finds: Finds::Name(|name| name.tool.len() <= 64 && name.server.len() + name.tool.len() >= 60),
    },
    ClientRule {
        id: "description-length",
        says: "Claude Code cuts the description of a tool off after 2,048 characters, and tells nobody",
        instead: "shorten it, or begin with what matters most",
        source: "https://github.com/anthropics/claude-code/issues/87650",
        date: "2026-08-18",
        finds: Finds::Name(|name| name.description.encode_utf16().count() > 2048),
    },
    ClientRule {
        id: "tools-100",
        says: "Windsurf's Cascade takes at most 100 tools, of all servers together",
        instead: "make one tool of several, or two servers of this one",
        source: "https://docs.windsurf.com/windsurf/cascade/mcp",
        date: "2026-06-16",
        finds: Finds::MoreThan(100),
    },
    ClientRule {
        id: "tools-128",
        says: "GitHub Copilot and OpenAI's models refuse a request with more than 128 tools, of all servers together",
        instead: "make one tool of several, or two servers of this one",
        source: "https://github.com/microsoft/copilot-intellij-feedback/issues/1842",
        date: "2026-06-21",
        finds: Finds::MoreThan(128),
    },
];

impl ClientRule {
    /// What to do, and who says that it has to be done.
    pub fn hint(&self) -> String {
        format!("{}; see {}", self.instead, self.source)
    }

    fn at(&self, pointer: String) -> SchemaProblem {
        SchemaProblem { pointer, severity: Severity::Warning, message: self.says.to_owned(), hint: Some(self.hint()) }
    }
}

/// Where a valid schema has what assistants refuse; what was `told` of a place already is not told again.
pub fn refused(schema: &Value, role: SchemaRole, told: &[SchemaProblem]) -> Vec<SchemaProblem> {
    if role == SchemaRole::PromptArguments {
        return Vec::new();
    }
    let index = Index::new(schema);
    let told: HashSet<&str> = told.iter().map(|problem| problem.pointer.as_str()).collect();
    let found = |rule: &'static ClientRule| {
        let places = rule.finds.places(&index, role).into_iter();
        places.filter(|place| !told.contains(place.as_str())).map(|place| rule.at(place))
    };
    RULES.iter().flat_map(found).collect()
}

/// What assistants refuse of a tool beside its schemas.
pub fn unpopular(server: &str, tool: &str, description: &str) -> Vec<&'static ClientRule> {
    let name = Name { server, tool, description };
    RULES.iter().filter(|rule| matches!(rule.finds, Finds::Name(is_refused) if is_refused(&name))).collect()
}

/// What assistants refuse of so many tools.
pub fn too_many(tools: usize) -> impl Iterator<Item = &'static ClientRule> {
    RULES.iter().filter(move |rule| matches!(rule.finds, Finds::MoreThan(most) if tools > most))
}
