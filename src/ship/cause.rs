//! Why the server's own code failed in a local run: from what it wrote, one fault for each cause, at the user's own
//! place.

use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use super::server_log;
use super::source_map::SourceMaps;
use crate::error::Error;
use crate::probe::{Check, Outcome, Report};

/// An error of the user's code, as the log has it.
struct Logged {
    message: String,
    /// `tool get_weather`.
    what: String,
    reference: String,
    /// With its stack.
    error: String,
}

/// Puts the causes that the log tells into the report, each instead of what follows from it. With `ended`, the server
/// ended by itself.
pub fn explain(report: &mut Report, log: &str, ended: Option<ExitStatus>, maps: &SourceMaps<'_>) {
    let logged: Vec<Logged> = server_log::lines(log).filter_map(logged).collect();
    let place = |error: &str| shown(error, maps);
    not_imported(report, &logged, &place);
    failed_calls(report, &logged, &place);
    failed_requests(report, &logged, &place);
    if let Some(status) = ended {
        crashed(report, crash(log), status, &place);
    }
    // Their hints tell whoever wrote a server what to change. This one is generated.
    for check in report.checks.iter_mut().filter(|check| check.id.starts_with("hostile.") && check.hint.is_some()) {
        check.hint = Some(GENERATED.to_owned());
    }
    report.recount();
}

const GENERATED: &str = "this is in the generated server, not in your code: report it as a bug in mcp-deploy";

/// The error of a server that ended before its first answer: that of the user's code, if the log has it.
pub fn at_start(error: anyhow::Error, log: &str, maps: &SourceMaps<'_>) -> anyhow::Error {
    let Some(crash) = crash(log) else { return error };
    let said = Error::new(format!("the server's own code fails when it starts: {}", shown(crash, maps)));
    match hint(crash) {
        Some(hint) => said.hint(hint).into(),
        None => said.into(),
    }
}

fn logged(line: &str) -> Option<Logged> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let logged = Logged { message: text("message"), what: text("what"), reference: text("ref"), error: text("error") };
    (!logged.error.is_empty()).then_some(logged)
}

/// `src/tools/get_weather.ts:5:18: Error: no such file`
fn shown(error: &str, maps: &SourceMaps<'_>) -> String {
    let said = said(error);
    match maps.place(error) {
        Some(place) => format!("{}:{}:{}: {said}", place.file, place.line, place.column),
        None => said,
    }
}

/// `TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:9`: the error, and behind it what it came of. The stacks
/// are left out.
fn said(error: &str) -> String {
    let mut said = error.lines().next().unwrap_or_default().trim_end_matches(" {").to_owned();
    let mut told = 0;
    for reason in error.lines().skip(1).filter_map(reason) {
        // Many repeat the reason in their own message.
        if reason.is_empty() || said.contains(reason) {
            continue;
        }
        if told == MOST_REASONS || reason.len() > LONGEST_REASON {
            said.push_str(": …");
            break;
        }
        said.push_str(": ");
        said.push_str(reason);
        told += 1;
    }
    said
}

const MOST_REASONS: usize = 4;
const LONGEST_REASON: usize = 1000;

/// `[cause]: Error: no route`, as the server's log and Node.js write it: what was said. An error without a message says
/// nothing.
fn reason(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let said = line.strip_prefix("[cause]: ").or_else(|| line.strip_prefix("[error]: "))?;
    let said = said.trim_end_matches(" {").trim_end();
    let bare = said.strip_prefix("Error: ").unwrap_or(said);
    let is_name = bare.trim_end_matches(':').split(" [").next().is_some_and(is_error_name) && !bare.contains(": ");
    Some(if is_name { "" } else { bare })
}

