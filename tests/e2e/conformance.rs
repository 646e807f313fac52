//! The official conformance suites against the rendered fixtures, on each cloud's local runtime.

use std::path::PathBuf;
use std::process::Command;

use crate::support::child::{Ran, run};
use crate::support::site::CONFORMANCE;
use crate::support::tools::{CONFORMANCE_NEXT, CONFORMANCE_NOW, KIT, TestTool};
use crate::support::work::{folder, mcp_deploy, write};

/// What needs the server to ask the client in the middle of a request, and with it a session.
const NEED_SESSIONS: [&str; 4] =
    ["elicitation-sep1034-defaults", "elicitation-sep1330-enums", "tools-call-elicitation", "tools-call-sampling"];

fn meets_2026_07_28(target: &str) {
    let ran = suite(&CONFORMANCE_NEXT, target, &["--requirements", "2026-07-28"], None).expect(0);
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
    let args = ["--requirements", "2025-11-25"];
    let ran = suite(&CONFORMANCE_NEXT, target, &args, None).expect(1);
    let scored = Summary::of(&ran).scored();
    assert_eq!(scored.len(), 30, "{ran}");
    assert_eq!(failed(&scored), NEED_SESSIONS, "{ran}");
    // As a project would run it in its CI.
    let ran = suite(&CONFORMANCE_NEXT, target, &args, Some(expected())).expect(0);
    assert!(ran.stdout.contains("Baseline check passed"), "{ran}");
}

fn meets_the_released_suite(target: &str) {
    let ran = suite(&CONFORMANCE_NOW, target, &["--suite", "all"], None).expect(1);
    let summary = Summary::of(&ran);
    assert_eq!(failed(&summary.scenarios), NEED_SESSIONS, "{ran}");
    let counts =
        summary.scenarios.iter().fold((0, 0), |(passed, failed), one| (passed + one.passed, failed + one.failed));
    assert_eq!(counts, (30, 4), "{ran}");
}

/// The baseline is no list of excuses: a scenario that passes and is expected to fail is an error.
#[test]
fn a_stale_expectation_fails() {
    let stale = folder("baseline").join("expected-failures.yaml");
    let four: String = NEED_SESSIONS.map(|name| format!("  - {name}\n")).concat();
    write(&stale, format!("server:\n{four}  - server-sse-multiple-streams\n  - ping\n"));
    let ran = suite(&CONFORMANCE_NEXT, "lambda", &["--requirements", "2025-11-25"], Some(stale)).expect(1);
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

fn suite(tool: &TestTool, target: &str, args: &[&str], expected: Option<PathBuf>) -> Ran {
    let mut suite: Command = KIT.node(&tool.path());
    suite.args(["server", "--url", &CONFORMANCE.server(target).url]).args(args);
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
