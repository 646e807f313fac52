//! The workflows of this repository, and the one that `ci github` writes, are clean to two linters: `actionlint` reads
//! the expressions and the runners, `zizmor` what an attacker could use.

use std::path::Path;
use std::process::Command;

use crate::support::child::run;
use crate::support::tools::{ACTIONLINT, KIT, ZIZMOR};
use crate::support::work::{copy, folder, mcp_deploy, read, write};

#[test]
fn are_clean_to_the_linters() {
    let dir = folder("workflows");
    run(mcp_deploy(&dir, ["init", ".", "--name", "weather", "--example", "weather", "--yes"])).expect(0);
    run(mcp_deploy(&dir, ["ci", "github"])).expect(0);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".github"), &dir.join(".github"));
    run(lint(&dir)).expect(0);
    run(audit(&dir)).expect(0);

    // They find something where there is something.
    let file = dir.join(".github/workflows/ci.yml");
    write(&file, read(&file).replace("run: .ci/run", "run: echo ${{ github.head_ref }} ${{ matrx.os }}"));
    let found = run(lint(&dir)).expect(1);
    assert!(found.stdout.contains("matrx") || found.stderr.contains("matrx"), "{found}");
    assert_ne!(run(audit(&dir)).code(), 0);
}

fn lint(dir: &Path) -> Command {
    let mut lint = KIT.node(&ACTIONLINT.path());
    lint.arg(".github/workflows/*.yml").current_dir(dir);
    lint
}

fn audit(dir: &Path) -> Command {
    let mut audit = Command::new(ZIZMOR.path());
    audit.args(["--offline", "--no-progress", ".github"]).current_dir(dir);
    audit
}