/// `TypeError`
fn is_error_name(name: &str) -> bool {
    name.ends_with("Error") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn not_imported(report: &mut Report, logged: &[Logged], shown: &dyn Fn(&str) -> String) {
    let mut causes: Vec<(&Logged, Vec<&str>)> = Vec::new();
    for one in logged.iter().filter(|one| one.message == "a handler cannot be imported") {
        if causes.iter().any(|(_, whats)| whats.contains(&one.what.as_str())) {
            continue;
        }
        match causes.iter_mut().find(|(cause, _)| cause.error == one.error) {
            Some((_, whats)) => whats.push(&one.what),
            None => causes.push((one, vec![&one.what])),
        }
    }
    if causes.is_empty() {
        return;
    }
    let at = report.checks.iter().position(|check| check.id == "handlers").unwrap_or(0);
    if report.checks.get(at).is_some_and(|check| check.id == "handlers") {
        report.checks.remove(at);
    }
    for check in report.checks.iter_mut().filter(|check| tells(check, "cannot be imported")) {
        follows(check);
    }
    for (cause, whats) in causes.into_iter().rev() {
        let whats = whats.join(", the ");
        let said = format!("cannot import the handler of the {whats}: {}", shown(&cause.error));
        report.checks.insert(at, failed("handlers", "has imported every handler that it needed", said, &cause.error));
    }
}

/// The same error of several calls appears once.
fn failed_calls(report: &mut Report, logged: &[Logged], shown: &dyn Fn(&str) -> String) {
    let mut told: Vec<String> = Vec::new();
    let calls = report.checks.iter_mut().filter(|check| check.outcome == Outcome::Failed && !check.follows);
    for check in calls {
        let is_of = |one: &&Logged| !one.reference.is_empty() && tells(check, &one.reference);
        let Some(cause) = logged.iter().find(is_of) else { continue };
        let said = shown(&cause.error);
        if told.contains(&said) {
            follows(check);
            continue;
        }
        check.detail = Some(format!("its handler fails: {said}"));
        check.hint = hint(&cause.error);
        told.push(said);
    }
}

/// Errors outside of a handler, which every request may meet.
fn failed_requests(report: &mut Report, logged: &[Logged], shown: &dyn Fn(&str) -> String) {
    let Some(cause) = logged.iter().find(|one| one.message == "request failed") else { return };
    let is_of = |check: &&mut Check| check.outcome == Outcome::Failed && tells(check, "internal error");
    let mut all = report.checks.iter_mut().filter(is_of);
    let Some(first) = all.next() else { return };
    *first = failed("server", "answers requests", shown(&cause.error), &cause.error);
    all.for_each(follows);
}

fn crashed(report: &mut Report, error: Option<&str>, status: ExitStatus, shown: &dyn Fn(&str) -> String) {
    let first = report.checks.iter().position(|check| check.outcome == Outcome::Failed && check.is_unreached);
    let first = first.unwrap_or(report.checks.len());
    let during =
        report.checks.get(first).map_or_else(String::new, |check| format!(" in the check \"{}\"", check.title));
    let why = error.map_or_else(String::new, |error| format!(": {}", shown(error)));
    report.checks[first..].iter_mut().filter(|check| check.outcome != Outcome::Passed).for_each(follows);
    let said = format!("it ended ({status}){during}{why}");
    let hint = error.and_then(hint).or_else(|| error.is_none().then(|| ENDED.to_owned()));
    let check = Check { hint, ..failed("server", "keeps running", said, "") };
    report.checks.insert(first, check);
}

const ENDED: &str =
    "look for `process.exit` in the handler and in what it imports: a server's process serves other callers, too";

fn failed(id: &'static str, title: &str, detail: String, error: &str) -> Check {
    Check {
        id,
        title: title.to_owned(),
        outcome: Outcome::Failed,
        detail: Some(detail),
        hint: hint(error),
        elapsed: Duration::ZERO,
        follows: false,
        is_unreached: false,
    }
}

fn follows(check: &mut Check) {
    check.outcome = Outcome::Skipped;
    check.hint = None;
    check.follows = true;
}

fn tells(check: &Check, what: &str) -> bool {
    check.outcome == Outcome::Failed && check.detail.as_ref().is_some_and(|detail| detail.contains(what))
}

/// What Node.js writes of an error that nobody caught, or of a memory that is full: the error with its stack.
fn crash(log: &str) -> Option<&str> {
    if let Some(at) = log.find("FATAL ERROR: ") {
        return log[at..].lines().next();
    }
    let mut start = 0;
    let mut found = None;
    for line in log.split_inclusive('\n') {
        let end = start + line.len();
        let next_is_frame = log[end..].trim_start_matches(' ').starts_with("at ");
        let is_error = line.split_once(':').is_some_and(|(name, _)| {
            let name = name.split(" [").next().unwrap_or(name);
            name.chars().next().is_some_and(char::is_uppercase)
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if next_is_frame && is_error {
            let frames = || log[end..].lines().take_while(|line| line.trim_start().starts_with("at "));
            // What it came of stands in braces behind the frames.
            let more = if frames().last().is_some_and(|line| line.ends_with(" {")) {
                log[end..].lines().skip(frames().count()).take_while(|line| line.starts_with(' ')).count()
            } else {
                0
            };
            let lines = log[end..].split_inclusive('\n').take(frames().count() + more);
            let length = lines.map(str::len).sum::<usize>();
            found = log.get(start..(end + length).min(log.len()));
        }
        start = end;
    }
    found
}

/// What to do about an error that is known.
fn hint(error: &str) -> Option<String> {
    let said = said(error);
    let has = |what: &str| said.contains(what);
    let secret = said.split_once("the secret ").and_then(|(_, rest)| rest.strip_suffix(" is not set"));
    if let Some(name) = secret {
        let unless = "or say `optional = true` for it in `mcp.toml` if it may be absent";
        return Some(format!("run `mcp-deploy secrets set {name}`, {unless}"));
    }
    let known = if has("ENOENT") || has("no such file") {
        "a bundle has no files of the project beside it: see \"Files beside the code\" in docs/writing-handlers.md"
    } else if has("Cannot find package") || has("Cannot find module") || has("No such module") {
        "import it by a literal name, which the bundler can read, not by a variable"
    } else if has("heap out of memory") {
        "keep less in memory, or give the function more memory in `mcp.toml`"
    } else {
        return None;
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_came_of_is_told_with_it() {
        let at = "\n    at a (file:///a.mjs:2:3)";
        let table = [
            (format!("Error: outer{at}"), "Error: outer"),
            (
                format!("TypeError: fetch failed{at}\n[cause]: Error: connect ECONNREFUSED 127.0.0.1:9{at}"),
                "TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:9",
            ),
            (
                format!(
                    "TypeError: fetch failed{at}\n[cause]: AggregateError{at}\n[error]: Error: no ::1:9{at}\n[error]: Error: no 127.0.0.1:9{at}"
                ),
                "TypeError: fetch failed: no ::1:9: no 127.0.0.1:9",
            ),
            (format!("Error: a: b{at}\n[cause]: Error: b{at}\n[cause]: TypeError: c{at}"), "Error: a: b: TypeError: c"),
            (format!("Error: a{at}\n[cause]: AggregateError [ECONNREFUSED]: {at}\n[cause]: …"), "Error: a: …"),
            (format!("Error: a{at} {{\n  code: 'X',\n  [cause]: Error: b{at} {{"), "Error: a: b"),
            (format!("Error: a{}", "\n[cause]: Error: x".repeat(9)), "Error: a: x"),
        ];
        for (error, expected) in table {
            assert_eq!(said(&error), expected);
        }
        let many: String = (1..9).map(|at| format!("\n[cause]: Error: {at}")).collect();
        assert_eq!(said(&format!("Error: a{many}")), "Error: a: 1: 2: 3: 4: …");
        let unset = "Error: a\n[cause]: Error: the secret KEY is not set";
        assert!(hint(unset).unwrap().contains("secrets set KEY"));
    }

    #[test]
    fn an_error_that_nobody_caught_is_found_with_its_stack() {
        let log = "listening\n{\"level\":\"warn\"}\nfile:///a.mjs:2\ncode\n  ^\n\nTypeError [ERR_X]: later: so\n    at a (file:///a.mjs:2:3)\n    at b\n\nNode.js v24.19.0\n";
        let found = crash(log).unwrap();
        assert_eq!(found, "TypeError [ERR_X]: later: so\n    at a (file:///a.mjs:2:3)\n    at b\n");
        let error = "TypeError: outer\n    at a (file:///a.mjs:2:3) {\n  [cause]: Error: inner\n      at b\n";
        assert_eq!(crash(&format!("x\n{error}}}\n\nNode.js v24.19.0\n")), Some(error));
        let log = "<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native";
        assert!(hint(crash(log).unwrap()).unwrap().contains("more memory"));
        assert_eq!(crash("listening\nError: no frames\n"), None);
    }
}
