//! `connect`: each client's own shape, files that keep what else they hold, and `server.json` as the registry takes it.

use serde_json::{Value, json};

use crate::support::Sandbox;

const URL: &str = "https://weather.acct.workers.dev/mcp";

/// A project of which the record says that it is deployed, at these addresses.
fn deployed(urls: &[&str]) -> Sandbox {
    let sandbox = Sandbox::weather();
    let deployment = |(n, url): (usize, &&str)| {
        json!({
            "target": "cloudflare", "stage": "production", "region": n.to_string(), "url": url, "version": "1",
            "server_version": "0.1.0", "time": "2026-11-23T06:00:00Z", "state": "verified",
        })
    };
    let deployments: Vec<Value> = urls.iter().enumerate().map(deployment).collect();
    sandbox.write(".mcp-deploy/deployments.json", json!({ "version": 1, "deployments": deployments }).to_string());
    sandbox
}

fn with_keys(sandbox: &Sandbox) {
    let manifest = sandbox.read("mcp.toml").replace("[env]", "[access]\nauth = \"api-key\"\n\n[env]");
    sandbox.write("mcp.toml", manifest);
}

fn config(sandbox: &Sandbox, client: &str) -> Value {
    serde_json::from_str(&sandbox.ok(&["connect", "--client", client]).stdout).unwrap()
}

#[test]
fn each_client_gets_its_own_shape() {
    let open = deployed(&[URL]);
    let table = [
        ("claude-code", json!({ "mcpServers": { "weather": { "type": "http", "url": URL } } })),
        (
            "claude-desktop",
            json!({ "mcpServers": { "weather": { "command": "npx", "args": ["-y", "mcp-remote", URL] } } }),
        ),
        ("cursor", json!({ "mcpServers": { "weather": { "url": URL } } })),
        ("vscode", json!({ "servers": { "weather": { "type": "http", "url": URL } } })),
        ("windsurf", json!({ "mcpServers": { "weather": { "serverUrl": URL } } })),
    ];
    for (client, expected) in &table {
        assert_eq!(config(&open, client), *expected, "{client}");
    }
    let every = open.ok(&["connect"]);
    assert_eq!(every.stdout.matches(URL).count(), table.len());

    // A key is a variable, never a value.
    with_keys(&open);
    let header =
        |client: &str, servers: &str| config(&open, client)[servers]["weather"]["headers"]["Authorization"].clone();
    assert_eq!(header("claude-code", "mcpServers"), "Bearer ${WEATHER_MCP_KEY}");
    assert_eq!(header("cursor", "mcpServers"), "Bearer ${env:WEATHER_MCP_KEY}");
    assert_eq!(header("windsurf", "mcpServers"), "Bearer ${env:WEATHER_MCP_KEY}");
    assert_eq!(header("vscode", "servers"), "Bearer ${input:weather-key}");
    let input = &config(&open, "vscode")["inputs"][0];
    assert_eq!((&input["id"], &input["password"]), (&json!("weather-key"), &json!(true)));
    let desktop = &config(&open, "claude-desktop")["mcpServers"]["weather"];
    assert_eq!(desktop["args"][4], "Authorization:${AUTHORIZATION}");
    assert_eq!(desktop["env"]["AUTHORIZATION"], "Bearer YOUR_KEY");
}

