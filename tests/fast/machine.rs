//! The machine that the program finds: folders by relative names, paths that a tool cannot take, a proxy, a home that
//! is not writable.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Run, Sandbox, finished};

const MANIFEST: &str = "\
[server]
name = \"placed\"
version = \"1.0.0\"
description = \"d\"

[tools.t]
description = \"d\"

";

/// Tools that build nothing, and note how they were called.
const TOOL: &str = "#!/bin/sh
case \"$*\" in
*--version*) echo 99.0.0; exit ;;
esac
{ echo \"${0##*/} $* in $PWD\"; env; } >> \"$LOG\"
";

fn placed(folder: &str, targets: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let tables: String = targets.iter().map(|target| format!("[targets.{target}]\n")).collect();
    sandbox.write(&format!("{folder}/mcp.toml"), format!("{MANIFEST}{tables}"));
    sandbox.ok(&["-C", folder, "render"]);
    sandbox.install(folder);
    for tool in ["node", "npm", "sam", "vercel", "wrangler"] {
        sandbox.write(&format!("bin/{tool}"), TOOL);
        fs::set_permissions(sandbox.path(&format!("bin/{tool}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox
}

fn run(sandbox: &Sandbox, args: &[&str], more: &[(&str, &str)]) -> Run {
    let mut command = sandbox.command(args);
    command.env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
    command.env("MCP_DEPLOY_CACHE", sandbox.path("cache")).env("LOG", sandbox.path("log"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    finished(command.envs(more.iter().copied()))
}

fn log(sandbox: &Sandbox) -> String {
    let log = fs::read_to_string(sandbox.path("log")).unwrap_or_default();
    let _ = fs::remove_file(sandbox.path("log"));
    log
}

#[test]
fn a_folder_is_named_by_a_relative_path() {
    let sandbox = placed("a/project", &["cloudflare"]);
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    let here = fs::canonicalize(sandbox.path("a/project")).unwrap();
    let tool = |name: &str, log: &str| {
        let called = log.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        called.unwrap_or_else(|| panic!("{name} was not called: {log}"))
    };
    for dir in ["a/project", "./a/project/", "elsewhere/../a/project"] {
        let check = run(&sandbox, &["-C", dir, "check"], &[]);
        assert_eq!(check.code, 0, "{dir}: {check:?}");
        let compiler = tool("node", &log(&sandbox));
        let script = format!("node {}/node_modules/typescript/bin/tsc", here.display());
        assert!(compiler.starts_with(&script) && compiler.ends_with(&format!(" in {}", here.display())), "{compiler}");
        let ship = run(&sandbox, &["-C", dir, "ship", "--target", "cloudflare", "--local"], &[]);
        assert!(ship.stderr.contains("nothing was built for Cloudflare Workers"), "{dir}: {ship:?}");
        assert!(tool("wrangler", &log(&sandbox)).ends_with(&format!(" in {}", here.display())));
        // A stage has a separate copy below it.
        let dry = run(&sandbox, &["-C", dir, "ship", "--target", "cloudflare", "--local", "--dry-run"], &[]);
        assert!(dry.code == 0 && dry.stdout.contains("would run  cd a/project && wrangler deploy"), "{dir}: {dry:?}");
    }
}

#[test]
fn a_path_that_a_tool_cannot_take_is_told_before_anything_runs() {
    const ALL: &[&str] = &["lambda", "vercel", "cloudflare"];
    let refused = [
        ("R&D", "`&`"),
        ("C++/x", "`+`"),
        ("100%", "`%`"),
        ("[x]", "`[`"),
        ("{a}", "`{`"),
        ("a#b", "`#`"),
        ("a?b", "`?`"),
        ("a:b", "`:`"),
        ("$HOME", "`$`"),
        ("a\nb", "a control character"),
    ];
    for (folder, named) in refused {
        let sandbox = placed(&format!("{folder}/p"), ALL);
        for target in ["vercel", "all"] {
            let ship = run(&sandbox, &["-C", &format!("{folder}/p"), "ship", "--target", target, "--local"], &[]);
            let told = format!("has {named} in it, which the build for Vercel cannot work with");
            assert!(
                ship.code == 1 && ship.stderr.contains(&told) && ship.stderr.contains("rename"),
                "{folder}: {ship:?}"
            );
        }
        let dev = run(&sandbox, &["-C", &format!("{folder}/p"), "dev", "--target", "vercel"], &[]);
        assert!(dev.code == 1 && dev.stderr.contains(named), "{dev:?}");
        assert_eq!(log(&sandbox), "", "{folder}");
        // The others can: they get as far as the tools of this test do.
        let other = run(&sandbox, &["-C", &format!("{folder}/p"), "ship", "--target", "lambda", "--local"], &[]);
        assert!(other.stderr.contains("nothing was built for AWS Lambda"), "{folder}: {other:?}");
        let check = run(&sandbox, &["-C", &format!("{folder}/p"), "check"], &[]);
        assert!(check.code == 0 && check.stderr.contains("warning: the path of the project"), "{check:?}");
    }
    let sandbox = placed("a*b", ALL);
    let ship = run(&sandbox, &["-C", "a*b", "ship", "--target", "cloudflare", "--local"], &[]);
    assert!(ship.stderr.contains("has `*` in it, which the build for Cloudflare Workers cannot"), "{ship:?}");
    // Nothing can be built there.
    let sandbox = placed("a\\b", ALL);
    for args in [&["check"][..], &["ship", "--target", "lambda", "--local"]] {
        let run = run(&sandbox, &[&["-C", "a\\b"], args].concat(), &[]);
        let told = "has `\\` in it, which the TypeScript compiler cannot work with";
        assert!(run.code == 1 && run.stderr.contains(told) && log(&sandbox).is_empty(), "{args:?}: {run:?}");
    }
    for folder in ["a b", "it's", "(x)", "é日", "a!b~@-"] {
        let sandbox = placed(folder, ALL);
        let ship = run(&sandbox, &["-C", folder, "ship", "--target", "all", "--local"], &[]);
        assert!(ship.stderr.contains("nothing was built for Vercel"), "{folder}: {ship:?}");
    }
}

#[test]
fn a_proxy_does_not_catch_what_is_asked_of_this_machine() {
    let sandbox = placed("p", &["cloudflare"]);
    let told = |more: &[(&str, &str)]| {
        run(&sandbox, &["-C", "p", "ship", "--target", "cloudflare", "--local"], more);
        let log = log(&sandbox);
        let values = |name: &str| {
            let lines = log.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        (values("NO_PROXY"), values("no_proxy"))
    };
    assert_eq!(told(&[]), (vec![], vec![]));
    const OURS: &str = "localhost,127.0.0.1,::1,[::1]";
    for name in ["HTTP_PROXY", "https_proxy", "ALL_PROXY"] {
        let (upper, lower) = told(&[(name, "http://127.0.0.1:9")]);
        assert!(
            !upper.is_empty() && upper.iter().chain(&lower).all(|value| value == OURS),
            "{name}: {upper:?} {lower:?}"
        );
    }
    let (upper, lower) = told(&[("HTTP_PROXY", "http://127.0.0.1:9"), ("no_proxy", "corp.example")]);
    let both = format!("corp.example,{OURS}");
    assert!(!lower.is_empty() && upper.iter().chain(&lower).all(|value| *value == both), "{upper:?} {lower:?}");
}

#[test]
fn tools_get_another_home_where_the_users_cannot_be_written() {
    let sandbox = placed("p", &["cloudflare"]);
    sandbox.write("home/.npmrc", "x=y\n");
    sandbox.write("file", "");
    let home = |home: &str, more: &[(&str, &str)]| {
        let more: Vec<_> = more.iter().copied().chain([("HOME", home)]).collect();
        let ship = run(&sandbox, &["-C", "p", "ship", "--target", "cloudflare", "--local"], &more);
        let log = log(&sandbox);
        let value =
            |name: &str| log.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        (ship, value("HOME"), value("npm_config_userconfig"))
    };
    let path = |path: &str| sandbox.path(path).display().to_string();
    let (_, own, _) = home(&path("home"), &[]);
    assert_eq!(own, Some(path("home")));
    // One that is not there, a file in its place, and one below a file system that nobody can write to.
    for missing in [path("none"), path("file"), "/proc/none".to_owned(), "/proc".to_owned()] {
        let (ship, stand_in, config) = home(&missing, &[]);
        assert_eq!((stand_in, config), (Some(path("cache/home")), None), "{missing}: {ship:?}");
    }
    // No private cache, either: a temporary folder, which goes with the run.
    let (ship, stand_in, _) =
        home("/proc/none", &[("MCP_DEPLOY_CACHE", "/proc/none/cache"), ("TMPDIR", &path("home"))]);
    let stand_in = stand_in.unwrap_or_else(|| panic!("no home: {ship:?}"));
    assert!(stand_in.starts_with(&path("home/mcp-deploy-")), "{stand_in}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while fs::exists(&stand_in).unwrap() {
        assert!(std::time::Instant::now() < deadline, "`{stand_in}` stays");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // And nothing at all.
    let (ship, ..) = home("/proc/none", &[("MCP_DEPLOY_CACHE", "/proc/none/cache"), ("TMPDIR", "/proc")]);
    let hint = "hint: set `HOME`, `MCP_DEPLOY_CACHE` or `TMPDIR` to a folder that can be written";
    assert!(
        ship.code == 1 && ship.stderr.contains("`/proc/none` cannot be written") && ship.stderr.contains(hint),
        "{ship:?}"
    );
    assert!(!ship.stderr.contains("ok  ") && log(&sandbox).is_empty(), "{ship:?}");
}
