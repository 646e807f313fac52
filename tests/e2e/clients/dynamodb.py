"""DynamoDB as moto has it: `python dynamodb.py PORT`. One request at a time: moto checks a condition and then
writes, with no lock between the two."""

import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
