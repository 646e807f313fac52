//! The image of `[targets.container]`: built of the rendered Dockerfile, and run as Docker would run it.
//!
//! There is no Docker and no registry here. The base image is made of this machine's Node.js, under the name that the
//! Dockerfile asks for. `buildah` reads the Dockerfile. The server runs as it would in a container: process 1, in the
//! image's root, as the image's user.

use std::path::{Path, PathBuf};
use std::process::Command;

use mcp_deploy::toolchain::ToolId;
use rustix::process::{Pid, Signal, kill_process_group};
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Value, json};

use crate::dockerfile::steps;
use crate::support::child::{Ran, Running, SHORT, free_port, run};
use crate::support::mcp::{Era, ask};
use crate::support::tools::KIT;
use crate::support::work::{folder, mcp_deploy, read, write};

#[test]
#[ignore = "long: `cargo bench --bench long -- image`"]
fn runs_as_in_docker() {
    assert!(rustix::process::geteuid().is_root(), "only root can change to the root folder of an image");
    assert!(which::which("buildah").is_ok(), "there is no `buildah`: apt-get install --no-install-recommends buildah");
    let project = folder("image").join("counter");
    let init = ["init", "counter", "--example", "counter", "--target", "container", "--yes"];
    run(mcp_deploy(project.parent().expect("a folder"), init)).expect(0);
    run(mcp_deploy(&project, ["ship", "--target", "container", "--local"])).expect(0);

    let image = Image::build(&project);
    let volume = folder("volume");
    let by_compose = compose_environment(&project);
    // A new container each time, on the same volume: as of `docker run`, and as of the compose file.
    for (environment, value) in [(&[][..], 2), (&by_compose[..], 4)] {
        let port = free_port();
        let container = image.container(&volume, environment, &port);
        let url = format!("http://127.0.0.1:{port}/mcp");
        assert_ne!(container.check_health().code(), 0, "nothing answers yet");
        let mut server = container.start();
        server.until("the server", SHORT, |_| ureq::get(format!("http://127.0.0.1:{port}/health")).call().ok());
        container.check_health().expect(0);
        let verified = run(mcp_deploy(&project, ["verify", &url, "--json", "--call", "list_counters {}"])).expect(0);
        assert_eq!(verified.json()["counts"]["skipped"], 0, "{verified}");
        let count = json!({ "name": "count", "arguments": { "name": "tea", "by": 2 } });
        let counted = ask(&url, Era::Modern, "tools/call", count);
        assert_eq!(counted["structuredContent"]["value"], value, "{counted}");
        // `unshare` takes no notice of it, and ends as process 1 does.
        let group = Pid::from_raw(server.id().try_into().expect("a process")).expect("a process");
        kill_process_group(group, image.stop_signal()).expect("the server is there");
        server.wait(SHORT).expect(0);
    }
}

