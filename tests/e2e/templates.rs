//! Every form that `template.yaml` can have: what SAM, CloudFormation's rules as SAM applies them and their newest
//! version say of it; and that overrides are what a reader of YAML finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mcp_deploy::manifest;
use mcp_deploy::manifest::targets::lambda::policies::SAM_TEMPLATES;
use mcp_deploy::targets::lambda::stack_set::unbind;
use mcp_deploy::template;
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clouds::lambda_templates;
use crate::hostile_text::WORDS;
use crate::support::child::{LONG, Ran, Running, run};
use crate::support::tools::{CFN_LINT, KIT};
use crate::support::work::{folder, read, write};

const SERVER: &str = "[server]\nname = \"weather\"\nversion = \"0.1.0\"\ndescription = \"d\"\n[tools.a]\ndescription = \"d\"\ntimeout = \"890s\"\n";

/// Below `[targets.lambda]`: what stands in front of the function.
const FRONTS: [(&str, &str); 9] = [
    ("url", ""),
    ("url-regions", "regions = [\"eu-west-1\", \"us-east-1\"]\n"),
    ("api", "front = \"api-gateway\"\n"),
    ("api-far", "front = \"api-gateway\"\nregions = [\"il-central-1\"]\n"),
    ("api-throttle", "front = \"api-gateway\"\nthrottle = { rate = 50, burst = 100 }\n"),
    ("api-waf", "front = \"api-gateway\"\nwaf_rate_limit = 1000\n"),
    ("api-domain", "front = \"api-gateway\"\ndomain = \"mcp.example.com\"\nhosted_zone = \"Z0123456789ABC\"\n"),
    (
        "api-domains",
        "front = \"api-gateway\"\nregions = [\"us-east-1\", \"eu-west-1\"]\ndomain = \"mcp.example.com\"\nhosted_zone = \"Z0123456789ABC\"\nthrottle = { rate = 5, burst = 10 }\nwaf_rate_limit = 10\n",
    ),
    (
        "api-certificates",
        "front = \"api-gateway\"\nregions = [\"us-east-1\", \"eu-west-1\"]\ndomain = \"mcp.example.com\"\ncertificates = [\"arn:aws:acm:us-east-1:123456789012:certificate/6d2b3e0c-0000-4000-8000-000000000001\", \"arn:aws:acm:eu-west-1:123456789012:certificate/6d2b3e0c-0000-4000-8000-000000000002\"]\n",
    ),
];

/// What `vpc = VPC` in a form stands for: of one region, so that it is left out where there are two.
const VPC: &str = "{ subnets = [\"subnet-0123456789abcdef0\"], security_groups = [\"sg-0123456789abcdef0\"] }";

fn form(front_keys: &str, keys: &str, beside: &str) -> String {
    let keys = match front_keys.contains("\", \"") {
        true => keys.replace("vpc = VPC\n", ""),
        false => keys.replace("VPC", VPC),
    };
    rendered(&format!("{SERVER}[targets.lambda]\n{front_keys}{keys}{beside}"))
}

/// Below `[targets.lambda]`, and beside it: everything else.
const OPTIONS: [(&str, &str, &str); 11] = [
    ("plain", "", ""),
    ("provisioned", "provisioned_concurrency = 2\nreserved_concurrency = 10\n", ""),
    ("vpc", "vpc = VPC\n", ""),
    (
        "policies",
        "policies = [{ DynamoDBReadPolicy = { TableName = \"items\" } }, { TextractPolicy = {} }, \"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\", { Statement = [{ Effect = \"Allow\", Action = \"s3:GetObject\", Resource = \"arn:aws:s3:::a-bucket/*\" }] }]\n",
        "",
    ),
    ("tracing", "tracing = true\nlog_retention_days = 7\n", ""),
    ("x86", "architecture = \"x86_64\"\nmemory = 10240\n", ""),
    ("secrets", "", "[secrets]\nTOKEN = \"t\"\n"),
    ("state", "", "[tools.b]\ndescription = \"d\"\nstate = \"shared\"\n"),
    ("keys", "", "[access]\nauth = \"api-key\"\n"),
    (
        "overrides",
        "overrides.Resources.McpFunction.Properties.EphemeralStorage.Size = 1024\noverrides.Resources.Topic = { Type = \"AWS::SNS::Topic\", Properties = { TopicName = { \"Fn::Sub\" = \"${AWS::StackName}-topic\" } } }\noverrides.Resources.McpLogGroup.DeletionPolicy = \"Retain\"\n",
        "",
    ),
    (
        "all",
        "provisioned_concurrency = 2\nreserved_concurrency = 10\nvpc = VPC\npolicies = [{ SQSPollerPolicy = { QueueName = \"q\" } }]\ntracing = true\n",
        "[secrets]\nTOKEN = \"t\"\n[access]\nauth = \"api-key\"\n[tools.b]\ndescription = \"d\"\nstate = \"caller\"\n",
    ),
];

