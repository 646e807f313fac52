//! Wall time of the program's own commands.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::stats::{Samples, short};
use crate::{Bench, program, run};

const RUNS: usize = 21;
const RUNS_WITH_TYPES: usize = 7;
const SIZES: [usize; 3] = [10, 100, 1000];

pub fn print(bench: &Bench) -> Result<()> {
    println!("| command | runs | median ms | least ms | middle half ms |\n|---|---|---|---|---|");
    let mut rows = [Samples::default(), Samples::default(), Samples::default()];
    let [init, empty, add_tool] = &mut rows;
    for round in 0..RUNS {
        let weather = bench.path(&format!("init-{round}"));
        timed(init, || run(program().arg("init").arg(&weather).args(["--name", "weather", "--yes"])))?;
        let other = bench.path(&format!("empty-{round}"));
        timed(empty, || run(program().arg("init").arg(&other).args(["--example", "empty", "--yes"])))?;
        let tool = ["add-tool", "get_time", "--description", "The time", "--param", "zone:string - IANA time zone"];
        timed(add_tool, || run(program().arg("-C").arg(&weather).args(tool)))?;
    }
    row("`init`, weather example, all clouds", RUNS, &rows[0]);
    row("`init`, empty example, all clouds", RUNS, &rows[1]);
    row("`add-tool` in the weather example", RUNS, &rows[2]);
    for size in SIZES {
        of_size(bench, size)?;
    }
    println!();
    Ok(())
}

fn of_size(bench: &Bench, size: usize) -> Result<()> {
    let project = bench.path(&format!("tools-{size}"));
    run(program().arg("init").arg(&project).args(["--example", "empty", "--yes"]))?;
    let manifest = project.join("mcp.toml");
    let text = std::fs::read_to_string(&manifest)?;
    std::fs::write(&manifest, with_tools(&text, size))?;

    let mut first = Samples::default();
    let command = |args: &[&str]| run(program().arg("-C").arg(&project).args(args));
    timed(&mut first, || command(&["render"]))?;
    row(&format!("`render`, {size} tools, all {size} handlers new"), 1, &first);
    let (mut edited, mut same, mut check) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..RUNS {
        // One description differs, so that the generated manifest has to be written again.
        std::fs::write(&manifest, with_tools(&text, size).replace("number 0", &format!("number 0 ({round})")))?;
        timed(&mut edited, || command(&["render"]))?;
        timed(&mut same, || command(&["render"]))?;
        timed(&mut check, || command(&["check", "--no-types"]))?;
    }
    row(&format!("`render`, {size} tools, one edited"), RUNS, &edited);
    row(&format!("`render`, {size} tools, nothing to do"), RUNS, &same);
    row(&format!("`check --no-types`, {size} tools"), RUNS, &check);
    if size == 100 {
        return Ok(());
    }
    // The first run installs the project's packages.
    command(&["check"])?;
    let mut types = Samples::default();
    for _ in 0..RUNS_WITH_TYPES {
        timed(&mut types, || command(&["check"]))?;
    }
    row(&format!("`check`, {size} tools, types included"), RUNS_WITH_TYPES, &types);
    remove(&project.join("node_modules"))
}

/// Tools with the schemas that people write: some strings, an enum, a number with bounds, a list, an output.
pub fn with_tools(text: &str, count: usize) -> String {
    let mut text = text.to_owned();
    for number in 0..count {
        let _ = write!(
            text,
            r#"
[tools.tool_{number}]
description = "Does the thing number {number}, and says what came of it."
annotations = {{ read_only = true }}
[tools.tool_{number}.input]
query = {{ type = "string", minLength = 1, description = "What to look for" }}
mode = {{ type = "string", enum = ["fast", "thorough"], default = "fast" }}
limit = {{ type = "integer", minimum = 1, maximum = 100, default = 10 }}
tags = {{ type = "array", items = {{ type = "string" }}, optional = true }}
[tools.tool_{number}.output]
found = {{ type = "array", items = {{ type = "string" }} }}
total = {{ type = "integer" }}
"#
        );
    }
    text
}

fn timed(samples: &mut Samples, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let started = Instant::now();
    work()?;
    samples.add_time(started.elapsed());
    // A breath between runs keeps one from paying for the other's writes.
    std::thread::sleep(Duration::from_millis(5));
    Ok(())
}

fn row(what: &str, runs: usize, samples: &Samples) {
    let noise = if runs > 1 { samples.middle_half() } else { String::new() };
    println!("| {what} | {runs} | {} | {} | {noise} |", short(samples.median()), short(samples.least()));
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_dir_all(path).with_context(|| format!("cannot remove `{}`", path.display()))
}
