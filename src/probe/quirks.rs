//! Each check against a server that is wrong in exactly that: no check is there that cannot fail.

use super::Outcome;
use super::tests::{ids, line, probe};

/// The quirk of a server, the checks that fail for it, and what the first of them says.
const QUIRKS: &[(&str, &[&str], &str)] = &[
    ("reachable", &["reachable"], "expected `sample` 1.0.0, got `sample` 0.9.0"),
    ("no-health", &["reachable"], "404"),
    ("html", &["reachable"], "HTML"),
    ("broken", &["handlers"], "cannot import the handler of the tool echo, the prompt greet"),
    ("broken-many", &["handlers"], "cannot import 2 of its handlers"),
    ("modern.name", &["modern.discover"], "its name is \"other\""),
    ("modern.discover", &["modern.discover"], "2027-01-01"),
    ("legacy.name", &["legacy.initialize"], "its name is \"other\""),
    ("legacy.initialize", &["legacy.initialize"], "-32000 `not here`"),
    ("legacy.initialized", &["legacy.initialized"], "expected 202, got 200"),
    ("endless", &["modern.tools", "legacy.tools"], "came twice"),
    ("tool-twice", &["modern.tools", "legacy.tools"], "\"echo\" is listed twice"),
    ("modern.resources", &["modern.resources"], "-32601"),
    ("legacy.resources", &["legacy.resources"], "-32601"),
    ("modern.prompts", &["modern.prompts", "eras.same", "contract.prompts"], "no array `prompts`"),
    ("legacy.prompts", &["legacy.prompts", "eras.same"], "no array `prompts`"),
    ("modern.template-fault", &["modern.templates"], "-32603"),
    ("legacy.template-fault", &["legacy.templates"], "-32603"),
    ("resource-gone", &["contract.resources"], "missing: `sample://a`"),
    ("modern.no-ttl", &["modern.discover", "modern.tools", "modern.resources", "modern.prompts"], "`ttlMs` is missing"),
    ("modern.scope", &["modern.discover", "modern.tools", "modern.resources", "modern.prompts"], "`cacheScope`"),
    (
        "modern.no-type",
        &["modern.discover", "modern.tools", "modern.resources", "modern.prompts", "call.modern"],
        "`resultType` is missing",
    ),
    ("modern.templates", &["eras.same", "contract.templates"], "listed in 2026-07-28 only"),
    ("legacy.templates", &["eras.same"], "listed in 2025-11-25 only"),
    (
        "legacy.tool-changed",
        &["eras.same"],
        "/inputSchema/properties/text/type: 2026-07-28 \"string\", 2025-11-25 \"number\"",
    ),
    ("modern.list-changed", &["list-changed"], "`tools.listChanged` is true in 2026-07-28"),
    ("legacy.list-changed", &["list-changed"], "`tools.listChanged` is true in 2025-11-25"),
    ("tool-gone", &["contract.tools"], "missing: `clock`"),
    ("tool-more", &["contract.tools"], "unexpected: `more`"),
    ("templates", &["contract.templates"], "unexpected: `x://{a}`"),
    ("modern.call-error", &["call.modern", "call.same"], "the service is down"),
    ("legacy.call-error", &["call.legacy", "call.same"], "the service is down"),
    ("call-era", &["call.same"], "/content/0/text: 2026-07-28 \"modern"),
    ("call-misfit", &["call.modern"], "`structuredContent/text` breaks the output schema"),
    ("hostile.origin", &["hostile.origin"], "expected 403, got 200"),
    ("hostile.origin-null", &["hostile.origin-null"], "expected 403, got 200"),
    ("hostile.preflight", &["hostile.preflight"], "was granted"),
    ("hostile.host", &["hostile.host"], "from 400 to 499, got 200"),
    ("hostile.get", &["hostile.get"], "no answer within"),
    ("get-stream", &["hostile.get"], "expected 405, got 200"),
    ("no-allow", &["hostile.get", "hostile.delete"], "without `Allow`"),
    ("hostile.delete", &["hostile.delete"], "expected 405, got 200"),
    ("hostile.content-type", &["hostile.content-type"], "expected 415"),
    (
        "hostile.malformed",
        &["hostile.malformed"],
        "expected 400 with the JSON-RPC error -32700, got 500, -32603 `oops`",
    ),
    ("hostile.batch", &["hostile.batch"], "expected 400"),
    ("hostile.oversized", &["hostile.oversized"], "expected 413"),
    ("hostile.path", &["hostile.path"], "expected 404"),
    ("hostile.unknown-tool", &["hostile.unknown-tool"], "-32602"),
    ("hostile.arguments", &["hostile.arguments"], "`isError: true`"),
    ("hostile.unknown-method", &["hostile.unknown-method"], "got 200, -32601"),
    ("hostile.version", &["hostile.version"], "-32022"),
    ("no-supported", &["hostile.version"], "`data.supported`"),
    ("hostile.no-method-header", &["hostile.no-method-header"], "-32020"),
    ("hostile.method-mismatch", &["hostile.method-mismatch"], "-32020"),
    ("hostile.name-mismatch", &["hostile.name-mismatch"], "-32020"),
    ("hostile.no-meta", &["hostile.no-meta"], "-32602"),
    ("hostile.no-capabilities", &["hostile.no-capabilities"], "-32602"),
    ("hostile.envelope", &["hostile.envelope"], "-32600"),
    ("hostile.no-leak", &["hostile.no-leak"], "file:///"),
    ("survived", &["survived"], "broken by the last caller"),
    ("websocket.refused", &["websocket.session"], "no WebSocket, but 400, -32000 `not today`"),
    ("websocket.accept", &["websocket.session"], "no WebSocket: "),
    ("websocket.protocol", &["websocket.session"], "no WebSocket: "),
    ("websocket.closes", &["websocket.session"], "closed instead of an answer to `initialize`"),
    ("websocket.breaks", &["websocket.session"], "broke at initialize"),
    ("websocket.binary", &["websocket.session"], "binary data"),
    ("websocket.text", &["websocket.session"], "not JSON: `hello`"),
    ("websocket.silent", &["websocket.session"], "given up at initialize"),
    ("websocket.other-id", &["websocket.session"], "`initialize` got no answer to it"),
    ("websocket.initialize", &["websocket.session"], "`initialize` is answered with -32000 `not here`"),
    ("websocket.name", &["websocket.session"], "its name is \"other\""),
    ("websocket.tool-gone", &["websocket.session"], "its tools: "),
    ("websocket.prompts", &["websocket.session"], "no array `prompts`"),
    ("websocket.endless", &["websocket.session"], "did not end after 100 pages"),
    ("websocket.origin", &["websocket.origin"], "expected 403"),
    ("modern.call-leak", &["call.modern", "call.same", "hostile.no-leak"], "the tool reports an error"),
];

#[test]
fn each_check_fails_against_a_server_that_is_wrong_in_exactly_that() {
    for (quirk, expected, said) in QUIRKS {
        let report = probe(quirk);
        let mut failed = ids(&report, Outcome::Failed);
        if *quirk == "survived" {
            failed.retain(|id| *id == "survived"); // Those that came after the blow fail with it.
        }
        assert_eq!(failed, *expected, "quirk `{quirk}`: {report:#?}");
        let detail = line(&report, expected[0]).detail.as_deref().unwrap_or("");
        assert!(detail.contains(said), "quirk `{quirk}`: {detail}");
        assert!(!report.ok());
    }
}

#[test]
fn every_check_of_the_report_has_been_seen_to_fail() {
    let report = probe("");
    for check in &report.checks {
        assert!(
            QUIRKS.iter().any(|(_, failed, _)| failed.contains(&check.id)),
            "`{}` was never seen to fail",
            check.id
        );
    }
}
