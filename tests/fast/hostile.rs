//! A project that somebody else wrote does no harm: whatever is planted in it, what lies outside stays byte for byte
//! what it was, and every command ends, with little memory.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::support::{Run, Sandbox, Tree, assert_same, finished, tree_of};

const MANIFEST: &str = "\
[server]
name = \"theirs\"
version = \"1.0.0\"
description = \"d\"

[tools.get_time]
description = \"d\"
input_schema = \"schemas/in.json\"

[access]
auth = \"api-key\"

[secrets]
TOKEN = \"d\"

[stages.staging]

[targets.cloudflare]
";

/// A rendered project in `p`, beside it private files, and tools that only record their runs.
static BEFORE: LazyLock<Tree> = LazyLock::new(|| {
    let sandbox = Sandbox::new();
    sandbox.write("p/mcp.toml", MANIFEST);
    sandbox.write("p/schemas/in.json", "{ \"type\": \"object\" }");
    sandbox.write("p/.gitignore", ".env\n");
    sandbox.ok(&["--dir", "p", "render"]);
    sandbox.install("p");
    for file in ["file", "folder/mcp.ts", "folder/get_time.ts", "folder/src/a.ts", "folder/deep/.gitignore"] {
        sandbox.write(&format!("outside/{file}"), format!("precious {file}"));
    }
    sandbox.tree()
});

struct Theirs(Sandbox);