#[test]
fn a_clients_file_keeps_what_else_it_holds() {
    let sandbox = deployed(&["https://old.example.com/mcp", URL]);
    with_keys(&sandbox);
    let others = json!({ "mcpServers": { "other": { "command": "other" } }, "theme": "dark" });
    sandbox.write(".cursor/mcp.json", others.to_string());
    for _ in 0..2 {
        sandbox.ok(&["connect", "--client", "cursor", "--write"]);
        sandbox.ok(&["connect", "--client", "vscode", "--write"]);
    }
    let cursor: Value = serde_json::from_str(&sandbox.read(".cursor/mcp.json")).unwrap();
    assert_eq!((&cursor["mcpServers"]["other"], &cursor["theme"]), (&json!({ "command": "other" }), &json!("dark")));
    assert_eq!(cursor["mcpServers"]["weather"]["url"], URL, "the newest");
    let vscode: Value = serde_json::from_str(&sandbox.read(".vscode/mcp.json")).unwrap();
    assert_eq!(vscode["inputs"].as_array().map(Vec::len), Some(1), "written twice, asked for once");

    // With comments, or without a file in the project: nothing is written.
    sandbox.write(".mcp.json", "{ // mine\n}");
    let refused = sandbox.run(&["connect", "--client", "claude-code", "--write"]);
    assert_eq!((refused.code, sandbox.read(".mcp.json").as_str()), (1, "{ // mine\n}"), "{}", refused.stderr);
    assert_eq!(sandbox.run(&["connect", "--client", "windsurf", "--write"]).code, 1);
    let nothing = Sandbox::weather().run(&["connect"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("mcp-deploy ship"), "{}", nothing.stderr);
}

/// The rules of the registry that can be checked without it.
fn is_accepted(document: &Value) {
    let header = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string" }, "description": { "type": "string" }, "value": { "type": "string" },
            "isRequired": { "type": "boolean" }, "isSecret": { "type": "boolean" }, "variables": { "type": "object" },
        },
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "required": ["$schema", "name", "description", "version"],
        "properties": {
            "$schema": { "const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json" },
            "name": { "type": "string", "minLength": 3, "maxLength": 200, "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$" },
            "description": { "type": "string", "minLength": 1, "maxLength": 100 },
            "title": { "type": "string", "minLength": 1, "maxLength": 100 },
            "version": { "type": "string", "maxLength": 255, "not": { "pattern": "[\\^~*<>| ]|^latest$" } },
            "websiteUrl": { "type": "string" },
            "remotes": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": true,
                "items": {
                    "type": "object",
                    "required": ["type", "url"],
                    "properties": {
                        "type": { "enum": ["streamable-http", "sse"] },
                        "url": { "type": "string", "pattern": "^https://[^\\s]+$" },
                        "headers": { "type": "array", "items": header },
                    },
                    "additionalProperties": false,
                },
            },
        },
        "additionalProperties": false,
    });
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(document).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?} in {document:#}");
    // The owner of a name is the owner of its host, and of the addresses it leads to.
    let namespace = document["name"].as_str().unwrap().split('/').next().unwrap();
    let host = namespace.split('.').rev().collect::<Vec<_>>().join(".");
    for remote in document["remotes"].as_array().unwrap() {
        assert!(remote["url"].as_str().unwrap().starts_with(&format!("https://{host}/")), "{document:#}");
    }
}

#[test]
fn the_registry_takes_server_json() {
    let sandbox = deployed(&["https://other.vercel.app/mcp", URL]);
    let printed = sandbox.ok(&["connect", "--registry"]);
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    is_accepted(&document);
    assert_eq!(document["name"], "dev.workers.acct.weather/weather");
    assert_eq!(document["remotes"].as_array().map(Vec::len), Some(1));
    assert!(printed.stderr.contains("left out") && printed.stderr.contains("other.vercel.app"), "{}", printed.stderr);

    with_keys(&sandbox);
    let document: Value = serde_json::from_str(&sandbox.ok(&["connect", "--registry"]).stdout).unwrap();
    is_accepted(&document);
    assert_eq!(document["remotes"][0]["headers"][0]["isSecret"], true);

    let long = sandbox
        .read("mcp.toml")
        .replace("description = \"Current", &format!("description = \"{} Current", "x".repeat(100)));
    sandbox.write("mcp.toml", long);
    let refused = sandbox.run(&["connect", "--registry"]);
    assert!(refused.code == 1 && refused.stderr.contains("at most 100 characters"), "{}", refused.stderr);
}

#[test]
fn a_server_that_is_not_in_the_record_is_named_by_its_url() {
    const LOCAL: &str = "http://127.0.0.1:8787/mcp";
    let sandbox = Sandbox::weather();
    let printed = sandbox.ok(&["connect", "--client", "cursor", "--url", LOCAL]);
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(printed, json!({ "mcpServers": { "weather": { "url": LOCAL } } }));
    let written = sandbox.ok(&["connect", "--client", "cursor", "--url", LOCAL, "--write", "--json"]);
    let written: Value = serde_json::from_str(&written.stdout).unwrap();
    let entry = json!({ "client": "cursor", "file": ".cursor/mcp.json", "written": true, "config": printed });
    assert_eq!(written, json!({ "name": "weather", "url": LOCAL, "clients": [entry] }));
    assert_eq!(serde_json::from_str::<Value>(&sandbox.read(".cursor/mcp.json")).unwrap(), printed);
    let registry = sandbox.ok(&["connect", "--registry", "--url", URL]);
    is_accepted(&serde_json::from_str(&registry.stdout).unwrap());
    for (line, code, said) in [
        (&["connect", "--url", "127.0.0.1:8787"][..], 2, "`127.0.0.1:8787` is not the URL of a server\n"),
        (&["connect", "--url", "http://127.0.0.1:8787/"], 2, "the MCP endpoint is `http://127.0.0.1:8787/mcp`\n"),
        (&["connect", "--url", LOCAL, "--registry"], 1, "addresses with `https://` only"),
        (&["connect", "--url", LOCAL, "--target", "lambda"], 2, "cannot be used with"),
        (&["connect"], 1, "or name a server with `--url`\n"),
    ] {
        let run = sandbox.run(line);
        assert!(run.code == code && run.stderr.contains(said), "{line:?}: {run:?}");
    }
}
