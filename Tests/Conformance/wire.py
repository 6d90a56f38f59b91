"""wire.py PORT [TOKEN]: requests that no HTTP client would send, byte by byte, to the coordinator on 127.0.0.1.

Each has to be answered within seconds, with the status that stands beside it and, where that is an error, with a
problem document; and the coordinator has to be there afterwards. Prints what is otherwise; exit status 1 then.
"""

import hashlib
import json
import pathlib
import socket
import sys

PORT = int(sys.argv[1])
TOKEN = f"Authorization: Bearer {sys.argv[2]}\r\n".encode() if len(sys.argv) > 2 else b""
SESSION = b'{"node":"n","slots":1,"memory":1,"stages":["encode"]}'
RECIPE = b'{"source":"/none","targets":[{"gguf":"Q8_0"}]}'


def head(method, path, fields=b"", version=b"HTTP/1.1"):
    path = path.encode() if isinstance(path, str) else path
    return method + b" " + path + b" " + version + b"\r\nHost: h\r\n" + TOKEN + fields + b"\r\n"


def post(path, body, kind=b"application/json", fields=b""):
    length = b"Content-Length: %d\r\n" % len(body)
    return head(b"POST", path, b"Content-Type: " + kind + b"\r\n" + length + fields) + body


def open_body(fields, body):
    return head(b"POST", "/v1/sessions", b"Content-Type: application/json\r\n" + fields) + body


def yaml(body):
    return post("/v1/jobs", body, b"application/yaml")


def lease(fence="1", ordinal="0", job="j"):
    return b'{"item":{"job":"%s","ordinal":%s},"id":"L","fence":%s}' % (job.encode(), ordinal.encode(), fence.encode())


