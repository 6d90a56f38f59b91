"""What moto leaves out of S3: requests that are signed by their address, and checksums of bodies.

moto looks at headers alone. Here botocore signs what it would sign, and the request goes on to moto signed in headers,
so that moto decides what the key may do. Bodies are held against x-amz-checksum-sha256, as S3 holds them.
"""

import base64
import datetime
import hashlib
import hmac
import io
import urllib.parse

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

FORMAT = "%Y%m%dT%H%M%SZ"


class Refusal(Exception):
    def __init__(self, status, code, message):
        self.status = status
        self.body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


class PresignedRequests:
    def __init__(self, application, credentials, region):
        self.application = application
        self.credentials = credentials
        self.region = region

    def __call__(self, environ, start_response):
        try:
            if "X-Amz-Signature=" in environ["QUERY_STRING"]:
                self.check_address(environ)
                self.sign_headers(environ)
            if "HTTP_X_AMZ_CHECKSUM_SHA256" in environ:
                check_body(environ)
        except Refusal as refusal:
            read_body(environ)
            start_response(refusal.status, [("Content-Length", str(len(refusal.body)))])
            return [refusal.body]
        return self.application(environ, start_response)

    def signature(self, kind, environ, query, names, time):
        """What botocore makes of a request with these headers, some of which it may lack."""
        path = environ["REQUEST_URI"].split("?")[0] + (f"?{query}" if query else "")
        headers = {name: header(environ, name) for name in names}
        if None in headers.values():
            return None
        request = AWSRequest(method=environ["REQUEST_METHOD"], url=path, headers=headers)
        request.context["timestamp"] = time
        signer = kind(self.credentials, "s3", self.region)
        return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)

    def check_address(self, environ):
        fields = urllib.parse.parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
        given = dict(fields)
        denied = "403 Forbidden", "AccessDenied"
        begin = datetime.datetime.strptime(given["X-Amz-Date"], FORMAT)
        end = begin + datetime.timedelta(seconds=int(given["X-Amz-Expires"]))
        if datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) > end:
            raise Refusal(*denied, "Request has expired")
        if "HTTP_AUTHORIZATION" in environ:
            raise Refusal("400 Bad Request", "InvalidArgument", "Only one auth mechanism allowed")
        names = given["X-Amz-SignedHeaders"].split(";")
        sent = (key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_X_AMZ_"))
        if any(name not in names for name in sent):
            raise Refusal(*denied, "There were headers present in the request which were not signed")
        query = "&".join(part for part in environ["QUERY_STRING"].split("&") if not part.startswith("X-Amz-Signature="))
        expected = self.signature(S3SigV4QueryAuth, environ, query, names, given["X-Amz-Date"])
        if expected is None or not hmac.compare_digest(expected, given["X-Amz-Signature"]):
            raise Refusal("403 Forbidden", "SignatureDoesNotMatch", "The signature does not match")

    def sign_headers(self, environ):
        rest = "&".join(part for part in environ["QUERY_STRING"].split("&") if not part.startswith("X-Amz-"))
        environ["QUERY_STRING"] = rest
        uri = environ["REQUEST_URI"].split("?")[0] + (f"?{rest}" if rest else "")
        environ["REQUEST_URI"] = environ["RAW_URI"] = uri
        time = datetime.datetime.now(datetime.timezone.utc).strftime(FORMAT)
        environ["HTTP_X_AMZ_DATE"] = time
        environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
        names = ["host", "x-amz-content-sha256", "x-amz-date"]
        signature = self.signature(S3SigV4Auth, environ, rest, names, time)
        scope = f"{self.credentials.access_key}/{time[:8]}/{self.region}/s3/aws4_request"
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={';'.join(names)},Signature={signature}"
        )


def header(environ, name):
    key = name.upper().replace("-", "_")
    return environ.get(key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}")


def read_body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def check_body(environ):
    body = read_body(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    if base64.b64encode(hashlib.sha256(body).digest()).decode() != environ["HTTP_X_AMZ_CHECKSUM_SHA256"]:
        raise Refusal("400 Bad Request", "BadDigest", "The SHA256 you specified did not match")
