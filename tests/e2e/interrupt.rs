//! `ship --local`, interrupted at points that are seen from outside: nothing goes on, nothing is left, and it can be
//! run again.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::child::{LONG, Running, SHORT, run};
use crate::support::gate::Gate;
use crate::support::site::{Turn, WEATHER};
use crate::support::work::{Marked, clone, mcp_deploy, read, write};

#[test]
fn while_packages_are_installed() {
    let project = clone(&WEATHER.root, "interrupted");
    std::fs::remove_dir_all(project.join("node_modules")).expect("our own copy");
    interrupt(&project, "cloudflare", Signal::INT, Point::Runs(&["npm", " install"]));
    // Half an installation does not pass for a whole one.
    run(mcp_deploy(&project, ["check"])).expect(0);
}

#[test]
fn while_types_are_checked() {
    let project = clone(&WEATHER.root, "interrupted");
    interrupt(&project, "lambda", Signal::TERM, Point::Runs(&["tsc", "--noEmit"]));
}

#[test]
fn while_a_cloud_builds() {
    let project = clone(&WEATHER.root, "interrupted");
    // A template that no run had before: one that passed is not validated again.
    let manifest = read(project.join("mcp.toml"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let other = manifest.replacen("description = \"", &format!("description = \"{now} "), 1);
    assert_ne!(other, manifest);
    write(project.join("mcp.toml"), other);
    interrupt(&project, "lambda", Signal::INT, Point::Runs(&["sam", " validate"]));
    interrupt(&project, "cloudflare", Signal::TERM, Point::Runs(&["wrangler", " deploy", "--dry-run"]));
}

#[test]
fn while_vercel_builds_with_a_file_that_only_pretends() {
    let project = clone(&WEATHER.root, "interrupted");
    for signal in [Signal::INT, Signal::TERM] {
        interrupt(&project, "vercel", signal, Point::Exists(".vercel/project.json"));
    }
    // And it can be run again.
    let mut command = mcp_deploy(&project, ["ship", "--target", "vercel", "--local"]);
    let marked = Marked::new(&mut command);
    run(command).expect(0);
    marked.assert_nothing_left(&project);
}

/// In the middle of a tool call, with the cloud's runtime and everything that belongs to it running.
fn while_the_server_answers(target: &str) {
    let project = clone(&WEATHER.root, "interrupted");
    let signal = if target == "vercel" { Signal::TERM } else { Signal::INT };
    interrupt(&project, target, signal, Point::Answers);
}

/// Nothing in it hears SIGKILL, while its server answers a call.
#[test]
fn a_killed_run_leaves_no_process_and_no_changed_file() {
    let project = clone(&WEATHER.root, "killed");
    let gate = Gate::open();
    let call = format!("wait_at {{\"url\": \"{}\"}}", gate.url());
    let mut command: Command = mcp_deploy(&project, ["ship", "--target", "cloudflare", "--local", "--call", &call]);
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let mut ship = Running::start(command);
    let mut visitor = ship.until("the server is called", LONG, |_| gate.visited());
    ship.signal(Signal::KILL);
    assert_eq!(ship.wait(SHORT).code(), 128 + 9);
    let deadline = Instant::now() + SHORT;
    while !marked.running().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(marked.running(), [""; 0], "processes are left");
    assert!(visitor.leaves(Duration::from_secs(5)), "the server still runs");
    run(mcp_deploy(&project, ["render", "--check"])).expect(0);
}

enum Point {
    /// A process of it has all these words in its command line.
    Runs(&'static [&'static str]),
    /// A file is there.
    Exists(&'static str),
    /// A tool is being called.
    Answers,
}

#[track_caller]
fn interrupt(project: &Path, target: &str, signal: Signal, point: Point) {
    let gate = Gate::open();
    let call = format!("wait_at {{\"url\": \"{}\"}}", gate.url());
    let mut command: Command = mcp_deploy(project, ["ship", "--target", target, "--local", "--call", &call]);
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(project);
    let mut ship = Running::start(command);
    let mut visitor = None;
    ship.until("the point to interrupt it", LONG, |_| match &point {
        Point::Runs(words) => {
            marked.running().iter().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        }
        Point::Exists(file) => project.join(file).exists().then_some(()),
        Point::Answers => {
            visitor = gate.visited();
            visitor.is_some().then_some(())
        }
    });
    if matches!(point, Point::Answers) {
        assert!(marked.running().len() > 1, "the server of {target} is not found: {:?}", marked.running());
    }
    ship.signal(signal);
    let ran = ship.wait(SHORT);
    let number = if signal == Signal::INT { 2 } else { 15 };
    assert_eq!(ran.code(), 128 + number, "{target}: {ran}");
    marked.assert_nothing_left(project);
    if let Some(mut visitor) = visitor {
        assert!(visitor.leaves(Duration::from_secs(5)), "the server of {target} still runs");
    }
}

crate::support::on_every_runtime!(while_the_server_answers);
