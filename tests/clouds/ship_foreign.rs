//! What somebody else made under the same name is left exactly as it is; what we make carries our mark.

use crate::setting::{CLOUDFLARE_URL, Setting, VERCEL_URL, answer, ends};

/// Everything of the clouds that a test compares.
fn snapshot(setting: &Setting) -> String {
    [setting.aws.snapshot("us-east-1"), setting.vercel.snapshot("weather"), setting.cloudflare.snapshot("weather")]
        .join("\n")
}

/// A record that 0.1.0 could have written, of something that is somebody else's by now.
fn pretend_to_have_shipped(setting: &Setting) {
    let one = |target: &str, url: &str, more: &str| {
        format!(
            r#"{{"target":"{target}","stage":"production"{more},"url":"{url}","version":"1","server_version":"0.1.0","time":"2026-11-01T00:00:00Z","state":"verified"}}"#
        )
    };
    let all = [
        one("lambda", "https://x.lambda-url.us-east-1.on.aws/mcp", r#","region":"us-east-1""#),
        one("vercel", VERCEL_URL, ""),
        one("cloudflare", CLOUDFLARE_URL, ""),
    ];
    let text = format!(r#"{{"version":1,"deployments":[{}]}}"#, all.join(","));
    std::fs::create_dir_all(setting.file(".mcp-deploy")).expect("a folder");
    std::fs::write(setting.file(".mcp-deploy/deployments.json"), text).expect("a record");
}

#[test]
fn what_is_somebody_elses_stays_byte_for_byte() {
    let setting = Setting::with_secret();
    setting.run_with("secrets set WEATHER_API_KEY", "the secret of the weather").ended(0);
    setting.aws.make_stack("us-east-1", "weather");
    setting.aws.make_secret("us-east-1", "mcp/weather", "{\"theirs\": \"1\"}");
    setting.vercel.make_project("weather");
    setting.cloudflare.make_worker("weather");
    let before = snapshot(&setting);

    let refused = setting.run("ship --target all --yes");
    refused.ended(1).said_once("4 problems found before anything was built or deployed");
    for told in [
        "the stack `weather` in us-east-1 is not this project's: it has no mark of mcp-deploy; its tags are team=billing",
        "the secret `mcp/weather` in us-east-1 is not this project's",
        "the project `weather` at Vercel is not this project's",
        "its repository is acme/shop at github; its domains are weather.vercel.app, shop.example.com",
        "the Worker `weather` is not this project's",
        "it was deployed by tests@example.com",
    ] {
        refused.said(told);
    }
    assert_eq!(refused.count("ship under another `name` or stage; or take it over with `--adopt weather`"), 4);
    assert!(!refused.stderr.contains("check types"), "nothing was built");

    // Its table, its database and its values would be lost.
    let adopted = setting.run("ship --target all --adopt weather --yes");
    adopted.ended(1).said("cannot be taken over, because data would be lost: Orders (AWS::DynamoDB::Table)");
    adopted.said("cannot be taken over, because data would be lost: ORDERS (d1)");
    // What nobody may take by a wrong name, or by none.
    for line in ["ship --target vercel --adopt billing", "ship --target vercel --adopt"] {
        setting.run(line).ended(1).said("`--adopt weather`");
    }
    assert_eq!(snapshot(&setting), before, "ship");

    pretend_to_have_shipped(&setting);
    std::thread::scope(|scope| {
        for target in ["lambda", "vercel", "cloudflare"] {
            let setting = &setting;
            // One such command at a time in a project: each cloud has its own clone.
            let clone = setting.project.home().join(target);
            std::fs::create_dir_all(clone.join(".mcp-deploy")).expect("a folder");
            for file in ["mcp.toml", "mcp.lock", ".env", ".mcp-deploy/deployments.json"] {
                std::fs::copy(setting.file(file), clone.join(file)).expect("a copy");
            }
            scope.spawn(move || {
                for line in [
                    "destroy --yes",
                    "rollback --yes",
                    "logs",
                    "secrets list",
                    "secrets push",
                    "secrets remove WEATHER_API_KEY",
                ] {
                    let run = setting.run(&format!("-C {} {line} --target {target}", clone.display()));
                    run.ended(1).said("is not this project's").said("nothing was touched");
                }
            });
        }
    });
    assert_eq!(snapshot(&setting), before, "with a record of it");
    let env = std::fs::read_to_string(setting.project.home().join("vercel/.env")).expect(".env");
    assert!(env.contains("the secret of the weather"), "a refused `secrets remove` leaves it everywhere");
}

/// What is taken over by its name, or known from a record of 0.1.0, gets the mark.
#[test]
fn a_project_is_taken_over_by_its_name() {
    let setting = Setting::new();
    setting.vercel.make_project("weather");
    // Nothing leads to it here.
    setting.vercel.take_domains("weather");
    // Its name is typed, or it stays as it is.
    let before = setting.vercel.snapshot("weather");
    let mut terminal = setting.terminal("ship --target vercel --adopt");
    answer(&mut terminal, "Type `weather` to take it over", "billing\r");
    let said = ends(terminal, 1);
    assert!(said.contains("`billing` is not `weather`; nothing was changed"), "{said}");
    assert_eq!(setting.vercel.snapshot("weather"), before);
    let taken = setting.ok("ship --target vercel --adopt weather");
    taken.said("taking over the project `weather` at Vercel").said("its repository is acme/shop at github");
    let mark = setting.mark();
    assert_eq!(setting.vercel.secret("weather", VARIABLE), Some(mark.clone()));
    assert_eq!(setting.vercel.secret("weather", "DATABASE_URL").as_deref(), Some("postgres://shop"));

    // Another clone of it, which does not know the project at Vercel, is the same project.
    std::fs::remove_dir_all(setting.file(".vercel")).expect("the link");
    setting.ok("logs --target vercel");
    // A lock that was made anew is that of another project.
    let lock = std::fs::read_to_string(setting.file("mcp.lock")).expect("a lock");
    let id = mark.split('/').next().expect("an id");
    std::fs::write(setting.file("mcp.lock"), lock.replace(id, &"0".repeat(32))).expect("a lock");
    let other = setting.run("destroy --target vercel --yes");
    other
        .ended(1)
        .said("it is marked as the stage `production` of another project, `weather`")
        .said("restore `mcp.lock`");
    assert!(setting.vercel.exists("weather"));
}

/// Before an update of a stack is carried out, it is known what it deletes; states in which it cannot be updated are
/// known before anything is built.
#[test]
fn a_table_is_deleted_when_told_so_alone() {
    let setting = Setting::new();
    let region = "us-east-1";
    setting.aws.make_stack(region, "weather");
    setting.aws.put_tag(region, "weather", MARK, &setting.mark());
    for (status, hint) in [
        (
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name weather --region us-east-1",
        ),
        ("DELETE_FAILED", "sam delete --stack-name weather --region us-east-1"),
        ("UPDATE_IN_PROGRESS", "aws cloudformation wait stack-update-complete --stack-name weather --region us-east-1"),
    ] {
        setting.aws.set_status(region, "weather", status);
        let stuck = setting.run("ship --target lambda --yes");
        stuck.ended(1).said(&format!("({status})")).said(hint).said_once("1 problem found before anything was built");
    }
    setting.aws.set_status(region, "weather", "REVIEW_IN_PROGRESS");
    setting.run("ship --target lambda --yes").ended(1).said("a change set of it waits for review");
    setting.aws.set_status(region, "weather", "CREATE_COMPLETE");

    let orders = setting.aws.resource(region, "weather", "Orders");
    let refused = setting.run("ship --target lambda --yes");
    refused
        .ended(1)
        .said_once("data would be lost: Orders (AWS::DynamoDB::Table) in us-east-1 is deleted")
        .said("add `--allow-data-loss Orders`; `--yes` does not confirm it");
    assert_eq!(setting.aws.resource(region, "weather", "Orders"), orders, "it is still there");
    assert_eq!(setting.aws.open_change_sets(region, "weather"), 0, "not even a change set is left");
    let record = setting.record();
    assert_eq!(record["unfinished"], serde_json::Value::Null, "{record}");
    setting.ok("ship --target lambda --yes --allow-data-loss Orders");
    assert_eq!(setting.aws.resource(region, "weather", "Orders"), None);
    assert_eq!(setting.aws.tag(region, "weather", MARK), Some(setting.mark()));
}

pub const MARK: &str = "mcp-deploy:project";
pub const VARIABLE: &str = "MCP_DEPLOY_PROJECT";

impl Setting {
    /// What everything of the project's production carries.
    pub fn mark(&self) -> String {
        let lock = std::fs::read_to_string(self.file("mcp.lock")).expect("a lock");
        let id = lock.lines().find_map(|line| line.strip_prefix("project = \"")?.strip_suffix('"')).expect("an id");
        format!("{id}/production/weather")
    }
}
