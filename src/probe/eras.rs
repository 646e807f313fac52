//! What the server says of itself in each of the two protocol eras, and whether it says the same in both.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::client::{Client, RpcError, client_info};
use super::contract::{ListEntries, difference, without_era};
use super::diagnose::is_modern_code;
use super::http::quoted;
use super::{CheckFault, Contract, Era, Probe};

pub const MAX_PAGES: usize = 100;
pub const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const METHOD_NOT_FOUND: i64 = -32601;

/// A kind of thing a server lists.
pub struct List {
    pub method: &'static str,
    /// The key of the entries in the answer.
    pub key: &'static str,
    /// What tells one entry from another.
    pub name: &'static str,
    pub what: &'static str,
    pub capability: &'static str,
    modern_id: &'static str,
    legacy_id: &'static str,
    pub contract_id: &'static str,
    pub promised: fn(&Contract) -> &[Value],
}

pub const LISTS: [List; 4] = [
    List {
        method: "tools/list",
        key: "tools",
        name: "name",
        what: "tool",
        capability: "tools",
        modern_id: "modern.tools",
        legacy_id: "legacy.tools",
        contract_id: "contract.tools",
        promised: |contract| &contract.tools,
    },
    List {
        method: "resources/list",
        key: "resources",
        name: "uri",
        what: "resource",
        capability: "resources",
        modern_id: "modern.resources",
        legacy_id: "legacy.resources",
        contract_id: "contract.resources",
        promised: |contract| &contract.resources,
    },
    List {
        method: "resources/templates/list",
        key: "resourceTemplates",
        name: "uriTemplate",
        what: "resource template",
        capability: "resources",
        modern_id: "modern.templates",
        legacy_id: "legacy.templates",
        contract_id: "contract.templates",
        promised: |contract| &contract.resource_templates,
    },
    List {
        method: "prompts/list",
        key: "prompts",
        name: "name",
        what: "prompt",
        capability: "prompts",
        modern_id: "modern.prompts",
        legacy_id: "legacy.prompts",
        contract_id: "contract.prompts",
        promised: |contract| &contract.prompts,
    },
];

/// What one era of the server said.
pub struct EraServer {
    pub era: Era,
    pub capabilities: Value,
    /// In the order of `LISTS`; none where the server failed to answer.
    pub lists: [Option<Vec<Value>>; 4],
}

impl EraServer {
    pub fn tools(&self) -> &[Value] {
        self.lists[0].as_deref().unwrap_or_default()
    }

    pub fn tool(&self, name: &str) -> Option<&Value> {
        self.tools().iter().find(|tool| tool["name"] == name)
    }
}

pub fn modern(probe: &mut Probe, client: &Client) -> Option<EraServer> {
    let contract = probe.contract;
    let mut found = None;
    probe.check("modern.discover", "speaks MCP 2026-07-28 (`server/discover`)", || {
        let result = client.call(Era::Modern, "server/discover", json!({}))?.map_err(|error| not_modern(&error))?;
        let mut faults = modern_result(&result);
        faults.extend(cacheable(&result));
        let versions = result["supportedVersions"].as_array().cloned().unwrap_or_default();
        if !versions.contains(&json!(Era::Modern.version())) {
            faults.push(format!("`supportedVersions` is {}", result["supportedVersions"]));
        }
        let info = match result.get("serverInfo") {
            Some(info) => info.clone(),
            None => result["_meta"]["io.modelcontextprotocol/serverInfo"].clone(),
        };
        faults.extend(identity(&info, contract));
        found = Some(result["capabilities"].clone());
        settle(faults, shown(&info))
    });
    let capabilities = found?;
    Some(EraServer { era: Era::Modern, lists: lists(probe, client, Era::Modern, &capabilities), capabilities })
}

/// The rule for clients: one of the modern codes means stay modern; anything else, go on with `initialize`.
fn not_modern(error: &RpcError) -> CheckFault {
    if is_modern_code(error.code) {
        return CheckFault::wrong(format!("it knows the modern era, but refused the request: {}", error.shown()))
            .hint("a correct request was refused: look for something that changes headers or body on the way");
    }
    CheckFault::wrong(format!("it speaks only the protocols before 2026-07-28: {}", error.shown()))
        .hint("deploy a server that speaks 2026-07-28, as those that mcp-deploy generates do")
}

