//! What `[targets.container]` renders for Docker, in every form: linters find nothing in it, and it is strict where no
//! linter looks. `image.rs` builds the image and runs it.

use std::path::Path;
use std::process::Command;

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::support::child::run;
use crate::support::site::WEATHER;
use crate::support::tools::{CHECK_JSONSCHEMA, HADOLINT};
use crate::support::work::{folder, read, write};
use crate::templates::files;

const SERVER: &str = "[server]\nname = \"weather\"\nversion = \"0.1.0\"\ndescription = \"A $HOME: \\\"d\\\"\"\n[tools.a]\ndescription = \"d\"\n";
const STATE: &str = "[tools.b]\ndescription = \"d\"\nstate = \"shared\"\n";

/// Below `[targets.container]`, and beside it.
const FORMS: [(&str, &str, &str); 6] = [
    ("plain", "", ""),
    ("state", "", STATE),
    ("limit", "client_address = \"X-Forwarded-For\"\n", "[access]\nrate_limit = \"60/minute\"\n"),
    ("upstash", "store = \"upstash\"\n", STATE),
    ("secrets", "port = 9000\narchitecture = \"arm64\"\n", "[secrets]\nTOKEN = \"t\"\n[access]\nauth = \"api-key\"\n"),
    ("overrides", "overrides.services.server.deploy.resources.limits.memory = \"512M\"\n", STATE),
];

#[test]
fn is_clean_to_the_linters() {
    let dir = folder("docker");
    let (mut dockerfiles, mut compose) = (Vec::new(), Vec::new());
    for (form, keys, beside) in FORMS {
        let files = files(&format!("{SERVER}{beside}[targets.container]\n{keys}"));
        for (name, all) in [("Dockerfile", &mut dockerfiles), ("compose.yaml", &mut compose)] {
            let path = format!("{form}/{name}");
            write(dir.join(&path), &files[name]);
            all.push(path);
        }
    }
    run(lint(&dir, &dockerfiles)).expect(0);
    run(validate(&dir, &compose)).expect(0);

    // They find something where there is something.
    let dockerfile = read(dir.join(&dockerfiles[0]));
    write(dir.join("Dockerfile"), dockerfile.replace("CMD [\"node\", \"server.mjs\"]", "CMD node server.mjs"));
    let found = run(lint(&dir, &["Dockerfile".into()])).expect(1);
    assert!(found.stdout.contains("DL3025"), "{found}");
    write(dir.join("compose.yaml"), read(dir.join(&compose[0])).replace("read_only:", "readonly:"));
    let found = run(validate(&dir, &["compose.yaml".into()])).expect(1);
    assert!(found.stdout.contains("readonly"), "{found}");
}

/// Without what a user may have set for it.
fn lint(dir: &Path, files: &[String]) -> Command {
    let mut lint = Command::new(HADOLINT.path());
    lint.args(["--no-color", "--disable-ignore-pragma"]).args(files).current_dir(dir);
    lint.env("HOME", dir).env_remove("XDG_CONFIG_HOME");
    lint
}

fn validate(dir: &Path, files: &[String]) -> Command {
    let mut validate = Command::new(CHECK_JSONSCHEMA.path());
    validate.args(["--builtin-schema", "vendor.compose-spec"]).args(files).current_dir(dir);
    validate
}

#[test]
fn is_strict() {
    for (form, keys, beside) in FORMS {
        let files = files(&format!("{SERVER}{beside}[targets.container]\n{keys}"));
        let port = if keys.contains("port = 9000") { "9000" } else { "8080" };
        let steps = steps(&files["Dockerfile"]);
        let of = |name: &str| {
            steps.iter().filter(|(step, _)| step == name).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
        };
        let [from] = of("FROM")[..] else { panic!("{form}: {steps:?}") };
        // A version to the last number: Docker's cache and the next machine have the same.
        let version = from.strip_prefix("node:").and_then(|tag| tag.strip_suffix("-bookworm-slim")).expect(from);
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().expect(from)).collect();
        assert!(matches!(numbers[..], [24, _, _]), "{form}: {from}");
        // A number: Kubernetes cannot know that a name is not root.
        assert_eq!(of("USER"), ["1000:1000"], "{form}");
        let user = steps.iter().position(|(step, _)| step == "USER").expect("it is there");
        let changes = |(step, _): &(String, String)| ["RUN", "COPY", "ADD", "WORKDIR"].contains(&step.as_str());
        assert!(!steps[user..].iter().any(changes), "{form}: the server's user makes no file of the image");
        for unwanted in ["ADD", "ARG", "ENTRYPOINT", "ONBUILD", "SHELL"] {
            assert!(of(unwanted).is_empty(), "{form}: {unwanted}");
        }
        assert_eq!(words(of("CMD")[0]), ["node", "server.mjs"], "{form}");
        let (_, health) = of("HEALTHCHECK")[0].split_once(" CMD ").expect("a command");
        assert_eq!(words(health)[0], "node", "{form}");
        assert_eq!(of("EXPOSE"), [port], "{form}");
        assert!(of("ENV").iter().any(|env| env.contains(&format!("PORT={port}"))), "{form}");
        assert_eq!(of("STOPSIGNAL"), ["SIGTERM"], "{form}");
        assert!(!files["Dockerfile"].contains("TOKEN"), "{form}: no secret is in an image");

        // The volume is where the file is, in both files.
        let keeps_file = of("ENV").iter().any(|env| env.contains("MCP_STATE_FILE=/data/"));
        assert_eq!(keeps_file, ["state", "limit", "overrides"].contains(&form), "{form}");
        let compose = &Yaml::load_from_str(&files["compose.yaml"]).expect("YAML")[0];
        let server = &compose["services"]["server"];
        assert_eq!(server["read_only"].as_bool(), Some(true), "{form}");
        let volume = server.as_mapping_get("volumes").and_then(|volumes| volumes[0].as_str());
        assert_eq!(volume, keeps_file.then_some("data:/data"), "{form}");
        assert_eq!(server["ports"][0].as_str(), Some(format!("127.0.0.1:{port}:{port}").as_str()), "{form}");
    }
}

/// Docker is sent what the image copies, and nothing else: no sources, no packages, no `.env`.
#[test]
fn what_it_copies_is_built() {
    WEATHER.server("container");
    let home = WEATHER.home("container");
    let steps = steps(&read(home.join("Dockerfile")));
    let copied: Vec<&str> = steps.iter().filter(|(step, _)| step == "COPY").map(|(_, rest)| rest.as_str()).collect();
    assert_eq!(copied, ["dist/container/ ./"]);
    assert!(home.join("dist/container/server.mjs").is_file());
    let ignored = read(home.join(".dockerignore"));
    let ignored: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(ignored, ["*", "!dist/container"]);
}

/// Each instruction, and what stands behind it.
pub fn steps(dockerfile: &str) -> Vec<(String, String)> {
    let lines = dockerfile.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let steps = lines.replace("\\\n", " ");
    let steps = steps.lines().filter_map(|line| line.split_once(' '));
    steps.map(|(step, rest)| (step.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

/// Of a command that no shell reads.
fn words(command: &str) -> Vec<String> {
    serde_json::from_str(command).unwrap_or_else(|error| panic!("`{command}` has a shell: {error}"))
}
