//! What follows from a fault that is already in the report is counted, and not told again.

use super::{Check, CheckFault, FaultKind, Outcome};

/// What a client learns about a handler that the server could not import.
const NOT_IMPORTED: &str = "cannot be imported";

/// Whether this fault is the consequence of one before it.
pub fn follows(id: &str, title: &str, fault: &CheckFault, before: &[Check]) -> bool {
    let failed = || before.iter().filter(|check| check.outcome == Outcome::Failed);
    let last = before.last();
    match id {
        _ if fault.kind == FaultKind::Unreached && failed().any(|check| check.is_unreached) => true,
        _ if fault.kind == FaultKind::Lost => true,
        "modern.discover" if fault.kind == FaultKind::Refused => failed().any(|check| check.id == "reachable"),
        "legacy.initialize" if fault.kind == FaultKind::Refused => {
            last.is_some_and(|one| one.id == "modern.discover" && one.is_unreached)
        }
        _ if fault.kind == FaultKind::Refused => {
            failed().any(|one| one.is_unreached && one.detail.as_ref() == Some(&fault.detail))
        }
        _ if fault.detail.contains(NOT_IMPORTED) && failed().any(|check| check.id == "handlers") => true,
        // The same call in the other era.
        "call.legacy" => last.is_some_and(|one| {
            let is_same = |detail: &String| bare(detail) == bare(&fault.detail);
            let call = |title: &str| title.split(" answers").next().map(str::to_owned);
            one.id == "call.modern"
                && call(&one.title) == call(title)
                && (one.follows || one.outcome == Outcome::Failed && one.detail.as_ref().is_some_and(is_same))
        }),
        "call.same" if fault.kind == FaultKind::Skip => {
            last.is_some_and(|other| other.id == "call.legacy" && (other.follows || other.outcome == Outcome::Failed))
        }
        _ => false,
    }
}

/// Without the reference, which is another one each time.
fn bare(detail: &str) -> &str {
    detail.split(" (ref ").next().unwrap_or(detail)
}
