"""A Hugging Face Hub for tests: the part of its HTTP interface that reading models takes, on 127.0.0.1.

    hub_server.py ROOT LOG

serves ROOT/NAME as the model ORGANIZATION/NAME, whatever the organization: that says how the server behaves. Large
files are sent from another port, the "storage", which must never see a token. Prints one line of JSON: port, storage.
Ends when standard input does. The file LOG gets a line of JSON for every request.

open        everybody may read                  short     the storage sends half of what it promises
private     only with the token hf_right        shifted   the storage answers ranges with others
gated       not even with it                    whole     the storage ignores ranges
forbidden   status 403                          grown     files have one byte more than they were listed with
flaky       each kind of trouble now and then   changed   large files have another ETag than they were listed with
busy        status 503, always                  circle    redirects to itself
moving      main is another commit every time   astray    sends to the metadata service of a cloud machine
expiring    addresses of the storage are good for one request
closed      status 429 for an hour, always
limited     one 429 with RateLimit, one with Retry-After, then all is well
crowd       the storage answers nobody until three have asked at once, or ten seconds have gone
"""

import hashlib
import itertools
import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = sys.argv[1]
LOG = open(sys.argv[2], "a")
TOKEN = "Bearer hf_right"
COMMITS = {"main": "a" * 40, "v1": "b" * 40, "refs/pr/1": "c" * 40}
LARGE = 1 << 20

lock = threading.Lock()
counts = {}
moves = itertools.count()
moved = set()
used = set()
crowd = threading.Barrier(3)


