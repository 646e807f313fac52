"""Applies the SAM transform, as CloudFormation does, with the translator that `sam` brings: for each line of stdin, a
request, a line of stdout, the template or why there is none. To start takes longer than all the rest, so one process
answers many."""

import json
import sys

from boto3 import Session
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

TRANSFORM = "AWS::Serverless-2016-10-31"


def transformed(text, region, parameters):
    template = yaml_parse(text)
    if TRANSFORM not in str(template.get("Transform", "")):
        return {"template": template}
    session = Session(region_name=region, aws_access_key_id="none", aws_secret_access_key="none")
    try:
        return {"template": Translator({}, Parser(), boto_session=session).translate(template, parameters)}
    except InvalidDocumentException as error:
        return {"error": f"Transform {TRANSFORM} failed with: {error.message} {[str(cause.message) for cause in error.causes]}"}


for line in sys.stdin:
    try:
        answer = transformed(**json.loads(line))
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer, default=str), flush=True)
