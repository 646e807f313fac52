//! What `state` of a tool brings into a project, for which cloud, and that it all goes away with it.

use mcp_deploy::manifest::targets::stores;

use crate::support::{Sandbox, assert_same};

const TOOL: &str = "[tools.get_weather]\n";

fn keep(sandbox: &Sandbox, state: &str) {
    let text = sandbox.read("mcp.toml");
    let without = text.lines().filter(|line| !line.starts_with("state = ")).map(|line| format!("{line}\n"));
    sandbox.write("mcp.toml", without.collect::<String>().replace(TOOL, &format!("{TOOL}{state}")));
    sandbox.ok(&["render"]);
}

#[test]
fn what_is_rendered_follows_the_manifest() {
    let sandbox = Sandbox::weather();
    let before = sandbox.tree();
    keep(&sandbox, "state = \"shared\"\n");
    let template = sandbox.read("template.yaml");
    for line in [
        "      MCP_TABLE: !Ref McpTable\n",
        "    DeletionPolicy: RetainExceptOnCreate\n",
        "        PointInTimeRecoveryEnabled: true\n",
        "              Resource: !GetAtt McpTable.Arn\n",
    ] {
        assert!(template.contains(line), "template.yaml has no `{line}`");
    }
    assert!(
        sandbox.read("wrangler.jsonc").contains(r#""ToolState": { "type": "durable-object", "storage": "sqlite" }"#)
    );
    assert!(
        sandbox
            .read("src/generated/cloudflare.ts")
            .contains("export { ToolState } from \"./runtime/durable-object-store.ts\";")
    );
    assert!(sandbox.read("src/generated/vercel.ts").contains("openStore: upstashStore(\"weather\"),"));
    // The database of one cloud is not a secret of the others, nor of a handler.
    for path in ["src/generated/manifest.ts", "src/generated/types.ts", "wrangler.jsonc", "template.yaml"] {
        assert!(!sandbox.read(path).contains("UPSTASH"), "{path}");
    }
    let secrets = sandbox.run(&["secrets", "list", "--json"]);
    assert!(secrets.stdout.contains("UPSTASH_REDIS_REST_URL") && secrets.stdout.contains("UPSTASH_REDIS_REST_TOKEN"));
    let check = sandbox.run(&["check", "--no-types"]);
    assert!(check.stderr.contains("npm install --save-exact aws4fetch@"), "DynamoDB's requests are signed: {check:?}");
    // Several packages are one command, in `check` and `render` alike.
    let package = sandbox.read("package.json");
    sandbox.write("package.json", "{}\n");
    for command in [["check", "--no-types"].as_slice(), &["render"]] {
        let said = sandbox.run(command).stderr;
        let count = said.matches("npm install --save-exact").count();
        assert_eq!(count, 1, "{said}");
        assert!(said.contains("npm install --save-exact aws4fetch@") && said.contains(" esbuild@"), "{said}");
    }
    sandbox.write("package.json", package);

    keep(&sandbox, "");
    assert_same(&sandbox.tree(), &before, "what nobody needs any more is taken away");
}

#[test]
fn each_cloud_has_its_own_store_and_no_other() {
    for (cloud, own) in
        [("lambda", "dynamodb"), ("vercel", "upstash"), ("cloudflare", "durable-object"), ("container", "sqlite")]
    {
        let sandbox = Sandbox::new();
        sandbox.ok(&["init", ".", "--name", "weather", "--target", cloud, "--yes"]);
        keep(&sandbox, "state = \"shared\"\n");
        for store in ["dynamodb", "upstash", "durable-object", "sqlite"] {
            let file = sandbox.path(&format!("src/generated/runtime/{store}-store.ts"));
            assert_eq!(file.exists(), store == own, "{store}, {cloud}");
        }
        let secrets = sandbox.run(&["secrets", "list", "--json"]).stdout.contains("UPSTASH");
        assert_eq!(secrets, cloud == "vercel", "{cloud}");
    }
}

/// A volume only for what is in the file.
#[test]
fn a_container_has_a_volume_for_its_file() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", ".", "--name", "weather", "--target", "container", "--yes"]);
    let has = || {
        let [compose, image] = ["compose.yaml", "Dockerfile"].map(|path| sandbox.read(path));
        assert_eq!(compose.contains("- data:/data"), image.contains("MCP_STATE_FILE=/data/"), "{compose}{image}");
        compose.contains("- data:/data")
    };
    assert!(!has());
    keep(&sandbox, "state = \"shared\"\n");
    assert!(has());
    let manifest = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", manifest.replace("[targets.container]\n", "[targets.container]\nstore = \"upstash\"\n"));
    sandbox.ok(&["render"]);
    assert!(!has());
}

