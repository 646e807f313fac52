//! `keys`: a key is shown once, and nothing but its hash is kept.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use sha2::{Digest as _, Sha256};

use crate::support::{Sandbox, assert_same, finished};

fn with_keys() -> Sandbox {
    let sandbox = Sandbox::weather();
    let manifest = sandbox.read("mcp.toml").replace("[env]", "[access]\nauth = \"api-key\"\n\n[env]");
    sandbox.write("mcp.toml", manifest);
    sandbox
}

#[test]
fn a_key_is_printed_once_and_its_hash_is_kept() {
    let sandbox = with_keys();
    sandbox.write(".env", "OTHER=1\n");
    let added = sandbox.ok(&["keys", "add", "alice"]);
    let key = added.stdout.strip_suffix('\n').unwrap();
    assert!(key.len() == 47 && key.starts_with("mcp_") && !key.contains('\n'), "{key}");
    assert!(!added.stderr.contains(key), "everything but the key is for people");
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sandbox.read(".env"), format!("OTHER=1\nMCP_API_KEYS='{{\"alice\":\"{hash}\"}}'\n"));
    assert_eq!(sandbox.path(".env").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    sandbox.ok(&["keys", "add", "bob"]);
    assert_eq!(sandbox.ok(&["keys", "list"]).stdout, "alice\nbob\n");
    sandbox.ok(&["keys", "revoke", "alice"]);
    assert_eq!(sandbox.ok(&["keys", "list"]).stdout, "bob\n");
    assert!(!sandbox.read(".env").contains(&hash));
}

#[test]
fn what_keys_refuses_leaves_everything_as_it_was() {
    let sandbox = with_keys();
    sandbox.ok(&["keys", "add", "alice"]);
    let before = sandbox.tree();
    for (args, said) in [
        (["keys", "add", "alice"], "has a key already"),
        (["keys", "add", "__proto__"], "a caller's name is"),
        (["keys", "revoke", "alic"], "did you mean `alice`?"),
    ] {
        let run = sandbox.run(&args);
        assert!(run.code == 1 && run.stdout.is_empty() && run.stderr.contains(said), "{run:?}");
    }
    assert!(sandbox.tree() == before);
    sandbox.write(".gitignore", "node_modules/\n");
    assert!(sandbox.run(&["keys", "add", "bob"]).stderr.contains("git would commit `.env`"));
    sandbox.write(".gitignore", ".env\n");
    sandbox.write(".env", "MCP_API_KEYS=hunter2\n");
    let run = sandbox.run(&["keys", "list"]);
    assert!(run.code == 1 && !run.stderr.contains("hunter2"), "{run:?}");
    let run = Sandbox::weather().run(&["keys", "add", "alice"]);
    assert!(run.code == 1 && run.stderr.contains("asks for no API keys"), "{run:?}");
}

/// Each kind brings its own file and packages, and a server that is open to all has neither.
#[test]
fn what_is_rendered_follows_the_kind() {
    let sandbox = Sandbox::weather();
    let [keys, tokens] = ["api-keys", "oauth"].map(|kind| format!("src/generated/runtime/{kind}.ts"));
    let there = || [&keys, &tokens].map(|path| sandbox.path(path).exists());
    assert_eq!(there(), [false, false]);
    let open = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", open.replace("[env]", "[access]\nauth = \"api-key\"\n\n[env]"));
    sandbox.ok(&["render"]);
    assert_eq!(there(), [true, false]);
    assert!(sandbox.read("src/generated/app.ts").contains("auth: apiKeys(),"));
    assert!(sandbox.read("wrangler.jsonc").contains(r#""secrets": { "required": ["MCP_API_KEYS"] }"#));
    assert!(sandbox.read("template.yaml").contains("MCP_SECRET_ID"));
    assert!(sandbox.read("src/generated/manifest.ts").contains(r#""scope": "private""#));
    let oauth = "[access]\nauth = \"oauth\"\n[access.oauth]\nissuer = \"https://a.example\"\naudience = \"b\"\n\n[env]";
    sandbox.write("mcp.toml", open.replace("[env]", oauth));
    let render = sandbox.ok(&["render"]);
    assert!(render.stderr.contains("\nnext: npm install --save-exact jose@"), "{render:?}");
    assert_eq!(there(), [false, true]);
    assert!(
        sandbox
            .read("src/generated/app.ts")
            .contains(r#"auth: oauth({ issuers: ["https://a.example"], audience: ["b"]"#)
    );
    assert!(!sandbox.read("wrangler.jsonc").contains("secrets"));
    let check = sandbox.run(&["check", "--no-types"]);
    assert!(check.stderr.contains("npm install --save-exact jose@"), "{check:?}");
    sandbox.write("mcp.toml", open);
    sandbox.ok(&["render"]);
    assert_eq!(there(), [false, false], "what nobody needs any more is taken away");
}

#[test]
fn a_token_comes_from_the_environment_alone() {
    let run = Sandbox::new().run(&["verify", "http://127.0.0.1:1/mcp", "--bearer-env", "MCP_DEPLOY_NO_SUCH_VARIABLE"]);
    assert!(run.code == 2 && run.stderr.contains("`MCP_DEPLOY_NO_SUCH_VARIABLE`"), "{run:?}");
}

/// Any value but a list of keys would lock every caller out, and `keys` would refuse to read it.
#[test]
fn a_value_that_is_not_a_list_of_keys_is_refused() {
    let sandbox = with_keys();
    sandbox.ok(&["keys", "add", "alice"]);
    let before = sandbox.tree();
    let set = |value: &str| {
        sandbox.write("value", value);
        let mut command = sandbox.command(&["secrets", "set", "MCP_API_KEYS"]);
        let run = finished(command.stdin(File::open(sandbox.path("value")).unwrap()));
        fs::remove_file(sandbox.path("value")).unwrap();
        run
    };
    for value in ["mcp_hunter2", "{\"alice\":\"mcp_hunter2\"}", "[]"] {
        let run = set(value);
        assert!(run.code == 1 && run.stderr.contains("is not a list of API keys; nothing was written"), "{run:?}");
        assert!(run.stderr.contains("hint: `mcp-deploy keys add NAME`") && !run.stderr.contains("hunter2"), "{run:?}");
    }
    assert_same(&sandbox.tree(), &before, "nothing was written");
    let list = format!("{{\"bob\":\"{}\"}}", "ab".repeat(32));
    assert_eq!(set(&list).code, 0);
    assert_eq!(sandbox.ok(&["keys", "list"]).stdout, "bob\n");
}
