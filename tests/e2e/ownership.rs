//! What is asked of AWS before anything is touched, asked of moto: `clients/ownership.py` says what it lacks.

use std::path::Path;
use std::process::Command;

use mcp_deploy::toolchain::ToolId;

use crate::support::child::{LONG, Running, free_port, run};
use crate::support::tools::{KIT, MOTO_AWS};
use crate::support::work;

#[test]
fn what_is_ours_according_to_moto() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("aws.py");
    work::write(&script, mcp_deploy::targets::lambda::aws::SCRIPT);
    let port = free_port();
    let mut moto = Command::new(MOTO_AWS.path());
    moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port]);
    let mut moto = Running::guarded(moto);
    // By this name moto tells a bucket from its own host.
    let url = format!("http://localhost:{port}");
    moto.until("the server", LONG, |_| ureq::get(format!("{url}/moto-api/data.json")).call().ok());
    let sam = KIT.tools.found(ToolId::Sam).expect("sam").path.canonicalize().expect("sam");
    let mut asked = Command::new(sam.with_file_name("python"));
    asked.arg("-I").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/ownership.py")).arg(script);
    asked.envs([
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("NO_PROXY", "localhost"),
        ("SAM_CLI_POLL_DELAY", "0.2"),
    ]);
    run(asked).expect(0);
}
