//! The pages of the documentation show what the program prints: their commands run here, if they need no other tool.

use std::ops::RangeFrom;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::golden;
use crate::support::{Sandbox, finished};

/// A command of a page and what stands below it.
struct Shown {
    command: String,
    output: String,
}

/// The blocks of a page that show a terminal.
fn blocks(page: &str) -> Vec<Vec<Shown>> {
    let text = golden::read(&format!("docs/{page}"));
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands = |block: &str| {
        let shown = format!("\n{block}");
        let parts = shown.split("\n$ ").skip(1).map(|part| part.split_once('\n').unwrap_or((part, "")));
        parts.map(|(command, output)| Shown { command: command.to_owned(), output: output.trim().to_owned() }).collect()
    };
    blocks.map(commands).collect()
}

/// Runs a command as a shell does, with the program on `PATH`.
fn run(command: &str, folder: &Path, sandbox: &Sandbox) -> String {
    let programs = PathBuf::from(env!("CARGO_BIN_EXE_mcp-deploy")).parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{{ {command}\n}} 2>&1")).current_dir(folder).stdin(std::process::Stdio::null());
    shell.env("PATH", path).env("NO_COLOR", "1").env("MCP_DEPLOY_CACHE", sandbox.path("cache"));
    finished(&mut shell).stdout.trim().to_owned()
}

/// A page, its first block that runs here, how many do, and what has to be there before.
type Step<'a> = (&'static str, RangeFrom<usize>, usize, &'a dyn Fn(&Sandbox));

#[test]
fn show_what_the_program_prints() {
    let append = |path: &'static str, text: &'static str| {
        move |sandbox: &Sandbox| sandbox.write(path, sandbox.read(path) + text)
    };
    let by_hand = append("weather/vercel.json", "\n");
    let secret = append("weather/mcp.toml", "\n[secrets]\nWEATHER_API_KEY = \"Key of the weather service\"\n");
    let steps: [Step<'_>; 10] = [
        ("commands/init.md", 0.., 3, &|_| ()),
        ("commands/add-tool.md", 0.., 3, &|_| ()),
        ("commands/add-prompt.md", 0.., 2, &|_| ()),
        ("commands/add-resource.md", 0.., 2, &|_| ()),
        ("commands/remove.md", 0.., 2, &|_| ()),
        ("commands/completions.md", 0.., 3, &|_| ()),
        ("commands/verify.md", 1.., 1, &|_| ()),
        ("commands/render.md", 2.., 3, &by_hand),
        ("commands/deploying.md", 0.., 6, &secret),
        ("getting-started.md", 0.., 2, &|sandbox| std::fs::remove_dir_all(sandbox.path("weather")).unwrap()),
    ];
    let sandbox = Sandbox::new();
    let mut differences = String::new();
    for (page, from, count, prepare) in steps {
        let blocks = blocks(page);
        assert!(blocks.len() >= from.start + count, "{page} has {} blocks", blocks.len());
        prepare(&sandbox);
        for shown in blocks.into_iter().skip(from.start).take(count).flatten() {
            if shown.command.starts_with("cd ") {
                continue;
            }
            let inside = !shown.command.starts_with("mcp-deploy init");
            let folder = sandbox.path(if inside { "weather" } else { "." });
            let printed = run(&shown.command, &folder, &sandbox);
            if printed != shown.output {
                differences += &format!("docs/{page}: `{}` prints\n{printed}\n\n", shown.command);
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
