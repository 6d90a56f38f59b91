"""The OpenAPI document as schemathesis is to take it: every status has to be listed.

`default` stands for what proxies answer and what nobody has foreseen; as long as it is there, any status conforms.
With --closed, for a coordinator that has tokens, going without one is no choice any more.
"""

import json
import pathlib
import sys

import yaml

METHODS = {"get", "head", "post", "put", "delete"}

path = pathlib.Path(__file__).resolve().parents[2] / "Schemas" / "openapi.yaml"
# A round trip through JSON: YAML's aliases would be the same object in several places.
document = json.loads(json.dumps(yaml.safe_load(path.read_text())))
for operations in document["paths"].values():
    for method in METHODS & operations.keys():
        operations[method]["responses"].pop("default")


def bound(part):
    """Whole numbers have 64 bits, as the description says of all of them."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            part.setdefault("format", "int64")
        part = part.values()
    for inner in part if not isinstance(part, str) and hasattr(part, "__iter__") else ():
        bound(inner)


bound(document)
if "--closed" in sys.argv[1:]:
    document["security"].remove({})
json.dump(document, sys.stdout, indent=1)
