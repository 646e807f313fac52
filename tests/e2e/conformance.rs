//! The official conformance suites against the rendered fixtures, on each cloud's local runtime.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::TARGETS;
use crate::support::child::{Ran, run};
use crate::support::site::CONFORMANCE;
use crate::support::tools::{CONFORMANCE_NEXT, CONFORMANCE_NOW, KIT, TestTool};
use crate::support::wire::Tap;
use crate::support::work::{folder, mcp_deploy, write};

/// One of the official suites.
#[derive(Clone, Copy)]
pub enum Suite {
    Next,
    Current,
    Released,
}

impl Suite {
    pub const ALL: [Suite; 3] = [Suite::Next, Suite::Current, Suite::Released];

    fn command(self) -> (TestTool, [&'static str; 2]) {
        match self {
            Suite::Next => (CONFORMANCE_NEXT, ["--requirements", "2026-07-28"]),
            Suite::Current => (CONFORMANCE_NEXT, ["--requirements", "2025-11-25"]),
            Suite::Released => (CONFORMANCE_NOW, ["--suite", "all"]),
        }
    }

    /// Its run against a cloud's server. Who says what to the server is kept by the tap in front of it, and is another
    /// test's matter, so each suite runs once.
    pub fn ran(self, target: &str) -> &'static Ran {
        static RAN: [[OnceLock<Ran>; 3]; TARGETS.len()] = [const { [const { OnceLock::new() }; 3] }; TARGETS.len()];
        RAN[at(target)][self as usize].get_or_init(|| {
            let (tool, args) = self.command();
            suite(&tool, &tap(target).url(), &args, None)
        })
    }
}

/// In front of the fixtures' server.
pub fn tap(target: &str) -> &'static Tap {
    static TAPS: [OnceLock<Tap>; TARGETS.len()] = [const { OnceLock::new() }; TARGETS.len()];
    TAPS[at(target)].get_or_init(|| Tap::before(&CONFORMANCE.server(target).url))
}

fn at(target: &str) -> usize {
    TARGETS.iter().position(|name| *name == target).expect("one of the list")
}

/// What needs the server to ask the client in the middle of a request, and with it a session.
const NEED_SESSIONS: [&str; 4] =
    ["elicitation-sep1034-defaults", "elicitation-sep1330-enums", "tools-call-elicitation", "tools-call-sampling"];

fn meets_2026_07_28(target: &str) {
    let ran = Suite::Next.ran(target).clone().expect(0);
    let summary = Summary::of(&ran);
    let scored = summary.scored();
    assert_eq!(scored.len(), 37, "{ran}");
    assert_eq!(failed(&scored), [""; 0], "{ran}");
    // Not scored, and passed all the same.
    for name in ["json-schema-2020-12", "http-header-validation", "http-custom-header-server-validation"] {
        assert!(summary.scenario(name).ok, "{name}: {ran}");
    }
}

fn meets_2025_11_25(target: &str) {
    let ran = Suite::Current.ran(target).clone().expect(1);
    let scored = Summary::of(&ran).scored();
    assert_eq!(scored.len(), 30, "{ran}");
    assert_eq!(failed(&scored), NEED_SESSIONS, "{ran}");
}

/// As a project would run it in its CI.
#[test]
fn what_is_expected_to_fail_passes() {
    let ran = with_baseline(expected()).expect(0);
    assert!(ran.stdout.contains("Baseline check passed"), "{ran}");
}

/// The scenarios are the same on each cloud; the list of failures that are expected is compared by the suite itself.
fn with_baseline(expected: PathBuf) -> Ran {
    let (tool, args) = Suite::Current.command();
    suite(&tool, &CONFORMANCE.server("lambda").url, &args, Some(expected))
}

fn meets_the_released_suite(target: &str) {
    let ran = Suite::Released.ran(target).clone().expect(1);
    let summary = Summary::of(&ran);
    assert_eq!(failed(&summary.scenarios), NEED_SESSIONS, "{ran}");
    let counts =
        summary.scenarios.iter().fold((0, 0), |(passed, failed), one| (passed + one.passed, failed + one.failed));
    assert_eq!(counts, (30, 4), "{ran}");
}