/// Every option of the two fronts that differ most, and every front with all options.
#[test]
fn templates_are_clean() {
    are_clean(false);
}

#[test]
#[ignore = "long: `cargo bench --bench long -- templates`"]
fn every_template_is_clean() {
    are_clean(true);
}

fn are_clean(all: bool) {
    let dir = folder("templates");
    let (mut files, mut chosen) = (Vec::new(), Vec::new());
    for (front, front_keys) in FRONTS {
        for (option, keys, beside) in OPTIONS {
            let text = form(front_keys, keys, beside);
            let path = dir.join(format!("{front}-{option}.yaml"));
            write(&path, text);
            let is_chosen = option == "all" || ["url", "api"].contains(&front);
            if is_chosen {
                chosen.push(path.clone());
            }
            if is_chosen || all {
                files.push(path);
            }
        }
    }
    for (name, template) in lambda_templates() {
        let path = dir.join(format!("project-{name}.yaml"));
        write(&path, read(template));
        chosen.push(path.clone());
        files.push(path);
    }
    let mut lint = std::process::Command::new(CFN_LINT.path());
    lint.args(["--include-checks", "I", "--"]).args(&files).current_dir(&dir);
    let linted = Running::start(lint).wait(LONG).expect(0);
    assert_eq!(linted.stdout.trim(), "", "{linted}");

    // The very commands, without starting sam for each.
    let chosen: Vec<_> = chosen.iter().collect();
    let said = python(&dir, VALIDATE, &chosen).expect(0);
    let valid = said.stdout.matches("is a valid SAM Template").count();
    assert_eq!(valid, 2 * chosen.len(), "{said}");
}

/// What a stack set is made of: transformed here, as CloudFormation would do it, and bound to no region.
#[test]
fn every_template_of_a_stack_set_is_clean() {
    let dir = folder("stack-sets");
    let all = FRONTS.iter().map(|front| (front, &OPTIONS[OPTIONS.len() - 1]));
    let url = OPTIONS.iter().map(|option| (&FRONTS[0], option));
    let mut packaged = serde_json::Map::new();
    for ((front, front_keys), (option, keys, beside)) in all.chain(url) {
        let text = form(front_keys, keys, beside);
        packaged.insert(
            format!("{front}-{option}"),
            json!(text.replace("CodeUri: dist/lambda", "CodeUri: s3://acme-code-eu-west-1/weather/1")),
        );
    }
    write(dir.join("aws.py"), mcp_deploy::targets::lambda::aws::SCRIPT);
    write(dir.join("packaged.json"), Value::Object(packaged.clone()).to_string());
    let said = python(&dir, TRANSFORM, &[&dir.join("aws.py"), &dir.join("packaged.json")]).expect(0);
    let transformed: serde_json::Map<String, Value> = serde_json::from_str(&said.stdout).expect("JSON");
    let mut files = Vec::new();
    for (name, answer) in transformed {
        let mut template = answer["template"].clone();
        assert!(template.is_object(), "{name}: {answer}");
        unbind(&mut template, "weather", "acme-code-eu-west-1", "acme-code");
        let code = &template["Resources"]["McpFunction"]["Properties"]["Code"];
        assert_eq!(code["S3Bucket"], json!({ "Fn::Sub": "acme-code-${AWS::Region}" }), "{name}");
        let text = template.to_string();
        assert!(!text.contains("AWS::StackName") && !text.contains("AWS::Serverless"), "{name}: {text}");
        let path = dir.join(format!("{name}.json"));
        write(&path, text);
        files.push(path);
    }
    assert_eq!(files.len(), packaged.len());
    let mut lint = std::process::Command::new(CFN_LINT.path());
    // The policy templates of SAM name actions that do not exist.
    lint.args(["--ignore-checks", "W3037", "--"]).args(&files).current_dir(&dir);
    let linted = Running::start(lint).wait(LONG).expect(0);
    assert_eq!(linted.stdout.trim(), "", "{linted}");
}

const TRANSFORM: &str = r#"
import json, sys
from boto3.session import Session
from samcli.yamlhelper import yaml_parse
script, packaged = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
exec(script.removesuffix("main()\n"))
session = Session(region_name="eu-west-1")
print(json.dumps({name: transform(session, {"template": yaml_parse(text)}) for name, text in json.loads(packaged).items()}))
"#;

const VALIDATE: &str = r#"
import sys
from samcli.cli.main import cli
for path in sys.argv[1:]:
    for lint in ([], ["--lint"]):
        cli(["validate", "--region", "us-east-1", "--template", path, *lint], standalone_mode=False)
"#;

