"""An S3 server for tests: moto's, on a free port of 127.0.0.1, with users, rights, signatures and checksums checked.

Prints one line of JSON: port, access_key, secret_key, role. Ends when standard input does, however the other side ended.
The buckets are quern-open, where the key may do anything, and quern-closed, where it may do nothing; but it may assume
the role, which may do anything there and nothing elsewhere.
"""

import json
import os
import re
import sys
import threading
import time

from botocore.credentials import Credentials
from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend, s3_backends
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
            answer = self.application(environ, start_response)
            if environ["REQUEST_METHOD"] == "GET" and "uploads" in environ["QUERY_STRING"]:
                return [re.sub(rb"<Upload>.*?</Upload>", dated, b"".join(answer), flags=re.DOTALL)]
            return answer


def dated(upload):
    """moto says of every upload that it was begun in 2010. Here those are old that have "yesterday" in their name."""
    if b"yesterday" in upload[0]:
        return upload[0]
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()).encode()
    return upload[0].replace(b"2010-11-10T20:48:33", now)


def of_an_upload(method):
    """moto fails with status 500 where the upload is over."""

    def checked(backend, bucket_name, multipart_id, *arguments, **more):
        if multipart_id not in backend.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return method(backend, bucket_name, multipart_id, *arguments, **more)

    return checked


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    threading.Thread(target=end_with_input, daemon=True).start()
    S3Backend.upload_part = of_an_upload(S3Backend.upload_part)
    S3Backend.complete_multipart_upload = of_an_upload(S3Backend.complete_multipart_upload)
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
