//! `connect`: how an MCP client reaches what is deployed, as each client documents it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::End;
use crate::cli::{Client, Connect};
use crate::deploy::record::Record;
use crate::manifest::{Auth, Manifest};
use crate::plan;
use crate::project::Project;
use crate::targets;
use crate::ui;

/// How a client reaches the server.
struct Reach<'a> {
    name: &'a str,
    url: &'a str,
    /// The variable that holds the caller's key, where the server asks for one: the key itself is in no file of ours.
    key: Option<String>,
}

/// One client: its file in the project, the key of its list of servers, and what an entry looks like.
struct Row {
    client: Client,
    title: &'static str,
    /// `None`: the client has no file in a project.
    file: Option<&'static str>,
    servers: &'static str,
    entry: fn(&Reach<'_>) -> Value,
    /// What the client asks for when it starts the server: the list beside that of the servers.
    inputs: fn(&Reach<'_>) -> Option<Value>,
    /// Another way, for people.
    also: fn(&Reach<'_>) -> String,
}

const ROWS: [Row; 5] = [
    Row {
        client: Client::ClaudeCode,
        title: "Claude Code",
        file: Some(".mcp.json"),
        servers: "mcpServers",
        entry: |reach| with_key(json!({ "type": "http", "url": reach.url }), reach, |key| format!("${{{key}}}")),
        inputs: |_| None,
        also: |Reach { name, url, key }| {
            let header = key.as_ref().map(|key| format!(" --header \"Authorization: Bearer ${key}\""));
            format!("or: claude mcp add --transport http {name} {url}{}", header.unwrap_or_default())
        },
    },
    Row {
        client: Client::ClaudeDesktop,
        title: "Claude Desktop",
        file: None,
        servers: "mcpServers",
        entry: claude_desktop,
        inputs: |_| None,
        also: |reach| match reach.key {
            Some(_) => "put the caller's key in place of YOUR_KEY".into(),
            None => format!("better: Settings > Connectors > Add custom connector, with the URL {}", reach.url),
        },
    },
    Row {
        client: Client::Cursor,
        title: "Cursor",
        file: Some(".cursor/mcp.json"),
        servers: "mcpServers",
        entry: |reach| with_key(json!({ "url": reach.url }), reach, |key| format!("${{env:{key}}}")),
        inputs: |_| None,
        also: |_| String::new(),
    },
    Row {
        client: Client::Vscode,
        title: "Visual Studio Code",
        file: Some(".vscode/mcp.json"),
        servers: "servers",
        entry: |reach| {
            let entry = json!({ "type": "http", "url": reach.url });
            with_key(entry, reach, |_| format!("${{input:{}-key}}", reach.name))
        },
        inputs: |reach| {
            reach.key.as_ref().map(|_| {
                let description = format!("Key for {}", reach.name);
                json!({ "type": "promptString", "id": format!("{}-key", reach.name), "description": description, "password": true })
            })
        },
        also: |_| String::new(),
    },
    Row {
        client: Client::Windsurf,
        title: "Windsurf",
        file: None,
        servers: "mcpServers",
        entry: |reach| with_key(json!({ "serverUrl": reach.url }), reach, |key| format!("${{env:{key}}}")),
        inputs: |_| None,
        also: |_| "put it into ~/.codeium/windsurf/mcp_config.json".into(),
    },
];

/// The header of a caller, the key as `variable` writes it for this client.
fn with_key(mut entry: Value, reach: &Reach<'_>, variable: impl Fn(&str) -> String) -> Value {
    if let Some(key) = &reach.key {
        entry["headers"] = json!({ "Authorization": format!("Bearer {}", variable(key)) });
    }
    entry
}

/// It starts programs only: `mcp-remote` is one that calls a server elsewhere. A blank in its arguments would be lost.
fn claude_desktop(reach: &Reach<'_>) -> Value {
    match reach.key {
        None => json!({ "command": "npx", "args": ["-y", "mcp-remote", reach.url] }),
        Some(_) => json!({
            "command": "npx",
            "args": ["-y", "mcp-remote", reach.url, "--header", "Authorization:${AUTHORIZATION}"],
            "env": { "AUTHORIZATION": "Bearer YOUR_KEY" },
        }),
    }
}

pub fn run(args: Connect, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let record = Record::read(&project.home)?;
    let target = args.target.and_then(targets::by_arg).map(|target| target.name);
    let current = record.current(target, Some(&args.stage.stage));
    let deployment = current
        .last()
        .context("nothing is deployed that a client could reach\nhint: run `mcp-deploy ship --target CLOUD`")?;
    if args.registry {
        let mut urls: Vec<&str> = current.iter().map(|one| one.url.as_str()).collect();
        urls.dedup(); // one domain of several regions
        ui::json(&registry(&project.manifest, &urls)?)?;
        return Ok(End::Done);
    }
    let name = &project.manifest.server.name;
    // With OAuth the client finds out by itself where its user logs in.
    let key = (project.manifest.access.auth == Auth::ApiKey).then(|| variable(name));
    let reach = Reach { name, url: &deployment.url, key };
    let rows = ROWS.iter().filter(|row| args.client.is_none_or(|client| client == row.client));
    for row in rows {
        if args.write {
            write(row, &project.home, &reach)?;
            continue;
        }
        ui::say(format_args!("{}{}", row.title, row.file.map(|file| format!(" ({file})")).unwrap_or_default()));
        let mut config = json!({ row.servers: { name: (row.entry)(&reach) } });
        if let Some(input) = (row.inputs)(&reach) {
            config["inputs"] = json!([input]);
        }
        ui::json(&config)?;
        let also = (row.also)(&reach);
        if !also.is_empty() {
            ui::say(format_args!("{also}\n"));
        }
    }
    if let Some(key) = &reach.key {
        ui::say(format_args!(
            "`{key}` is the variable that holds the caller's key; `mcp-deploy keys add NAME` makes one"
        ));
    }
    Ok(End::Done)
}

/// `WEATHER_MCP_KEY`
fn variable(server: &str) -> String {
    format!("{}_MCP_KEY", server.to_ascii_uppercase().replace('-', "_"))
}

/// Adds or replaces one server in the client's file, keeps everything else.
fn write(row: &Row, root: &Path, reach: &Reach<'_>) -> Result<()> {
    let Some(file) = row.file else {
        bail!(
            "{} keeps its configuration outside the project; nothing was written\nhint: run `mcp-deploy connect --client …` without `--write` and copy what it prints",
            row.title
        );
    };
    let path = root.join(file);
    let mut config: Value = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| {
            format!("`{file}` is not plain JSON, so nothing was written\nhint: add the server by hand")
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => json!({}),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{file}`")),
    };
    let root =
        config.as_object_mut().with_context(|| format!("`{file}` is not a JSON object, so nothing was written"))?;
    let servers = root.entry(row.servers).or_insert_with(|| Value::Object(Map::new()));
    let servers = servers
        .as_object_mut()
        .with_context(|| format!("`{}` in `{file}` is not a JSON object, so nothing was written", row.servers))?;
    servers.insert(reach.name.to_owned(), (row.entry)(reach));
    if let Some(input) = (row.inputs)(reach) {
        let inputs = root.entry("inputs").or_insert_with(|| json!([])).as_array_mut();
        let inputs = inputs.with_context(|| format!("`inputs` in `{file}` is not a list, so nothing was written"))?;
        inputs.retain(|known| known["id"] != input["id"]);
        inputs.push(input);
    }
    plan::replace(&path, &(serde_json::to_string_pretty(&config)? + "\n"))?;
    ui::say(format_args!("wrote `{}` to {file}", reach.name));
    Ok(())
}

/// `server.json` as the MCP registry takes it; the name has to be one that its owner can prove: the host of the newest
/// deployment, backwards. What is reached at another host belongs to another name.
fn registry(manifest: &Manifest, urls: &[&str]) -> Result<Value> {
    let server = &manifest.server;
    let newest = urls.last().and_then(|url| host(url)).context("the URL has no host")?;
    let (same, others): (Vec<&str>, Vec<&str>) = urls.iter().partition(|url| host(url) == Some(newest));
    for other in others {
        ui::say(format_args!("left out, because the registry takes the addresses of one host a name: {other}"));
    }
    at_most(100, "description", &server.description)?;
    server.title.iter().try_for_each(|title| at_most(100, "title", title))?;
    at_most(255, "version", &server.version)?;
    let reversed: Vec<&str> = newest.split('.').rev().collect();
    let mut document = json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": format!("{}/{}", reversed.join("."), server.name),
        "description": server.description,
        "version": server.version,
        "remotes": same.iter().map(|url| remote(manifest, url)).collect::<Vec<_>>(),
    });
    if let Some(title) = &server.title {
        document["title"] = title.clone().into();
    }
    if let Some(website) = &server.website_url {
        document["websiteUrl"] = website.clone().into();
    }
    Ok(document)
}

fn remote(manifest: &Manifest, url: &str) -> Value {
    let mut remote = json!({ "type": "streamable-http", "url": url });
    if manifest.access.auth == Auth::ApiKey {
        remote["headers"] = json!([{
            "name": "Authorization",
            "description": "The caller's key",
            "value": "Bearer {key}",
            "isRequired": true,
            "isSecret": true,
            "variables": { "key": { "description": "The caller's key", "isRequired": true, "isSecret": true } },
        }]);
    }
    remote
}

/// Without the port.
fn host(url: &str) -> Option<&str> {
    url.split("://").nth(1)?.split(['/', ':']).next().filter(|host| !host.is_empty())
}

fn at_most(limit: usize, key: &str, text: &str) -> Result<()> {
    let length = text.chars().count();
    if length > limit {
        bail!(
            "the registry takes a {key} of at most {limit} characters; this one has {length}\nhint: shorten `server.{key}`"
        );
    }
    Ok(())
}
