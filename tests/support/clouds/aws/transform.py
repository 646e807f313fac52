"""Applies the SAM transform, as CloudFormation does, with the translator that `sam` brings: template on stdin, JSON on stdout."""

import json
import sys

from boto3 import Session
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

template = yaml_parse(sys.stdin.read())
parameters = json.loads(sys.argv[2])
if "AWS::Serverless-2016-10-31" in str(template.get("Transform", "")):
    session = Session(region_name=sys.argv[1], aws_access_key_id="none", aws_secret_access_key="none")
    try:
        template = Translator({}, Parser(), boto_session=session).translate(template, parameters)
    except InvalidDocumentException as error:
        sys.exit(f"Transform AWS::Serverless-2016-10-31 failed with: {error.message} {[str(cause.message) for cause in error.causes]}")
json.dump(template, sys.stdout, default=str)
