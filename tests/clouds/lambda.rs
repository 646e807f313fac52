//! `sam` against the stand-in of AWS.

use mcp_deploy::parallel;
use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clouds::aws::Aws;
use crate::clouds::aws::models::faults;
use crate::clouds::{Fault, Hosts, Outage};
use crate::support::{Client, Project, run, tools, with};

const REGION: &str = "us-east-1";

struct Setting {
    project: Project,
    cloud: Aws,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        Setting { project: Project::new(), cloud: Aws::start(tools(), &Hosts::default()), client: Client::direct() }
    }

    fn sam(&self, args: &[&str]) -> Cmd {
        let cmd = with(self.project.tool(ToolId::Sam, args), &self.cloud.environment());
        cmd.env_noise("__SAM_CLI_APP_DIR", self.project.home())
    }

    fn build(&self) {
        run(&self.project.tool(ToolId::Node, &["src/generated/bundle.ts", "lambda"])).unwrap();
    }

    fn deploy(&self, region: &str) -> Result<String, ToolFailed> {
        let options = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"];
        let deploy = ["deploy", "--stack-name", "weather", "--region", region, "--resolve-s3"];
        let done = run(&self.sam(&deploy).args(["--capabilities", "CAPABILITY_IAM"]).args(options))?;
        Ok(done.stdout + &done.log)
    }

    fn url(&self, region: &str) -> String {
        let list = ["list", "stack-outputs", "--stack-name", "weather", "--region", region, "--output", "json"];
        let outputs: Value = serde_json::from_str(&run(&self.sam(&list)).unwrap().stdout).unwrap();
        let endpoint = outputs.as_array().unwrap().iter().find(|output| output["OutputKey"] == "McpEndpoint");
        endpoint.unwrap()["OutputValue"].as_str().unwrap().to_owned()
    }

    /// What `sam` itself calls AWS with, and has no command for.
    fn boto3(&self, script: &str) -> Result<String, ToolFailed> {
        let python = tools().found(ToolId::Sam).unwrap().path.with_file_name("python");
        let script = format!("import boto3, json\n{script}");
        let cmd = with(Cmd::new(python).args(["-c", &script]), &self.cloud.environment());
        run(&cmd.env_noise("AWS_DEFAULT_REGION", REGION)).map(|done| done.stdout.trim().to_owned())
    }
}

#[test]
fn what_sam_deploys_is_what_answers() {
    let setting = Setting::new();
    setting.build();
    setting.deploy(REGION).unwrap();
    let url = setting.url(REGION);
    let first = setting.client.temperature(&url);

    // The same again does not fail, and makes no new version.
    let said = setting.deploy(REGION).unwrap();
    assert!(said.contains("No changes to deploy"), "{said}");
    let function = setting.cloud.output(REGION, "weather", "FunctionName").unwrap();
    assert_eq!(setting.cloud.versions(REGION, &function), Some((1, vec![1])));

    setting.project.make_warmer(100);
    setting.build();
    setting.deploy(REGION).unwrap();
    assert_eq!(setting.url(REGION), url);
    assert_eq!(setting.client.temperature(&url), first + 100);
    assert_eq!(setting.cloud.versions(REGION, &function), Some((2, vec![1, 2])));

    // Back: the alias points to the version before, and so does the address.
    let back =
        format!("boto3.client('lambda').update_alias(FunctionName='{function}', Name='live', FunctionVersion='1')");
    setting.boto3(&back).unwrap();
    assert_eq!(setting.client.temperature(&url), first);
    // An unchanged deployment does not move it forward again, since the template did not change.
    setting.deploy(REGION).unwrap();
    assert_eq!(setting.client.temperature(&url), first);

    let logs = setting.sam(&["logs", "-n", "McpFunction", "--stack-name", "weather", "--region", REGION]);
    let logs = run(&logs).unwrap();
    assert!(logs.stdout.contains("weather looked up"), "{} {}", logs.stdout, logs.log);

    run(&setting.sam(&["delete", "--stack-name", "weather", "--region", REGION, "--no-prompts"])).unwrap();
    assert_eq!(setting.cloud.status(REGION, "weather"), None);
    assert!(setting.client.get(&url).is_err());
}

#[test]
fn regions_are_deployed_to_side_by_side() {
    let setting = Setting::new();
    setting.build();
    parallel::map(&[REGION, "eu-west-1"], |region| setting.deploy(region).unwrap());
    let (one, other) = (setting.url(REGION), setting.url("eu-west-1"));
    assert_ne!(one, other);
    assert_eq!(setting.client.temperature(&one), setting.client.temperature(&other));
}

#[test]
fn sam_says_what_went_wrong() {
    let setting = Setting::new();
    setting.build();
    let create = |fault: Fault| fault.with_body("Action=CreateChangeSet").with_body("StackName=weather");
    let table = [
        // First, because an upload that is there already is not repeated.
        (Fault::status(403).at("PUT", "/aws-sam-cli-managed-default"), "Access Denied"),
        (create(Fault::status(403)), "The security token included in the request is invalid"),
        (create(Fault::status(500)), "The request processing has failed because of an unknown error"),
    ];
    for (fault, said) in table {
        setting.cloud.fail(fault);
        let failed = setting.deploy(REGION).unwrap_err();
        assert_eq!(failed.code, Some(1));
        assert!(failed.tail.contains(said) || failed.stdout.contains(said), "{}", failed.tail);
        setting.cloud.heal();
    }
    let failed =
        run(&setting.sam(&["deploy", "--resolve-s3"]).env_noise("AWS_ACCESS_KEY_ID", "AKIAOFNOBODY")).unwrap_err();
    assert!(failed.tail.contains("security token included in the request is invalid"), "{}", failed.tail);
    let failed = run(&setting.sam(&["deploy", "--resolve-s3"]).env_remove("AWS_ACCESS_KEY_ID")).unwrap_err();
    assert!(failed.tail.contains("Unable to locate credentials"), "{}", failed.tail);

    // A stack that cannot be made is rolled back.
    setting.cloud.refuse_resource(REGION, "McpFunctionUrl", "the quota of function URLs is used up");
    let failed = setting.deploy(REGION).unwrap_err();
    // The table of events is wrapped, reasons and all.
    assert!(failed.stdout.contains("the quota of function"), "{}", failed.stdout);
    assert_eq!(setting.cloud.status(REGION, "weather").as_deref(), Some("ROLLBACK_COMPLETE"));
}

