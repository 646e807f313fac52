//! The lines that a server that runs here writes about itself, told from the noise of the tools around it.

use crate::probe::{Check, Outcome, Report};
use crate::ui;

/// How `ctx.log` and the generated code begin a line; wrangler puts its own mark before one of an error.
const START: &str = "{\"timestamp\":";

/// The server's own words in a line.
pub fn own(line: &str) -> Option<&str> {
    line.find(START).map(|at| line[at..].trim_end())
}

/// The server's own words in a log.
pub fn lines(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter_map(own)
}

/// What the log says about the calls that failed without a cause that is known: the lines of the tool.
pub fn about_failed(report: &Report, log: &str) -> Vec<String> {
    let failed = |check: &&Check| check.outcome == Outcome::Failed && check.id.starts_with("call.");
    let unexplained =
        |check: &&Check| !check.detail.as_ref().is_some_and(|detail| detail.starts_with("its handler fails: "));
    let failed: Vec<&Check> = report.checks.iter().filter(failed).filter(unexplained).collect();
    let names = |line: &&str| {
        let tool = field(line, "what").and_then(|what| what.strip_prefix("tool ")).map(|tool| format!("`{tool}`"));
        tool.is_some_and(|tool| failed.iter().any(|check| check.title.starts_with(&tool)))
    };
    let found: Vec<&str> = lines(log).filter(names).collect();
    found[found.len().saturating_sub(MOST)..].iter().map(|line| (*line).to_owned()).collect()
}

/// A call is made in both protocol eras, and each has another reference.
const MOST: usize = 4;

/// A short text of a line, such as its reference.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!("\"{name}\":\""))?.1.split_once('"').map(|(text, _)| text).filter(|text| !text.is_empty())
}

pub fn print(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    ui::say("     the server's log says:");
    lines.iter().for_each(|line| ui::say(format_args!("     {line}")));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::Counts;

    fn report(id: &'static str, detail: &str) -> Report {
        let check = Check {
            id,
            title: "`get_a` answers".into(),
            outcome: Outcome::Failed,
            detail: Some(detail.into()),
            hint: None,
            elapsed: Duration::ZERO,
            follows: false,
            is_unreached: false,
        };
        let counts = Counts::default();
        Report { url: String::new(), checks: vec![check], answers: Vec::new(), tools: None, counts }
    }

    #[test]
    fn finds_the_lines_of_a_tool_whose_call_failed() {
        let one = r#"{"timestamp":"t","level":"error","message":"internal error","ref":"11-a","what":"tool get_a","error":"Error: no"}"#;
        let other = r#"{"timestamp":"t","level":"error","message":"internal error","ref":"22-b","what":"tool get_ab","error":"Error: yes"}"#;
        let log = format!("starting\n✘ [ERROR] {one}\n{other}\n{{\"timestamp\":\"t\",\"level\":\"info\"}}\n");
        assert_eq!(about_failed(&report("call.modern", "timed out"), &log), [one]);
        assert!(about_failed(&report("hostile.host", "internal error (ref 11-a)"), &log).is_empty());
    }
}
