//! `ship` to AWS Lambda through one CloudFormation StackSet: regions of one account, and accounts of an organization.

use serde_json::{Value, json};

use crate::setting::Setting;
use crate::ship_foreign::MARK;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const CHANGED: &str = "regions = [\"us-east-1\"]\n";

impl Setting {
    /// `[targets.lambda]` with more below it.
    fn with_stack_set(self, below: &str) -> Self {
        self.project.replace("mcp.toml", CHANGED, below);
        self
    }

    /// The version that a stack of the set serves.
    fn member_version(&self, account: &str, region: &str) -> u32 {
        let members = self.aws.members("eu-west-1", "weather");
        let member = members.iter().find(|member| (member.0.as_str(), member.1.as_str()) == (account, region));
        let (account, region, stack) = member.expect("a stack of the set");
        self.aws.version_in(account, region, stack).expect("a function with an alias")
    }
}

#[test]
fn one_stack_set_of_two_regions() {
    let setting = Setting::with_secret()
        .with_stack_set("regions = [\"eu-west-1\", \"us-east-1\"]\nstack_set = { code_bucket = \"acme-code\" }\n");

    setting.run_with("secrets set WEATHER_API_KEY", "a key").ended(0);

    // What is missing is reported before anything is built.
    setting.aws.make_bucket("us-east-1", "acme-code-us-east-1");
    setting.aws.make_stack("us-east-1", "weather");
    let refused = setting.run("ship --target lambda");
    refused
        .ended(1)
        .said("there is no bucket `acme-code-eu-west-1`")
        .said("2 problems found before anything was built");
    refused
        .said("the stack `weather` in us-east-1 is not this project's")
        .said("it has the names that the new one needs");
    setting.aws.take_stack("us-east-1", "weather");
    setting.aws.make_bucket("eu-west-1", "acme-code-eu-west-1");

    let shipped = setting.ok("ship --target lambda");
    let urls: Vec<&str> = shipped.stdout.lines().collect();
    assert_eq!(urls.len(), 2, "{shipped:?}");
    let first = setting.temperature(urls[0]);
    assert_eq!(setting.temperature(urls[1]), first);
    assert!(urls.iter().all(|url| setting.secret_length(url) > 0));
    assert_eq!(setting.states("lambda"), ["verified", "verified"]);
    // One template for both: it names no region, and every stack has the same names.
    let template = setting.aws.stack_set_template("eu-west-1", "weather").expect("a stack set");
    assert!(template.contains("acme-code-${AWS::Region}") && template.contains("\"/mcp/weather\""), "{template}");
    assert!(REGIONS.iter().all(|region| !template.contains(region)), "{template}");
    assert!(!template.contains("AWS::StackName") && !template.contains("MCP_SECRET_VERSION\":\"unknown"), "{template}");
    assert_eq!(setting.record()["deployments"][0]["stack_set"]["home"], "eu-west-1");
    let own = |region: &str| setting.member_version(crate::clouds::aws::ACCOUNT, region);
    // The set and its stacks say whose they are.
    assert_eq!(setting.aws.stack_set_tag("eu-west-1", "weather", MARK), Some(setting.mark()));
    let members = setting.aws.members("eu-west-1", "weather");
    assert_eq!(members.len(), 2);
    for (_, region, stack) in members {
        assert_eq!(setting.aws.tag(&region, &stack, MARK), Some(setting.mark()), "{region}");
    }

    // The same again makes no new version.
    setting.ok("ship --target lambda --prebuilt");
    assert_eq!(REGIONS.map(own), [1, 1]);

    // Each region has its own result.
    setting.project.make_warmer(100);
    setting.aws.refuse_resource("us-east-1", "McpFunction", "the runtime of the tests is not for you");
    let half = setting.run("ship --target lambda --json");
    let answer = half.ended(1).json();
    half.said_once("the runtime of the tests is not for you").said("cannot deploy to us-east-1");
    assert_eq!(answer["releases"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(REGIONS.map(own), [2, 1]);
    assert_eq!([urls[0], urls[1]].map(|url| setting.temperature(url)), [first + 100, first]);
    // Another value of the secret is a new version.
    setting.run_with("secrets set WEATHER_API_KEY", "another key").ended(0);
    setting.ok("ship --target lambda --prebuilt");
    assert_eq!(REGIONS.map(own), [3, 2]);
    assert!(urls.iter().all(|url| setting.secret_length(url) == "another key".len()));

    // It stays where it was made.
    let order = "regions = [\"eu-west-1\", \"us-east-1\"]";
    setting.project.replace("mcp.toml", order, "regions = [\"us-east-1\", \"eu-west-1\"]");
    let elsewhere = setting.run("ship --target lambda");
    elsewhere.ended(1).said("name `eu-west-1` first in `regions`").said("1 problem found before");
    setting.project.replace("mcp.toml", "regions = [\"us-east-1\", \"eu-west-1\"]", order);

    setting.project.replace("mcp.toml", order, "regions = [\"us-east-1\"]");
    setting.run("ship --target lambda").ended(1).said("name `eu-west-1` first in `regions`");
    setting.project.replace("mcp.toml", "regions = [\"us-east-1\"]", order);
    let set = "stack_set = { code_bucket = \"acme-code\" }\n";
    setting.project.replace("mcp.toml", set, "");
    setting.run("ship --target lambda").ended(1).said("`weather` was shipped as a stack set");
    setting.project.replace("mcp.toml", "regions = [", &format!("{set}regions = ["));

    // The way back, in each region.
    let restored = setting.json("rollback --target lambda --yes --json");
    assert_eq!(restored["restored"].as_array().map(Vec::len), Some(2), "{restored}");
    assert_eq!(REGIONS.map(own), [2, 1]);
    assert_eq!(setting.temperature(urls[1]), first);
    setting.ok("logs --target lambda --region us-east-1").said("weather looked up");

    setting.ok("destroy --target lambda --yes").said("the code in your buckets");
    assert_eq!(setting.aws.stack_set_template("eu-west-1", "weather"), None);
    assert_eq!(setting.record()["deployments"], json!([]));
    assert_ne!(setting.direct.get(urls[0]).map(|(status, _)| status), Ok(200));
}

#[test]
fn one_stack_set_of_an_organization() {
    let (team, other) = ("111122223333", "444455556666");
    let below = "regions = [\"eu-west-1\"]\n[targets.lambda.stack_set]\ncode_bucket = \"acme-code\"\norganizational_units = [\"ou-ab12-cdef3456\"]\nrole = \"Deployer\"\ndelegated_admin = true\n";
    let setting = Setting::with_secret().with_stack_set(below);
    setting.aws.make_bucket("eu-west-1", "acme-code-eu-west-1");
    let units: [(&str, &[&str]); 2] =
        [("ou-ab12-cdef3456", &["999999999999", team]), ("ou-ab12-cdef3456/ou-ab12-below", &[other])];

    setting.run_with("secrets set WEATHER_API_KEY", "a key").ended(0);

    // Nobody lets us in: told for the first account, before anything is built.
    setting.aws.organize("999999999999", "Another", &units);
    let refused = setting.run("ship --target lambda");
    refused
        .ended(1)
        .said("AWS in eu-west-1 of the account 111122223333 does not let us in: AccessDenied")
        .said("the role `Deployer` of that account has to trust whoever ships");

    setting.aws.organize("999999999999", "Deployer", &units);
    let shipped = setting.ok("ship --target lambda --json").json();
    let releases = shipped["releases"].as_array().expect("a list");
    let of = |key: &str| releases.iter().map(|release| release[key].clone()).collect::<Vec<Value>>();
    // Not the management account, which no stack set reaches.
    assert_eq!(of("account"), [team, other]);
    let urls: Vec<String> = of("url").iter().map(|url| url.as_str().expect("an URL").to_owned()).collect();
    assert_ne!(urls[0], urls[1]);
    assert!(urls.iter().all(|url| setting.secret_length(url) > 0), "each account has the secret");
    let status = setting.ok("status").stdout;
    assert!(
        status.contains("lambda 111122223333 eu-west-1") && status.contains("lambda 444455556666 eu-west-1"),
        "{status}"
    );

    // What the manifest does not mean any more stays as it was.
    setting.project.make_warmer(100);
    setting.aws.organize("999999999999", "Deployer", &[("ou-ab12-cdef3456/ou-ab12-below", &[])]);
    setting.ok("ship --target lambda").said("keeps a stack in eu-west-1 of the account 444455556666");
    assert_eq!([team, other].map(|account| setting.member_version(account, "eu-west-1")), [2, 1]);
    setting.aws.organize("999999999999", "Deployer", &units);
    // What stands for the secrets of all places is another where there are others.
    setting.ok("ship --target lambda --prebuilt");
    assert_eq!([team, other].map(|account| setting.member_version(account, "eu-west-1")), [3, 2]);
    setting.ok("rollback --target lambda --yes");
    assert_eq!([team, other].map(|account| setting.member_version(account, "eu-west-1")), [2, 1]);
    setting.run("logs --target lambda").ended(1).said("the logs are in the account 111122223333");
    let listed = setting.json("secrets list --target lambda --json");
    assert_eq!(listed["secrets"][0]["clouds"], json!(["lambda"]));

    // Another checkout may have deployed what this record does not know.
    let mut record = setting.record();
    record["deployments"].as_array_mut().expect("a list").retain(|one| one["account"] == team);
    std::fs::write(setting.file(".mcp-deploy/deployments.json"), record.to_string()).expect("the record");
    setting.ok("destroy --target lambda --yes");
    assert_eq!(setting.aws.members("eu-west-1", "weather"), []);
    assert!(
        [team, other]
            .iter()
            .all(|account| setting.aws.secret(&format!("{account}/eu-west-1"), "mcp/weather").is_none())
    );
    assert_eq!(setting.record()["deployments"], json!([]));
}

#[test]
fn one_stack_set_of_listed_accounts() {
    let (own, other) = (crate::clouds::aws::ACCOUNT, "444455556666");
    let below = format!(
        "regions = [\"eu-west-1\"]\n[targets.lambda.stack_set]\ncode_bucket = \"acme-code\"\naccounts = [\"{own}\", \"{other}\"]\nrole = \"Deployer\"\n"
    );
    let setting = Setting::new().with_stack_set(&below);
    setting.aws.make_bucket("eu-west-1", "acme-code-eu-west-1");
    setting.aws.organize("999999999999", "Deployer", &[("ou-ab12-cdef3456", &[other])]);
    // The first deployment fails in one of them: it is not part of the record, and still goes away with the other.
    setting.aws.refuse_resource(&format!("{other}/eu-west-1"), "McpFunction", "not in this account");
    let half = setting.run("ship --target lambda");
    half.ended(1).said_once("not in this account").said("cannot deploy to eu-west-1 of the account 444455556666");
    let url = half.stdout.trim();
    setting.temperature(url);
    // No role leads into the account that ships, and none is needed.
    setting.ok(&format!("logs --target lambda --account {own}")).said("weather looked up");
    setting
        .run(&format!("logs --target lambda --account {other}"))
        .ended(1)
        .said("it is deployed to lambda 123456789012");
    setting.ok("destroy --target lambda --yes");
    assert_eq!(setting.aws.members("eu-west-1", "weather"), []);
}

#[test]
fn somebody_elses_stack_set_stays_as_it_is() {
    let setting =
        Setting::new().with_stack_set("regions = [\"eu-west-1\"]\nstack_set = { code_bucket = \"acme-code\" }\n");
    setting.aws.make_bucket("eu-west-1", "acme-code-eu-west-1");
    setting.aws.make_stack_set("eu-west-1", "weather");
    let before = setting.aws.snapshot("eu-west-1");
    let refused = setting.run("ship --target lambda --yes");
    refused.ended(1).said("the stack set `weather` in eu-west-1 is not this project's").said("team=security");
    setting
        .run("ship --target lambda --adopt weather")
        .ended(1)
        .said("cannot be taken over, because data would be lost");
    let member = r#"{"home":"eu-west-1","stack":"arn:aws:cloudformation:eu-west-1:123456789012:stack/StackSet-weather-1/1","delegated_admin":false}"#;
    let record = format!(
        r#"{{"version":1,"deployments":[{{"target":"lambda","stage":"production","region":"eu-west-1","url":"https://x.on.aws/mcp","version":"1","server_version":"0.1.0","time":"2026-11-01T00:00:00Z","stack_set":{member},"state":"verified"}}]}}"#
    );
    std::fs::create_dir_all(setting.file(".mcp-deploy")).expect("a folder");
    std::fs::write(setting.file(".mcp-deploy/deployments.json"), record).expect("a record");
    setting.run("destroy --target lambda --yes").ended(1).said("nothing was touched");
    assert_eq!(setting.aws.snapshot("eu-west-1"), before);
}
