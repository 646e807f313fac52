//! Five faults in a deployment to each cloud; `cargo bench --bench long -- faults` has one at every request.

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
    assert!(!first.is_open && first.after == first.before, "a definite refusal is no open end: {}", first.run.stderr);
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
