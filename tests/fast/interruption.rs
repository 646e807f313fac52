//! Being killed, or asked to stop, at any moment leaves the old or the new state, or what any later run mends.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Sandbox, Tree, assert_same, finished};

const TEMPORARY: &str = ".mcp-deploy-tmp";

const ADD: &[&str] =
    &["add-tool", "rain", "--description", "Will it rain?", "--param", "city:string", "--output", "x:number"];

/// A project, and what is done to it.
struct Case {
    name: &'static str,
    before: Tree,
    args: &'static [&'static str],
    /// The folder of the project in it.
    root: &'static str,
}

/// A project of a user who has changed some of the files.
fn lived_in() -> Sandbox {
    let sandbox = Sandbox::weather();
    sandbox.write("src/tools/get_weather.ts", "// mine\nexport default null;\n");
    sandbox.write("notes.txt", "mine");
    sandbox
}

fn project_cases() -> Vec<Case> {
    let stale = lived_in();
    // The manifest was edited by hand: one cloud less, a setting more, a tool without a handler.
    let text = stale.read("mcp.toml").replace("[targets.vercel]\n", "").replace("[env]\n", "[env]\nMORE = \"1\"\n");
    stale.write("mcp.toml", text + "\n[tools.by_hand]\ndescription = \"d\"\n");
    let edited = lived_in();
    edited.write("src/generated/types.ts", "// edited by hand\n");
    let (lived_in, bare) = (lived_in().tree(), Sandbox::new());
    bare.write(
        "mcp.toml",
        "[server]\nname = \"bare\"\nversion = \"1.0.0\"\ndescription = \"d\"\n\n[targets.cloudflare]\n",
    );
    bare.ok(&["render"]);
    let case = |name, before: &Tree, args| Case { name, before: before.clone(), args, root: "" };
    vec![
        case("add-tool", &lived_in, ADD),
        case("add-tool, the first", &bare.tree(), ADD),
        case("remove-tool", &lived_in, &["remove-tool", "get_weather"]),
        case("render", &stale.tree(), &["render"]),
        case("render --force", &edited.tree(), &["render", "--force"]),
    ]
}

const INIT: &[&str] = &["init", ".", "--name", "w", "--target", "cloudflare", "--yes"];

fn init_cases() -> Vec<Case> {
    let empty = Tree::from([("w/".to_owned(), Vec::new())]);
    let repository =
        [(".git/", ""), (".git/HEAD", "ref"), (".gitignore", "dist/\n"), ("LICENSE", "MIT"), ("README.md", "# Mine\n")];
    let repository = repository.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).into();
    let case = |name, before: &Tree, args, root| Case { name, before: before.clone(), args, root };
    vec![
        case("init of this folder", &Tree::new(), INIT, "."),
        case("init of a missing folder", &Tree::new(), &["init", "a/w", "--target", "cloudflare", "--yes"], "a/w"),
        case("init of a new repository", &repository, INIT, "."),
        case("init of an empty folder", &empty, &["init", "w", "--target", "cloudflare", "--yes"], "w"),
    ]
}

impl Case {
    fn after(&self) -> Tree {
        let sandbox = Sandbox::with(&self.before);
        sandbox.ok(self.args);
        sandbox.tree()
    }

    /// Every point at which the command can be killed.
    fn at_every_point(&self, check: impl Fn(&Case, &Tree, usize, Sandbox)) {
        self.at_points(1, check);
    }

    /// The first few, then one in `step`.
    fn at_points(&self, step: usize, check: impl Fn(&Case, &Tree, usize, Sandbox)) {
        let after = self.after();
        for n in (0..6).chain((6..).step_by(step)) {
            let sandbox = Sandbox::with(&self.before);
            if sandbox.killed_at(n, self.args).is_none() {
                assert!(n >= 6, "{}: only {n} points", self.name);
                return;
            }
            check(self, &after, n, sandbox);
        }
    }
}

/// What holds at every moment: the manifest is whole, files of the user are as they were.
fn assert_sound(case: &Case, after: &Tree, found: &Tree, context: &str) {
    assert!(!after.keys().any(|path| path.ends_with(TEMPORARY)), "{context}: a temporary file stays");
    for (path, old) in &case.before {
        let generated = path.contains("generated/") || found_in_lock(&case.before, path);
        let allowed = [Some(old), after.get(path)];
        assert!(generated || allowed.contains(&found.get(path)), "{context}: {path} is neither old nor new");
    }
    let manifest = format!("{}/mcp.toml", case.root);
    let manifest = manifest.trim_start_matches(['.', '/']);
    let states = [case.before.get(manifest), after.get(manifest)];
    assert!(states.contains(&found.get(manifest)), "{context}: mcp.toml is neither the old nor the new one");
}

fn found_in_lock(tree: &Tree, path: &str) -> bool {
    path == "mcp.lock"
        || tree.get("mcp.lock").is_some_and(|lock| String::from_utf8_lossy(lock).contains(&format!("\"{path}\"")))
}

fn run_again(case: &Case, after: &Tree, killed: &Tree, context: &str) {
    let sandbox = Sandbox::with(killed);
    // When the manifest was written already, the answer is an error: "exists already". Nothing is left to do then.
    sandbox.run(case.args);
    assert_same(&sandbox.tree(), after, &format!("{context}, then run again"));
}

