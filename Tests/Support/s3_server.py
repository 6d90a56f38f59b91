"""An S3 server for tests: moto's, on a free port of 127.0.0.1, with users, rights, signatures and checksums checked.

Prints one line of JSON: port, access_key, secret_key, role. Ends when standard input does, however the other side ended.
The buckets are quern-open, where the key may do anything, and quern-closed, where it may do nothing; but it may assume
the role, which may do anything there and nothing elsewhere.
"""

import json
import os
import sys
import threading

from botocore.credentials import Credentials
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from s3_presigned import PresignedRequests
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "us-east-1"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::quern-open", "arn:aws:s3:::quern-open/*", "arn:aws:s3:::quern-missing*"],
        },
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
    ],
}
ROLE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::quern-closed", "arn:aws:s3:::quern-closed/*"],
        }
    ],
}


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *arguments):
        pass


class OneAtATime:
    """moto is not made for two requests at once that write the same object."""

    def __init__(self, application):
        self.application = application
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            return self.application(environ, start_response)


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    threading.Thread(target=end_with_input, daemon=True).start()
    s3 = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for name in ["quern-open", "quern-closed"]:
        s3.create_bucket(name, REGION)
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    user = iam.create_user(REGION, "tests")
    iam.put_user_policy("tests", "blobs", json.dumps(POLICY))
    key = iam.create_access_key("tests")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role("closed", json.dumps(trust), "/", None, "", [], "3600")
    iam.put_role_policy("closed", "blobs", json.dumps(ROLE_POLICY))
    # From now on every request must be signed by a user who may do what it asks for.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    credentials = Credentials(key.access_key_id, key.secret_access_key)
    application = PresignedRequests(application, credentials, REGION)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    ready = {
        "port": server.port,
        "access_key": key.access_key_id,
        "secret_key": key.secret_access_key,
        "role": role.arn,
    }
    print(json.dumps(ready), flush=True)
    server.serve_forever()


main()
