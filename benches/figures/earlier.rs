//! The size of the program, and its time beside that of an earlier one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::cli::with_tools;
use crate::stats::{Samples, short};
use crate::{Bench, PROGRAM, run};

const PAIRS: usize = 21;
const TOOLS: usize = 1000;

/// Names a program that was built in the same way from an earlier commit.
pub const EARLIER: &str = "MCP_DEPLOY_EARLIER";

const COMMANDS: [&[&str]; 2] = [&["check", "--no-types"], &["render"]];

pub fn print(bench: &Bench) -> Result<()> {
    let earlier = std::env::var_os(EARLIER).map(PathBuf::from);
    println!("| program | bytes |\n|---|---|");
    println!("| this one | {} |", std::fs::metadata(PROGRAM)?.len());
    let Some(earlier) = earlier else {
        println!("\n`{EARLIER}` names no earlier program to compare with.\n");
        return Ok(());
    };
    let bytes = std::fs::metadata(&earlier).with_context(|| format!("no program `{}`", earlier.display()))?.len();
    println!("| the earlier one | {bytes} |\n");

    println!("| command, {TOOLS} tools | pairs | this one, median ms | the earlier one | ratio | middle half |");
    println!("|---|---|---|---|---|---|");
    // Each renders a project for itself: what the two generate may differ.
    let this = Side::new(Path::new(PROGRAM), bench.path("this"))?;
    let other = Side::new(&earlier, bench.path("earlier"))?;
    for command in COMMANDS {
        let (mut mine, mut theirs, mut ratios) = (Samples::default(), Samples::default(), Samples::default());
        for _ in 0..PAIRS {
            let (a, b) = (this.time(command)?, other.time(command)?);
            mine.add(a);
            theirs.add(b);
            ratios.add(a / b);
        }
        println!(
            "| `{}` | {PAIRS} | {} | {} | {:.2} | {} |",
            command.join(" "),
            short(mine.median()),
            short(theirs.median()),
            ratios.median(),
            ratios.middle_half_exact(),
        );
    }
    println!();
    Ok(())
}

/// A program and its project.
struct Side<'p> {
    program: &'p Path,
    project: PathBuf,
}

impl<'p> Side<'p> {
    fn new(program: &'p Path, project: PathBuf) -> Result<Self> {
        run(Command::new(program).arg("init").arg(&project).args(["--example", "empty", "--yes"]))?;
        let manifest = project.join("mcp.toml");
        let text = std::fs::read_to_string(&manifest)?;
        std::fs::write(&manifest, with_tools(&text, TOOLS))?;
        let side = Side { program, project };
        side.time(&["render"])?;
        Ok(side)
    }

    /// Milliseconds of one run.
    fn time(&self, args: &[&str]) -> Result<f64> {
        let started = Instant::now();
        run(Command::new(self.program).arg("-C").arg(&self.project).args(args))?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    }
}