/// The handler that goes may import it too; one that stays keeps it.
#[test]
fn what_nobody_needs_any_more_is_said() {
    let sandbox = Sandbox::weather();
    keep(&sandbox, "state = \"shared\"\n");
    let package = sandbox
        .read("package.json")
        .replace("\"dependencies\": {", "\"dependencies\": {\n    \"aws4fetch\": \"1.0.20\",");
    sandbox.write("package.json", package);
    let handler = sandbox.read("src/tools/get_weather.ts");
    sandbox.write("src/tools/get_weather.ts", format!("import {{ AwsClient }} from \"aws4fetch\";\n{handler}"));
    let uninstall = "\nnext: npm uninstall aws4fetch\n";
    let other = Sandbox::with(&sandbox.tree());
    assert!(sandbox.ok(&["remove-tool", "get_weather"]).stderr.contains(uninstall));
    other.write("src/aws.ts", "import { AwsClient } from 'aws4fetch';\n");
    assert!(!other.ok(&["remove-tool", "get_weather"]).stderr.contains("npm uninstall"));
}

/// A project made by 0.1.0 lists the SDK. Whatever may still use it keeps it: code, a script, or a package that wants
/// it beside itself.
#[test]
fn what_only_an_older_version_needed_is_said() {
    let sandbox = Sandbox::weather();
    let package = sandbox.read("package.json");
    let older =
        "\"dependencies\": {\n    \"@modelcontextprotocol/server\": \"2.4.0\",\n    \"mcp-handler\": \"2.4.0\",";
    sandbox.write("package.json", package.replace("\"dependencies\": {", older));
    let said = |arguments: &[&str]| {
        let said = sandbox.run(arguments).stderr;
        said.split_once("npm uninstall ")
            .map(|(_, names)| names.lines().next().unwrap_or_default().trim_end_matches('`').to_owned())
    };
    let both = Some("@modelcontextprotocol/server mcp-handler".to_owned());
    assert_eq!(said(&["render"]), both);
    assert_eq!(said(&["check", "--no-types"]), both);
    assert_eq!(said(&["add-tool", "one", "--description", "One."]), both);

    sandbox.write("test/old.test.ts", "import { createMcpHandler } from \"mcp-handler\";\n");
    assert_eq!(said(&["render"]), None, "mcp-handler is not installed: nobody can tell what it wants beside it");
    sandbox.write(
        "node_modules/mcp-handler/package.json",
        "{\"peerDependencies\": {\"@modelcontextprotocol/server\": \"^2\"}}",
    );
    assert_eq!(said(&["render"]), None);
    sandbox.write("node_modules/mcp-handler/package.json", "{}");
    assert_eq!(said(&["render"]), Some("@modelcontextprotocol/server".to_owned()));
    sandbox.write("scripts/tool.mjs", "await import('@modelcontextprotocol/server/stdio');\n");
    assert_eq!(said(&["render"]), None);

    // The manifest needs them again.
    for path in ["test/old.test.ts", "scripts/tool.mjs"] {
        std::fs::remove_file(sandbox.path(path)).unwrap();
    }
    assert_eq!(said(&["render"]), both);
    let manifest = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", manifest.replace("[targets.vercel]\n", "[targets.vercel]\nadapter = \"mcp-handler\"\n"));
    assert_eq!(said(&["render"]), None);
}

/// `tests/e2e/state.rs` asks the contract of each store, of a stand-in where the store itself cannot run locally.
#[test]
fn every_store_is_held_to_the_contract() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/state.rs");
    let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
    let proofs = file.items.iter().filter_map(|item| match item {
        syn::Item::Fn(proof) if proof.attrs.iter().any(|attribute| attribute.path().is_ident("test")) => Some(proof),
        _ => None,
    });
    let proofs: Vec<String> = proofs.map(|proof| proof.sig.ident.to_string()).collect();
    for store in stores::ALL {
        let name = store.name.replace('-', "_");
        assert!(proofs.iter().any(|proof| proof.contains(&name)), "tests/e2e/state.rs has no proof of `{name}`");
    }
}