def count(key):
    """How often this was asked before."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key] - 1


def digest(path, kind="sha256"):
    content = open(path, "rb").read()
    if kind == "git":
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


def is_large(path):
    return os.path.getsize(path) >= LARGE or path.endswith((".safetensors", ".gguf"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def record(self, place):
        entry = {
            "place": place,
            "method": self.command,
            "path": self.path,
            "authorized": "authorization" in self.headers,
            "range": self.headers.get("range"),
        }
        with lock:
            print(json.dumps(entry), file=LOG, flush=True)

    def answer(self, status, body=b"", headers=(), promised=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if promised not in (None, len(body)):
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()

    def refuse(self, status, code=None, message="", headers=()):
        named = [("X-Error-Code", code)] if code else []
        self.answer(status, b"no", named + [("X-Error-Message", message)] + list(headers))

    def content(self, path, range_header, total=None, shift=0, cut=False):
        size = os.path.getsize(path)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", range_header or "")
        with open(path, "rb") as file:
            if not match:
                return self.answer(200, file.read())
            first, last = int(match[1]) + shift, min(int(match[2]) + shift, size - 1)
            if first >= size:
                return self.refuse(416)
            file.seek(first)
            body = file.read(last - first + 1)
        promised = len(body)
        if cut:
            body = body[: len(body) // 2]
        self.answer(206, body, [("Content-Range", f"bytes {first}-{last}/{total or size}")], promised)


class Hub(Handler):
    def do_GET(self):
        url = urlsplit(self.path)
        self.record("hub")
        api = re.fullmatch(r"/api/models/([^/]+)/([^/]+)/(revision|tree)/([^/]+)(?:/(.*))?", url.path)
        cached = re.fullmatch(r"/api/resolve-cache/models/([^/]+)/([^/]+)/([^/]+)/(.+)", url.path)
        file = cached or re.fullmatch(r"/([^/]+)/([^/]+)/resolve/([^/]+)/(.+)", url.path)
        if not api and not file:
            return self.refuse(404)
        organization, name = (api or file).group(1, 2)
        folder = os.path.join(ROOT, name)
        if not self.admit(organization, name, os.path.isdir(folder)):
            return
        if api:
            kind, revision, path = api.group(3, 4, 5)
            commit = self.commit(organization, unquote(revision))
            if not commit:
                return self.refuse(404, "RevisionNotFound", "Invalid rev id")
            if kind == "revision":
                return self.answer(200, json.dumps({"id": f"{organization}/{name}", "sha": commit}).encode())
            return self.tree(organization, folder, unquote(path or ""), url)
        revision, path = unquote(file.group(3)), unquote(file.group(4))
        if not self.commit(organization, revision):
            return self.refuse(404, "RevisionNotFound", "Invalid rev id")
        self.resolve(organization, folder, revision, path, bool(cached))

    def commit(self, organization, revision):
        if organization == "moving" and revision == "main":
            commit = f"{next(moves) + 1:040x}"
            moved.add(commit)
            return commit
        if revision in moved:
            return revision
        return COMMITS.get(revision) or (revision if revision in COMMITS.values() else None)

    def admit(self, organization, name, exists):
        token = self.headers.get("authorization")
        if token not in (None, TOKEN):
            self.refuse(401, None, "Invalid credentials in Authorization header")
        elif organization == "private" and not token:
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif organization == "gated":
            self.refuse(403 if token else 401, "GatedRepo", "Access to this model is restricted")
        elif organization == "forbidden":
            self.refuse(403, None, "Forbidden")
        elif organization == "busy":
            self.refuse(503)
        elif organization == "closed":
            self.refuse(429, None, "too many requests", [("RateLimit", '"api";r=0;t=3600')])
        elif not exists:
            self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif organization == "flaky" and count("hub") % 5 == 1:
            trouble = count("hub trouble") % 3
            if trouble == 0:
                self.refuse(429, None, "too many", [("Retry-After", "0")])
            elif trouble == 1:
                self.refuse(500)
            else:
                self.answer(200, b"[", promised=100)
        elif organization == "limited" and (number := count("limited")) < 2:
            self.refuse(429, None, "", [("RateLimit", '"api";r=0;t=1')] if number == 0 else [("Retry-After", "1")])
        else:
            return True
        return False

    def tree(self, organization, folder, path, url):
        here = os.path.join(folder, path)
        if not os.path.isdir(here):
            return self.refuse(404, "EntryNotFound", "not found")
        names = sorted(os.listdir(here))
        start = int(parse_qs(url.query).get("cursor", ["0"])[0])
        entries = []
        for name in names[start : start + 5]:
            file = os.path.join(here, name)
            entry = {"path": os.path.join(path, name), "type": "directory", "oid": "0" * 40, "size": 0}
            if os.path.isfile(file):
                size = os.path.getsize(file)
                entry |= {"type": "file", "oid": digest(file, "git"), "size": size}
                if is_large(file):
                    entry["lfs"] = {"oid": digest(file), "size": size, "pointerSize": 134}
            entries.append(entry)
        more = start + 5 < len(names)
        link = f'<http://{self.headers["host"]}{url.path}?cursor={start + 5}>; rel="next"'
        self.answer(200, json.dumps(entries).encode(), [("Link", link)] if more else [])

    def resolve(self, organization, folder, revision, path, is_cached):
        file = os.path.join(folder, path)
        if not os.path.isfile(file):
            return self.refuse(404, "EntryNotFound", "Entry not found")
        name = os.path.basename(folder)
        if not is_large(file):
            # As the hub does it, with an address of its own.
            if not is_cached:
                place = f"/api/resolve-cache/models/{organization}/{name}/{revision}/{path}"
                return self.answer(307, b"", [("Location", place)])
            return self.content(file, self.headers.get("range"))
        tag = digest(file) if organization != "changed" else "0" * 64
        location = f"http://127.0.0.1:{storage.server_port}/{organization}/{name}/{path}?sig={count('signature')}"
        if organization == "circle":
            location = self.path
        if organization == "astray":
            location = "http://169.254.169.254/latest/meta-data"
        headers = [
            ("Location", location),
            ("X-Linked-Size", str(os.path.getsize(file))),
            ("X-Linked-ETag", f'"{tag}"'),
            ("X-Repo-Commit", revision),
        ]
        self.answer(302, b"", headers)


class Storage(Handler):
    def do_GET(self):
        self.record("storage")
        url = urlsplit(self.path)
        organization, path = unquote(url.path).lstrip("/").split("/", 1)
        file = os.path.join(ROOT, path)
        if "authorization" in self.headers:
            return self.refuse(400, None, "a token came along")
        signature = parse_qs(url.query)["sig"][0]
        if organization == "expiring" and (signature in used or used.add(signature)):
            return self.refuse(403)
        wanted = self.headers.get("range")
        if organization == "crowd" and count("crowd") < 3:
            try:
                crowd.wait(10)
            except threading.BrokenBarrierError:
                return self.refuse(500)
        trouble = count("storage") % 6 if organization == "flaky" else None
        if trouble == 1:
            return self.content(file, wanted, cut=True)
        if trouble == 2:
            return self.content(file, wanted, shift=1) if count("storage 2") % 2 else self.refuse(503)
        if organization == "whole":
            return self.content(file, None)
        self.content(
            file,
            wanted,
            total=os.path.getsize(file) + 1 if organization == "grown" else None,
            shift=1 if organization == "shifted" else 0,
            cut=organization == "short",
        )


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        """A client that hangs up is none of our errors."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
hub = Server(("127.0.0.1", 0), Hub)
storage = Server(("127.0.0.1", 0), Storage)
threading.Thread(target=storage.serve_forever, daemon=True).start()
print(json.dumps({"port": hub.server_port, "storage": storage.server_port}), flush=True)
hub.serve_forever()