def framing():
    chunked = b"Transfer-Encoding: chunked\r\n"
    yield 400, "a chunk size that is none", open_body(chunked, b"zz\r\nabc")
    yield 400, "a chunk size beyond 64 bits", open_body(chunked, b"F" * 17 + b"\r\nabc")
    yield 400, "a chunk size of 2^63", open_body(chunked, b"7FFFFFFFFFFFFFFF\r\nabc")
    yield 400, "a chunk without its end", open_body(chunked, b"2\r\n{}XX0\r\n\r\n")
    yield 201, "trailers", open_body(chunked, b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(SESSION), SESSION))
    yield 400, "a coding that is not known", open_body(b"Transfer-Encoding: gzip\r\n", b"abc")
    yield 400, "chunks and a length", open_body(chunked + b"Content-Length: 3\r\n", b"0\r\n\r\n")
    yield 400, "two lengths", open_body(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd")
    for length in (b"-1", b"+5", b"abc", b"", b"0x10", b"3, 3", b"9" * 20):
        yield 400, f"the length {length.decode()!r}", open_body(b"Content-Length: " + length + b"\r\n", b"abc")
    yield 413, "the largest length", open_body(b"Content-Length: 9223372036854775807\r\n", b"abc")
    yield 400, "less than the length", open_body(b"Content-Length: 100\r\n", b"abc")
    yield 400, "more than the length", open_body(b"Content-Length: 2\r\n", b"{}garbage\r\n\r\n")
    yield 400, "a large header", head(b"GET", "/healthz", b"X: " + b"a" * 40_000 + b"\r\n")
    yield 400, "many headers", head(b"GET", "/healthz", b"".join(b"X%d: a\r\n" % i for i in range(200)))
    yield 400, "a long path", head(b"GET", "/" + "a" * 100_000)
    for name, field in (("NUL", b"X: a\0b"), ("a space", b"X y: a"), ("a fold", b"X: a\r\n b")):
        yield 400, f"{name} in a header", head(b"GET", "/healthz", field + b"\r\n")
    yield 200, "a header in no encoding", head(b"GET", "/healthz", b"X: \xff\xfe\r\n")
    yield 400, "HTTP/9.9", head(b"GET", "/healthz", version=b"HTTP/9.9")
    yield 400, "HTTP/2 as it is", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield 400, "TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(50)
    yield 400, "a method that is none", head(b"BREW", "/healthz")
    for method in (b"TRACE", b"QUERY", b"PROPFIND", b"OPTIONS"):
        yield 405, method.decode(), head(method, "/healthz")
    yield 404, "OPTIONS *", head(b"OPTIONS", "*")


def paths():
    for name, path in (("NUL", b"\0"), ("a control", b"\1"), ("no UTF-8", b"\xff\xfe"), ("a space", b"a b")):
        yield 400, f"{name} in a path", head(b"GET", b"/v1/jobs/" + path)
    for path in ("%FF", "%", "%zz", "%C0%AF", "%ED%A0%80", "a" * 256):
        for place in ("/v1/jobs/%s", "/v1/jobs/%s/items", "/v1/blobs/%s"):
            yield 400, f"GET {place % path[:12]}", head(b"GET", place % path)
    for path in ("%00", "a%00b", "a%2Fb", "..%2F..%2Fetc", "%2E%2E", "%F0%9F%98%80", ";", "+"):
        yield 404, f"job {path}", head(b"GET", f"/v1/jobs/{path}/events")
        yield 404, f"file {path}", head(b"GET", f"/v1/jobs/x/artifacts/{path}")
        yield 400, f"blob {path}", head(b"GET", f"/v1/blobs/{path}")
    for query in ("limit=%FF", "limit=9223372036854775808", "limit=", "limit=%00", "limit=1e1", "limit=5.0", "limit=-0"):
        yield 400, query, head(b"GET", "/v1/jobs?" + query)
    for query in ("&&&", "=", "limit=1&limit=2", "unknown=1"):
        yield 200, query, head(b"GET", "/v1/jobs?" + query)
    for after in ("-9223372036854775808", "9223372036854775807"):
        yield 404, f"after={after}", head(b"GET", f"/v1/jobs/x/events?after={after}")


def bodies():
    def with_node(node):
        return SESSION.replace(b'"n"', node)

    for name, body in {
        "nothing": b"", "a byte order mark": b"\xef\xbb\xbf" + SESSION, "UTF-16": SESSION.decode().encode("utf-16"),
        "UTF-32": SESSION.decode().encode("utf-32"), "no UTF-8": with_node(b'"\xff"'), "overlong": with_node(b'"\xc0\xaf"'),
        "a surrogate in UTF-8": with_node(b'"\xed\xa0\x80"'), "a bare NUL": with_node(b'"\0"'),
        "half a pair": with_node(rb'"\ud800"'), "the other half": with_node(rb'"\udc00x"'),
        "2^63": SESSION.replace(b'1', b"9223372036854775808", 1), "1e400": SESSION.replace(b"1", b"1e400", 1),
        "1e999999999": SESSION.replace(b"1", b"1e999999999", 1), "NaN": SESSION.replace(b"1", b"NaN", 1),
        "a thousand digits": SESSION.replace(b"1", b"9" * 1000, 1), "1.5": SESSION.replace(b"1", b"1.5", 1),
        "a key twice": b'{"node":"m",' + SESSION[1:], "a comma too many": SESSION[:-1] + b",}", "two values": SESSION * 2,
        "a comment": b"/**/" + SESSION, "NUL": with_node(rb'"a\u0000"'), "null": b"null", "a number": b"1", "a name too long": with_node(b'"%s"' % (b"n" * 256)),
        "arrays": b"[" * 60_000, "objects": b'{"a":' * 10_000, "deep": SESSION[:-1] + b',"x":' + b"[" * 99 + b"]" * 99 + b"}",
    }.items():
        yield 400, f"session: {name}", post("/v1/sessions", body)
    yield 413, "session: too large", post("/v1/sessions", b" " * 70_000)
    yield 201, "session: 255 characters", post("/v1/sessions", with_node(('"' + "é" * 255 + '"').encode()))
    for name, body in {
        "arrays": b"[" * 8_000_000, "closed arrays": b'{"recipe":' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}",
        "NUL in a path": rb'{"source":"/a\u0000b","targets":[{"gguf":"Q8_0"}]}', "no path": RECIPE.replace(b"/none", b"none"),
        "a key that is not known": b'{"recipe":' + RECIPE + b',"priorty":1}',
        "2^63": b'{"recipe":' + RECIPE + b',"priority":9223372036854775808}',
        "NUL in a key": b'{"recipe":' + RECIPE + rb',"idempotencyKey":"a\u0000b"}',
    }.items():
        yield 400, f"job: {name}", post("/v1/jobs", body)
    yield 403, "job: a key in no encoding", post("/v1/jobs", RECIPE, fields=b"Idempotency-Key: \xff\xfe\r\n")
    yield 501, "job: another place", post("/v1/jobs", RECIPE.replace(b"/none", b"http://127.0.0.1/"))


def recipes():
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    for name, body in {
        "arrays": b"[" * 1_000_000, "maps": b"{a: " * 250_000, "lists": b"- " * 500_000 + b"a", "questions": b"? " * 300_000,
        "many keys": "".join(f"k{i}: 1\n" for i in range(60_000)).encode(), "aliases": bomb.encode(),
        "aliases as keys": (bomb + "? *a11\n: 1\n? *a10\n: 2\n").encode(), "a loop": b"source: &a [*a]\n",
        "sixties": b"source: /a\ntargets: [{gguf: Q8_0}]\nprune_layers: [153722867280912930:59]\n", "NUL": b"source: a\0b",
        "escaped NUL": b'source: "/a\\0b"\ntargets: [{gguf: Q8_0}]', "UTF-16": "source: /a\ntargets: []\n".encode("utf-16"),
        "two documents": b"source: /a\n---\nsource: /b\n", "a key twice": b"source: /a\nsource: /b\ntargets: []\n",
        "a tag": b"!!python/object:os.system source\n", "all bytes": bytes(range(256)), "nothing": b"",
    }.items():
        yield 400, f"YAML: {name}", yaml(body)


