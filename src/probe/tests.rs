//! Whole runs against the tiny server.

use serde_json::json;

use super::testing::{CALLS, KEY, LIMIT, TestServer, contract};
use super::*;
use crate::error::InFull;
use crate::http_server::{Conn, Listener, pair};

pub fn options(server: &TestServer) -> Options {
    Options {
        url: server.url(),
        local: true,
        calls: vec![r#"echo {"text":"Grüße"}"#.parse().unwrap()],
        headers: Vec::new(),
        budgets: None,
        timeout: Duration::from_secs(3),
        max_body_bytes: LIMIT as u64,
        deployments: Vec::new(),
        platforms: Platforms { gates: vec![lift_gate], to_tell_versions: vec!["at home: ask it"] },
    }
}

fn lift_gate(reply: &Reply) -> Option<Gated> {
    let gated = Gated { detail: "the gate is down".to_owned(), hint: "lift the gate", lasting: true };
    (reply.header("x-gate") == Some("down")).then_some(gated)
}

pub fn probe(quirk: &'static str) -> Report {
    let server = TestServer::start(quirk);
    run(&options(&server), Some(&contract()), &mut |_| {})
}

pub fn ids(report: &Report, outcome: Outcome) -> Vec<&'static str> {
    report.checks.iter().filter(|check| check.outcome == outcome).map(|check| check.id).collect()
}

pub fn line<'a>(report: &'a Report, id: &str) -> &'a Check {
    report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check `{id}`"))
}

#[test]
fn a_server_that_is_right_passes_everything() {
    let mut seen = Vec::new();
    let server = TestServer::start("");
    let report = run(&options(&server), Some(&contract()), &mut |check| seen.push(check.id));
    assert_eq!(ids(&report, Outcome::Failed), [""; 0], "{report:#?}");
    assert_eq!(ids(&report, Outcome::Skipped), [""; 0]);
    assert!(report.ok());
    assert_eq!(report.counts.passed, report.checks.len());
    assert_eq!(seen, report.checks.iter().map(|check| check.id).collect::<Vec<_>>());
    assert_eq!(report.answers.len(), 2);
    assert_eq!(report.answers[0].result["structuredContent"], json!({"text": "Grüße"}));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["answers"][1]["era"], "legacy");
    assert_eq!(json["checks"][0]["outcome"], "passed");
    assert!(json["checks"][0]["elapsed_ms"].is_u64());
}

#[test]
fn a_server_of_the_old_era_is_told_so_and_probed_further() {
    let report = probe("legacy-only");
    assert_eq!(ids(&report, Outcome::Failed), ["modern.discover"]);
    assert!(
        line(&report, "modern.discover").detail.as_deref().unwrap().contains("only the protocols before 2026-07-28")
    );
    for id in ["legacy.tools", "contract.tools", "call.legacy", "hostile.origin", "hostile.unknown-tool", "survived"] {
        assert_eq!(line(&report, id).outcome, Outcome::Passed, "{id}");
    }
    for id in ["eras.same", "call.modern", "call.same", "hostile.version", "hostile.batch"] {
        assert_eq!(line(&report, id).outcome, Outcome::Skipped, "{id}");
    }
}

#[test]
fn a_modern_refusal_is_not_taken_for_the_old_era() {
    let report = probe("modern-refuses");
    assert!(line(&report, "modern.discover").detail.as_deref().unwrap().contains("knows the modern era"));
}