/// Merged by mcp-deploy into the text, and by Python into what it read: the same.
#[test]
fn overrides_are_what_a_reader_finds() {
    let dir = folder("overrides");
    let tags: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(at, word)| (format!("t{at}"), json!(word))).collect();
    let words: serde_json::Map<_, _> =
        WORDS.iter().map(|word| ((*word).to_owned(), json!([word, { "no": word }]))).collect();
    let overrides = json!({
        "Description": WORDS.join("\n"),
        "Metadata": { "Words": words, "yes": true, "12": 1.5, "a: b": {}, "- c": [] },
        "Conditions": { "Never": { "Fn::Equals": ["a", "b"] } },
        "Resources": {
            "McpFunction": {
                "DependsOn": ["McpLogGroup"],
                "Metadata": { "Owner": { "Team": "x", "Members": ["x"] } },
                "Properties": {
                    "Timeout": 5,
                    "Environment": { "Variables": { "AWS_LWA_ASYNC_INIT": "true", "OWN": { "Ref": "AWS::StackName" } } },
                    "LoggingConfig": { "LogGroup": { "Fn::Sub": "/own/${AWS::StackName}" } },
                    "Tags": tags,
                },
            },
            "McpApi": { "Properties": { "MethodSettings": [], "Description": "own" } },
            "McpWebAcl": { "Properties": { "DefaultAction": { "Allow": { "CustomRequestHandling": {} } } } },
        },
        "Outputs": { "LogGroup": { "Export": { "Name": "own" } } },
    });
    let base = format!(
        "{SERVER}[targets.lambda]\nfront = \"api-gateway\"\nthrottle = {{ rate = 5, burst = 10 }}\nwaf_rate_limit = 10\n"
    );
    let mut with = base.parse::<toml_edit::DocumentMut>().expect("TOML");
    with["targets"]["lambda"]["overrides"] = toml(&overrides).into();
    write(dir.join("before.yaml"), rendered(&base));
    write(dir.join("after.yaml"), rendered(&with.to_string()));
    write(dir.join("overrides.json"), overrides.to_string());
    let said = python(&dir, COMPARE, &[&dir.join("before.yaml"), &dir.join("after.yaml"), &dir.join("overrides.json")]);
    assert_eq!(said.expect(0).stdout.trim(), "the same");
}

const COMPARE: &str = r#"
import json, sys
from samcli.yamlhelper import yaml_parse
before, after, overrides = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
def merge(into, new):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and value and not any(k.startswith("Fn::") for k in value):
            merge(into[key], value)
        else:
            into[key] = value
expected = json.loads(json.dumps(yaml_parse(before)))
merge(expected, json.loads(overrides))
found = json.loads(json.dumps(yaml_parse(after)))
assert found == expected, "\n".join(f"{key}: {found.get(key)}\n  {expected.get(key)}" for key in expected if found.get(key) != expected.get(key))
assert list(found) == list(expected), (list(found), list(expected))
print("the same")
"#;

#[test]
fn the_policy_templates_are_those_of_sam() {
    let print = "import json, samtranslator.policy_template_processor.processor as p; print(json.dumps(list(p.PolicyTemplatesProcessor.get_default_policy_templates_json()['Templates'])))";
    let known: BTreeSet<String> =
        serde_json::from_str(&python(&folder("policies"), print, &[]).expect(0).stdout).expect("JSON");
    assert_eq!(known, SAM_TEMPLATES.iter().map(|name| (*name).to_owned()).collect());
}

fn rendered(text: &str) -> String {
    files(text).remove("template.yaml").expect("Lambda is chosen")
}

/// All that a manifest is rendered to.
pub fn files(text: &str) -> BTreeMap<String, String> {
    let (manifest, faults) = manifest::parse(text, &|_| Err("no file".into()));
    let faults = faults.iter().fold(String::new(), |mut all, fault| {
        let _ = writeln!(all, "{fault}");
        all
    });
    let manifest = manifest.unwrap_or_else(|| panic!("{faults}{text}"));
    let files = template::project(&manifest).expect("it can be rendered").0;
    files.into_iter().map(|(path, (_owner, text))| (path, text)).collect()
}

fn toml(value: &Value) -> toml_edit::Value {
    match value {
        Value::Object(table) => {
            table.iter().map(|(key, value)| (key.clone(), toml(value))).collect::<toml_edit::InlineTable>().into()
        }
        Value::Array(items) => items.iter().map(toml).collect::<toml_edit::Array>().into(),
        Value::String(text) => text.into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().expect("a number").into(),
        },
        Value::Null => panic!("TOML has no null"),
    }
}

/// In the interpreter that `sam` runs in.
fn python(dir: &Path, script: &str, args: &[&PathBuf]) -> Ran {
    let sam = KIT.tools.found(ToolId::Sam).expect("the kit has it").path.canonicalize().expect("it is there");
    let mut python = std::process::Command::new(sam.with_file_name("python"));
    python.args(["-I", "-c", script]).args(args).current_dir(dir);
    python.envs([("SAM_CLI_TELEMETRY", "0"), ("AWS_DEFAULT_REGION", "us-east-1"), ("PYTHONUTF8", "1")]);
    if args.is_empty() { run(python) } else { Running::start(python).wait(LONG) }
}
