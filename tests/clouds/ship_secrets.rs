//! Secrets: from stdin to `.env` and the clouds' stores, read by the deployed tools, and found nowhere else.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::setting::{CLOUDFLARE_URL, Setting, VERCEL_URL};
use crate::support::{run, tools};

const NAME: &str = "WEATHER_API_KEY";
const VALUE: &str = "s3cr3t-of-the-weather-$HOME-service";

#[test]
fn a_secret_is_in_the_stores_and_nowhere_else() {
    let mut setting = Setting::with_secret();
    let recorder = Recorder::new(&setting);
    setting.variables.insert("PATH", recorder.path());
    setting.variables.insert("TMPDIR", recorder.folder("tmp").display().to_string());

    let unset = setting.run("ship --target all");
    unset.ended(1).said_once("3 problems found before anything was built or deployed");
    assert_eq!(unset.count("hint: run `mcp-deploy secrets set WEATHER_API_KEY`"), 3);
    assert!(!unset.stderr.contains("check types"));
    setting.run("secrets push --target all").ended(1).said("nothing was pushed");

    setting.run_with("secrets set WEATHER_KEY", VALUE).ended(1).said("declares no secret `WEATHER_KEY`").said(NAME);
    assert!(!setting.file(".env").exists());
    let set = setting.run_with("secrets set WEATHER_API_KEY", &format!("{VALUE}\n"));
    set.ended(0).said("set `WEATHER_API_KEY` in `.env`");
    assert_eq!(std::fs::metadata(setting.file(".env")).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = setting.json("secrets list --json");
    assert_eq!((&listed["secrets"][0]["name"], &listed["secrets"][0]["local"]), (&json!(NAME), &json!(true)));
    // There is no Worker yet, and none is made for a secret.
    setting
        .run("secrets push --target cloudflare")
        .ended(1)
        .said("cannot push the secrets to Cloudflare Workers")
        .said("there is no Worker `weather` yet");
    assert!(!setting.cloudflare.exists("weather"));

    let mut said = Vec::new();
    said.push(recorder.watch(|| setting.ok("ship --target all")));
    let lambda = setting.aws.output("us-east-1", "weather", "McpEndpoint").expect("an URL");
    for url in [lambda.as_str(), VERCEL_URL, CLOUDFLARE_URL] {
        assert_eq!(setting.secret_length(url), VALUE.len(), "the tool reads it: {url}");
    }
    said.push(recorder.watch(|| setting.ok("secrets push --target all")));
    said.push(setting.ok("secrets list --target all --json"));
    // At Cloudflare that is another version of the same code, and the record knows it.
    let live = setting.cloudflare.live("weather");
    assert_eq!(setting.recorded("cloudflare", "production")["version"].as_str(), live.as_deref());
    assert_eq!(setting.states("cloudflare"), ["verified"]);
    assert_eq!(said[2].json()["secrets"][0]["clouds"], json!(["lambda", "vercel", "cloudflare"]));

    // The stores have it.
    assert_eq!(setting.cloudflare.secret("weather", NAME).as_deref(), Some(VALUE));
    assert_eq!(setting.vercel.secret("weather", NAME).as_deref(), Some(VALUE));
    let stored: Value = serde_json::from_str(&setting.aws.secret("us-east-1", "mcp/weather").unwrap()).unwrap();
    assert_eq!(stored, json!({ NAME: VALUE }));

    // Nobody else was told: the requests that carried it are those to the stores.
    let told = |requests: Vec<crate::clouds::Request>| -> BTreeSet<String> {
        requests.iter().map(|request| format!("{} {}", request.method, without_ids(&request.path))).collect()
    };
    let cloudflare = told(setting.cloudflare.api().requests_with(VALUE));
    let script = "/client/v4/accounts/ID/workers/scripts/weather";
    assert_eq!(cloudflare, [format!("PATCH {script}/secrets-bulk"), format!("PUT {script}")].into());
    assert_eq!(told(setting.vercel.api().requests_with(VALUE)), ["POST /v10/projects/ID/env".to_owned()].into());
    let actions = setting.aws.api().requests_with(VALUE).into_iter();
    let actions: BTreeSet<_> =
        actions.map(|request| request.header("x-amz-target").unwrap_or("none").to_owned()).collect();
    assert_eq!(actions, ["secretsmanager.CreateSecret".to_owned()].into());

    // Not in an argument, not in an output, not in a file but `.env`.
    assert!(recorder.recorded().len() > 20, "the tools went through the recorder");
    for line in recorder.recorded() {
        assert!(!holds(line.as_bytes()), "in an argument: {}", line.replace(VALUE, "SECRET"));
    }
    for run in &said {
        assert!(!holds(run.stdout.as_bytes()) && !holds(run.stderr.as_bytes()), "in an output");
    }
    let mut found = Vec::new();
    for folder in [setting.project.root(), setting.project.home(), recorder.folder("tmp")] {
        grep(&folder, &mut found);
    }
    assert_eq!(found, [setting.file(".env")]);
    let bundles = ["dist/lambda/lambda.mjs", ".vercel/output/functions/index.func", ".wrangler/dist/cloudflare.js"];
    bundles.iter().for_each(|bundle| assert!(setting.file(bundle).exists(), "what was searched: {bundle}"));

    // Renamed or dropped: told where it still is, and taken away there.
    setting.project.replace("mcp.toml", "WEATHER_API_KEY = ", "OTHER_KEY = ");
    let renamed = setting.run("secrets list --target all --json").ended(1).json();
    assert_eq!(renamed["undeclared"], json!([{ "name": NAME, "clouds": ["lambda", "vercel", "cloudflare"] }]));
    setting.ok("secrets remove WEATHER_API_KEY --target all").said("removed `WEATHER_API_KEY` from `.env`");
    assert_eq!(setting.cloudflare.secret("weather", NAME), None);
    assert_eq!(setting.vercel.secret("weather", NAME), None);
    assert_eq!(setting.aws.secret("us-east-1", "mcp/weather").as_deref(), Some("{}"));
    assert_eq!(setting.run("secrets list --target all --json").json()["undeclared"], json!([]));
    let mut found = Vec::new();
    grep(&setting.project.root(), &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn a_changed_secret_reaches_what_runs() {
    let setting = Setting::with_secret();
    setting.run_with("secrets set WEATHER_API_KEY", "first").ended(0);
    let url = setting.ok("ship --target lambda").stdout.trim().to_owned();
    assert_eq!(setting.secret_length(&url), "first".len());
    let function = setting.aws.output("us-east-1", "weather", "FunctionName").expect("a function");

    // Functions that run keep what they have read; the same code with another secret is another version.
    setting.run_with("secrets set WEATHER_API_KEY", "the second").ended(0);
    setting.ok("secrets push --target lambda").said("until the next `mcp-deploy ship`");
    // Stack and secret of an older version, without a mark, are marked after one question.
    setting.aws.take_marks("us-east-1", "weather");
    let unmarked = setting.run("ship --target lambda");
    unmarked.ended(1).said("the stack `weather` in us-east-1 was deployed from here by an older version");
    unmarked.said("the secret `mcp/weather` in us-east-1 was deployed from here").said_once("2 problems found before");
    setting.ok("ship --target lambda --yes --prebuilt");
    assert_eq!(setting.aws.tag("us-east-1", "weather", "mcp-deploy:project"), Some(setting.mark()));
    assert_eq!(setting.aws.secret_tag("us-east-1", "mcp/weather", "mcp-deploy:project"), Some(setting.mark()));
    assert_eq!(setting.secret_length(&url), "the second".len());
    assert_eq!(setting.aws.versions("us-east-1", &function), Some((2, vec![1, 2])));
    setting.ok("ship --target lambda --prebuilt");
    assert_eq!(setting.aws.versions("us-east-1", &function), Some((2, vec![1, 2])), "unchanged");

    // Gone, and shipped again before AWS has really deleted the secret.
    setting.ok("destroy --target lambda --yes");
    setting.ok("ship --target lambda --prebuilt");
}

/// Nobody is asked for an optional secret; one that has a value goes along like any other.
#[test]
fn an_optional_secret_is_not_asked_for() {
    let setting = Setting::new();
    let declared = "[secrets]\nWEATHER_API_KEY = { description = \"Key\", optional = true }\n\n[env]";
    setting.project.replace("mcp.toml", "[env]", declared);
    let stored = || {
        let aws = setting.aws.secret("us-east-1", "mcp/weather");
        (aws.map(|values| values.contains(VALUE)), setting.cloudflare.secret("weather", NAME))
    };
    setting.ok("ship --target lambda,cloudflare");
    assert_eq!(stored(), (Some(false), None));
    setting.run_with("secrets set WEATHER_API_KEY", VALUE).ended(0);
    setting.ok("ship --target lambda,cloudflare --prebuilt");
    assert_eq!(stored(), (Some(true), Some(VALUE.to_owned())));
}

/// State needs a database on Vercel: nowhere else is anybody asked for it, or told of it.
#[test]
fn what_one_cloud_needs_is_its_own_business() {
    let setting = Setting::new();
    setting.project.replace("mcp.toml", "[tools.get_weather]\n", "[tools.get_weather]\nstate = \"shared\"\n");
    setting.ok("render");
    let unset = setting.run("ship --target all");
    unset.ended(1).said_once("2 problems found before anything was built or deployed");
    for name in ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] {
        assert_eq!(unset.count(&format!("hint: run `mcp-deploy secrets set {name}`")), 1, "{}", unset.stderr);
        setting.run_with(&format!("secrets set {name}"), VALUE).ended(0);
    }
    let pushed = setting.ok("secrets push --target lambda,vercel");
    pushed.said("vercel: push 2 secrets").said("lambda: no value here is of a secret that it needs");
    assert_eq!(setting.vercel.secret("weather", "UPSTASH_REDIS_REST_TOKEN").as_deref(), Some(VALUE));
    assert_eq!(setting.aws.secret("us-east-1", "mcp/weather"), None);
    let elsewhere = [setting.aws.api().requests_with(VALUE), setting.cloudflare.api().requests_with(VALUE)];
    assert!(elsewhere.iter().all(Vec::is_empty), "told to another cloud");
    for file in ["wrangler.jsonc", "template.yaml", "src/generated/manifest.ts", "src/generated/types.ts"] {
        let text = std::fs::read_to_string(setting.file(file)).expect("it was rendered");
        assert!(!text.contains("UPSTASH"), "{file}");
    }
    // What the Marketplace has set is as good as ours.
    for name in ["URL", "TOKEN"] {
        setting.ok(&format!("secrets remove UPSTASH_REDIS_REST_{name} --target vercel"));
        let key = format!("KV_REST_API_{name}");
        let mut add = setting.project.tool(ToolId::Vercel, &["env", "add", &key, "production", "--yes", "--api"]);
        add = setting
            .vercel
            .environment()
            .into_iter()
            .fold(add.arg(setting.vercel.url()), |add, (name, value)| add.env(name, value));
        run(&add.stdin(VALUE)).expect("`vercel env add`");
    }
    // A Worker with state is shipped elsewhere.
    setting.ok("ship --target lambda,vercel");
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes())
}

fn without_ids(path: &str) -> String {
    let is_id = |part: &str| {
        part.starts_with("prj_") || (part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    path.split('/').map(|part| if is_id(part) { "ID" } else { part }).collect::<Vec<_>>().join("/")
}

fn grep(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => grep(&path, found),
            Ok(kind) if kind.is_file() && std::fs::read(&path).is_ok_and(|bytes| holds(&bytes)) => found.push(path),
            _ => {}
        }
    }
}

/// Stands before every tool on PATH and writes down its arguments; and looks at all processes while something runs.
struct Recorder {
    folder: tempfile::TempDir,
}

impl Recorder {
    fn new(setting: &Setting) -> Self {
        let recorder = Recorder { folder: tempfile::tempdir().expect("a temporary folder") };
        let node = tools().found(ToolId::Node).expect("node").path.display().to_string();
        let sam = std::fs::canonicalize(&tools().found(ToolId::Sam).expect("sam").path).expect("sam");
        let script =
            |id| std::fs::canonicalize(&tools().found(id).expect("a tool").path).expect("a tool").display().to_string();
        let real = [
            ("node", format!("'{node}'")),
            ("wrangler", format!("'{node}' '{}'", script(ToolId::Wrangler))),
            ("vercel", format!("'{node}' '{}'", script(ToolId::Vercel))),
            ("sam", format!("'{}'", sam.display())),
            ("python", format!("'{}'", sam.with_file_name("python").display())),
        ];
        for (name, command) in real {
            let path = recorder.folder("bin").join(name);
            let log = recorder.folder.path().join("argv");
            let text = format!(
                "#!/bin/sh\nprintf '%s ' \"$0\" \"$@\" >> '{0}'\nprintf '\\0' >> '{0}'\nexec {command} \"$@\"\n",
                log.display()
            );
            std::fs::write(&path, text).expect("a wrapper");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let _ = setting;
        recorder
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn path(&self) -> String {
        format!("{}:{}", self.folder("bin").display(), std::env::var("PATH").unwrap_or_default())
    }

    /// Runs `work` and collects the command lines of all processes meanwhile.
    fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !done.load(Ordering::Relaxed) {
                    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                        seen.extend(std::fs::read(process.path().join("cmdline")).ok());
                    }
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                seen
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            let seen = watcher.join().expect("watched");
            assert!(seen.iter().all(|line| !holds(line)), "in the arguments of some process");
            result
        })
    }

    fn recorded(&self) -> Vec<String> {
        let bytes = std::fs::read(self.folder.path().join("argv")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect()
    }
}

/// Whoever wrote the project must not choose where the user's credentials go: wrangler by itself reads its settings
/// from `.env`.
#[test]
fn wrangler_takes_no_settings_from_the_project() {
    let mut setting = Setting::new();
    setting.variables.insert("CLOUDFLARE_API_TOKEN", String::new());
    let token = setting.cloudflare.environment().into_iter().find(|(name, _)| *name == "CLOUDFLARE_API_TOKEN");
    let token = token.expect("a token").1;
    std::fs::write(setting.file(".env"), format!("CLOUDFLARE_API_TOKEN={token}\n")).expect("a file can be written");
    setting.run("secrets list --target cloudflare").ended(1).said("CLOUDFLARE_API_TOKEN");
    assert!(setting.cloudflare.api().requests_with(&token).is_empty(), "the project's token was used");
}
