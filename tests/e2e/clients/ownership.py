"""Who owns things and what a change set would delete: what `aws.py` asks of AWS, asked of moto, which others wrote.

Started with the path of `aws.py`. What moto 5.2.5 lacks, so that deployments themselves run against the stand-in alone:
the SAM transform, function URLs and aliases of functions, permissions of public URLs, running a function through its
layers, StackSet operations that end as `FAILED`, and of a change set its tags, and `Replacement` and `PolicyAction`
(what it does not say counts as deleted).
"""

import json
import subprocess
import sys

import boto3

REGION, MARK, OTHER = "us-east-1", "0123456789abcdef/production/weather", "fedcba9876543210/production/weather"
TAG = "mcp-deploy:project"


AWS = subprocess.Popen([sys.executable, "-I", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(operation, **request):
    AWS.stdin.write(json.dumps({"operation": operation, "region": REGION, "request": request}) + "\n")
    AWS.stdin.flush()
    return json.loads(AWS.stdout.readline())


def found(mark=MARK):
    return ask("found", stack="weather", secret="mcp/weather", mark=mark)


def secret(operation, mark=MARK, **more):
    return ask(operation, secret="mcp/weather", mark=mark, **{"version": None, **more})


def expect(what, value, wanted):
    if value != wanted:
        sys.exit(f"{what}: {value!r} is not {wanted!r}")


cloudformation, manager = (boto3.client(service, region_name=REGION) for service in ("cloudformation", "secretsmanager"))
tables = boto3.client("dynamodb", region_name=REGION)
ORDERS = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}
TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "ours"}}


def template(**resources):
    return json.dumps({"Resources": resources})


# Nothing, then somebody's.
expect("nothing", found(), {"stack": None, "secret": None})
expect("no stack", ask("change_sets", stack="weather"), {"exists": False, "change_sets": []})
team = [{"Key": "team", "Value": "billing"}]
cloudformation.create_stack(StackName="weather", TemplateBody=template(Orders=ORDERS), Tags=team)
manager.create_secret(Name="mcp/weather", SecretString='{"theirs": "1"}', Tags=team)
there = found()
expect("tags", there["stack"]["tags"], {"team": "billing"})
expect("resources", there["stack"]["resources"], [{"id": "Orders", "type": "AWS::DynamoDB::Table"}])
expect("tags", there["secret"]["tags"], {"team": "billing"})
for operation in ("push_secrets", "remove_secret", "delete_secret", "next_secrets"):
    refused = secret(operation, values={"A": "1"}, name="theirs")
    expect(operation, refused.get("error", {}).get("code"), "Foreign")
expect("theirs", manager.get_secret_value(SecretId="mcp/weather")["SecretString"], '{"theirs": "1"}')
manager.delete_secret(SecretId="mcp/weather", ForceDeleteWithoutRecovery=True)

# Ours: marked as it is made, and another project's for everybody else.
first = secret("push_secrets", values={"A": "1"})["version"]
expect("mark", found()["secret"]["tags"], {TAG: MARK})
expect("the same", secret("next_secrets", values={"A": "1"}), {"version": first, "stored": True})
planned = secret("next_secrets", values={"A": "2"})
expect("another", planned["stored"], False)
expect("as planned", secret("push_secrets", values={"A": "2"}, version=planned["version"])["version"], planned["version"])
expect("another project", secret("push_secrets", mark=OTHER, values={"A": "3"})["error"]["code"], "Foreign")
expect("another project", secret("delete_secret", mark=OTHER)["error"]["code"], "Foreign")
expect("names", secret("secret_names"), {"names": ["A"]})
expect("deleted", secret("delete_secret"), {"deleted": True})
expect("about to go", found()["secret"]["deleted"], True)
secret("push_secrets", values={"B": "1"})
expect("restored", secret("secret_names"), {"names": ["B"]})
# As 0.1.0 made it.
manager.untag_resource(SecretId="mcp/weather", TagKeys=[TAG])
secret("push_secrets", values={"B": "1"})
expect("marked", found()["secret"]["tags"], {TAG: MARK})


def change_set(name):
    cloudformation.create_change_set(
        StackName="weather",
        ChangeSetName=name,
        ChangeSetType="UPDATE",
        TemplateBody=template(Topic=TOPIC),
        Tags=[{"Key": TAG, "Value": MARK}],
    )
    made = ask("changes", stack="weather", known=[], mark=MARK)
    lost = [(change["action"], change["id"], change["policy"]) for change in made["changes"] if change["id"] == "Orders"]
    expect("the table goes", lost, [("Remove", "Orders", "")])
    return made["change_set"]


ask("discard", stack="weather", change_set=change_set("refused"))
expect("nothing is left", ask("change_sets", stack="weather"), {"exists": True, "change_sets": []})
expect("nothing was changed", tables.list_tables()["TableNames"], ["orders"])
ended = ask("carry_out_changes", stack="weather", change_set=change_set("allowed"))
expect("carried out", ended["status"], "UPDATE_COMPLETE")
expect("the table", tables.list_tables()["TableNames"], [])
gone = ask("carry_out_changes", stack="weather", change_set="arn:aws:cloudformation:us-east-1:123456789012:changeSet/none/0")
expect("no such change set", "error" in gone, True)

# Somebody's stack set.
cloudformation.create_stack_set(StackSetName="weather", TemplateBody=template(Topic=TOPIC), Tags=team)
known = ask("stack_set", name="weather", delegated_admin=False)["stack_set"]
expect("tags of a stack set", known["tags"], {"team": "billing"})
expect("its template", json.loads(known["template"])["Resources"]["Topic"], TOPIC)
expect("no stack set", ask("stack_set", name="other", delegated_admin=False), {"stack_set": None})
AWS.stdin.close()
expect("its end", AWS.wait(60), 0)
print("ok")
