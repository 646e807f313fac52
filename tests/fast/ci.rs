//! `ci github`: a workflow that GitHub can read, without long-lived keys of AWS, its actions pinned.

use std::process::Command;

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::support::{Sandbox, finished};

const FILE: &str = ".github/workflows/mcp-deploy.yml";

#[test]
fn the_workflow_has_the_projects_package_manager() {
    for (lockfile, text, installed, tests) in [
        ("package-lock.json", "{}", None, "npm test --if-present"),
        ("pnpm-lock.yaml", "", Some("npm install --global pnpm"), "pnpm run test"),
        ("yarn.lock", "__metadata:\n", Some("npm install --global @yarnpkg/cli-dist"), "yarn run test"),
        ("yarn.lock", "# yarn lockfile v1\n", Some("npm install --global yarn@1"), "yarn run test"),
        ("bun.lock", "{}", Some("npm install --global bun"), "bun run test"),
    ] {
        let sandbox = Sandbox::weather();
        sandbox.write(lockfile, text);
        sandbox.ok(&["ci", "github"]);
        let workflow = &Yaml::load_from_str(&sandbox.read(FILE)).unwrap()[0];
        for (job, last) in [("check", tests), ("ship", "mcp-deploy ship --target all --yes --rollback-on-failure")] {
            let steps = workflow["jobs"][job]["steps"].as_vec().unwrap().iter();
            let runs: Vec<&str> = steps.filter_map(|step| step.as_mapping_get("run")?.as_str()).collect();
            assert_eq!(runs.first().copied().filter(|run| run.starts_with("npm")), installed, "{lockfile}: {runs:?}");
            assert!(runs.contains(&last), "{lockfile}: {runs:?}");
        }
    }
}

#[test]
fn the_workflow_checks_renders_and_ships() {
    let sandbox = Sandbox::weather();
    let manifest = sandbox
        .read("mcp.toml")
        .replace("[env]", "[secrets]\nWEATHER_API_KEY = \"Key\"\nGITHUB_TOKEN = \"Token\"\n\n[env]");
    sandbox.write("mcp.toml", manifest);
    assert_eq!(sandbox.ok(&["ci", "github", "--dry-run"]).stdout, format!("would create {FILE}\n"));
    assert!(!sandbox.path(FILE).exists());
    sandbox.ok(&["ci", "github"]);
    let text = sandbox.read(FILE);
    let documents = Yaml::load_from_str(&text).unwrap();
    let workflow = &documents[0];

    let steps = |job: &str| workflow["jobs"][job]["steps"].as_vec().unwrap().iter();
    let runs = |job: &str| steps(job).filter_map(|step| step.as_mapping_get("run")?.as_str()).collect::<Vec<_>>();
    assert!(runs("check").contains(&"mcp-deploy render --check"));
    assert!(runs("check").contains(&"mcp-deploy check"));
    assert!(runs("check").contains(&"npm test --if-present"));
    assert!(runs("ship").contains(&"mcp-deploy ship --target all --yes --rollback-on-failure"));
    let installed = format!("cargo install --locked mcp-deploy --version {}", env!("CARGO_PKG_VERSION"));
    assert!(runs("check").contains(&installed.as_str()) && runs("ship").contains(&installed.as_str()));

    let actions =
        ["check", "ship"].into_iter().flat_map(steps).filter_map(|step| step.as_mapping_get("uses")?.as_str());
    let actions: Vec<&str> = actions.collect();
    assert!(actions.len() >= 4, "{actions:?}");
    for action in actions {
        let commit = action.split_once('@').unwrap().1;
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "not pinned: {action}");
    }

    // AWS by OIDC alone, and only where it is shipped.
    assert_eq!(workflow["jobs"]["ship"]["permissions"]["id-token"].as_str(), Some("write"));
    assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"));
    assert!(workflow["jobs"]["check"].as_mapping_get("permissions").is_none());
    assert!(text.contains("role-to-assume: ${{ vars.AWS_ROLE_ARN }}"));
    for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        assert!(!text.contains(key), "{key}");
    }
    assert_eq!(workflow["jobs"]["ship"]["if"].as_str(), Some("github.event_name == 'push'"));
    assert!(text.contains("WEATHER_API_KEY: ${{ secrets.WEATHER_API_KEY }}"));

    // What begins like that is GitHub's own: the token of the run must not become the server's.
    assert!(
        text.contains("GITHUB_TOKEN: ${{ secrets.MCP_GITHUB_TOKEN }}") && !text.contains("secrets.GITHUB_"),
        "{text}"
    );

    // It is the user's from then on.
    sandbox.write(FILE, "mine");
    let again = sandbox.run(&["ci", "github"]);
    assert_eq!((again.code, sandbox.read(FILE).as_str()), (1, "mine"), "{}", again.stderr);
}

#[test]
fn the_workflow_names_only_what_the_manifests_clouds_need() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", ".", "--name", "weather", "--target", "cloudflare", "--yes"]);
    sandbox.ok(&["ci", "github"]);
    let text = sandbox.read(FILE);
    assert!(Yaml::load_from_str(&text).is_ok());
    assert!(text.contains("CLOUDFLARE_API_TOKEN") && !text.contains("AWS") && !text.contains("VERCEL"), "{text}");
}

/// GitHub reads it at the root of the repository alone, and its steps begin there.
#[test]
fn a_project_inside_a_repository_is_told_where_the_workflow_belongs() {
    let sandbox = Sandbox::new();
    let git = finished(Command::new("git").args(["init", "--quiet"]).current_dir(sandbox.root()));
    assert_eq!(git.code, 0, "{git:?}");
    for folder in ["apps/images", "apps/a: #b"] {
        sandbox.ok(&["init", folder, "--name", "images", "--yes"]);
        let place = sandbox.root().canonicalize().unwrap().join(FILE);
        let told = format!(
            "hint: GitHub reads workflows only at the root of the repository: move `{FILE}` to `{}`\n",
            place.display()
        );
        let dry = sandbox.ok(&["-C", folder, "ci", "github", "--dry-run"]);
        assert!(dry.stderr.ends_with(&told), "{dry:?}");
        let run = sandbox.ok(&["-C", folder, "ci", "github"]);
        assert!(run.stderr.ends_with(&told) && !place.exists(), "{run:?}");
        let text = sandbox.read(&format!("{folder}/{FILE}"));
        let workflow = &Yaml::load_from_str(&text).unwrap()[0];
        assert_eq!(workflow["defaults"]["run"]["working-directory"].as_str(), Some(folder), "{text}");
        // Those of two members do not cancel each other.
        assert_eq!(workflow["concurrency"]["group"].as_str(), Some("mcp-deploy-images-${{ github.ref }}"));
    }
    // One that is the root needs nothing of it.
    let sandbox = Sandbox::weather();
    let git = finished(Command::new("git").args(["init", "--quiet"]).current_dir(sandbox.root()));
    assert_eq!(git.code, 0, "{git:?}");
    let run = sandbox.ok(&["ci", "github"]);
    assert!(!run.stderr.contains("hint") && !sandbox.read(FILE).contains("working-directory"), "{run:?}");
}
