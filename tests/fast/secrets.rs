//! `.env` as people write it: a line at fault is replaced, a misspelt name is reported.

use std::io::Write as _;
use std::process::{Child, Stdio};

use crate::support::Sandbox;

fn with_secrets() -> Sandbox {
    let sandbox = Sandbox::weather();
    let manifest = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", manifest + "\n[secrets]\nTEST_DATABASE_URL = \"d\"\nTEST_OTHER = \"d\"\n");
    sandbox
}

/// Its exit code and what it says.
fn set(sandbox: &Sandbox, name: &str, value: &str) -> (i32, String) {
    let mut command = sandbox.command(&["secrets", "set", name]);
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_line_at_fault_is_replaced_by_its_own_secret_alone() {
    let sandbox = with_secrets();
    sandbox.write(".env", "TEST_DATABASE_URL=old#value\nKEPT=1\n");
    let (code, said) = set(&sandbox, "TEST_DATABASE_URL", "new#value");
    assert_eq!(code, 0, "{said}");
    assert_eq!(sandbox.read(".env"), "KEPT=1\nTEST_DATABASE_URL='new#value'\n");
    // That of another stays, and is reported at its own place.
    let before = "TEST_DATABASE_URL=old#value\nTEST_OTHER=a#b\n";
    sandbox.write(".env", before);
    let (code, said) = set(&sandbox, "TEST_DATABASE_URL", "new");
    assert!(code == 1 && said.contains(".env:2:13: the value of `TEST_OTHER`"), "{said}");
    assert!(!said.contains("too"), "{said}");
    assert_eq!(sandbox.read(".env"), before);
}

#[test]
fn a_misspelt_name_is_told() {
    let sandbox = with_secrets();
    for written in ["TEST_DATABSE_URL", "test_database_url"] {
        sandbox.write(".env", format!("# a\n{written}=x\nUNRELATED=1\n"));
        let check = sandbox.run(&["check", "--no-types"]).stderr;
        assert!(check.contains(&format!(".env:2:1: warning: `mcp.toml` declares no `{written}`")), "{check}");
        assert!(check.contains("hint: did you mean `TEST_DATABASE_URL`?"), "{check}");
        assert_eq!(check.matches(".env:").count(), 1, "{check}");
        let list = sandbox.run(&["secrets", "list"]).stderr;
        assert!(list.contains(&format!("`.env` has `{written}`: did you mean `TEST_DATABASE_URL`?")), "{list}");
    }
    // What has a value is not what was meant.
    sandbox.write(".env", "TEST_DATABSE_URL=x\nTEST_DATABASE_URL=y\n");
    let check = sandbox.run(&["check", "--no-types"]).stderr;
    assert!(!check.contains("did you mean"), "{check}");
}
