"""What gives out AWS credentials, for tests, on 127.0.0.1: the token service, a container's agent, a machine's metadata.

    credential_server.py LOG

Answers are as AWS documents them. Prints one line of JSON: port. Ends when standard input does. The file LOG gets a line
of JSON for every request. Keys are ASIA1, ASIA2 and so on, good for an hour.

POST /  The last part of the role's ARN says how the token service behaves:
    open      gives credentials to whoever shows the token "pod", or signs
    denied    AccessDenied           expired   ExpiredTokenException
    busy      status 503             broken    an answer without credentials
GET /container/NAME
    open      gives credentials      token     only with "Authorization: right"
    refused   status 403             timeless  the end of the credentials is no time
PUT and GET /NAME/latest/...  the metadata service, version 2
    open      has a role             none      has no role
    first     knows version 1 only   failing   says that it could not get credentials
    silent    answers after ten seconds
"""

import itertools
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

LOG = open(sys.argv[1], "a")
TOKEN = "a-token-of-version-2=="
serial = itertools.count(1)
lock = threading.Lock()

ANSWER = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <{0}Result>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/open/quern</Arn></AssumedRoleUser>
    {1}
  </{0}Result>
  <ResponseMetadata><RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId></ResponseMetadata>
</{0}Response>
"""
ERROR = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>{0}</Code><Message>Said so</Message></Error>
  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
</ErrorResponse>
"""


def credentials():
    number = next(serial)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return {"AccessKeyId": f"ASIA{number}", "SecretAccessKey": f"secret/{number}", "Token": f"token{number}==",
            "Expiration": end}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *arguments):
        pass

    def answer(self, status, text):
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def note(self, fields=None):
        with lock:
            names = {name.lower(): value for name, value in self.headers.items()}
            LOG.write(json.dumps({"method": self.command, "path": self.path, "headers": names,
                                  "fields": fields or {}}) + "\n")
            LOG.flush()

    def do_POST(self):
        fields = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.note(fields)
        kind = fields["RoleArn"].split("/")[-1]
        proven = fields.get("WebIdentityToken") == "pod" or "Authorization" in self.headers
        if kind == "busy":
            return self.answer(503, "busy")
        if kind == "expired":
            return self.answer(400, ERROR.format("ExpiredTokenException"))
        if kind == "denied" or not proven:
            return self.answer(403, ERROR.format("AccessDenied"))
        if kind == "broken":
            return self.answer(200, ANSWER.format(fields["Action"], ""))
        given = credentials()
        given["SessionToken"] = given.pop("Token")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in given.items())
        self.answer(200, ANSWER.format(fields["Action"], f"<Credentials>{inner}</Credentials>"))

    def do_PUT(self):
        self.note()
        kind = self.path.split("/")[1]
        if kind == "silent":
            time.sleep(10)
        if kind == "first" or not self.path.endswith("/latest/api/token"):
            return self.answer(403, "Forbidden")
        if not 1 <= int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600:
            return self.answer(400, "Bad Request")
        self.answer(200, TOKEN)

    def do_GET(self):
        self.note()
        parts = self.path.split("/")
        if parts[1] == "container":
            return self.container(parts[2])
        folder = f"/{parts[1]}/latest/meta-data/iam/security-credentials/"
        if self.headers["X-aws-ec2-metadata-token"] != TOKEN:
            return self.answer(401, "Unauthorized")
        if parts[1] == "none" or not self.path.startswith(folder):
            return self.answer(404, "Not Found")
        if self.path == folder:
            return self.answer(200, "quern-role")
        if parts[1] == "failing":
            return self.answer(200, json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": "Said so"}))
        self.answer(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **credentials()}))

    def container(self, kind):
        if kind == "refused" or kind == "token" and self.headers["Authorization"] != "right":
            return self.answer(403, json.dumps({"code": "AccessDenied", "message": "Said so"}))
        given = credentials()
        if kind == "timeless":
            given["Expiration"] = "soon"
        self.answer(200, json.dumps({"RoleArn": "arn:aws:iam::123456789012:role/task", **given}))


def end_with_input():
    sys.stdin.buffer.read()
    LOG.flush()
    os._exit(0)


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Whoever asked has gone away, as some do from the silent service: not worth a word."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


threading.Thread(target=end_with_input, daemon=True).start()
server = Server(("127.0.0.1", 0), Handler)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
