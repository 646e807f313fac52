//! Five faults in a deployment to each cloud; `cargo bench --bench long -- faults` has one at every request.

use std::io::Write as _;

use crate::faults::{Kind, Shipped};

/// Refused, done and denied, done and lost, done and killed: at the requests that name what they change.
fn five_faults(cloud: &'static str, refused: [&str; 3], done: [&str; 3], after: [&str; 3]) {
    let mut shipped = Shipped::to(cloud);
    let at = |[method, path, body]: [&str; 3]| {
        let (method, path, body) = (method.to_owned(), path.to_owned(), body.to_owned());
        move |fault: crate::clouds::Fault| fault.at(&method, &path).with_body(&body)
    };
    let first = shipped.struck(Kind::Refused(403), at(refused));
    assert_ne!(first.run.code, 0, "{}", first.run.stderr);
    assert!(
        !first.is_open && first.after == first.before,
        "a definite refusal leaves no open end: {}",
        first.run.stderr
    );
    shipped.goes_on_after(&first, false);

    let denied = shipped.struck(Kind::Denied(500), at(done));
    assert!(denied.is_open && denied.after != denied.before, "{}", denied.run.stderr);
    denied.run.said("may serve what it served before, or the new version");
    shipped.goes_on_after(&denied, true);

    let lost = shipped.struck(Kind::Lost, at(after));
    shipped.goes_on_after(&lost, false);

    let killed = shipped.struck(Kind::Killed, at(done));
    assert_eq!(killed.run.code, 128 + 9, "{}", killed.run.stderr);
    assert!(killed.is_open && killed.after != killed.before, "{}", killed.run.stderr);
    shipped.goes_on_after(&killed, true);

    let full = shipped.on_a_full_disk(1);
    assert_ne!(full.run.code, 0, "{}", full.run.stderr);
    shipped.goes_on_after(&full, false);
}

#[test]
fn faults_of_a_deployment_to_cloudflare() {
    let script = "/workers/scripts/weather";
    five_faults(
        "cloudflare",
        ["POST", "/versions", ""],
        ["POST", "/deployments", ""],
        ["POST", &format!("{script}/subdomain"), ""],
    );
}

#[test]
fn faults_of_a_deployment_to_vercel() {
    five_faults("vercel", ["POST", "/deployments", ""], ["POST", "/deployments", ""], ["GET", "/deployments/dpl_", ""]);
}

#[test]
fn faults_of_a_deployment_to_lambda() {
    let action = |name: &'static str| ["POST", "/", name];
    five_faults(
        "lambda",
        action("Action=CreateChangeSet"),
        action("Action=ExecuteChangeSet"),
        action("Action=ListStackResources"),
    );
}

/// One cloud alone with `FAULTS_OF=cloudflare`; a line for each case as it ends.
#[test]
#[ignore = "half an hour and more: cargo bench --bench long -- faults"]
fn a_fault_at_every_request() {
    let wanted = std::env::var("FAULTS_OF").ok();
    let clouds = ["cloudflare", "vercel", "lambda"].into_iter();
    let found: Vec<String> =
        clouds.filter(|cloud| wanted.as_ref().is_none_or(|wanted| wanted == cloud)).flat_map(every_fault_of).collect();
    assert!(found.is_empty(), "{} wrong: {found:#?}", found.len());
}

fn every_fault_of(cloud: &'static str) -> Vec<String> {
    let mut shipped = Shipped::to(cloud);
    let requests = shipped.requests();
    let mut found = Vec::new();
    let mut report = |what: &str, code: i32, said: &str, wrong: Vec<String>| {
        let verdict = if wrong.is_empty() { "ok  " } else { "FAIL" };
        let why = if wrong.is_empty() { String::new() } else { format!("     {wrong:?}\n{said}\n") };
        // Not captured: it is looked at while it runs.
        let _ = write!(std::io::stderr(), "{verdict} {cloud} {what} -> {code}\n{why}");
        found.extend(wrong.into_iter().map(|one| format!("{cloud} {what}: {one}")));
    };
    let mut goes_back = false;
    for (index, request) in requests.iter().enumerate() {
        for kind in [Kind::Refused(500), Kind::Denied(403), Kind::Lost, Kind::Killed] {
            // Tools try again: from this request on all of its kind fail, as with a cloud that is ill.
            let (method, path) = request.split_once(' ').expect("a method and a path");
            let earlier = requests[..index].iter().filter(|other| *other == request).count();
            let struck = shipped.struck(kind, |fault| fault.at(method, path).skip(earlier));
            goes_back = !goes_back;
            let changed = if struck.after == struck.before { "" } else { ", served" };
            let open = if struck.is_open { ", unfinished" } else { "" };
            let what = format!("{}/{} {request} {kind:?}{changed}{open}", index + 1, requests.len());
            report(&what, struck.run.code, &struck.run.stderr, shipped.faults_after(&struck, goes_back));
        }
    }
    for blocks in [1, 8, 64, 400] {
        let struck = shipped.on_a_full_disk(blocks);
        let what = format!("a disk with room for {blocks} blocks");
        report(&what, struck.run.code, &struck.run.stderr, shipped.faults_after(&struck, false));
    }
    found
}
