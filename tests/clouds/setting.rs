//! A project, the clouds it ships to, and `mcp-deploy` run as a user would, with everything it says.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mcp_deploy::toolchain::ToolId;
use rexpect::session::{PtySession, spawn_command};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::answers;
use crate::clouds::Edge;
use crate::clouds::aws::Aws;
use crate::clouds::cloudflare::Cloudflare;
use crate::clouds::vercel::Vercel;
use crate::support::{Client, Project, run, tools};

/// Nothing of a test takes longer, or it is stopped.
const LIMIT: Duration = Duration::from_secs(300);

pub const CLOUDFLARE_URL: &str = "https://weather.mcp-tests.workers.dev/mcp";
pub const VERCEL_URL: &str = "https://weather.vercel.app/mcp";

pub struct Setting {
    pub project: Project,
    pub edge: Edge,
    pub cloudflare: Cloudflare,
    pub aws: Aws,
    pub vercel: Vercel,
    pub client: Client,
    /// For addresses on this machine.
    pub direct: Client,
    /// Set for every run, after everything else.
    pub variables: BTreeMap<&'static str, String>,
    /// No file that a run writes may be longer than so many blocks of 512 bytes, as on a full disk.
    pub full_disk: Option<u32>,
    /// The process of the newest run.
    pub newest: Arc<AtomicU32>,
}

/// How a run ended, and all it said.
#[derive(Debug)]
pub struct Run {
    line: String,
    /// The exit code, or 128 + the signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

/// A run that was not waited for yet; stopped with everything it started when it is dropped.
pub struct Running {
    child: Child,
    line: String,
    started: Instant,
    pipes: Option<[JoinHandle<String>; 2]>,
}

impl Setting {
    pub fn new() -> Self {
        let edge = Edge::start();
        let cloudflare = Cloudflare::start(&edge, tools());
        let aws = Aws::start(tools(), &edge.hosts);
        let vercel = Vercel::start(&edge, tools());
        let (client, direct) = (Client::new(&edge), Client::direct());
        let project = Project::new();
        // Otherwise sam asks once a week whether there is a newer one, and nothing turns that off.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
        std::fs::create_dir_all(project.home().join("sam")).expect("a folder for sam");
        let known = format!("{{\"lastVersionCheck\": {now}.0}}");
        std::fs::write(project.home().join("sam/metadata.json"), known).expect("a file for sam");
        Setting {
            project,
            edge,
            cloudflare,
            aws,
            vercel,
            client,
            direct,
            variables: BTreeMap::new(),
            full_disk: None,
            newest: Arc::default(),
        }
    }

    pub fn with_secret() -> Self {
        let setting = Setting::new();
        setting.project.with_secret();
        setting
    }

    /// The command line, its words separated by blanks. With `--prebuilt` what was built before is deployed: for what
    /// depends on the cloud's answers alone.
    pub fn run(&self, line: &str) -> Run {
        self.run_with(line, "")
    }

    pub fn run_with(&self, line: &str, stdin: &str) -> Run {
        self.start(line, stdin).end()
    }

    /// Must end with 0. A manifest that it ends so with, an editor accepts too.
    pub fn ok(&self, line: &str) -> Run {
        let run = self.run(line);
        assert_eq!(run.code, 0, "{line}\n{}{}", run.stdout, run.stderr);
        if let Ok(manifest) = std::fs::read_to_string(self.file("mcp.toml")) {
            crate::editor::accepts(&manifest);
        }
        run
    }

    /// The one document on stdout.
    pub fn json(&self, line: &str) -> Value {
        self.ok(line).json()
    }

    pub fn start(&self, line: &str, stdin: &str) -> Running {
        crate::signals::heed();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-deploy"));
        if let Some(blocks) = self.full_disk {
            let program = std::mem::replace(&mut command, Command::new("sh"));
            // Ignored, the signal is an error of the write: what a full disk is.
            command.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()]);
            command.arg(program.get_program());
        }
        command.args(line.split(' ')).current_dir(self.project.root()).process_group(0);
        command.envs(self.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("mcp-deploy starts");
        self.newest.store(child.id(), Ordering::SeqCst);
        // A command that asks for nothing may be gone already.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        let pipes = [drain(child.stdout.take().expect("a pipe")), drain(child.stderr.take().expect("a pipe"))];
        Running { child, line: line.to_owned(), started: Instant::now(), pipes: Some(pipes) }
    }

    /// On a terminal, where a person answers.
    pub fn terminal(&self, line: &str) -> PtySession {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-deploy"));
        command.args(line.split(' ')).current_dir(self.project.root()).envs(self.environment());
        command.stdin(Stdio::inherit()).env("TERM", "xterm-256color");
        let limit = u64::try_from(LIMIT.as_millis()).expect("minutes");
        spawn_command(command, Some(limit)).expect("mcp-deploy starts")
    }

