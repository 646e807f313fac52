"""Checks recorded requests against botocore's models: operation, names, types, required members, lengths.

A line of stdin is a JSON list of requests; for each a line of stdout says what is wrong with them. Signatures are not
checked.
"""

import json
import re
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.session
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
MODELS = {}


def model(service):
    return MODELS.setdefault(service, SESSION.get_service_model(service))


def main():
    for line in sys.stdin:
        requests = json.loads(line)
        faults = [f"{name}: {fault}" for request in requests for name, fault in checked(request)]
        print(json.dumps({"checked": len(requests), "faults": faults}), flush=True)


def checked(request):
    try:
        service = model(request["service"])
        protocol = service.metadata["protocol"]
        if protocol == "query":
            form = dict(parse_qsl(request["body"], keep_blank_values=True))
            operation = service.operation_model(form.pop("Action"))
            form.pop("Version", None)
            params = from_form(operation.input_shape, form, "") or {}
            yield from ((operation.name, f"unknown parameter {name}") for name in form)
        elif protocol == "json":
            operation = service.operation_model(request["target"].rsplit(".", 1)[-1])
            params = json.loads(request["body"] or "{}")
        else:
            operation, params = by_path(service, request)
    except Exception as error:
        yield f"{request['service']} {request['method']} {request['path']}", f"no operation of the service ({error!r})"
        return
    if operation.input_shape and protocol != "rest-xml":
        report = ParamValidator().validate(params, operation.input_shape)
        if report.has_errors():
            yield operation.name, report.generate_report()


def from_form(shape, form, prefix):
    """The value of a shape out of a flat form, which loses what it gives."""
    if shape is None:
        return None
    if shape.type_name == "structure":
        value = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            found = from_form(member, form, f"{prefix}.{key}" if prefix else key)
            if found is not None:
                value[name] = found
        return value or None
    if shape.type_name == "list":
        # An empty list is a name without a value.
        if form.get(prefix) == "":
            form.pop(prefix)
            return []
        flat = shape.serialization.get("flattened")
        prefix = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        value = []
        while (found := from_form(shape.member, form, f"{prefix}.{len(value) + 1}")) is not None:
            value.append(found)
        return value or None
    if prefix not in form:
        return None
    text = form.pop(prefix)
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[text]
    return text


def by_path(service, request):
    url = urlsplit(request["path"])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    for name in service.operation_names:
        operation = service.operation_model(name)
        template, _, wanted = operation.http["requestUri"].partition("?")
        wanted = dict(parse_qsl(wanted, keep_blank_values=True))
        pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", template)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern).rstrip("/")
        match = re.fullmatch(pattern + "/?", url.path)
        if operation.http["method"] != request["method"] or not match:
            continue
        if any(key not in query or value and query[key] != value for key, value in wanted.items()):
            continue
        params = {}
        for member, shape in (operation.input_shape.members if operation.input_shape else {}).items():
            wire = shape.serialization.get("name", member)
            if shape.serialization.get("location") == "uri" and wire in match.groupdict():
                params[member] = unquote(match[wire])
            elif shape.serialization.get("location") == "querystring" and wire in query:
                params[member] = int(query[wire]) if shape.type_name == "integer" else query[wire]
        if request["body"] and service.metadata["protocol"] == "rest-json":
            params.update(json.loads(request["body"]))
        return operation, params
    raise LookupError("no operation has this method and path")


main()
