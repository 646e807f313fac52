"""What `sam` has no command for, done with sam's own Python and sam's own credentials.

Answers questions until stdin ends: each is a line of JSON with an operation, a region and a request, each answer a line
of JSON. Secret values never leave stdin. With `log_in REGION` it asks for the code of a second factor on the terminal,
and ends.
"""

import hashlib
import json
import os
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config
from botocore.credentials import JSONFileCache
from botocore.exceptions import BotoCoreError, ClientError


class SecondFactor(Exception):
    """The profile wants a code that only a person can give."""


class Underway(Exception):
    """Something was begun, and its end could not be seen."""


class Foreign(Exception):
    """It has not our mark."""


# On everything that we make, and its value is whose it is.
TAG = "mcp-deploy:project"


def main():
    if sys.argv[1:2] == ["log_in"]:
        return credentials_of(session_in(sys.argv[2]))
    # A library's output is not part of the answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(answer_to(question["operation"], question["region"], question["request"])), file=answers, flush=True)


def answer_to(operation, region, request):
    try:
        return OPERATIONS[operation](session_for(region, request.pop("account", None)), request)
    except ClientError as error:
        known = error.response.get("Error", {})
        code = known.get("Code") or ""
        # An error of AWS has a name; that of a proxy has a status alone.
        is_named = code not in ("", "Unknown") and not code.isdigit()
        return refusal(code, known.get("Message", str(error))) if is_named else unreadable(operation, error)
    except (BotoCoreError, SecondFactor, Underway, Foreign) as error:
        return refusal(type(error).__name__, str(error))
    except Exception as error:
        # botocore's parsers, and ours, fail on an answer that is not from AWS.
        return unreadable(operation, error)


def refusal(code, message):
    return {"error": {"code": code, "message": message}}


def unreadable(operation, error):
    said = " ".join(str(error).split())[:300]
    why = "it may be the page of a proxy or of a network's login"
    return refusal("UnreadableAnswer", f"the answer to `{operation}` is not from AWS, {why} ({type(error).__name__}: {said})")


# By region and account: what AWS's interfaces look like is read once. Clients are new for each question, so that no
# connection is used again that may have been cut off in between.
SESSIONS = {}


def session_for(region, account):
    key = (region, account and (account["id"], account["role"]))
    session, until = SESSIONS.get(key, (None, None))
    if session is None or (until and until - datetime.now(timezone.utc) < timedelta(minutes=10)):
        session, until = entered(own_session(region), account) if account else (own_session(region), None)
        SESSIONS[key] = session, until
    return session


def own_session(region):
    if (session := SESSIONS.get((region, None), (None, None))[0]) is None:
        session = session_in(region)
        # A prompt would wait for somebody who is not there.
        session._session.get_component("credential_provider").get_provider("assume-role")._prompter = refuse_to_ask
        SESSIONS[region, None] = session, None
    return session


def session_in(region):
    session = boto3.session.Session(region_name=region)
    # Two tries, and not for minutes: somebody waits for the answer.
    session._session.set_default_client_config(Config(connect_timeout=10, read_timeout=20, retries={"total_max_attempts": 2}))
    # The cache that sam uses: a code is asked for once.
    session._session.get_component("credential_provider").get_provider("assume-role").cache = JSONFileCache()
    return session


def credentials_of(session):
    session.get_credentials().get_frozen_credentials()


def refuse_to_ask(prompt):
    raise SecondFactor(prompt)


def entered(session, account):
    """A session in another account, by the role that it has for us; and until when."""
    client = session.client("sts")
    us = client.get_caller_identity()
    if us["Account"] == account["id"]:
        return session, None
    role = f"arn:{us['Arn'].split(':')[1]}:iam::{account['id']}:role/{account['role']}"
    given = client.assume_role(RoleArn=role, RoleSessionName="mcp-deploy")["Credentials"]
    there = boto3.session.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=session.region_name,
    )
    return there, given["Expiration"]