    fn environment(&self) -> BTreeMap<&'static str, String> {
        let home = self.project.home();
        let cache = std::env::var("MCP_DEPLOY_CACHE").ok();
        let cache = cache.or_else(|| Some(format!("{}/.cache/mcp-deploy", std::env::home_dir()?.display())));
        let own = [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("__SAM_CLI_APP_DIR", "sam"),
        ];
        let mut environment: BTreeMap<_, _> =
            own.map(|(name, folder)| (name, home.join(folder).display().to_string())).into();
        environment.extend(cache.map(|cache| ("MCP_DEPLOY_CACHE", cache)));
        environment.insert("NO_COLOR", "1".into());
        // What was fetched once is good enough: versions are pinned.
        environment.insert("npm_config_prefer_offline", "true".into());
        // Once a week sam asks whether there is a newer one of itself; no setting stops it but the time of the last
        // answer.
        let sam = home.join("sam");
        std::fs::create_dir_all(&sam).expect("a folder can be made");
        std::fs::write(sam.join("metadata.json"), r#"{"lastVersionCheck": 4102444800.0}"#)
            .expect("a file can be written");
        environment.extend(self.cloudflare.environment());
        environment.extend(self.aws.environment());
        environment.extend(self.vercel.environment());
        environment.extend(self.edge.environment());
        // The builds of sam and vercel install packages; everybody else is reached through the edge or not at all.
        let direct = environment.get("NO_PROXY").cloned().unwrap_or_default();
        environment.insert("NO_PROXY", format!("{direct},{}", registry_host()));
        environment.extend(self.variables.clone());
        environment
    }

    /// The temperature in Oslo, whoever serves it.
    pub fn temperature(&self, url: &str) -> i64 {
        self.asks(url).temperature(url)
    }

    pub fn secret_length(&self, url: &str) -> usize {
        self.asks(url).secret_length(url)
    }

    fn asks(&self, url: &str) -> &Client {
        if url.starts_with("https:") { &self.client } else { &self.direct }
    }

    pub fn file(&self, path: &str) -> PathBuf {
        self.project.root().join(path)
    }

    pub fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.file(".mcp-deploy/deployments.json")).expect("the record");
        serde_json::from_str(&text).expect("JSON")
    }

    /// `state` of each deployment of one cloud in the record, the oldest first.
    pub fn states(&self, target: &str) -> Vec<String> {
        let record = self.record();
        let all = record["deployments"].as_array().expect("a list").iter().filter(|one| one["target"] == target);
        all.map(|one| one["state"].as_str().expect("a state").to_owned()).collect()
    }

    /// What the record says is served at Cloudflare, of one stage.
    pub fn recorded(&self, target: &str, stage: &str) -> Value {
        let record = self.record();
        let mut all = record["deployments"].as_array().expect("a list").iter();
        let newest = all.rfind(|one| one["target"] == target && one["stage"] == stage);
        newest.cloned().unwrap_or_else(|| panic!("no {target} {stage} in {record}"))
    }

    /// Processes that run in the project's folder, or below it.
    pub fn processes(&self) -> Vec<String> {
        let root = self.project.root();
        let all = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| Some(entry.ok()?.path()));
        let here =
            all.filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&root)));
        let line = |process: PathBuf| std::fs::read(process.join("cmdline")).ok();
        here.filter_map(line).map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
    }
}

/// Waits for the question, then types.
#[track_caller]
pub fn answer(terminal: &mut PtySession, question: &str, keys: &str) {
    terminal.exp_string(question).unwrap_or_else(|error| panic!("no `{question}`: {error}"));
    // The question is on the screen a moment before the terminal is switched to single keys.
    std::thread::sleep(Duration::from_millis(50));
    terminal.send(keys).and_then(|_| terminal.flush()).expect("it listens");
}

/// What is said until it ends, with this exit code.
#[track_caller]
pub fn ends(mut terminal: PtySession, code: i32) -> String {
    let said = terminal.exp_eof().expect("it ends");
    match terminal.process_mut().wait() {
        Ok(rexpect::process::WaitStatus::Exited(_, found)) => assert_eq!(found, code, "{said}"),
        other => panic!("{other:?}: {said}"),
    }
    said
}

/// Where this machine has its npm packages from.
fn registry_host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let asked = run(&tools().cmd(ToolId::Npm).args(["config", "get", "registry"])).expect("npm's settings");
        let host = asked.stdout.trim().split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
        host.unwrap_or_default().to_owned()
    })
}

impl Run {
    pub fn json(&self) -> Value {
        let answer = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr));
        answers::conforms_to(&self.line, &answer);
        answer
    }

    /// How often something was said.
    pub fn count(&self, text: &str) -> usize {
        self.stderr.matches(text).count()
    }

    #[track_caller]
    pub fn said(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "nothing like `{text}` in:\n{}", self.stderr);
        self
    }

    /// On stdout.
    #[track_caller]
    pub fn answered(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "nothing like `{text}` in:\n{}", self.stdout);
        self
    }

    #[track_caller]
    pub fn said_once(&self, text: &str) -> &Self {
        assert_eq!(self.count(text), 1, "`{text}` is not there once:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    pub fn end(mut self) -> Run {
        let shows = std::env::var_os("TESTS_SHOW").is_some();
        let mut alone = Duration::ZERO;
        let mut looked = self.started;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(self.started.elapsed() < LIMIT, "`{}` does not end", self.line);
            if !shows {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            // To look so often costs more than a little.
            std::thread::sleep(Duration::from_millis(5));
            let before = std::mem::replace(&mut looked, Instant::now());
            if !has_children(self.child.id()) {
                alone += looked - before;
            }
        };
        let elapsed = self.started.elapsed();
        let [stdout, stderr] = self.pipes.take().expect("read once").map(|pipe| pipe.join().expect("read"));
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        if shows {
            let shown = format!(
                "\n$ mcp-deploy {} -> {code} in {elapsed:?}, without a child for {alone:?}\n{stdout}{stderr}",
                self.line
            );
            let _ = std::io::stderr().write_all(shown.as_bytes());
        }
        Run { line: self.line.clone(), code, stdout, stderr, elapsed }
    }
}

fn has_children(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.map(children).any(|children| !children.trim().is_empty())
}

impl Drop for Running {
    fn drop(&mut self) {
        // After its end the group is empty, and the signal meets nobody.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
