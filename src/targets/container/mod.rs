//! A container: a Dockerfile and a compose file around a bundle for Node.js. Whoever runs containers runs it;
//! mcp-deploy asks nobody.

mod by_hand;
mod template;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::deployer::Deployer;
use super::isolated::Isolated;
use super::{Build, Code, LOCAL_STATE, Local, NodeBundle, Start, Step, Target};
use crate::manifest::Manifest;
use crate::manifest::targets::{container, stores};
use crate::plan;

pub const TARGET: Target = Target {
    facts: &container::FACTS,
    aliases: &["docker"],
    tools: &[],
    packages: |_| &[("esbuild", "0.28.2")],
    bundle: Some(NodeBundle { started: "server", cpu }),
    websocket: |_| false,
    data: |manifest| serde_json::to_value(template::data(manifest)),
    unfit_in_paths: |_| false,
    build: |build| vec![Step { judged: Some(super::beside), ..Step::new("build", super::bundle(build, TARGET.name)) }],
    start,
    watch: None,
    is_chatter: |_| false,
    artifact: |root| root.join(CODE).join(SERVER),
    scripts: |root| root.join(CODE),
    metafile: |build, out, metafile| {
        Ok(super::bundle(build, TARGET.name).arg("--outdir").arg(out).arg("--metafile").arg(metafile))
    },
    gates: &[],
    to_tell_versions: None,
    deployer: Deployer::ByHand(by_hand::BY_HAND),
};

/// What the image has of the project, as in `Dockerfile`.
const CODE: &str = "dist/container";
/// What the image starts, as in `Dockerfile`.
const SERVER: &str = "server.mjs";
/// The variable that names the file of the SQLite store, as in `Dockerfile`.
const STATE_FILE: &str = "MCP_STATE_FILE";

fn cpu(manifest: &Manifest) -> &'static str {
    match is_arm(manifest) {
        true => "arm64",
        false => "x64",
    }
}

fn is_arm(manifest: &Manifest) -> bool {
    manifest.targets.container.as_ref().is_some_and(|container| container.architecture == "arm64")
}

/// Whether a file on a volume keeps something.
fn keeps_a_file(manifest: &Manifest) -> bool {
    let store = (TARGET.store)(&manifest.targets);
    store.name == stores::SQLITE.name && store.is_used(manifest)
}

fn start(build: &Build<'_>, start: &Start<'_>) -> Result<Local> {
    let built = build.root.join(CODE);
    let code = match start.code {
        Code::Bundle(folder) => folder,
        Code::Built | Code::Sources => &built,
    };
    // What its owner sets for the file, and for the database of the other store.
    let also = ["KV_REST_API_URL", "KV_REST_API_TOKEN"];
    let place = Isolated::new(build, start, TARGET.name, &also, |to| plan::copy_folder(code, to))?;
    let cmd = place.node(build).arg(SERVER).env("PORT", start.port.to_string());
    let file = match keeps_a_file(build.manifest) {
        true => state_file(start).map(|file| (STATE_FILE, file)),
        false => start.local_state(build, TARGET.name),
    };
    let cmd = file.into_iter().fold(cmd, |cmd, (name, file)| cmd.env(name, file));
    let cmd = start.env.iter().fold(cmd, |cmd, (name, value)| cmd.env_secret(name, value));
    Ok(Local {
        commands: vec![cmd],
        bundle: place.code.clone(),
        base: format!("http://127.0.0.1:{}", start.port),
        runtime: "Node.js, started as the image starts it".to_owned(),
        platform: None,
        place: Some(place),
    })
}

/// The store itself runs here, so it is the one that is proven. A variable of the user's own names another file.
fn state_file(start: &Start<'_>) -> Option<PathBuf> {
    let is_set = std::env::var_os(LOCAL_STATE).is_some_and(|file| !file.is_empty());
    (!is_set).then(|| Path::new(start.state).join(format!("{}.sqlite", TARGET.name)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::manifest::{self, Manifest};
    use crate::targets::Build;
    use crate::toolchain::{Search, Toolchain};

    fn manifest(rest: &str) -> Manifest {
        let text = format!(
            "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[tools.t]\ndescription = \"d\"\n{rest}"
        );
        let (manifest, faults) = manifest::parse(&text, &|_| Err("no file".into()));
        manifest.unwrap_or_else(|| panic!("{faults:?}"))
    }

    /// The secrets of a database are those of all targets that have the same; a stage may choose another store.
    #[test]
    fn its_table_chooses_the_store() {
        let secrets = |manifest: &Manifest, target| manifest.secrets_of(target).count();
        let own = manifest("state = \"shared\"\n[targets.vercel]\n[targets.container]\n");
        assert_eq!((super::keeps_a_file(&own), secrets(&own, "container"), secrets(&own, "vercel")), (true, 0, 2));
        let shared = manifest("state = \"shared\"\n[targets.vercel]\n[targets.container]\nstore = \"upstash\"\n");
        let counts = (secrets(&shared, "container"), secrets(&shared, "vercel"));
        assert_eq!((super::keeps_a_file(&shared), counts), (false, (2, 2)));
        assert!(!super::keeps_a_file(&manifest("[targets.container]\n")), "nothing is kept");
        let staged =
            manifest("state = \"shared\"\n[targets.container]\n[stages.b.targets.container]\nstore = \"upstash\"\n");
        assert_eq!((secrets(&staged, "container"), secrets(&staged.staged("b").unwrap(), "container")), (0, 2));
    }

    #[test]
    fn a_header_that_holds_no_address_is_refused() {
        for header in ["Forwarded", "a b", ""] {
            let text = format!(
                "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.container]\nclient_address = \"{header}\"\n"
            );
            assert!(manifest::parse(&text, &|_| Err(String::new())).0.is_none(), "{header}");
        }
    }

    #[test]
    fn the_lines_to_paste_have_the_secrets_and_say_what_does_not_fit() {
        let search = Search { path: "".into(), cache: "/nonexistent".into() };
        let tools = Toolchain::named(super::TARGET.tools, &search);
        let ways = |rest: &str| {
            let manifest = manifest(rest);
            let build = Build { root: Path::new("/p"), manifest: &manifest, tools: &tools };
            let handed = (super::by_hand::BY_HAND.hand_over)(&build).ways.into_iter();
            handed.map(|way| (way.commands.join("; "), way.note.unwrap_or_default())).collect::<Vec<_>>()
        };
        let [compose, cloud_run, fly] = &ways("[targets.container]\n")[..] else { panic!("three ways") };
        assert!(compose.0.ends_with("docker compose up --build -d") && fly.0.contains("--internal-port 8080"));
        assert_eq!(cloud_run.0, "gcloud run deploy s --allow-unauthenticated --source /p");
        let secret = ways("[secrets]\nKEY = \"k\"\n[targets.container]\narchitecture = \"arm64\"\n");
        assert!(secret[0].1.contains("`.env`") && secret[0].1.contains("KEY"), "{secret:?}");
        assert!(secret[1].0.contains("--set-secrets=KEY=KEY:latest"), "{secret:?}");
        assert!(secret[1..].iter().all(|(_, note)| note.contains("it runs x86-64")), "{secret:?}");
        let file = ways("state = \"shared\"\n[targets.container]\n");
        assert!(file[1..].iter().all(|(_, note)| note.contains("set `store = \"upstash\"`")), "{file:?}");
    }
}