def found(session, request):
    """What there is of a stack and a secret of these names, and what tells whose they are."""
    if session.get_credentials() is None:
        return {"error": {"code": "NoCredentialsError", "message": "Unable to locate credentials"}}
    client = session.client("cloudformation")
    answer = {"stack": None, "secret": None}
    try:
        known = client.describe_stacks(StackName=request["stack"])["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
    else:
        tags = by_name(known.get("Tags", []))
        outputs = {output["OutputKey"]: output["OutputValue"] for output in known.get("Outputs", [])}
        answer["stack"] = {
            "status": known["StackStatus"],
            "reason": known.get("StackStatusReason", ""),
            "created": known["CreationTime"].isoformat(timespec="seconds"),
            "description": known.get("Description", ""),
            "tags": tags,
            "endpoint": outputs.get("McpEndpoint"),
            "resources": [] if is_ours(tags, request) else resources_of(client, request["stack"]),
            "review": reviewed(client, request["stack"]) if known["StackStatus"] == "REVIEW_IN_PROGRESS" else [],
        }
    client = session.client("secretsmanager")
    try:
        known = client.describe_secret(SecretId=request["secret"])
    except client.exceptions.ResourceNotFoundException:
        return answer
    except ClientError as error:
        # Who deploys a server without secrets need not be allowed to ask: none is touched without its mark being seen.
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return answer
    answer["secret"] = {
        "created": known["CreatedDate"].isoformat(timespec="seconds") if "CreatedDate" in known else None,
        "description": known.get("Description", ""),
        "tags": by_name(known.get("Tags", [])),
        "deleted": "DeletedDate" in known,
    }
    return answer


def by_name(tags):
    return {tag["Key"]: tag["Value"] for tag in tags}


def is_ours(tags, request):
    """The same project and stage; the name behind them is for people."""
    return tags.get(TAG, "").split("/")[:2] == request["mark"].split("/")[:2]


def resources_of(client, stack):
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = (resource for page in pages for resource in page["StackResourceSummaries"])
    return [
        {"id": resource["LogicalResourceId"], "type": resource["ResourceType"]}
        for resource in found
        if not resource["ResourceStatus"].startswith("DELETE_COMPLETE")
    ]


def reviewed(client, stack):
    """The mark of each change set of a stack that does not exist yet."""
    sets = [change["ChangeSetId"] for change in change_sets_of(client, stack)]
    return [by_name(client.describe_change_set(ChangeSetName=change).get("Tags", [])).get(TAG) for change in sets]


def change_sets(session, request):
    """Whether there is a stack to be updated, and its change sets."""
    client = session.client("cloudformation")
    try:
        known = client.describe_stacks(StackName=request["stack"])["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {"exists": False, "change_sets": []}
    if known["StackStatus"] == "REVIEW_IN_PROGRESS":
        return {"exists": False, "change_sets": []}
    return {"exists": True, "change_sets": [change["ChangeSetId"] for change in change_sets_of(client, request["stack"])]}


def change_sets_of(client, stack):
    pages = client.get_paginator("list_change_sets").paginate(StackName=stack)
    return [change for page in pages for change in page["Summaries"]]


def changes(session, request):
    """What the change set would do that `sam` has just made; one without changes is deleted."""
    client = session.client("cloudformation")
    fresh = [change for change in change_sets_of(client, request["stack"]) if change["ChangeSetId"] not in request["known"]]
    for change in sorted(fresh, key=lambda change: change["CreationTime"], reverse=True):
        name = change["ChangeSetId"]
        pages = list(client.get_paginator("describe_change_set").paginate(ChangeSetName=name))
        tags = by_name(pages[0].get("Tags", []))
        if TAG in tags and not is_ours(tags, request):
            continue
        if pages[0]["ExecutionStatus"] != "AVAILABLE":
            client.delete_change_set(ChangeSetName=name)
            return {"change_set": None}
        found = (change["ResourceChange"] for page in pages for change in page["Changes"] if "ResourceChange" in change)
        return {
            "change_set": name,
            "changes": [
                {
                    "action": change["Action"],
                    "id": change["LogicalResourceId"],
                    "type": change["ResourceType"],
                    "replacement": change.get("Replacement", ""),
                    "policy": change.get("PolicyAction", ""),
                }
                for change in found
            ],
        }
    return {"error": {"code": "NoChangeSet", "message": "sam made a change set, and AWS lists none; nothing was changed"}}


def discard(session, request):
    session.client("cloudformation").delete_change_set(StackName=request["stack"], ChangeSetName=request["change_set"])
    return {}


def carry_out_changes(session, request):
    """Carries a change set out, and waits for the end of it."""
    client = patient(session)
    # Once: after a first try that succeeded, a second one would look refused.
    once = session.client("cloudformation", config=Config(retries={"total_max_attempts": 1}))
    try:
        once.execute_change_set(StackName=request["stack"], ChangeSetName=request["change_set"])
        while (known := client.describe_stacks(StackName=request["stack"])["Stacks"][0])["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(float(os.environ.get("SAM_CLI_POLL_DELAY", "3")))
    except ClientError as error:
        # Refused, as long as it is not AWS itself that failed.
        if error.operation_name == "ExecuteChangeSet" and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        raise Underway(f"the stack was being changed, and AWS does not tell its end: {error}") from error
    except BotoCoreError as error:
        raise Underway(f"the stack was being changed, and AWS does not tell its end: {error}") from error
    return {"status": known["StackStatus"], "reason": known.get("StackStatusReason", "")}


def failed_resources(session, request):
    """What the last change of the stack could not do, and why."""
    failed = []
    pages = session.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=request["stack"])
    for event in (event for page in pages for event in page["StackEvents"]):
        reason = event.get("ResourceStatusReason", "")
        if reason == "User Initiated":
            break
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            failed.insert(0, {"resource": event["LogicalResourceId"], "reason": reason})
    return {"failed": failed}


def serving(session, request):
    """What the alias of a stack's function points to, and whether the stack is being changed."""
    try:
        found = session.client("cloudformation").describe_stacks(StackName=request["stack"])["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {"version": None, "moving": False}
    moving = found["StackStatus"].endswith("_IN_PROGRESS")
    function = next((output["OutputValue"] for output in found.get("Outputs", []) if output["OutputKey"] == "FunctionName"), None)
    client = session.client("lambda")
    try:
        version = function and client.get_alias(FunctionName=function, Name="live")["FunctionVersion"]
    except client.exceptions.ResourceNotFoundException:
        version = None
    return {"version": version, "moving": moving}


def serve_shipped(session, request):
    """Makes the alias serve the version that the stack's template made, if somebody moved it; returns its outputs."""
    said = outputs(session, request)["outputs"]
    if (function := said.get("FunctionName")) is None:
        return {"error": {"code": "NoFunction", "message": "the stack has no output `FunctionName`"}}
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=request["stack"])
    shipped = [
        found["PhysicalResourceId"].rsplit(":", 1)[-1]
        for page in pages
        for found in page["StackResourceSummaries"]
        if found["ResourceType"] == "AWS::Lambda::Version" and found["LogicalResourceId"].startswith("McpFunctionVersion")
    ]
    if len(shipped) != 1:
        return {"error": {"code": "NoVersion", "message": f"the stack has {len(shipped)} versions of the function, and not one"}}
    client = session.client("lambda")
    alias = client.get_alias(FunctionName=function, Name="live")
    if alias["FunctionVersion"] != shipped[0]:
        alias = client.update_alias(FunctionName=function, Name="live", FunctionVersion=shipped[0])
    return {"version": alias["FunctionVersion"], "outputs": said}


def live_version(session, request):
    """The version that the alias serves."""
    alias = session.client("lambda").get_alias(FunctionName=request["function"], Name="live")
    return {"version": alias["FunctionVersion"]}


def versions(session, request):
    """Published versions, oldest first."""
    pages = session.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=request["function"])
    found = [version["Version"] for page in pages for version in page["Versions"]]
    return {"versions": [version for version in found if version != "$LATEST"]}


def serve_version(session, request):
    """Points the alias at an earlier version: the way back takes effect at once."""
    client = session.client("lambda")
    alias = client.update_alias(FunctionName=request["function"], Name="live", FunctionVersion=request["version"])
    return {"version": alias["FunctionVersion"]}


def secret_names(session, request):
    """Names inside the server's secret; never their values."""
    client = session.client("secretsmanager")
    return {"names": sorted(stored(client, request["secret"])[0])}


def owned(client, request):
    """A secret that is ours, or from before there were marks and just like ours; None when there is none."""
    try:
        known = client.describe_secret(SecretId=request["secret"])
    except client.exceptions.ResourceNotFoundException:
        return None
    tags = by_name(known.get("Tags", []))
    known["is_marked"] = is_ours(tags, request)
    if known["is_marked"] or request.get("adopt") or (TAG not in tags and known.get("Description") == DESCRIPTION):
        return known
    raise Foreign(f"the secret {request['secret']} is not this project's")


DESCRIPTION = "Secrets of an MCP server, by name"


def next_secrets(session, request):
    """The version that is stored when it is what is wanted, else a new one's name."""
    client = session.client("secretsmanager")
    owned(client, request)
    values, version = stored(client, request["secret"])
    if version is not None and {**values, **request["values"]} == values:
        return {"version": version, "stored": True}
    return {"version": str(uuid.uuid4()), "stored": False}


def push_secrets(session, request):
    """Sets the given names, keeps the others; answers with the version of what is stored then."""
    client = session.client("secretsmanager")
    secret, tags = request["secret"], [{"Key": TAG, "Value": request["mark"]}]
    chosen = {"ClientRequestToken": request["version"]} if request["version"] else {}
    known = owned(client, request)
    values, version = stored(client, secret)
    wanted = {**values, **request["values"]}
    if known is None:
        text = json.dumps(wanted)
        made = client.create_secret(Name=secret, Description=DESCRIPTION, SecretString=text, Tags=tags, **chosen)
        return {"version": made["VersionId"]}
    if "DeletedDate" in known:
        # `destroy` leaves it for some days.
        client.restore_secret(SecretId=secret)
        wanted, version = request["values"], None
    if not known["is_marked"]:
        client.tag_resource(SecretId=secret, Tags=tags)
    if version is not None and wanted == values and not chosen:
        return {"version": version}
    return {"version": client.put_secret_value(SecretId=secret, SecretString=json.dumps(wanted), **chosen)["VersionId"]}


def remove_secret(session, request):
    client = session.client("secretsmanager")
    owned(client, request)
    values, version = stored(client, request["secret"])
    if values.pop(request["name"], None) is None:
        return {"version": version}
    return {"version": client.put_secret_value(SecretId=request["secret"], SecretString=json.dumps(values))["VersionId"]}


def stored(client, secret):
    """Values by name, and their version: none when there is no secret, or one that is about to be deleted."""
    try:
        found = client.get_secret_value(SecretId=secret)
    except client.exceptions.ResourceNotFoundException:
        return {}, None
    except client.exceptions.InvalidRequestException as error:
        if "delet" not in str(error):
            raise
        return {}, None
    return json.loads(found["SecretString"]), found["VersionId"]


def delete_secret(session, request):
    client = session.client("secretsmanager")
    known = owned(client, request)
    if known is None or "DeletedDate" in known:
        return {"deleted": False}
    client.delete_secret(SecretId=request["secret"], RecoveryWindowInDays=7)
    return {"deleted": True}


def stack_set_region(session, request):
    """Where the bucket for the code of a region is, and what there is of the stack set in that region."""
    try:
        head = session.client("s3").head_bucket(Bucket=request["bucket"])
        bucket = head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        refused = False
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status not in (403, 404):
            raise
        bucket, refused = None, status == 403
    return {"bucket": bucket, "refused": refused, **stack_set(session, request)}


def stack_set(session, request):
    """What tells whose the stack set of a name is, if there is one in this region."""
    client, who = session.client("cloudformation"), caller(request)
    try:
        known = client.describe_stack_set(StackSetName=request["name"], **who)["StackSet"]
    except client.exceptions.StackSetNotFoundException:
        return {"stack_set": None}
    members = [stack["stack"] for stack in stacks_of(client, request["name"], who)]
    tags, description = by_name(known.get("Tags", [])), known.get("Description", "")
    return {"stack_set": {"tags": tags, "description": description, "members": members, "template": known.get("TemplateBody", "")}}


def caller(request):
    return {"CallAs": "DELEGATED_ADMIN"} if request["delegated_admin"] else {}


def accounts(session, request):
    """The active accounts of organizational units and of the units in them, without the management account,
    which no stack set reaches."""
    client = session.client("organizations")
    management = client.describe_organization()["Organization"]["MasterAccountId"]
    units, found = list(request["units"]), set()
    for unit in units:
        for page in client.get_paginator("list_accounts_for_parent").paginate(ParentId=unit):
            found.update(account["Id"] for account in page["Accounts"] if account.get("State", account.get("Status")) == "ACTIVE")
        for page in client.get_paginator("list_organizational_units_for_parent").paginate(ParentId=unit):
            units.extend(child["Id"] for child in page["OrganizationalUnits"])
    return {"accounts": sorted(found - {management})}


def transform(session, request):
    """The template as the SAM transform leaves it; its reasons, when it refuses."""
    # Nothing else needs them, and they take a second.
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.parser.parser import Parser
    from samtranslator.public.exceptions import InvalidDocumentException
    from samtranslator.translator.translator import Translator

    partition = session.get_partition_for_region(session.region_name)
    translator = Translator(get_bundled_managed_policy_map(partition), Parser(), boto_session=session)
    try:
        return {"template": translator.translate(request["template"], {})}
    except InvalidDocumentException as error:
        reasons = ", ".join(cause.message for cause in error.causes)
        return {"error": {"code": "InvalidTemplate", "message": reasons or error.message}}


def outputs(session, request):
    found = session.client("cloudformation").describe_stacks(StackName=request["stack"])["Stacks"][0]
    return {"outputs": {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}}


# Every stack is tried, at the same time as the others: each has its own result.
ALL_AT_ONCE = {"RegionConcurrencyType": "PARALLEL", "FailureTolerancePercentage": 100, "MaxConcurrentPercentage": 100}


def patient(session):
    """A client whose deployment outlives a moment without network."""
    return session.client("cloudformation", config=Config(retries={"mode": "standard", "total_max_attempts": 6}))


def ship_stack_set(session, request):
    """Creates or updates the stack set, and its stacks in the wanted places alone; what became of each of them."""
    client, s3 = patient(session), session.client("s3")
    name, units, who = request["name"], request["units"], caller(request)
    own = session.client("sts").get_caller_identity()["Account"]
    # The text may be longer than a request allows.
    body = request["template"].encode()
    key = f"{name}/{hashlib.sha256(body).hexdigest()}.template"
    s3.put_object(Bucket=request["bucket"], Key=key, Body=body)
    settings = {
        "StackSetName": name,
        "Description": request["description"][:1024],
        "TemplateURL": f"{s3.meta.endpoint_url}/{request['bucket']}/{key}",
        "Capabilities": ["CAPABILITY_IAM"],
        "PermissionModel": "SERVICE_MANAGED" if units else "SELF_MANAGED",
        "ManagedExecution": {"Active": True},
        "Tags": [{"Key": TAG, "Value": request["mark"]}],
        **who,
    }
    if units:
        # An account that joins later has no secrets yet, and nobody would verify it.
        settings["AutoDeployment"] = {"Enabled": False}
    try:
        there = {(stack["account"], stack["region"]) for stack in stacks_of(client, name, who)}
    except client.exceptions.StackSetNotFoundException:
        there = set()
        client.create_stack_set(**settings)
    accounts = request["accounts"] if units else request["accounts"] or [own]
    wanted = {(account, region) for account in accounts for region in request["regions"]}
    if there and not there & wanted:
        return {"error": {"code": "NothingInCommon", "message": "none of the stack set's stacks is where the manifest wants one; destroy it first"}}

    def change(places, start, **more):
        for where in rectangles(places, units):
            yield lambda where=where: start(**more, **where, OperationPreferences=ALL_AT_ONCE)

    same = {"StackSetName": name, **who}
    changes = [*change(there & wanted, client.update_stack_set, **settings), *change(wanted - there, client.create_stack_instances, **same)]
    done, refused = carry_out(client, name, who, changes)
    try:
        stacks = stacks_of(client, name, who)
        for stack in stacks:
            # Another operation of ours, on other stacks, makes this one out of date by name only.
            if stack["operation"] in done and stack["detail"] == "SUCCEEDED":
                stack["status"] = "CURRENT"
        return {"own_account": own, "stacks": stacks, "refused": refused}
    except (BotoCoreError, ClientError) as error:
        raise Underway(f"the stack set was deployed, but not asked what became of it: {error}") from error


def carry_out(client, name, who, changes):
    """One after the other, as a stack set wants it: the operations, and why the last one of them was not begun."""
    done = []
    for at, start in enumerate(changes):
        try:
            operation = start()["OperationId"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Underway(f"the stack set may be being changed: {error}") from error
            if at == 0:
                raise
            return done, str(error)
        except BotoCoreError as error:
            raise Underway(f"the stack set may be being changed: {error}") from error
        done.append(operation)
        try:
            while client.describe_stack_set_operation(StackSetName=name, OperationId=operation, **who)["StackSetOperation"]["Status"] in (
                "QUEUED", "RUNNING", "STOPPING"
            ):
                time.sleep(float(os.environ.get("SAM_CLI_POLL_DELAY", "3")))
        except (BotoCoreError, ClientError) as error:
            raise Underway(f"the stack set is being changed, and cannot be asked any more: {error}") from error
    return done, None


def rectangles(places, units):
    """Accounts with the same regions are one operation: it takes a list of each."""
    regions_of = {}
    for account, region in sorted(places):
        regions_of.setdefault(account, []).append(region)
    accounts_of = {}
    for account, regions in regions_of.items():
        accounts_of.setdefault(tuple(regions), []).append(account)
    for regions, accounts in accounts_of.items():
        if units:
            targets = {"OrganizationalUnitIds": units, "Accounts": accounts, "AccountFilterType": "INTERSECTION"}
            yield {"DeploymentTargets": targets, "Regions": list(regions)}
        else:
            yield {"Accounts": accounts, "Regions": list(regions)}


def stacks_of(client, name, who):
    pages = client.get_paginator("list_stack_instances").paginate(StackSetName=name, **who)
    return [
        {
            "account": found["Account"],
            "region": found["Region"],
            "stack": found.get("StackId"),
            "unit": found.get("OrganizationalUnitId"),
            "status": found["Status"],
            "detail": found.get("StackInstanceStatus", {}).get("DetailedStatus"),
            "operation": found.get("LastOperationId"),
            "reason": found.get("StatusReason"),
        }
        for page in pages
        for found in page["Summaries"]
    ]


def destroy_stack_set(session, request):
    """Takes the stack set away with all of its stacks; those that there were, and those that are left."""
    client = patient(session)
    name, who = request["name"], caller(request)
    own = session.client("sts").get_caller_identity()["Account"]
    try:
        stacks = stacks_of(client, name, who)
        units = sorted({stack["unit"] for stack in stacks if stack["unit"]})
        places = {(stack["account"], stack["region"]) for stack in stacks}
        changes = [
            lambda where=where: client.delete_stack_instances(
                StackSetName=name, **where, RetainStacks=False, OperationPreferences=ALL_AT_ONCE, **who
            )
            for where in rectangles(places, units)
        ]
        _, refused = carry_out(client, name, who, changes)
        left = stacks_of(client, name, who)
        if not left:
            client.delete_stack_set(StackSetName=name, **who)
    except client.exceptions.StackSetNotFoundException:
        # Gone with another of its stacks.
        return {"own_account": own, "stacks": [], "left": []}
    left = [{**stack, "reason": stack["reason"] or refused or stack["status"]} for stack in left]
    return {"own_account": own, "stacks": stacks, "left": left}


OPERATIONS = {
    operation.__name__: operation
    for operation in (
        found, change_sets, changes, discard, carry_out_changes, failed_resources, serving, serve_shipped, live_version, versions,
        serve_version, secret_names, next_secrets, push_secrets, remove_secret, delete_secret,
        stack_set, stack_set_region, accounts, transform, outputs, ship_stack_set, destroy_stack_set
    )
}

main()