/// The baseline does not hide anything: a scenario that passes and is expected to fail is an error.
#[test]
fn a_stale_expectation_fails() {
    let stale = folder("baseline").join("expected-failures.yaml");
    let four: String = NEED_SESSIONS.map(|name| format!("  - {name}\n")).concat();
    write(&stale, format!("server:\n{four}  - server-sse-multiple-streams\n  - ping\n"));
    let ran = with_baseline(stale).expect(1);
    assert!(ran.stdout.contains("ping") && format!("{ran}").to_lowercase().contains("stale"), "{ran}");
}

/// Our own prober finds what the fixtures declare, prompts without arguments among it.
fn is_what_its_manifest_says(target: &str) {
    let verify = run(mcp_deploy(&CONFORMANCE.root, ["verify", &CONFORMANCE.server(target).url, "--json"])).expect(0);
    let report = verify.json();
    assert_eq!(report["counts"]["failed"], 0, "{report:#}");
    let checks = report["checks"].as_array().expect("checks");
    for id in ["contract.tools", "contract.resources", "contract.prompts"] {
        assert!(checks.iter().any(|check| check["id"] == id && check["outcome"] == "passed"), "{id}: {report:#}");
    }
}

fn suite(tool: &TestTool, url: &str, args: &[&str], expected: Option<PathBuf>) -> Ran {
    let mut suite: Command = KIT.node(&tool.path());
    suite.args(["server", "--url", url]).args(args);
    if let Some(expected) = expected {
        suite.arg("--expected-failures").arg(expected);
    }
    suite.current_dir(folder("suite"));
    run(suite)
}

fn expected() -> PathBuf {
    CONFORMANCE.root.join("expected-failures.yaml")
}

/// The end of what the suite prints.
struct Summary {
    scenarios: Vec<Scenario>,
    unscored: Vec<String>,
}

#[derive(Clone)]
struct Scenario {
    name: String,
    ok: bool,
    passed: usize,
    failed: usize,
}

impl Summary {
    #[track_caller]
    fn of(ran: &Ran) -> Self {
        let (_, text) = ran.stdout.split_once("=== SUMMARY ===").unwrap_or_else(|| panic!("no summary: {ran}"));
        let (scored, unscored) = text.split_once("Not scored for").unwrap_or((text, ""));
        let scenarios: Vec<Scenario> = scored.lines().filter_map(Scenario::read).collect();
        let unscored = unscored.lines().filter_map(|line| {
            let line = line.trim().strip_prefix(['✓', '✗'])?;
            line.split_whitespace().next().map(str::to_owned)
        });
        Summary { scenarios, unscored: unscored.collect() }
    }

    fn scored(&self) -> Vec<Scenario> {
        self.scenarios.iter().filter(|one| !self.unscored.contains(&one.name)).cloned().collect()
    }

    #[track_caller]
    fn scenario(&self, name: &str) -> &Scenario {
        self.scenarios.iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} was not run"))
    }
}

impl Scenario {
    /// `✓ tools-list: 4 passed, 0 failed`
    fn read(line: &str) -> Option<Self> {
        let (mark, rest) = line.trim().split_at_checked('✓'.len_utf8())?;
        let ok = match mark {
            "✓" => true,
            "✗" => false,
            _ => return None,
        };
        let (name, counts) = rest.trim().split_once(": ")?;
        let (passed, failed) = counts.split_once(" passed, ")?;
        let (passed, failed) = (passed.parse().ok()?, failed.strip_suffix(" failed")?.parse().ok()?);
        Some(Scenario { name: name.to_owned(), ok, passed, failed })
    }
}

fn failed(scenarios: &[Scenario]) -> Vec<&str> {
    let mut failed: Vec<&str> = scenarios.iter().filter(|one| !one.ok).map(|one| one.name.as_str()).collect();
    failed.sort_unstable();
    failed
}

crate::support::on_every_runtime!(
    meets_2026_07_28,
    meets_2025_11_25,
    meets_the_released_suite,
    is_what_its_manifest_says
);