pub fn legacy(probe: &mut Probe, client: &Client) -> Option<EraServer> {
    let contract = probe.contract;
    let mut found = None;
    probe.check("legacy.initialize", "speaks MCP 2025-11-25 (`initialize`)", || {
        let hello = json!({
            "protocolVersion": Era::Legacy.version(), "capabilities": {}, "clientInfo": client_info(),
        });
        let result = client.call(Era::Legacy, "initialize", hello)?.map_err(|error| {
            CheckFault::wrong(error.shown())
                .hint("most clients still begin with `initialize`: keep the 2025 protocol on")
        })?;
        let mut faults = Vec::new();
        let version = result["protocolVersion"].as_str().unwrap_or("");
        if !LEGACY_VERSIONS.contains(&version) {
            faults.push(format!("`protocolVersion` is {}", result["protocolVersion"]));
        }
        faults.extend(identity(&result["serverInfo"], contract));
        found = Some(result["capabilities"].clone());
        let note = if version == Era::Legacy.version() { String::new() } else { format!(", in {version}") };
        settle(faults, format!("{}{note}", shown(&result["serverInfo"])))
    });
    let capabilities = found?;
    probe.check("legacy.initialized", "accepts `notifications/initialized` with 202", || {
        let reply = client.send(&client.notification(Era::Legacy, "notifications/initialized"))?;
        match reply.status {
            202 => Ok(String::new()),
            _ => Err(CheckFault::wrong(format!("expected 202, got {}", reply.summary()))),
        }
    });
    Some(EraServer { era: Era::Legacy, lists: lists(probe, client, Era::Legacy, &capabilities), capabilities })
}

fn lists(probe: &mut Probe, client: &Client, era: Era, capabilities: &Value) -> [Option<Vec<Value>>; 4] {
    LISTS.each_ref().map(|list| {
        let contract = probe.contract;
        let mut entries = None;
        let id = if era == Era::Modern { list.modern_id } else { list.legacy_id };
        probe.check(id, format!("lists its {}s ({})", list.what, era.version()), || {
            let (found, faults) = read_list(client, era, list, capabilities, contract)?;
            let seen = count(found.len(), list.what);
            entries = Some(found);
            settle(faults, seen)
        });
        entries
    })
}

/// All pages of a list, and what is wrong with them.
pub fn read_list(
    client: &Client,
    era: Era,
    list: &List,
    capabilities: &Value,
    contract: Option<&Contract>,
) -> Result<(Vec<Value>, Vec<String>), CheckFault> {
    let declared = capabilities.get(list.capability).is_some();
    let mut entries: Vec<Value> = Vec::new();
    let mut faults = Vec::new();
    let mut cursors: Vec<Value> = Vec::new();
    for _ in 0..MAX_PAGES {
        let params = cursors.last().map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        let page = match client.call(era, list.method, params)? {
            Ok(page) => page,
            Err(error) if error.code == METHOD_NOT_FOUND && may_be_missing(list, declared, contract) => {
                return Ok((entries, faults));
            }
            Err(error) => return Err(CheckFault::wrong(error.shown())),
        };
        if era == Era::Modern {
            faults.extend(modern_result(&page));
            faults.extend(cacheable(&page));
        }
        match page[list.key].as_array() {
            Some(found) => entries.extend(found.iter().cloned()),
            None => faults.push(format!("the answer has no array `{}`", list.key)),
        }
        let Some(cursor) = page.get("nextCursor").filter(|cursor| !cursor.is_null()) else {
            faults.extend(duplicates(&entries, list));
            if !entries.is_empty() && !declared {
                faults.push(format!("the capability `{}` is not declared", list.capability));
            }
            faults.dedup();
            return Ok((entries, faults));
        };
        if cursors.contains(cursor) {
            return Err(CheckFault::wrong(format!("the pages never end: the cursor {cursor} came twice")));
        }
        cursors.push(cursor.clone());
    }
    Err(CheckFault::wrong(format!("the list did not end after {MAX_PAGES} pages")))
}

fn may_be_missing(list: &List, declared: bool, contract: Option<&Contract>) -> bool {
    match contract {
        Some(contract) => (list.promised)(contract).is_empty(),
        None => !declared || list.key == "resourceTemplates",
    }
}

fn duplicates(entries: &[Value], list: &List) -> Vec<String> {
    let mut seen = HashSet::with_capacity(entries.len());
    let names = entries.iter().map(|entry| entry[list.name].to_string());
    names.filter(|name| !seen.insert(name.clone())).map(|name| format!("{name} is listed twice")).collect()
}

