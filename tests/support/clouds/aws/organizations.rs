//! STS and AWS Organizations: who one is, and how to enter another account.

use serde_json::json;

use super::super::http::{Request, Response};
use super::state::Organization;
use super::xml::{answer, around, error, tag};

/// What the access key of somebody begins with who entered an account, whose number follows.
pub const ENTERED: &str = "ASIA-ENTERED-";

pub fn identity(organization: &Organization, account: &str, request: &Request) -> Response {
    let form = request.form();
    let field =
        |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    if field("Action") != "AssumeRole" {
        let arn = tag("Arn", &format!("arn:aws:iam::{account}:user/tests"));
        return answer("GetCallerIdentity", &(arn + &tag("UserId", "AIDATESTS") + &tag("Account", account)));
    }
    let arn = field("RoleArn");
    let (account, role) =
        arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/")).unwrap_or_default();
    if organization.roles.get(account).is_none_or(|known| known != role) {
        let message = format!("User: tests is not authorized to perform: sts:AssumeRole on resource: {arn}");
        return error(403, "AccessDenied", &message);
    }
    let credentials = [
        tag("AccessKeyId", &format!("{ENTERED}{account}")),
        tag("SecretAccessKey", "of-the-role"),
        tag("SessionToken", "of-the-role"),
        tag("Expiration", "2099-01-01T00:00:00Z"),
    ];
    answer("AssumeRole", &around("Credentials", &credentials.concat()))
}

pub fn handle(organization: &Organization, request: &Request) -> Response {
    let target = request.header("x-amz-target").unwrap_or_default();
    let parent = request.json()["ParentId"].as_str().unwrap_or_default().to_owned();
    // `UNIT/CHILD` is a unit within `UNIT`.
    let children =
        organization.units.keys().filter(|unit| unit.rsplit_once('/').is_some_and(|(above, _)| above == parent));
    let said = match target.rsplit('.').next().unwrap_or_default() {
        "DescribeOrganization" => json!({ "Organization": { "MasterAccountId": organization.management } }),
        "ListAccountsForParent" => {
            let accounts = organization.units.get(&parent).into_iter().flatten();
            json!({ "Accounts": accounts.map(|id| json!({ "Id": id, "State": "ACTIVE" })).collect::<Vec<_>>() })
        }
        "ListOrganizationalUnitsForParent" => {
            json!({ "OrganizationalUnits": children.map(|id| json!({ "Id": id })).collect::<Vec<_>>() })
        }
        action => {
            let message = format!("the stand-in does not know {action}");
            return Response::json(400, &json!({ "__type": "UnknownOperationException", "message": message }));
        }
    };
    Response::new(200, "application/x-amz-json-1.1", said.to_string())
}
