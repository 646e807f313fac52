//! Every request is one that AWS's own models know: the stand-in takes more than AWS does.

use std::path::Path;
use std::time::Duration;

use mcp_deploy::process::{self, Cmd, Io};
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use super::Aws;
use super::auth::Caller;
use crate::clouds::Request;

impl Aws {
    /// Compares all requests so far with botocore's models, which `sam` brings.
    #[track_caller]
    pub fn check_requests(&self) {
        let requests: Vec<Value> = self.requests().iter().filter_map(described).collect();
        assert!(requests.len() > 5, "the tools called AWS");
        let sam = &self.shared.tools.found(ToolId::Sam).expect("sam").path;
        let sam = std::fs::canonicalize(sam).expect("sam");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/clouds/aws/models.py");
        let check = Cmd::new(sam.with_file_name("python")).arg("-I").arg(script).stdin(json!(requests).to_string());
        let checked = process::run(&check, Io::Answer, Some(Duration::from_secs(120))).expect("the models");
        let answer: Value = serde_json::from_str(&checked.stdout).expect("JSON");
        assert_eq!(answer, json!({ "checked": requests.len(), "faults": [] }));
    }
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
