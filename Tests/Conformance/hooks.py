"""What the OpenAPI document cannot say of requests that are to get beyond the first check of their values."""

import hashlib
import json
import os
import struct
import urllib.parse

import schemathesis
from schemathesis.core import NOT_SET
from schemathesis.generation.meta import CoverageScenario, coverage_scenario
from schemathesis.openapi.checks import RejectedPositiveData

# Besides those that jobs are led to by links.
OF_JOBS = {"getJob", "listItems", "listArtifacts", "downloadArtifact", "getManifest", "watchJob"}
EXAMPLES = os.environ["EXAMPLES"]
SMALL = {"source": EXAMPLES, "targets": [{"gguf": "Q8_0"}]}
PRESETS = ["Q8_0", "Q4_K_M", "Q4_0", "IQ4_XS", "Q4_K_M:dynamic", "bpw:5"]
SCHEMES = ["W4A16", "W8A8", "FP8_DYNAMIC", "NVFP4A16"]


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if operation == "submitJob":
        name_files(case)
    elif operation == "putBlob" and is_valid(case):
        name_blob(case)
    elif operation in ("complete", "fail", "release") and is_valid(case):
        name_lease(case)
    elif operation == "claim" and isinstance(case.body, dict) and is_wait(case.body.get("waitSeconds")):
        case.body["waitSeconds"] = min(case.body["waitSeconds"], 0.05)
    if operation in OF_JOBS and is_valid(case) and len(case.path_parameters["id"]) % 2:
        name_job(case, operation)
    if operation == "watchJob" and ((case.query or {}).keys() or "Last-Event-ID" in (case.headers or {})):
        # After a later event there may be nothing to read from a stream for long.
        # (A field of its own would bring those back that are missing on purpose.)
        if coverage_scenario(case) is not CoverageScenario.MISSING_PARAMETER:
            case.headers["Accept"] = "application/json"


def name_job(case, operation):
    """A job that is done, and one of its files."""
    case.path_parameters["id"] = os.environ["DONE"]
    if operation == "downloadArtifact":
        case.path_parameters["name"] = ["manifest.json", "tiny-llama-Q8_0.gguf"][len(case.headers or {}) % 2]


def is_valid(case):
    return case.meta is None or case.meta.generation.mode.is_positive


def is_wait(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 3600


def name_files(case):
    """Texts where paths and types belong become such as there are; what is no text stays wrong."""
    body = case.body
    if not isinstance(body, dict):
        return
    if is_valid(case) and len(json.dumps(body, default=str)) % 3 == 0:
        case.body = dict(SMALL)
        return
    recipe = body["recipe"] if isinstance(body.get("recipe"), dict) else body
    replace(recipe, "source", EXAMPLES)
    for key in ("calibration", "evaluation"):
        if isinstance(recipe.get(key), dict):
            replace(recipe[key], "text", EXAMPLES + "/calibration.txt")
    for target in recipe.get("targets", []) if isinstance(recipe.get("targets"), list) else []:
        if isinstance(target, dict):
            replace(target, "gguf", PRESETS[len(str(target)) % len(PRESETS)])
            replace(target, "compressed_tensors", SCHEMES[len(str(target)) % len(SCHEMES)])


def replace(values, key, value):
    if isinstance(values.get(key), str) and values[key]:
        values[key] = value


def name_blob(case):
    body = b"" if case.body is NOT_SET else case.body
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes):
        case.path_parameters["sha256"] = hashlib.sha256(body).hexdigest()


def name_lease(case):
    """The body names the lease of the path."""
    if isinstance(case.body, dict) and isinstance(case.body.get("lease"), dict):
        round_magnitudes(case.body.get("completion"))
        case.body["lease"]["id"] = urllib.parse.unquote(str(case.path_parameters["id"]))


def round_magnitudes(completion):
    """To numbers of single precision, which schemathesis knows nothing of: 1e-191 is none."""
    scan = completion.get("result", {}).get("scan") if isinstance(completion, dict) else None
    for key in ("weights", "groupMean", "input"):
        if scan and isinstance(scan.get(key), (int, float)):
            scan[key] = struct.unpack("f", struct.pack("f", scan[key]))[0]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Where no body that fits comes to its mind, schemathesis takes one that does not beside a path that fits."""
    components = case.meta.components.values() if case.meta else []
    return not isinstance(failure, RejectedPositiveData) or all(part.mode.is_positive for part in components)


OPEN = {"/healthz", "/readyz", "/openapi.yaml", "/"}


@schemathesis.check
def read_only(ctx, response, case):
    """A token for reading opens what needs none and what is read, and nothing else."""
    if response.request.headers.get("Authorization") != f"Bearer {os.environ.get('READER')}":
        return
    path, method = case.operation.path, response.request.method
    reads = path == "/metrics" or path.startswith("/v1/jobs") and method in ("GET", "HEAD")
    if path in OPEN or reads:
        assert response.status_code not in (401, 403), f"{response.status_code} for what a reader may do"
    else:
        assert response.status_code == 403, f"{response.status_code} for what a reader may not do"