#[test]
fn behind_a_gate_nothing_more_is_asked() {
    for (quirk, hint) in
        [("gate.platform", "lift the gate"), ("gate.redirect", "the URL that answers without a redirect")]
    {
        let server = TestServer::start(quirk);
        let report = run(&options(&server), Some(&contract()), &mut |_| {});
        assert_eq!(ids(&report, Outcome::Failed), ["reachable"]);
        assert_eq!(ids(&report, Outcome::Skipped), ["rest"]);
        assert!(line(&report, "reachable").hint.as_deref().unwrap().contains(hint), "{quirk}");
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn nobody_there() {
    let gone = options(&TestServer::start(""));
    let report = run(&gone, None, &mut |_| {});
    let check = line(&report, "reachable");
    assert!(check.detail.as_deref().unwrap().contains("nothing listens at `127.0.0.1:"), "{check:?}");
    assert!(check.hint.as_deref().unwrap().contains("start the server"));
    let report = run(&Options { url: "weather.example.com".to_owned(), ..gone }, None, &mut |_| {});
    assert_eq!(ids(&report, Outcome::Failed), ["reachable"]);
    assert!(!report.ok());
}

#[test]
fn a_server_that_hangs_costs_a_bounded_time() {
    for (quirk, most) in [("hang", 1), ("stuck", 4)] {
        let server = TestServer::start(quirk);
        let start = Instant::now();
        let timeout = Duration::from_millis(300);
        let report = run(&Options { timeout, ..options(&server) }, Some(&contract()), &mut |_| {});
        assert!(start.elapsed() < Duration::from_secs(3), "{quirk}: {:?}", start.elapsed());
        assert!(server.requests() <= most + 1, "{quirk}: {}", server.requests());
        let detail = report.checks.iter().find(|check| check.outcome == Outcome::Failed).unwrap().detail.as_deref();
        assert!(detail.unwrap().contains("no answer within 0.3 s"), "{detail:?}");
    }
}

#[test]
fn a_stream_that_trickles_is_cut_off() {
    let server = TestServer::start("trickle");
    let start = Instant::now();
    let report = run(&Options { timeout: Duration::from_millis(400), ..options(&server) }, None, &mut |_| {});
    let check = line(&report, "call.modern");
    assert!(check.detail.as_deref().unwrap().contains("did not end in time"), "{check:?}");
    assert!(check.elapsed < Duration::from_secs(1) && start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_large_body_is_refused_though_the_server_closes_early() {
    for _ in 0..20 {
        let server = TestServer::start("");
        let options = Options { max_body_bytes: 8 << 20, ..options(&server) };
        let report = run(&options, None, &mut |_| {});
        assert_eq!(
            line(&report, "hostile.oversized").outcome,
            Outcome::Passed,
            "{:?}",
            line(&report, "hostile.oversized")
        );
    }
}

#[test]
fn a_rate_limit_is_waited_for_when_it_is_short() {
    let report = probe("busy");
    assert!(report.ok(), "{report:#?}");
    let report = probe("limited");
    let check = line(&report, "modern.discover");
    assert!(check.detail.as_deref().unwrap().contains("429"), "{check:?}");
    // Of a server that has answered nothing but its health page nothing is proven; that is said once.
    assert_eq!(ids(&report, Outcome::Failed), ["modern.discover"]);
    assert_eq!(
        ids(&report, Outcome::Passed),
        ["reachable", "handlers", "hostile.oversized", "hostile.path", "hostile.no-leak"]
    );
}

/// Of the manifest's limit: calls in an hour.
fn limited(calls: u64) -> Contract {
    Contract { rate_limit: Some(RateLimit { calls, window: 3600, open: true }), ..contract() }
}

#[test]
fn a_limit_of_a_local_run_is_met_on_one_budget_and_everything_else_asked_on_others() {
    let on_budgets = |quirk| {
        let server = TestServer::start(quirk);
        run(&Options { budgets: Some("s3cret".into()), ..options(&server) }, Some(&limited(CALLS)), &mut |_| {})
    };
    let report = on_budgets("rate-limit");
    assert_eq!(report.counts.passed, report.checks.len(), "{report:#?}");
    assert_eq!(line(&report, "rate-limit").detail.as_deref(), Some("5 answered, then 429"));
    for (quirk, said) in [
        ("rate-limit.none", "answered 11 calls"),
        ("rate-limit.late", "answered 7 calls, then 429"),
        ("rate-limit.early", "answered 3 calls, then 429"),
        ("rate-limit.bare", "without `retry-after`"),
        ("rate-limit.long", "outside of the window"),
        ("rate-limit.text", "no JSON-RPC error, but 429 `slow down`"),
    ] {
        let report = on_budgets(quirk);
        assert_eq!(ids(&report, Outcome::Failed), ["rate-limit"], "{quirk}: {report:#?}");
        assert!(line(&report, "rate-limit").detail.as_deref().unwrap().contains(said), "{report:#?}");
    }
    let large = run(
        &Options { budgets: Some("s3cret".into()), ..options(&TestServer::start("")) },
        Some(&limited(1000)),
        &mut |_| {},
    );
    assert_eq!(ids(&large, Outcome::Skipped), ["rate-limit"]);
}

#[test]
fn what_a_limit_keeps_from_being_asked_neither_fails_nor_passes() {
    let report = run(&options(&TestServer::start("rate-limit")), Some(&limited(CALLS)), &mut |_| {});
    assert_eq!(ids(&report, Outcome::Failed), [""; 0], "{report:#?}");
    let asked = ["reachable", "handlers", "modern.discover", "modern.tools", "modern.resources", "modern.templates"];
    let seen = ["list-changed", "contract.tools", "contract.resources", "contract.templates"];
    // This server refuses a large body before it counts, and counts at its endpoint only.
    let open = ["hostile.oversized", "hostile.path", "hostile.no-leak", "rate-limit"];
    assert_eq!(ids(&report, Outcome::Passed), [&asked[..], &seen[..], &open[..]].concat());
    let skipped = line(&report, "hostile.host");
    assert_eq!(skipped.outcome, Outcome::Skipped);
    assert_eq!(skipped.detail.as_deref(), Some("429: the rate limit is reached, for 3600 s more"));
    // Not reached: nobody brings a server in use to its limit.
    let report = run(&options(&TestServer::start("")), Some(&limited(1000)), &mut |_| {});
    assert_eq!(ids(&report, Outcome::Skipped), ["rate-limit"]);
}

#[test]
fn credentials_are_needed_and_never_shown() {
    let server = TestServer::start("auth");
    let with_key = |quirk, name: &str, value: &str| {
        let server = if quirk == "auth" { &server } else { &TestServer::start(quirk) };
        let headers = vec![(name.to_owned(), value.to_owned())];
        run(&Options { headers, ..options(server) }, Some(&contract()), &mut |_| {})
    };
    let right = format!("Bearer {KEY}");
    let report = with_key("auth", "authorization", &right);
    assert!(report.ok(), "{report:#?}");
    assert_eq!(line(&report, "hostile.no-credentials").outcome, Outcome::Passed);

    let report = with_key("auth.bare", "Authorization", &right);
    assert_eq!(ids(&report, Outcome::Failed), ["hostile.no-credentials"]);
    let report = with_key("", "authorization", &right);
    assert_eq!(ids(&report, Outcome::Failed), ["hostile.no-credentials"]);

    // This server says back what it was sent.
    let report = with_key("auth", "authorization", "Bearer wr0ng-key");
    assert!(line(&report, "modern.discover").detail.as_deref().unwrap().contains("[hidden]"));
    let report = [report, with_key("auth", "authorization", "Bearer wr0ng-key\nx")];
    assert!(!serde_json::to_string(&report).unwrap().contains("wr0ng"));
}

#[test]
fn a_websocket_is_proven_where_the_health_page_tells_of_it() {
    let report = probe("websocket");
    assert!(report.ok(), "{report:#?}");
    assert_eq!(line(&report, "websocket.session").detail.as_deref(), Some("2 tools, 1 resource, 1 prompt"));
    assert_eq!(line(&report, "websocket.origin").outcome, Outcome::Passed);
    assert!(report.checks.iter().all(|check| check.id != "websocket.no-credentials"), "it is open to all");
    // The manifest promises it of the cloud that answers.
    let server = TestServer::start("");
    let promised = Contract { websocket: Some(true), ..contract() };
    let report = run(&options(&server), Some(&promised), &mut |_| {});
    assert_eq!(ids(&report, Outcome::Failed), ["websocket.session"], "{report:#?}");
    let elsewhere = Contract { websocket: Some(false), ..contract() };
    assert!(
        run(&options(&server), Some(&elsewhere), &mut |_| {})
            .checks
            .iter()
            .all(|check| check.id != "websocket.session")
    );
}

#[test]
fn a_websocket_costs_a_bounded_time_whatever_the_server_keeps_saying() {
    for quirk in ["websocket.notifies", "websocket.pings", "websocket.trickles", "websocket.lingers"] {
        let server = TestServer::start(quirk);
        let options = Options { timeout: Duration::from_millis(800), ..options(&server) };
        let report = run(&options, Some(&contract()), &mut |_| {});
        assert_eq!(ids(&report, Outcome::Failed), ["websocket.session"], "{quirk}: {report:#?}");
        let check = line(&report, "websocket.session");
        assert!(check.elapsed < Duration::from_secs(3), "{quirk}: {check:?}");
        assert!(check.detail.as_deref().unwrap().contains("did not end within 0.8 s"), "{quirk}: {check:?}");
    }
}

#[test]
fn a_rate_limit_that_is_waited_for_costs_a_websocket_none_of_its_time() {
    let server = TestServer::start("websocket.limited");
    let report = run(&Options { timeout: Duration::from_millis(800), ..options(&server) }, None, &mut |_| {});
    let check = line(&report, "websocket.session");
    assert_eq!(check.outcome, Outcome::Passed, "{check:?}");
    assert!(check.elapsed >= Duration::from_secs(1), "{check:?}");
}

#[test]
fn a_websocket_is_opened_on_a_budget_of_its_own() {
    // However many calls came before, and so whatever is left of the last budget.
    for calls in 0..CALLS {
        let server = TestServer::start("websocket.rate-limit");
        let calls = vec!["clock".parse().unwrap(); calls as usize];
        let options = Options { budgets: Some("s3cret".into()), calls, ..options(&server) };
        let report = run(&options, None, &mut |_| {});
        let check = line(&report, "websocket.session");
        assert_eq!(check.outcome, Outcome::Passed, "{check:?}");
    }
}

#[test]
fn whether_there_are_websockets_is_asked_of_whatever_answers() {
    let server = TestServer::start("websocket.older");
    let promised = Contract { websocket: Some(true), ..contract() };
    let report = run(&options(&server), Some(&promised), &mut |_| {});
    assert_eq!(ids(&report, Outcome::Failed), ["reachable"], "{report:#?}");
    assert_eq!(line(&report, "websocket.session").outcome, Outcome::Passed);
}

#[test]
fn a_websocket_is_refused_without_credentials() {
    let promised = Contract { auth: Some("api-key"), ..contract() };
    let ask = |quirk, headers: &[(&str, &str)]| {
        let server = TestServer::start(quirk);
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        run(&Options { headers, ..options(&server) }, Some(&promised), &mut |_| {})
    };
    let key = format!("Bearer {KEY}");
    let report = ask("auth.websocket", &[("authorization", &key)]);
    assert!(report.ok(), "{report:#?}");
    for id in ["websocket.session", "websocket.no-credentials"] {
        assert_eq!(line(&report, id).outcome, Outcome::Passed, "{report:#?}");
    }
    let careless = ask("auth.websocket.no-credentials", &[("authorization", &key)]);
    assert_eq!(ids(&careless, Outcome::Failed), ["websocket.origin", "websocket.no-credentials"], "{careless:#?}");
    // None were given: that they are asked for is proven all the same.
    assert_eq!(line(&ask("auth.websocket", &[]), "websocket.no-credentials").outcome, Outcome::Passed);
    assert_eq!(line(&ask("auth.websocket.no-credentials", &[]), "websocket.no-credentials").outcome, Outcome::Failed);
}

#[test]
fn without_credentials_only_that_they_are_asked_for_is_proven() {
    let promised = Contract { auth: Some("api-key"), ..contract() };
    let closed = run(&options(&TestServer::start("auth")), Some(&promised), &mut |_| {});
    assert_eq!(ids(&closed, Outcome::Passed), ["reachable", "handlers", "hostile.no-credentials"], "{closed:#?}");
    assert_eq!(ids(&closed, Outcome::Skipped), ["rest"]);
    assert!(line(&closed, "rest").hint.as_deref().unwrap().contains("--bearer-env"));
    // The manifest asks for credentials, and what runs there does not.
    let open = run(&options(&TestServer::start("")), Some(&promised), &mut |_| {});
    assert_eq!(ids(&open, Outcome::Failed), ["hostile.no-credentials"]);
    let promised = Contract { auth: Some("oauth"), ..contract() };
    let silent = run(&options(&TestServer::start("auth")), Some(&promised), &mut |_| {});
    assert_eq!(ids(&silent, Outcome::Failed), ["oauth.metadata"]);
}

#[test]
fn every_origin_is_let_in_only_where_the_manifest_configures_origins() {
    let server = TestServer::start("every-origin");
    let report = run(&options(&server), Some(&contract()), &mut |_| {});
    let origin = ["hostile.origin", "hostile.origin-null", "hostile.preflight"];
    assert_eq!(ids(&report, Outcome::Failed), origin);
    let open = Contract { origins_configured: true, ..contract() };
    assert_eq!(ids(&run(&options(&server), Some(&open), &mut |_| {}), Outcome::Skipped), origin);
}

#[test]
fn without_a_manifest_only_the_comparison_is_left_out() {
    let server = TestServer::start("no-health");
    let report = run(&options(&server), None, &mut |_| {});
    assert_eq!(ids(&report, Outcome::Skipped), ["reachable", "contract"]);
    assert!(report.ok());
}

#[test]
fn the_version_that_answers_is_the_one_that_is_wanted() {
    for (quirk, wanted, outcome) in [
        ("deployment", &["7"][..], Outcome::Passed),
        ("deployment", &["6", "7"], Outcome::Passed),
        ("deployment", &["5"], Outcome::Failed),
        ("", &["5"], Outcome::Skipped),
    ] {
        let server = TestServer::start(quirk);
        let deployments = wanted.iter().map(|id| (*id).to_owned()).collect();
        let report = run(&Options { deployments, ..options(&server) }, Some(&contract()), &mut |_| {});
        assert_eq!(line(&report, "deployment").outcome, outcome, "{quirk} {wanted:?}");
        let hint = line(&report, "deployment").hint.clone();
        assert!(outcome != Outcome::Skipped || hint.as_deref() == Some("at home: ask it; else render and ship again"));
        assert_eq!(report.ok(), outcome != Outcome::Failed);
    }
    let server = TestServer::start("deployment");
    assert_eq!(pulse(&server.url(), &Platforms::default()).unwrap().deployment.as_deref(), Some("7"));
}

#[test]
fn in_the_cloud_the_host_is_not_tried() {
    let server = TestServer::start("hostile.host");
    let report = run(&Options { local: false, calls: Vec::new(), ..options(&server) }, Some(&contract()), &mut |_| {});
    assert_eq!(ids(&report, Outcome::Skipped), ["call", "hostile.host"]);
    assert!(report.ok());
}

#[test]
fn a_tool_that_never_repeats_itself_is_not_compared() {
    let server = TestServer::start("");
    let report = run(&Options { calls: vec!["clock".parse().unwrap()], ..options(&server) }, None, &mut |_| {});
    assert_eq!(line(&report, "call.same").outcome, Outcome::Skipped);
    let server = TestServer::start("call-error");
    let report = run(&Options { calls: vec!["clock".parse().unwrap()], ..options(&server) }, None, &mut |_| {});
    let same = line(&report, "call.same");
    assert_eq!(same.detail.as_deref(), Some("both calls failed, so there is nothing to compare"));
}

#[test]
fn an_answer_to_another_request_is_none() {
    let report = probe("other-id");
    assert!(line(&report, "modern.discover").detail.as_deref().unwrap().contains("another `id`"));
}

#[test]
fn calls_are_read_with_clear_errors() {
    let call: Call = r#" get_weather   {"location": "Oslo"} "#.parse().unwrap();
    assert_eq!(call, Call { name: "get_weather".to_owned(), arguments: json!({"location": "Oslo"}) });
    assert_eq!("now".parse::<Call>().unwrap().arguments, json!({}));
    for (text, why) in [
        ("", "does not begin with the name"),
        (r#"{"location":1}"#, "does not begin with the name"),
        ("get_weather location=Oslo", "are not JSON"),
        ("get_weather [1]", "not an object"),
    ] {
        let error = InFull(text.parse::<Call>().unwrap_err()).to_string();
        assert!(error.contains(why) && error.contains("hint: write `NAME {json}`"), "{text}: {error}");
    }
}

#[test]
fn a_secret_is_hidden_even_in_part() {
    for (text, shown) in [
        ("you sent s3cret-key-of-mine, no", "you sent [hidden], no"),
        ("cut: s3cret-key…", "cut: [hidden]…"),
        ("cut: …key-of-mine", "cut: …[hidden]"),
        ("a key, Grüße", "a key, Grüße"),
    ] {
        assert_eq!(hide(text, "s3cret-key-of-mine"), shown);
    }
    assert_eq!(hide("on and on", "on"), "on and on");
}

/// Answers every request alike; its health page is right where `is_well`.
fn with_one_answer(is_well: bool, status: u16, content_type: &'static str, body: &'static str) -> Listener {
    let mut listener = Listener::bind(0).unwrap();
    let health = json!({ "status": "ok", "name": "sample", "version": "1.0.0" }).to_string();
    let serving = listener.serve(usize::MAX, move |stream, _| {
        let mut conn = Conn::new(stream);
        while let Ok(Some(head)) = conn.head() {
            let Ok(()) = conn.body(&head).and_then(|mut body| body.drain()) else { return };
            let well = is_well && head.target == "/health";
            let (status, kind, body) =
                if well { (200, "application/json", health.as_str()) } else { (status, content_type, body) };
            if conn.answer(status, &[pair("content-type", kind)], body.as_bytes()).is_err() {
                return;
            }
        }
    });
    serving.unwrap();
    listener
}

#[test]
fn one_cause_is_one_fault() {
    let refused = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"unauthorized"}}"#;
    let broken = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}"#;
    let (json, html, text) = ("application/json", "text/html", "text/plain");
    let with_key = [("authorization".to_owned(), "Bearer s3cret-key".to_owned())];
    // What it answers; the path and the headers of who asks; the check that fails, and what it says.
    type Said = &'static str;
    type OneAnswer<'a> = (bool, u16, Said, Said, Said, Said, &'a [(String, String)], Said, Said);
    let table: [OneAnswer<'_>; 10] = [
        (true, 401, json, refused, "/mcp", "modern.discover", &with_key, "refuses the key or token", "secrets push"),
        (true, 401, json, refused, "/mcp", "modern.discover", &[], "asks for credentials", "--bearer-env"),
        (true, 403, json, refused, "/mcp", "modern.discover", &with_key, "403", "access rules"),
        (true, 404, text, "Not Found: this server answers at /mcp", "/", "modern.discover", &[], "404", "/mcp`"),
        (true, 405, text, "", "/other", "modern.discover", &[], "405", "/mcp`"),
        (true, 500, json, broken, "/mcp", "modern.discover", &[], "500, -32603 `internal error`", "look at its log"),
        (
            true,
            502,
            html,
            "<h1>Bad gateway</h1>",
            "/mcp",
            "modern.discover",
            &[],
            "502 with an HTML page",
            "look at its log",
        ),
        (false, 200, html, "<form>Log in</form>", "/mcp", "reachable", &[], "a login page", "programs may call"),
        (false, 200, html, "<h1>Hello</h1>", "/mcp", "reachable", &[], "HTML", "another page"),
        (false, 404, html, "<h1>ngrok: offline</h1>", "/mcp", "reachable", &[], "a tunnel (ngrok)", "start the tunnel"),
    ];
    for (is_well, status, kind, body, path, id, headers, detail, hint) in table {
        let server = with_one_answer(is_well, status, kind, body);
        let options = Options {
            url: server.url() + path,
            headers: headers.to_vec(),
            timeout: Duration::from_secs(3),
            ..options(&TestServer::start(""))
        };
        for contract in [Some(contract()), None] {
            let mut shown = Vec::new();
            let report = run(&options, contract.as_ref(), &mut |check| shown.push((check.id, check.outcome)));
            assert_eq!(ids(&report, Outcome::Failed), [id], "{body}: {report:#?}");
            let check = line(&report, id);
            assert!(check.detail.as_deref().unwrap().contains(detail), "{check:?}");
            assert!(check.hint.as_deref().unwrap().contains(hint), "{check:?}");
            assert!(!report.checks.iter().any(|check| check.id.starts_with("hostile")), "{report:#?}");
            assert_eq!(shown.iter().filter(|(_, outcome)| *outcome == Outcome::Failed).count(), 1);
        }
    }
}

#[test]
fn a_server_that_hangs_is_one_fault() {
    for quirk in ["hang", "stuck"] {
        let server = TestServer::start(quirk);
        let report =
            run(&Options { timeout: Duration::from_millis(300), ..options(&server) }, Some(&contract()), &mut |_| {});
        assert_eq!(ids(&report, Outcome::Failed).len(), 1, "{report:#?}");
    }
}
