//! What the program itself adds to the work of the clouds' tools.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::program;
use crate::stats::{Samples, short};

const RUNS: usize = 3;

/// Everything is built already; the tools do their work again all the same.
pub fn print(project: &Path) -> Result<()> {
    let (mut wall, mut own) = (Samples::default(), Samples::default());
    for _ in 0..RUNS {
        let (time, cpu) = ship(project)?;
        wall.add_time(time);
        own.add(cpu);
    }
    println!("| `ship --target all --local`, {RUNS} runs | median |\n|---|---|");
    println!("| wall time | {:.1} s |", wall.median() / 1e3);
    println!("| processor time of mcp-deploy itself, without its child processes | {} ms |\n", short(own.median()));
    Ok(())
}

fn ship(project: &Path) -> Result<(Duration, f64)> {
    let started = Instant::now();
    let mut command = program();
    command.arg("-C").arg(project).args(["ship", "--target", "all", "--local", "--yes"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut cpu = f64::NAN;
    loop {
        // The last look before its end misses less than one interval.
        cpu = own_cpu_ms(child.id()).unwrap_or(cpu);
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "`ship --local` failed: {status}");
            return Ok((started.elapsed(), cpu));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// User and system time of one process, ended threads included, children not; in clock ticks of 10 ms (Linux only).
fn own_cpu_ms(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    // A zombie's numbers hold too.
    Some((user + system) * 10.0)
}