/// Every modern result says whether it is complete.
pub fn modern_result(result: &Value) -> Vec<String> {
    match result.get("resultType") {
        Some(kind) if kind == "complete" => Vec::new(),
        Some(kind) => vec![format!("`resultType` is {kind}, not \"complete\"")],
        None => vec!["`resultType` is missing".to_owned()],
    }
}

fn cacheable(result: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if result["ttlMs"].as_f64().is_none_or(|ttl| ttl < 0.0) {
        faults.push("`ttlMs` is missing, or no number from 0 up".to_owned());
    }
    if !matches!(result["cacheScope"].as_str(), Some("public" | "private")) {
        faults.push("`cacheScope` is neither `public` nor `private`".to_owned());
    }
    faults
}

pub fn identity(info: &Value, contract: Option<&Contract>) -> Vec<String> {
    let Some(contract) = contract else {
        return Vec::new();
    };
    [("name", &contract.name), ("version", &contract.version)]
        .into_iter()
        .filter(|(key, want)| info[key] != **want)
        .map(|(key, want)| format!("its {key} is {}, the manifest says \"{want}\"", info[key]))
        .collect()
}

fn shown(info: &Value) -> String {
    match (info["name"].as_str(), info["version"].as_str()) {
        (Some(name), Some(version)) => format!("{} {version}", quoted(name)),
        _ => "it tells no name and version".to_owned(),
    }
}

pub fn settle(faults: Vec<String>, seen: String) -> Result<String, CheckFault> {
    if faults.is_empty() { Ok(seen) } else { Err(CheckFault::wrong(faults.join("; "))) }
}

pub fn count(number: usize, what: &str) -> String {
    match number {
        0 => "none".to_owned(),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// One manifest, one answer: a client of either era must see the same server.
pub fn same(probe: &mut Probe, modern: Option<&EraServer>, legacy: Option<&EraServer>) {
    probe.check("eras.same", "lists the same in both generations", || {
        let (Some(modern), Some(legacy)) = (modern, legacy) else {
            return Err(CheckFault::skip("only one era, or none, is spoken"));
        };
        let pairs = LISTS.iter().zip(modern.lists.iter().zip(&legacy.lists));
        let mut compared = 0;
        for (list, pair) in pairs {
            let (Some(modern), Some(legacy)) = pair else {
                continue;
            };
            compared += 1;
            let (ours, theirs) = (ListEntries::of(modern, list), ListEntries::of(legacy, list));
            for one in modern {
                let other = theirs.named_like(one).ok_or_else(|| only(one, list, Era::Modern))?;
                if let Some(found) = difference(&without_era(one), &without_era(other)) {
                    let detail = found.shown(Era::Modern.version(), Era::Legacy.version());
                    return Err(CheckFault::wrong(format!("{} {}: {detail}", list.what, one[list.name])));
                }
            }
            if let Some(extra) = legacy.iter().find(|one| ours.named_like(one).is_none()) {
                return Err(only(extra, list, Era::Legacy));
            }
        }
        match compared {
            0 => Err(CheckFault::skip("there is no list of both generations to compare")),
            _ => Ok(String::new()),
        }
    });
}

fn only(one: &Value, list: &List, era: Era) -> CheckFault {
    CheckFault::wrong(format!("the {} {} is listed in {} only", list.what, one[list.name], era.version()))
}

/// A promise of change notices keeps a stream open until the platform ends it, and bills for it.
pub fn list_changed(probe: &mut Probe, modern: Option<&EraServer>, legacy: Option<&EraServer>) {
    probe.check("list-changed", "promises no change notices (`listChanged: false`)", || {
        let servers: Vec<_> = [modern, legacy].into_iter().flatten().collect();
        if servers.is_empty() {
            return Err(CheckFault::skip("neither era is spoken"));
        }
        let mut faults = Vec::new();
        for server in servers {
            for (name, capability) in server.capabilities.as_object().into_iter().flatten() {
                if !matches!(capability.get("listChanged"), None | Some(Value::Bool(false))) {
                    let value = &capability["listChanged"];
                    faults.push(format!("`{name}.listChanged` is {value} in {}", server.era.version()));
                }
            }
        }
        settle(faults, String::new()).map_err(|fault| {
            fault.hint("a serverless server cannot send them; a client that listens would hold a billed stream open")
        })
    });
}