def plans():
    source = str(pathlib.Path(__file__).resolve().parents[2] / "Examples" / "tiny-llama")
    text, far = {"text": source + "/calibration.txt"}, 2**63 - 1

    def plan(target="Q8_0", **fields):
        return post("/v1/jobs", json.dumps({"source": source, "targets": [{"gguf": target}], **fields}).encode())

    for priority in (-far - 1, far):
        recipe = {"source": source, "targets": [{"gguf": "Q8_0"}]}
        body = {"recipe": recipe, "priority": priority, "idempotencyKey": f"class {priority}"}
        yield 201, f"plan: class {priority}", post("/v1/jobs", json.dumps(body).encode())
    yield 400, "plan: many targets", plan(targets=[{"gguf": f"bpw:{4 + number / 1e6}"} for number in range(100_000)])
    yield 400, "plan: many overrides", plan(override_kv=[f"k{number}=int:1" for number in range(200_000)])
    yield 400, "plan: many weights", plan(include_weights=[f"w{number}" for number in range(200_000)])
    yield 400, "plan: many blocks", plan(prune_layers=list(range(1_000_000)))
    for chunks in (-far - 1, 0, far):
        yield 400, f"plan: {chunks} chunks", plan(calibration=text, measurement={"chunks": chunks, "layers": far})
        if chunks < 1:
            yield 400, f"plan: {chunks} chunks of text", plan(calibration={**text, "chunks": chunks})
    for name in ("a\0b", "..", "../x", "", "n" * 300):
        yield 400, f"plan: name {name[:5]!r}", plan(name=name)
    for block in (-1, far):
        yield 400, f"plan: block {block}", plan(prune_layers=[block])
    yield 400, "plan: a pattern that is none", plan(targets=[{"gguf": "Q8_0", "tensors": {"(" * 50_000: "Q4_0"}}])
    yield 400, "plan: negative limits", plan(split={"max_tensors": -1})
    yield 422, "plan: no text", plan(calibration={"text": source})
    yield 422, "plan: no importance matrix", plan(imatrix=source + "/config.json")


def leases():
    low, high = "-9223372036854775808", "9223372036854775807"
    for name, one in {"low": lease(low), "high": lease(high), "far": lease("1", high), "NUL": lease(job="\\u0000")}.items():
        yield 409, f"release: {name}", post("/v1/leases/L/release", b'{"lease":' + one + b"}")
        part = b'{"result":{"digest":{"sha256":"%s","size":1}},"cache":[]}' % (b"0" * 64)
        yield 409, f"complete: {name}", post("/v1/leases/L/complete", b'{"lease":' + one + b',"completion":' + part + b"}")
        yield 404, f"heartbeat: {name}", post("/v1/sessions/x/heartbeat", b'{"leases":[{"lease":' + one + b',"fraction":0}]}')
    yield 400, "release: 2^63", post("/v1/leases/L/release", b'{"lease":' + lease("9223372036854775808") + b"}")
    for field in (b'"limit":0,"waitSeconds":0', b'"limit":1,"waitSeconds":1e308', b'"limit":1,"waitSeconds":-1'):
        yield 400, f"claim: {field.decode()}", post("/v1/claims", b'{"session":"x",' + field + b"}")
    yield 404, "claim: NUL", post("/v1/claims", rb'{"session":"\u0000","limit":9223372036854775807,"waitSeconds":1e-320}')
    keys = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(60_000)]
    yield 200, "look-up: 60000 keys", post("/v1/cache/lookup", json.dumps({"keys": keys}).encode())
    yield 400, "look-up: capitals", post("/v1/cache/lookup", b'{"keys":["%s"]}' % (b"A" * 64))


def ask(request):
    """The status and what is wrong with the answer, if anything."""
    answer = b""
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                answer += piece
        except TimeoutError:
            return 0, "no answer within 20 seconds"
        except ConnectionError as error:
            # What is refused unread is cut off, as soon as its answer is sent.
            if not answer:
                return 0, str(error)
    start, _, rest = answer.partition(b"\r\n\r\n")
    lines = start.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if status >= 400:
        try:
            problem = json.loads(rest[: int(fields["content-length"])])
            if fields["content-type"] != "application/problem+json" or problem["status"] != status:
                return status, f"no problem document: {answer[:300]}"
        except (KeyError, ValueError) as error:
            return status, f"no problem document ({error!r}): {answer[:300]}"
    return status, None


count = failures = 0
for group in (framing, paths, bodies, recipes, plans, leases):
    for expected, name, request in group():
        status, wrong = ask(request)
        count += 1
        if wrong or status != expected:
            failures += 1
            print(f"{name}: {status}, expected {expected}; {wrong or ''}")
        status, _ = ask(head(b"GET", "/healthz"))
        if status != 200:
            print(f"{name}: the coordinator does not answer any more")
            sys.exit(1)
print(f"wire: {count} requests, {failures} answered otherwise than expected")
sys.exit(failures > 0)
