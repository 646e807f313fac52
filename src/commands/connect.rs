//! `connect`: how an MCP client reaches what is deployed, as each client documents it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::End;
use crate::cli::{Client, Connect};
use crate::deploy::record::Record;
use crate::manifest::Manifest;
use crate::plan;
use crate::project::Project;
use crate::targets;
use crate::ui;

/// One client: its file in the project, the key of its list of servers, and what an entry looks like.
struct Row {
    client: Client,
    title: &'static str,
    /// `None`: the client has no file in a project.
    file: Option<&'static str>,
    servers: &'static str,
    entry: fn(&str) -> Value,
    /// Another way, for people.
    also: fn(&str, &str) -> String,
}

const ROWS: [Row; 5] = [
    Row {
        client: Client::ClaudeCode,
        title: "Claude Code",
        file: Some(".mcp.json"),
        servers: "mcpServers",
        entry: |url| json!({ "type": "http", "url": url }),
        also: |name, url| format!("or: claude mcp add --transport http {name} {url}"),
    },
    Row {
        client: Client::ClaudeDesktop,
        title: "Claude Desktop",
        file: None,
        servers: "mcpServers",
        entry: |url| json!({ "command": "npx", "args": ["-y", "mcp-remote", url] }),
        also: |_, url| format!("better: Settings > Connectors > Add custom connector, with the URL {url}"),
    },
    Row {
        client: Client::Cursor,
        title: "Cursor",
        file: Some(".cursor/mcp.json"),
        servers: "mcpServers",
        entry: |url| json!({ "url": url }),
        also: |_, _| String::new(),
    },
    Row {
        client: Client::Vscode,
        title: "Visual Studio Code",
        file: Some(".vscode/mcp.json"),
        servers: "servers",
        entry: |url| json!({ "type": "http", "url": url }),
        also: |_, _| String::new(),
    },
    Row {
        client: Client::Windsurf,
        title: "Windsurf",
        file: None,
        servers: "mcpServers",
        entry: |url| json!({ "serverUrl": url }),
        also: |_, _| "it belongs into ~/.codeium/windsurf/mcp_config.json".into(),
    },
];

pub fn run(args: Connect, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let record = Record::read(&project.home)?;
    let target = args.target.and_then(targets::by_arg).map(|target| target.name);
    let current = record.current(target, Some(&args.stage.stage));
    let deployment = current
        .last()
        .context("nothing is deployed that a client could reach\nhint: run `mcp-deploy ship --target CLOUD`")?;
    let (name, url) = (&project.manifest.server.name, &deployment.url);
    if args.registry {
        let urls: Vec<&str> = current.iter().map(|one| one.url.as_str()).collect();
        ui::json(&registry(&project.manifest, &urls)?)?;
        return Ok(End::Done);
    }
    let rows = ROWS.iter().filter(|row| args.client.is_none_or(|client| client == row.client));
    for row in rows {
        if args.write {
            write(row, &project.home, name, url)?;
            continue;
        }
        ui::say(format_args!("{}{}", row.title, row.file.map(|file| format!(" ({file})")).unwrap_or_default()));
        ui::json(&json!({ row.servers: { name: (row.entry)(url) } }))?;
        let also = (row.also)(name, url);
        if !also.is_empty() {
            ui::say(format_args!("{also}\n"));
        }
    }
    Ok(End::Done)
}

/// Adds or replaces one server in the client's file, keeps everything else.
fn write(row: &Row, root: &Path, name: &str, url: &str) -> Result<()> {
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
    servers.insert(name.to_owned(), (row.entry)(url));
    plan::replace(&path, &(serde_json::to_string_pretty(&config)? + "\n"))?;
    ui::say(format_args!("wrote `{name}` to {file}"));
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
        "remotes": same.iter().map(|url| json!({ "type": "streamable-http", "url": url })).collect::<Vec<_>>(),
    });
    if let Some(title) = &server.title {
        document["title"] = title.clone().into();
    }
    if let Some(website) = &server.website_url {
        document["websiteUrl"] = website.clone().into();
    }
    Ok(document)
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