/// What the compose file sets over the image.
fn compose_environment(project: &Path) -> Vec<(String, String)> {
    let compose = &Yaml::load_from_str(&read(project.join("compose.yaml"))).expect("YAML")[0]["services"]["server"];
    let environment = compose["environment"].as_mapping().expect("a mapping");
    let text = |value: &Yaml<'_>| value.as_str().expect("a string").to_owned();
    environment.iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// What `buildah` has of an image, and where.
struct Image {
    store: PathBuf,
    /// As Docker keeps it: `Env`, `User`, `Cmd` and so on.
    config: Value,
}

impl Image {
    fn build(project: &Path) -> Self {
        let mut image = Image { store: folder("store"), config: Value::Null };
        let steps = steps(&read(project.join("Dockerfile")));
        let (_, from) = steps.iter().find(|(step, _)| step == "FROM").expect("a base image");
        image.make_base(from);
        let mut build = image.buildah(&["bud", "--isolation", "chroot", "--pull=never", "--format", "docker"]);
        build.args(["--tag", NAME, "."]).current_dir(project);
        run(build).expect(0);
        let inspected = run(image.buildah(&["inspect", "--type", "image", NAME])).expect(0).json();
        image.config = inspected["Docker"]["config"].clone();
        image
    }

    /// What the official image has, as far as a server and the steps of a Dockerfile need it.
    fn make_base(&self, name: &str) {
        let root = folder("base");
        let node = KIT.tools.found(ToolId::Node).expect("it is needed by every target").path.clone();
        let node = node.canonicalize().expect("a found tool is there");
        let version = run(version(&node)).expect(0).stdout;
        let version = version.trim().trim_start_matches('v');
        assert!(name.starts_with(&format!("node:{}.", version.split('.').next().expect("a major version"))), "{name}");
        copy_program(&node, &root, "usr/local/bin/node");
        for program in PROGRAMS {
            copy_program(&which::which(program).expect("Linux has it"), &root, &format!("usr/bin/{program}"));
        }
        for (link, to) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            std::os::unix::fs::symlink(to, root.join(link)).expect("a link");
        }
        write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
        write(root.join("etc/group"), "root:x:0:\nnode:x:1000:\n");
        write(root.join("usr/local/bin/docker-entrypoint.sh"), ENTRYPOINT);
        let script = "chmod 755 usr/local/bin/docker-entrypoint.sh; mkdir -m 1777 tmp; mkdir root proc dev home home/node; \
                      chown 1000:1000 home/node";
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(&root);
        run(shell).expect(0);

        let container = run(self.buildah(&["from", "scratch"])).expect(0).stdout;
        let container = container.trim();
        let mut copy = self.buildah(&["copy", "--quiet", container]);
        copy.arg(&root).arg("/");
        run(copy).expect(0);
        let node_version = format!("NODE_VERSION={version}");
        let config = ["--entrypoint", "[\"docker-entrypoint.sh\"]", "--cmd", "node", "--env", &node_version, container];
        run(self.buildah(&[&["config", "--env", PATH], &config[..]].concat())).expect(0);
        let tag = format!("docker.io/library/{name}");
        run(self.buildah(&["commit", "--quiet", "--format", "docker", "--rm", container, &tag])).expect(0);
        std::fs::remove_dir_all(root).expect("our own folder");
    }

    fn buildah(&self, args: &[&str]) -> Command {
        let mut buildah = Command::new("buildah");
        buildah.arg("--root").arg(self.store.join("root")).arg("--runroot").arg(self.store.join("run"));
        buildah.args(["--storage-driver", "vfs"]).args(args).env("TMPDIR", &self.store);
        buildah
    }

    fn stop_signal(&self) -> Signal {
        match self.config["StopSignal"].as_str() {
            None | Some("SIGTERM") => Signal::TERM,
            other => panic!("{other:?}"),
        }
    }

    /// A new container; as Docker does it, a volume that is still empty gets what the image has in its place.
    fn container(&self, volume: &Path, environment: &[(String, String)], port: &str) -> Container<'_> {
        let name = run(self.buildah(&["from", "--pull=never", NAME])).expect(0).stdout;
        let root = run(self.buildah(&["mount", name.trim()])).expect(0).stdout;
        let root = PathBuf::from(root.trim());
        if volume.read_dir().expect("our own folder").next().is_none() {
            let mut cp = Command::new("cp");
            cp.args(["-aT"]).arg(root.join(VOLUME.trim_start_matches('/'))).arg(volume);
            run(cp).expect(0);
        }
        let image = self.words("Env").into_iter().map(|set| set.split_once('=').expect("NAME=value"));
        let mut all: Vec<(String, String)> = image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.extend_from_slice(environment);
        all.push(("PORT".into(), port.into()));
        Container { image: self, root, volume: volume.to_owned(), environment: all }
    }

    fn words(&self, key: &str) -> Vec<&str> {
        self.config[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

struct Container<'a> {
    image: &'a Image,
    root: PathBuf,
    volume: PathBuf,
    environment: Vec<(String, String)>,
}

impl Container<'_> {
    /// What the image is made to run, as its process 1.
    fn start(&self) -> Running {
        Running::start(self.command(&[self.image.words("Entrypoint"), self.image.words("Cmd")].concat()))
    }

    fn check_health(&self) -> Ran {
        let test = self.image.config["Healthcheck"]["Test"].as_array().into_iter().flatten();
        let test: Vec<&str> = test.filter_map(Value::as_str).collect();
        let ["CMD", command @ ..] = &test[..] else { panic!("no health check without a shell: {test:?}") };
        Running::start(self.command(command)).wait(SHORT)
    }

    /// In the root, the folder and the environment of the image, as its user. The root is read-only, as in
    /// the compose file.
    fn command(&self, command: &[&str]) -> Command {
        let config = &self.image.config;
        let (user, group) = config["User"].as_str().and_then(|user| user.split_once(':')).expect("USER, by numbers");
        assert_eq!([user, group], ["1000", "1000"], "the user of the base image");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh"]);
        unshare.arg(&self.root).arg(&self.volume).arg(VOLUME);
        unshare.arg(config["WorkingDir"].as_str().expect("a folder")).args([user, group]).args(command);
        unshare.env_clear().envs(self.environment.iter().cloned());
        unshare
    }
}

const NAME: &str = "counter";
const VOLUME: &str = "/data";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// For the steps of a Dockerfile.
const PROGRAMS: [&str; 6] = ["sh", "mkdir", "chown", "chmod", "install", "rm"];

/// Of the official image.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then
  set -- node "$@"
fi
exec "$@"
"#;

/// In a mount namespace that ends with the process.
const ENTER: &str = r#"
root=$1 volume=$2 at=$3 dir=$4 user=$5 group=$6
shift 6
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$volume" "$root$at"
mount -o remount,bind,ro "$root"
exec unshare --root="$root" --wd="$dir" --setgid="$group" --setuid="$user" -- "$@"
"#;

fn version(node: &Path) -> Command {
    let mut version = Command::new(node);
    version.arg("--version");
    version
}

/// With the libraries that the loader would find for it.
fn copy_program(program: &Path, root: &Path, to: &str) {
    let place = |from: &Path, to: PathBuf| {
        std::fs::create_dir_all(to.parent().expect("a file has a folder")).expect("our own folder");
        // Links are followed.
        std::fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    };
    place(program, root.join(to));
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    for word in run(ldd).expect(0).stdout.split_whitespace().filter(|word| word.starts_with('/')) {
        let path = Path::new(word.trim_end_matches(':'));
        let inside = path.strip_prefix("/").expect("it starts with it");
        let inside = if inside.starts_with("usr") { inside.to_owned() } else { Path::new("usr").join(inside) };
        place(path, root.join(inside));
    }
}