impl Theirs {
    fn new() -> Self {
        let sandbox = Sandbox::with(&BEFORE);
        for tool in ["node", "npm", "wrangler"] {
            let log = sandbox.path("run.log");
            let log = log.display();
            sandbox.write(
                &format!("bin/{tool}"),
                format!(
                    "#!/bin/sh\ncase \"$*\" in --version) echo 99.0.0; exit;; esac\necho \"{tool} $*\" >> '{log}'\n"
                ),
            );
            fs::set_permissions(sandbox.path(&format!("bin/{tool}")), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Theirs(sandbox)
    }

    fn with_lock_entry(path: &str, table: &str, hash: &str) -> Self {
        let theirs = Theirs::new();
        let lock = theirs.0.read("p/mcp.lock");
        let manifest = sha256(&theirs.0.read("p/mcp.toml"));
        let lock = match table {
            "files" => format!("{lock}{path:?} = \"{hash}\"\n"),
            _ => format!("{lock}\n[unfinished]\nmanifest = \"{manifest}\"\n[unfinished.born]\n{path:?} = \"{hash}\"\n"),
        };
        theirs.0.write("p/mcp.lock", lock);
        theirs
    }

    /// Runs a command in the project, with half a minute, a gigabyte of memory and files of as much.
    fn run(&self, args: &[&str]) -> Run {
        let program = env!("CARGO_BIN_EXE_mcp-deploy");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 1048576 && ulimit -f 2097152 && exec \"$0\" \"$@\"", program]).args(args);
        command.current_dir(self.0.path("p")).env("NO_COLOR", "1").env("HOME", self.0.path("outside"));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.0.path("bin").display()));
        command.env("MCP_DEPLOY_CACHE", self.0.path("cache"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _closed = child.stdin.take().unwrap().write_all(b"a value");
        let deadline = Instant::now() + Duration::from_secs(30);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("{args:?} does not end: {:?}", child.wait_with_output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{args:?}: {output:?}"));
        Run { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Refused with these words, and nothing is different anywhere.
    #[track_caller]
    fn refuses(&self, args: &[&str], words: &str) {
        let before = listed(&self.0.path("p"));
        let run = self.run(args);
        assert_eq!(run.code, 1, "{args:?}: {run:?}");
        assert!((run.stdout + &run.stderr).contains(words), "{args:?} does not say `{words}`: {}", run.stderr);
        assert_eq!(listed(&self.0.path("p")), before, "{args:?}");
        self.outside_is_as_before(&format!("{args:?}"));
    }

    #[track_caller]
    fn outside_is_as_before(&self, context: &str) {
        let mut expected = Tree::new();
        for (path, bytes) in BEFORE.iter() {
            expected.extend(
                path.strip_prefix("outside/")
                    .filter(|path| !path.is_empty())
                    .map(|path| (path.to_owned(), bytes.clone())),
            );
        }
        assert_same(&tree_of(&self.0.path("outside")), &expected, context);
        let known = ["bin", "cache", "outside", "p", "run.log"];
        let beside =
            fs::read_dir(self.0.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let strange: Vec<String> = beside.filter(|name| !known.contains(&name.as_str())).collect();
        assert!(strange.is_empty(), "{context}: {strange:?}");
    }

    fn plant(&self, place: &str, what: Plant) {
        let path = self.0.path("p").join(place);
        let outside = |name: &str| self.0.path("outside").join(name);
        let planted = |folder: &Path| folder.is_symlink() || folder.exists() && !folder.is_dir();
        let project = self.0.path("p");
        if path.ancestors().skip(1).take_while(|folder| *folder != project).any(planted) {
            return; // Below something that was planted already.
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _nothing_there = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        match what {
            Plant::LinkToFile => symlink(outside("file"), path).unwrap(),
            Plant::LinkToFolder => symlink(outside("folder"), path).unwrap(),
            Plant::RelativeLink => {
                symlink(Path::new(&"../".repeat(place.matches('/').count() + 1)).join("outside/folder"), path).unwrap()
            }
            Plant::LinkToNothing => symlink(outside("new"), path).unwrap(),
            Plant::Zeros => symlink("/dev/zero", path).unwrap(),
            Plant::Circle => symlink(".", path).unwrap(),
            Plant::Pipe => assert!(finished(Command::new("mkfifo").arg(path)).code == 0),
            Plant::Huge => fs::File::create(path).unwrap().set_len(64 << 20).unwrap(),
            Plant::Folder => fs::create_dir(path).unwrap(),
        }
    }
}

/// As git would write it into the lock.
fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every entry with what a link says and how long a file is; a pipe is not read.
fn listed(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let found = path.symlink_metadata().unwrap();
        all.push(format!("{} {:?} {} {:?}", path.display(), found.file_type(), found.len(), fs::read_link(&path).ok()));
        if found.is_dir() {
            all.extend(listed(&path));
        }
    }
    all.sort();
    all
}

#[derive(Debug, Clone, Copy)]
enum Plant {
    LinkToFile,
    LinkToFolder,
    RelativeLink,
    LinkToNothing,
    Zeros,
    Circle,
    Pipe,
    Huge,
    Folder,
}

const PLANTS: [Plant; 9] = [
    Plant::LinkToFile,
    Plant::LinkToFolder,
    Plant::RelativeLink,
    Plant::LinkToNothing,
    Plant::Zeros,
    Plant::Circle,
    Plant::Pipe,
    Plant::Huge,
    Plant::Folder,
];

const PLACES: [&str; 35] = [
    "mcp.toml",
    "mcp.lock",
    "package.json",
    "tsconfig.json",
    ".env",
    ".gitignore",
    "wrangler.jsonc",
    "src",
    "src/a",
    "src/tools/a",
    "src/generated",
    "src/generated/mcp.ts",
    "src/generated/mcp.ts.orig",
    "src/generated/runtime/server.ts",
    "src/generated/.mcp.ts.mcp-deploy-tmp",
    "src/tools",
    "src/tools/get_time.ts",
    "src/tools/rain.ts",
    "schemas",
    "schemas/in.json",
    "node_modules",
    ".mcp.toml.mcp-deploy-tmp",
    ".mcp.lock.mcp-deploy-tmp",
    ".mcp.lock.0123456789abcdef.mcp-deploy-tmp",
    ".env.mcp-deploy-tmp",
    ".mcp-deploy",
    ".mcp-deploy/deployments.json",
    ".mcp-deploy/stages",
    ".mcp-deploy/stages/.gitignore",
    ".mcp-deploy/stages/staging",
    ".mcp-deploy/stages/staging/src",
    ".mcp-deploy/stages/staging/mcp.toml",
    ".mcp-deploy/stages/staging/.env",
    ".cursor/mcp.json",
    ".github/workflows",
];

const SHIP: &[&str] = &["ship", "--target", "cloudflare", "--local", "--stage", "staging", "--yes"];
const ADD: &[&str] = &["add-tool", "rain", "--description", "d"];

const COMMANDS: [&[&str]; 16] = [
    &["render"],
    &["render", "--force"],
    &["render", "--check"],
    &["check", "--no-types"],
    ADD,
    &["remove-tool", "get_time"],
    &["keys", "add", "alice"],
    &["secrets", "set", "TOKEN"],
    &["connect", "--url", "https://x.example/mcp", "--client", "cursor", "--write"],
    &["ci", "github"],
    &["init", ".", "--name", "x", "--yes"],
    &["status"],
    &["ship", "--target", "cloudflare", "--dry-run"],
    &["ship", "--target", "cloudflare", "--local", "--yes"],
    SHIP,
    &["dev", "--target", "cloudflare", "--yes", "--built", "--port", "0"],
];

/// More of them: `PROPTEST_CASES=1000 cargo test --test fast whatever_is_planted`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_planted_nothing_outside_changes_and_every_command_ends(
        planted in prop::collection::vec((prop::sample::select(PLACES.to_vec()), prop::sample::select(PLANTS.to_vec())), 1..4),
        commands in prop::collection::vec(prop::sample::select(COMMANDS.to_vec()), 2),
    ) {
        let theirs = Theirs::new();
        planted.iter().for_each(|(place, what)| theirs.plant(place, *what));
        for args in commands {
            let run = theirs.run(args);
            prop_assert!(run.code <= 3, "{args:?} with {planted:?}: {run:?}");
            theirs.outside_is_as_before(&format!("{args:?} with {planted:?}: {run:?}"));
        }
    }
}

/// The names of temporary files cannot be known before, and one that is there is not used.
#[test]
fn a_planted_temporary_is_neither_written_nor_deleted() {
    let theirs = Theirs::new();
    let names = ["mcp.toml", "mcp.lock", "src/tools/.rain.ts", "src/generated/.mcp.ts", "src/generated/.types.ts"];
    let temporaries: Vec<String> = names
        .iter()
        .map(|name| {
            let (folder, file) = name.rsplit_once('/').map_or(("", *name), |(folder, file)| (folder, file));
            let file = file.trim_start_matches('.');
            format!("{folder}{}.{file}.mcp-deploy-tmp", if folder.is_empty() { "" } else { "/" })
        })
        .chain([".mcp.lock.0123456789abcdef.mcp-deploy-tmp".to_owned()])
        .collect();
    temporaries.iter().for_each(|name| theirs.plant(name, Plant::LinkToFile));
    for args in [ADD, &["remove-tool", "rain"], &["render"]] {
        let run = theirs.run(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        theirs.outside_is_as_before(&format!("{args:?}"));
    }
    for name in temporaries {
        assert!(theirs.0.path("p").join(&name).is_symlink(), "{name}");
    }
    // One of ours goes with the next run.
    theirs.0.write("p/.mcp.lock.0123456789abcdee.mcp-deploy-tmp", "half");
    assert_eq!(theirs.run(&["render"]).code, 0);
    assert!(!theirs.0.path("p/.mcp.lock.0123456789abcdee.mcp-deploy-tmp").exists());
}

#[test]
fn the_lock_names_only_what_templates_can_make() {
    let absolute = |theirs: &Theirs| theirs.0.path("outside/file").display().to_string();
    for table in ["files", "born"] {
        for path in ["../outside/file", "/ABSOLUTE", ".env", "mcp.toml", ".git/config", "src/tools/../../mcp.toml"] {
            let path = if path == "/ABSOLUTE" { absolute(&Theirs::new()) } else { path.to_owned() };
            let theirs = Theirs::with_lock_entry(&path, table, &sha256("precious file"));
            theirs.refuses(&["render", "--force"], &format!("its entry `{path}` names no file that mcp-deploy"));
        }
        let theirs = Theirs::with_lock_entry("../outside/file", table, &sha256("precious file"));
        for args in [
            &["render"][..],
            ADD,
            &["remove-tool", "get_time"],
            &["check", "--no-types"],
            &["ship", "--target", "cloudflare", "--local", "--yes"],
        ] {
            theirs.refuses(args, "its entry `../outside/file` names no file that mcp-deploy");
        }
    }
    // What is the user's is never generated.
    for path in ["package.json", "src/tools/get_time.ts"] {
        let theirs = Theirs::with_lock_entry(path, "files", &sha256("x"));
        theirs.refuses(&["render", "--force"], &format!("its entry `{path}` names"));
    }
}

#[test]
fn folders_behind_links_are_not_written() {
    for (place, what) in [
        ("src/generated", Plant::LinkToFolder),
        ("src/generated", Plant::RelativeLink),
        ("src", Plant::LinkToFolder),
        ("src/generated/mcp.ts", Plant::LinkToFile),
        ("mcp.lock", Plant::LinkToFile),
    ] {
        let theirs = Theirs::new();
        theirs.plant(place, what);
        for args in [&["render"][..], &["render", "--force"], ADD] {
            theirs.refuses(args, "link");
        }
    }
    // Inside of the project it would be another file of the user.
    let theirs = Theirs::new();
    theirs.0.write("p/lib/keep.ts", "mine");
    fs::remove_dir_all(theirs.0.path("p/src/generated")).unwrap();
    symlink("../lib", theirs.0.path("p/src/generated")).unwrap();
    theirs.refuses(&["render", "--force"], "`src/generated` is a symbolic link");
    // A new handler's folder, the owner's values, a client's file, the workflow.
    for (place, what, args) in [
        ("src/tools", Plant::LinkToFolder, ADD),
        (".env", Plant::LinkToFile, &["secrets", "set", "TOKEN"][..]),
        (".env", Plant::LinkToNothing, &["keys", "add", "alice"]),
        (".cursor", Plant::LinkToFolder, COMMANDS[8]),
        (".github", Plant::RelativeLink, COMMANDS[9]),
        (".mcp-deploy/deployments.json", Plant::LinkToFile, &["status"]),
    ] {
        let theirs = Theirs::new();
        theirs.plant(place, what);
        theirs.refuses(args, "link");
    }
}

#[test]
fn a_stage_is_copied_to_a_folder_of_its_own() {
    for place in [".mcp-deploy", ".mcp-deploy/stages", ".mcp-deploy/stages/staging"] {
        let theirs = Theirs::new();
        theirs.plant(place, Plant::LinkToFolder);
        theirs.refuses(SHIP, "link");
    }
    // What is planted in the copy gives way to the copy; links to elsewhere are copied as links, and no pipe is read.
    let theirs = Theirs::new();
    let copy = ".mcp-deploy/stages/staging";
    theirs.plant(&format!("{copy}/src"), Plant::LinkToFolder);
    theirs.plant(&format!("{copy}/mcp.toml"), Plant::LinkToFile);
    theirs.plant(&format!("{copy}/.env"), Plant::LinkToFile);
    for (place, what) in
        [("data", Plant::RelativeLink), ("pipe", Plant::Pipe), ("round", Plant::Circle), ("zeros", Plant::Zeros)]
    {
        theirs.plant(place, what);
    }
    let run = theirs.run(SHIP);
    // The tools of this test build nothing.
    assert!(run.stderr.contains("nothing was built for Cloudflare Workers"), "{run:?}");
    theirs.outside_is_as_before("ship --stage");
    let copy = theirs.0.path("p").join(copy);
    assert!(copy.join("src").symlink_metadata().unwrap().is_dir());
    assert_eq!(fs::read_to_string(copy.join("mcp.toml")).unwrap(), MANIFEST);
    let links = |name: &str| fs::canonicalize(copy.join(name)).unwrap();
    assert_eq!(links("data"), fs::canonicalize(theirs.0.path("outside/folder")).unwrap());
    assert_eq!(links("round"), fs::canonicalize(&copy).unwrap());
    assert!(!copy.join("pipe").exists() && !copy.join(".env").is_symlink());
}

#[test]
fn what_is_read_is_a_regular_file_of_the_project_and_has_an_end() {
    let theirs = Theirs::new();
    let schema = |path: &str| theirs.0.write("p/mcp.toml", MANIFEST.replace("schemas/in.json", path));
    for path in ["../outside/file", "/dev/zero", "schemas/../../outside/file"] {
        schema(path);
        theirs.refuses(&["check", "--no-types"], "a path of a project is relative to its folder, without `..`");
    }
    theirs.0.write("p/mcp.toml", MANIFEST);
    for (what, words) in [
        (Plant::LinkToFile, "leads out of the project folder"),
        (Plant::Zeros, "leads out of the project folder"),
        (Plant::Pipe, "it is not a regular file"),
        (Plant::Folder, "it is not a regular file"),
        (Plant::Huge, "it has more than 2 MiB"),
    ] {
        for (place, args) in [
            ("schemas/in.json", &["check", "--no-types"][..]),
            ("schemas/in.json", &["render"]),
            ("mcp.lock", &["render"]),
        ] {
            let theirs = Theirs::new();
            theirs.plant(place, what);
            theirs.refuses(args, words);
        }
        if let Plant::LinkToFile | Plant::Zeros | Plant::Huge = what {
            let theirs = Theirs::new();
            theirs.plant("src/tools/get_time.ts", what);
            theirs.refuses(&["check", "--no-types"], if let Plant::Huge = what { "more than 16 MiB" } else { words });
        }
    }
    let theirs = Theirs::new();
    theirs.plant("mcp.toml", Plant::Huge);
    theirs.refuses(&["render"], "it has more than 2 MiB");
}

/// A folder that only looks as if an `init` had been interrupted in it.
#[test]
fn init_fills_no_folder_with_planted_links() {
    const INIT: &[&str] = &["init", ".", "--name", "x", "--target", "cloudflare", "--yes"];
    let unfinished = "version = 1\n\n[files]\n\n[unfinished]\n[unfinished.born]\n";
    for (place, what) in [
        ("mcp.toml", Plant::LinkToNothing),
        ("src", Plant::LinkToFolder),
        ("src/generated", Plant::RelativeLink),
        ("README.md", Plant::LinkToNothing),
        (".README.md.0123456789abcdef.mcp-deploy-tmp", Plant::LinkToFile),
        (".mcp.lock.0123456789abcdef.mcp-deploy-tmp", Plant::LinkToFile),
    ] {
        for lock in [Some(unfinished), None] {
            let theirs = Theirs::new();
            fs::remove_dir_all(theirs.0.path("p")).unwrap();
            fs::create_dir(theirs.0.path("p")).unwrap();
            lock.iter().for_each(|text| theirs.0.write("p/mcp.lock", text));
            theirs.plant(place, what);
            theirs.refuses(INIT, "is not empty");
        }
    }
    let theirs = Theirs::new();
    fs::remove_dir_all(theirs.0.path("p")).unwrap();
    theirs.0.write("p/mcp.lock", unfinished);
    let run = theirs.run(INIT);
    assert_eq!(run.code, 0, "an interrupted one goes on: {run:?}");
}

/// A user's links that stay in the project, and the way to it, go on working.
#[test]
fn harmless_links_are_followed() {
    let theirs = Theirs::new();
    let p = theirs.0.path("p");
    fs::create_dir(p.join("config")).unwrap();
    for (file, link, to) in
        [("config/mcp.toml", "mcp.toml", "config/mcp.toml"), ("config/in.json", "schemas/in.json", "../config/in.json")]
    {
        fs::rename(p.join(link), p.join(file)).unwrap();
        symlink(to, p.join(link)).unwrap();
    }
    fs::remove_file(p.join("tsconfig.json")).unwrap();
    symlink("../outside/file", p.join("tsconfig.json")).unwrap();
    symlink(&p, theirs.0.path("cache")).unwrap();
    let through = theirs.0.path("cache");
    let through = through.to_str().unwrap();
    for args in [&["--dir", through, "add-tool", "rain", "--description", "d"][..], &["render", "--check"], &["render"]]
    {
        let run = theirs.run(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
    }
    assert!(p.join("mcp.toml").is_symlink() && theirs.0.read("p/config/mcp.toml").contains("[tools.rain]"));
    assert!(p.join("tsconfig.json").is_symlink());
    fs::remove_file(theirs.0.path("cache")).unwrap();
    theirs.outside_is_as_before("harmless links");
}

/// As `docs/security.md` says it: which commands run what a project brings, and which do not.
#[test]
fn only_some_commands_run_what_a_project_brings() {
    let theirs = Theirs::new();
    let mark = theirs.0.path("outside/mark");
    let leave_mark = format!("#!/bin/sh\ntouch '{}'\n", mark.display());
    for program in ["tsc", "esbuild", "node", "npm", "git", "wrangler", "sh"] {
        let path = format!("p/node_modules/.bin/{program}");
        theirs.0.write(&path, &leave_mark);
        theirs.0.write(&format!("p/{program}"), &leave_mark);
        for path in [path, format!("p/{program}")] {
            fs::set_permissions(theirs.0.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    theirs.0.write("p/node_modules/typescript/bin/tsc", &leave_mark);
    // A repository's own configuration names programs, too.
    assert_eq!(finished(Command::new("git").args(["init", "-q"]).arg(theirs.0.path("p"))).code, 0);
    let config = theirs.0.read("p/.git/config");
    let monitor = theirs.0.path("p/node_modules/.bin/git");
    theirs.0.write("p/.git/config", format!("{config}\tfsmonitor = {}\n", monitor.display()));
    let never: [&[&str]; 17] = [
        &["render"],
        &["render", "--check"],
        &["check", "--no-types"],
        ADD,
        &["add-resource", "r", "--uri", "x://r", "--description", "d"],
        &["add-prompt", "q", "--description", "d"],
        &["remove-tool", "rain"],
        &["keys", "add", "alice"],
        &["keys", "list"],
        &["secrets", "set", "TOKEN"],
        &["connect", "--url", "https://x.example/mcp"],
        &["ci", "github"],
        &["status"],
        &["verify", "http://127.0.0.1:9/mcp"],
        &["ship", "--target", "cloudflare", "--dry-run"],
        &["secrets", "list"],
        &["init", "new", "--yes"],
    ];
    let page = crate::golden::read("docs/security.md");
    let promised =
        page.split("## A project that somebody else wrote\n\n").nth(1).and_then(|text| text.split("\n\n").next());
    for promised in promised.unwrap().split('`').skip(1).step_by(2).filter(|word| *word != "--target") {
        let mut words = promised.split([' ', '…']).filter(|word| *word != "URL");
        let tried = never.iter().any(|args| words.clone().all(|word| args.join(" ").contains(word)));
        assert!(tried && words.next().is_some(), "`{promised}` is not tried");
    }
    for args in never {
        let run = theirs.run(args);
        assert!([0, 1, 3].contains(&run.code), "{args:?}: {run:?}");
        assert!(!run.stderr.contains("fault") || run.code == 0, "{args:?}: {run:?}");
        assert!(!mark.exists(), "{args:?} ran a program of the project");
        assert!(!theirs.0.path("run.log").exists(), "{args:?} ran {}", theirs.0.read("run.log"));
    }
    theirs.outside_is_as_before("commands that run nothing");
    // And those that do, so that the above can fail.
    theirs.run(&["render"]);
    for (args, ran) in [
        (&["check"][..], "typescript/bin/tsc"),
        (&["dev", "--target", "cloudflare", "--yes", "--built", "--port", "0"], "wrangler"),
        (SHIP, "wrangler"),
    ] {
        let _earlier = fs::remove_file(theirs.0.path("run.log"));
        let run = theirs.run(args);
        assert!(theirs.0.path("run.log").exists(), "{args:?} ran nothing: {run:?}");
        let log = theirs.0.read("run.log");
        assert!(log.contains(ran), "{args:?} ran: {log}");
    }
}