#[test]
fn a_function_url_shows_what_is_wrong_with_the_function() {
    let setting = Setting::new();
    setting.build();
    setting.deploy(REGION).unwrap();
    let url = setting.url(REGION);
    let first = setting.client.temperature(&url);

    setting.project.make_warmer(1);
    setting.build();
    setting.cloud.break_next_version();
    setting.deploy(REGION).unwrap();
    assert_eq!(setting.client.get(&url).unwrap(), (502, "Internal Server Error".to_owned()));
    let function = setting.cloud.output(REGION, "weather", "FunctionName").unwrap();
    let back =
        format!("boto3.client('lambda').update_alias(FunctionName='{function}', Name='live', FunctionVersion='1')");
    setting.boto3(&back).unwrap();
    assert_eq!(setting.client.temperature(&url), first);

    // With a reference for the literal SAM leaves the permissions out, and only the address shows it.
    setting.project.replace("template.yaml", "AuthType: NONE", "AuthType: !Ref Auth");
    setting.project.replace(
        "template.yaml",
        "Resources:\n",
        "Parameters:\n  Auth: { Type: String, Default: NONE }\nResources:\n",
    );
    setting.build();
    setting.deploy(REGION).unwrap();
    let (status, body) = setting.client.get(&url).unwrap();
    assert!(status == 403 && body.contains("Forbidden"), "{status} {body}");

    setting.cloud.outage(Outage::Dead);
    assert!(setting.client.get(&url).is_err());
}

#[test]
fn secrets_are_read_by_those_who_may() {
    let setting = Setting::new();
    setting.build();
    setting.deploy(REGION).unwrap();
    let name = setting
        .boto3("s = boto3.client('secretsmanager')\ns.create_secret(Name='weather/production', SecretString='s3cret')\nprint(s.get_secret_value(SecretId='weather/production')['SecretString'])");
    assert_eq!(name.unwrap(), "s3cret");
    assert_eq!(setting.cloud.secret(REGION, "weather/production").as_deref(), Some("s3cret"));
    let put = "s = boto3.client('ssm')\ns.put_parameter(Name='/weather/KEY', Value='p4ss', Type='SecureString')\nprint(s.get_parameter(Name='/weather/KEY', WithDecryption=True)['Parameter']['Value'])";
    assert_eq!(setting.boto3(put).unwrap(), "p4ss");
    // The role of the function has no rule for either.
    let function = setting.cloud.output(REGION, "weather", "FunctionName").unwrap();
    let read = format!(
        "s = boto3.Session(aws_access_key_id='ASIA-{function}', aws_secret_access_key='x')\ns.client('secretsmanager').get_secret_value(SecretId='weather/production')"
    );
    let failed = setting.boto3(&read).unwrap_err();
    assert!(failed.tail.contains("AccessDeniedException"), "{}", failed.tail);
    assert_eq!(setting.boto3("print(boto3.client('sts').get_caller_identity()['Account'])").unwrap(), "123456789012");
}

#[test]
fn a_function_reads_the_secret_that_is_its_own() {
    let setting = Setting::new();
    setting.project.with_secret();
    setting.build();
    let secret = r#"s = boto3.client('secretsmanager')
s.create_secret(Name='mcp/weather', SecretString='{"WEATHER_API_KEY":"s3cret-of-the-weather-service"}')"#;
    setting.boto3(secret).unwrap();
    setting.deploy(REGION).unwrap();
    assert_eq!(setting.client.secret_length(&setting.url(REGION)), "s3cret-of-the-weather-service".len());
    let told = setting.cloud.api().requests_with("s3cret-of-the-weather-service");
    let actions: Vec<_> = told.iter().map(|request| request.header("x-amz-target").unwrap_or_default()).collect();
    assert_eq!(actions, ["secretsmanager.CreateSecret"]);
}

/// What every test's requests are compared with, when its stand-in goes: `clouds::aws::models`.
#[test]
fn the_models_know_a_wrong_request() {
    let of = |service: &str, body: &str, target: &str| json!({ "service": service, "method": "POST", "path": "/", "target": target, "body": body });
    let right = of("sts", "Action=GetCallerIdentity&Version=2011-06-15", "");
    assert_eq!(faults(tools(), &[right]), [""; 0]);
    let wrong = [
        of("sts", "Action=NoSuchAction&Version=2011-06-15", ""),
        of("sts", "Action=GetCallerIdentity&Version=2011-06-15&Other=1", ""),
        of("secretsmanager", "{}", "secretsmanager.GetSecretValue"),
        of("nothing", "", ""),
    ];
    assert_eq!(faults(tools(), &wrong).len(), wrong.len());
}
