//! Stand-ins of the services that examples call, on this machine.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::child::{LONG, Running, free_port};
use super::tools::MOTO;
use crate::http::{self, Listener, Request, Response};

pub struct Services {
    pub github: Listener,
    pub aws: Aws,
}

impl Services {
    pub fn start() -> Self {
        Services { github: http::requests(|request| github(request).into()), aws: Aws::start() }
    }
}

/// One repository; its search finds it, unless it is asked for `limited`. Only who has the token may ask.
fn github(request: &Request) -> Response {
    if request.header("authorization") != Some("Bearer t0ken") || request.header("user-agent").is_none() {
        return Response::json(401, &json!({ "message": "Bad credentials" }));
    }
    let repository = json!({
        "full_name": "octo/mcp", "description": "A server", "stargazers_count": 42, "language": "Rust", "html_url": "https://github.com/octo/mcp",
        "default_branch": "main", "pushed_at": "2026-11-01T12:00:00Z", "license": null,
    });
    match (request.path.as_str(), request.query("q")) {
        ("/search/repositories", Some("mcp")) => {
            Response::json(200, &json!({ "total_count": 7, "incomplete_results": false, "items": [repository] }))
        }
        ("/search/repositories", Some("limited")) => {
            Response::json(429, &json!({ "message": "You have exceeded a secondary rate limit" }))
                .with("retry-after", 30)
        }
        ("/repos/octo/mcp", _) => Response::json(200, &repository),
        ("/repos/octo/mcp/readme", _) => Response::new(200, "application/vnd.github.raw+json", "Read me.\n"),
        _ => Response::json(404, &json!({ "message": "Not Found" })),
    }
}

/// DynamoDB and CloudWatch Logs, as `moto` has them.
pub struct Aws {
    pub url: String,
    _moto: Running,
}

impl Aws {
    fn start() -> Self {
        let port = free_port();
        let mut moto = Command::new(MOTO.path());
        moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port]);
        let mut moto = Running::guarded(moto);
        let url = format!("http://127.0.0.1:{port}/");
        let status = format!("{url}moto-api/data.json");
        moto.until("the server", LONG, |_| ureq::get(&status).call().ok());
        let aws = Aws { url, _moto: moto };
        aws.fill_table();
        aws.fill_logs();
        aws
    }

    /// As the example's manifest names it.
    fn fill_table(&self) {
        let attribute = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        self.call(
            "dynamodb",
            "DynamoDB_20120810.CreateTable",
            &json!({
                "TableName": "orders",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [attribute("pk"), attribute("sk")],
                "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            }),
        );
        for (sort, total) in
            [("ORDER#2025-9", 9), ("ORDER#2026-1", 1), ("ORDER#2026-2", 2), ("ORDER#2026-3", 3), ("PROFILE", 0)]
        {
            let item =
                json!({ "pk": { "S": "CUSTOMER#42" }, "sk": { "S": sort }, "total": { "N": total.to_string() } });
            self.call("dynamodb", "DynamoDB_20120810.PutItem", &json!({ "TableName": "orders", "Item": item }));
        }
    }

    /// The log group that is the example's own, as its name is `example`.
    fn fill_logs(&self) {
        let (group, stream) = ("/mcp/example", "app");
        self.call("logs", "Logs_20140328.CreateLogGroup", &json!({ "logGroupName": group }));
        self.call("logs", "Logs_20140328.CreateLogStream", &json!({ "logGroupName": group, "logStreamName": stream }));
        let minute_ago =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970").as_millis() as u64 - 60_000;
        let events = ["ERROR one", "fine", "ERROR two", "ERROR three"].iter().zip(minute_ago..);
        let events: Vec<Value> =
            events.map(|(message, time)| json!({ "timestamp": time, "message": message })).collect();
        let put = json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events });
        self.call("logs", "Logs_20140328.PutLogEvents", &put);
    }

    /// One call of a JSON API; moto finds the service by the credential's scope, and believes every signature.
    fn call(&self, service: &str, operation: &str, input: &Value) -> Value {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build().new_agent();
        let request = agent.post(&self.url).header("authorization", scope).header("x-amz-target", operation);
        let answer = request.content_type("application/x-amz-json-1.0").send(input.to_string());
        let mut answer = answer.unwrap_or_else(|error| panic!("{operation}: {error}"));
        let text = answer.body_mut().read_to_string().expect("an answer");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}
