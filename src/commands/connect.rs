//! `connect`: how an MCP client reaches the server, as each client documents it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::End;
use crate::cli::{ClientArg, Connect};
use crate::deployments::Record;
use crate::error::Error;
use crate::fault::Position;
use crate::files::{self, Exclusive};
use crate::manifest::{Auth, Manifest};
use crate::plan;
use crate::probe;
use crate::project::Project;
use crate::ui;

/// How a client reaches the server.
struct Reach<'a> {
    name: &'a str,
    url: &'a str,
    /// The variable that holds the caller's key, where the server asks for one: the key itself is in no file of ours.
    key: Option<String>,
}

/// One client: its file in the project, the key of its list of servers, and what an entry looks like.
struct ClientRow {
    client: ClientArg,
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

const ROWS: [ClientRow; 5] = [
    ClientRow {
        client: ClientArg::ClaudeCode,
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
    ClientRow {
        client: ClientArg::ClaudeDesktop,
        title: "Claude Desktop",
        file: None,
        servers: "mcpServers",
        entry: claude_desktop,
        inputs: |_| None,
        also: |reach| match reach.key {
            Some(_) => "put the caller's key in place of YOUR_KEY".into(),
            None if probe::is_local(reach.url) => String::new(),
            None => format!("better: Settings > Connectors > Add custom connector, with the URL {}", reach.url),
        },
    },
    ClientRow {
        client: ClientArg::Cursor,
        title: "Cursor",
        file: Some(".cursor/mcp.json"),
        servers: "mcpServers",
        entry: |reach| with_key(json!({ "url": reach.url }), reach, |key| format!("${{env:{key}}}")),
        inputs: |_| None,
        also: |_| String::new(),
    },
    ClientRow {
        client: ClientArg::Vscode,
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
    ClientRow {
        client: ClientArg::Windsurf,
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

/// What `connect --json` answers.
#[derive(Serialize)]
struct ConnectAnswer<'a> {
    /// What the clients call the server.
    name: &'a str,
    url: &'a str,
    /// The variable for the caller's key that configurations name; absent where the server asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_variable: Option<&'a str>,
    clients: Vec<ClientEntry>,
}

#[derive(Serialize)]
struct ClientEntry {
    client: String,
    /// The client's own file in the project; absent where it has none there.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'static str>,
    /// `--write` has put it into that file.
    written: bool,
    /// As the client takes it.
    config: Value,
    /// Another way, or what is still to be done, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

pub fn run(args: Connect, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let urls = match &args.url {
        Some(url) => vec![endpoint(url)?],
        None => deployed(&project, &args)?,
    };
    let url = urls.last().context("there is no address")?;
    if args.registry {
        ui::json(&registry(&project.manifest, &urls)?)?;
        return Ok(End::Done);
    }
    let name = &project.manifest.server.name;
    // With OAuth the client finds out by itself where its user logs in.
    let key = (project.manifest.access.auth == Auth::ApiKey).then(|| variable(name));
    let reach = Reach { name, url, key };
    let mut clients = Vec::new();
    for row in ROWS.iter().filter(|row| args.client.is_none_or(|client| client == row.client)) {
        let entry = entry(row, &reach, args.write);
        if args.write {
            write(row, &project.home, &reach)?;
        } else if !args.json {
            ui::say(format_args!("{}{}", row.title, row.file.map(|file| format!(" ({file})")).unwrap_or_default()));
            ui::json(&entry.config)?;
            if !entry.note.is_empty() {
                ui::say(format_args!("{}\n", entry.note));
            }
        }
        clients.push(entry);
    }
    if args.json {
        ui::json(&ConnectAnswer { name, url, key_variable: reach.key.as_deref(), clients })?;
        return Ok(End::Done);
    }
    if let Some(key) = &reach.key {
        ui::say(format_args!(
            "`{key}` is the variable that holds the caller's key; `mcp-deploy keys add NAME` makes one"
        ));
    }
    Ok(End::Done)
}

/// The addresses that the record has, the newest last.
fn deployed(project: &Project, args: &Connect) -> Result<Vec<String>> {
    let target = args.target.map(|cloud| cloud.0.name);
    let record = Record::read(&project.home)?;
    let mut urls: Vec<String> =
        record.current(target, Some(&args.stage.stage)).iter().map(|one| one.url.clone()).collect();
    urls.dedup(); // one domain of several regions
    if urls.is_empty() {
        let error = Error::new("nothing is deployed that a client could reach");
        bail!(error.hint("run `mcp-deploy ship --target CLOUD`, or name a server with `--url`"));
    }
    Ok(urls)
}

/// The address in `--url`; clients say little about an invalid one.
fn endpoint(url: &str) -> Result<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest
        .is_none_or(|rest| rest.starts_with(['/', ':', '?']) || rest.is_empty() || rest.contains(char::is_whitespace))
    {
        let error = Error::usage(format!("`{url}` is not the URL of a server"));
        bail!(error.hint("write its MCP endpoint, such as `http://127.0.0.1:8787/mcp`"));
    }
    if rest.is_some_and(|rest| !rest.trim_end_matches('/').contains('/')) {
        let hint = format!("the MCP endpoint is `{}/mcp`", url.trim_end_matches('/'));
        bail!(Error::usage(format!("`{url}` has no path")).hint(hint));
    }
    Ok(url.to_owned())
}

fn entry(row: &ClientRow, reach: &Reach<'_>, written: bool) -> ClientEntry {
    let mut config = json!({ row.servers: { reach.name: (row.entry)(reach) } });
    if let Some(input) = (row.inputs)(reach) {
        config["inputs"] = json!([input]);
    }
    let client = row.client.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    ClientEntry { client, file: row.file, written, config, note: (row.also)(reach) }
}

/// `WEATHER_MCP_KEY`
fn variable(server: &str) -> String {
    format!("{}_MCP_KEY", server.to_ascii_uppercase().replace('-', "_"))
}

/// Adds or replaces one server in the client's file, keeps everything else.
fn write(row: &ClientRow, root: &Path, reach: &Reach<'_>) -> Result<()> {
    let Some(file) = row.file else {
        let why = format!("{} keeps its configuration outside the project; nothing was written", row.title);
        bail!(Error::new(why).hint("run `mcp-deploy connect --client …` without `--write` and copy what it prints"));
    };
    let _alone = Exclusive::to_write(root)?;
    let project = root;
    let mut config: Value = match files::read(root, file, files::ANY) {
        Ok(text) => serde_json::from_str(&text).map_err(|why| {
            let at = Position { line: why.line(), column: why.column() };
            let error = Error::new(format!("`{file}` is not plain JSON, so nothing was written"));
            error.at(file, at).hint("add the server by hand").because(why)
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
    plan::replace(project, file, &(serde_json::to_string_pretty(&config)? + "\n"))?;
    ui::say(format_args!("wrote `{}` to {file}", reach.name));
    Ok(())
}

/// `server.json` as the MCP registry takes it; the name has to be one that its owner can prove: the host of the newest
/// deployment, backwards. What is reached at another host belongs to another name.
fn registry(manifest: &Manifest, urls: &[String]) -> Result<Value> {
    let server = &manifest.server;
    let newest = urls.last().and_then(|url| host(url)).context("the URL has no host")?;
    if let Some(plain) = urls.iter().find(|url| !url.starts_with("https://")) {
        bail!("the registry takes addresses with `https://` only, not {plain}");
    }
    let (same, others): (Vec<&String>, Vec<&String>) = urls.iter().partition(|url| host(url) == Some(newest));
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
        let why = format!("the registry takes a {key} of at most {limit} characters; this one has {length}");
        bail!(Error::new(why).hint(format!("shorten `server.{key}`")));
    }
    Ok(())
}
