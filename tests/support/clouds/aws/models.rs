//! Every request is one that AWS's own models know: the stand-in takes more than AWS does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use mcp_deploy::toolchain::{ToolId, Toolchain};
use serde_json::{Value, json};

use super::Aws;
use super::auth::Caller;
use crate::clouds::Request;
use crate::clouds::http::lock;

impl Drop for Aws {
    /// Compares all that was asked with botocore's models, which `sam` brings.
    fn drop(&mut self) {
        // A test that failed has said enough.
        if !std::thread::panicking() {
            let requests: Vec<Value> = self.api.every_request().iter().filter_map(described).collect();
            let faults = faults(&self.shared.tools, &requests);
            assert!(faults.is_empty(), "AWS would not understand: {faults:#?}");
        }
    }
}

/// What is wrong with requests. One process for all tests has read the models; it ends when its input does, and that is
/// with them.
pub fn faults(tools: &Toolchain, requests: &[Value]) -> Vec<String> {
    static CHECKER: OnceLock<Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>> = OnceLock::new();
    if requests.is_empty() {
        return Vec::new();
    }
    let start = || {
        let sam = std::fs::canonicalize(&tools.found(ToolId::Sam).expect("sam").path).expect("sam");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/clouds/aws/models.py");
        let mut python = Command::new(sam.with_file_name("python"));
        python.arg("-I").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("the Python of sam");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Mutex::new((child, input, BufReader::new(output)))
    };
    let mut checker = lock(CHECKER.get_or_init(start));
    let (_, input, output) = &mut *checker;
    writeln!(input, "{}", json!(requests)).and_then(|()| input.flush()).expect("it reads");
    let mut line = String::new();
    output.read_line(&mut line).expect("it answers");
    let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("the models: {error}: {line}"));
    assert_eq!(answer["checked"], requests.len());
    serde_json::from_value(answer["faults"].take()).expect("a list of faults")
}

fn described(request: &Request) -> Option<Value> {
    let service = Caller::of(request)?.service;
    // Objects are bytes.
    let body = if service == "s3" { String::new() } else { String::from_utf8_lossy(&request.body).into_owned() };
    Some(json!({
        "service": service,
        "method": request.method,
        "path": request.target,
        "target": request.header("x-amz-target").unwrap_or_default(),
        "body": body,
    }))
}