#[test]
fn a_killed_command_is_finished_by_running_it_again_and_finished_or_undone_by_render() {
    for case in project_cases() {
        // `render` never forces, so an edit that `--force` had not yet set aside stays a conflict.
        let forced = case.args.contains(&"--force");
        let untouched = Sandbox::with(&case.before);
        assert_eq!(untouched.run(&["render"]).code, i32::from(forced), "{}", case.name);
        let old = untouched.tree();
        case.at_every_point(|case, after, n, sandbox| {
            let (killed, context) = (sandbox.tree(), format!("{} killed at {n}", case.name));
            assert_sound(case, after, &killed, &context);
            run_again(case, after, &killed, &context);

            let run = sandbox.run(&["render"]);
            let context = format!("{context}, then `render`");
            if forced && run.code == 1 {
                assert!(run.stderr.contains("edited by hand"), "{context}: {run:?}");
                return assert_same(&sandbox.tree(), &killed, &context);
            }
            assert_eq!(run.code, 0, "{context}: {run:?}");
            let undone = killed["mcp.toml"] != after["mcp.toml"];
            assert_same(&sandbox.tree(), if undone { &old } else { after }, &context);
        });
    }
}

/// And by another `init` of another shape too. `render` alone keeps the example's files, which are the user's as soon
/// as the manifest is there.
#[test]
fn a_killed_init_is_finished_by_running_it_again() {
    let other = ["init", ".", "--name", "other", "--target", "lambda", "--yes"];
    let another = Sandbox::new();
    another.ok(&other);
    init_cases()[0].at_every_point(|case, after, n, sandbox| {
        let (killed, context) = (sandbox.tree(), format!("{} killed at {n}", case.name));
        assert_sound(case, after, &killed, &context);
        run_again(case, after, &killed, &context);
        let run = sandbox.run(&["render"]);
        if killed.contains_key("mcp.toml") {
            return assert_same(&sandbox.tree(), after, &format!("{context}, then `render`"));
        }
        assert_eq!(run.code, 1, "{context}, then `render`: {run:?}");
        assert_same(&sandbox.tree(), &killed, &format!("{context}, then `render`"));
        if n % 4 == 0 {
            sandbox.ok(&other);
            assert_same(&sandbox.tree(), &another.tree(), &format!("{context}, then another init"));
        }
    });
}

#[test]
fn a_killed_init_of_another_folder_is_finished_by_running_it_again() {
    for case in &init_cases()[1..] {
        case.at_points(7, |case, after, n, sandbox| {
            run_again(case, after, &sandbox.tree(), &format!("{} killed at {n}", case.name));
        });
    }
}

/// A starter that an interrupted `add-tool` left and the user has filled in meanwhile is theirs.
#[test]
fn what_the_user_wrote_after_an_interruption_is_kept() {
    let before = Sandbox::weather().tree();
    for n in 0.. {
        let sandbox = Sandbox::with(&before);
        sandbox.killed_at(n, ADD).expect("killed before the handler was written");
        if sandbox.path("src/tools/rain.ts").exists() {
            sandbox.write("src/tools/rain.ts", "// mine\nexport default null;\n");
            sandbox.ok(&["render"]);
            assert_eq!(sandbox.read("src/tools/rain.ts"), "// mine\nexport default null;\n");
            sandbox.ok(ADD);
            assert_eq!(sandbox.read("src/tools/rain.ts"), "// mine\nexport default null;\n");
            return;
        }
    }
}

fn spawned(sandbox: &Sandbox, args: &[&str]) -> Child {
    sandbox.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    // It may have ended already, which is one of the moments to be tested.
    finished(std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]));
}

/// The same at moments that nobody chose: the clock's.
#[test]
fn signals_at_random_moments() {
    let weather = lived_in().tree();
    let cases = [(&weather, ADD, ADD), (&Tree::new(), INIT, INIT)];
    for (before, args, again) in cases {
        let uninterrupted = Sandbox::with(before);
        let started = std::time::Instant::now();
        uninterrupted.ok(args);
        let (whole, after) = (started.elapsed(), uninterrupted.tree());
        for (index, name) in ["KILL", "INT", "TERM"].into_iter().cycle().take(12).enumerate() {
            let sandbox = Sandbox::with(before);
            let mut child = spawned(&sandbox, args);
            let moment = whole.mul_f64((index as f64 + 0.5) / 12.0);
            std::thread::sleep(moment.min(Duration::from_millis(500)));
            signal(&child, name);
            let status = child.wait().unwrap();
            let context = format!("{args:?}, SIG{name} after {moment:?}, ended with {status:?}");
            let found = sandbox.tree();
            match (name, status.code()) {
                (_, Some(0)) => assert_same(&found, &after, &context),
                // Before the program could ask for the signal, or put back by it.
                ("INT" | "TERM", code) => {
                    let expected = if name == "INT" { 130 } else { 143 };
                    assert_eq!(code.unwrap_or(128 + status.signal().unwrap_or(0)), expected, "{context}");
                    assert_same(&found, before, &context);
                }
                _ => {
                    sandbox.run(again);
                    assert_same(&sandbox.tree(), &after, &context);
                }
            }
        }
    }
}
