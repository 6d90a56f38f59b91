#!/usr/bin/env python3
"""Runs `quern quantize` and llm-compressor's `model_free_ptq` on the same checkpoint folder, in turn, and tables what each
took, and whether they wrote the same tensors.

model_free_ptq rounds the token embedding, too, which loaders do not read in that form: it is told to leave it, as Quern
does. Both have to write the same bytes for the same name, or the exit status is 1.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import struct
import sys

import turns

PEER = (
    "import sys; from llmcompressor import model_free_ptq; model_free_ptq(model_stub=sys.argv[1], "
    "save_directory=sys.argv[2], scheme=sys.argv[3], ignore=['lm_head', 're:.*embed_tokens'], device='cpu', "
    "max_workers=int(sys.argv[4]))"
)


def digests(folder):
    """The type and sha256 of every tensor."""
    found = {}
    for path in glob.glob(os.path.join(folder, "*.safetensors")):
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            for name, tensor in header.items():
                start, end = tensor["data_offsets"]
                file.seek(8 + length + start)
                found[name] = (tensor["dtype"], hashlib.sha256(file.read(end - start)).hexdigest())
    return found


def measure(options, scheme, folder):
    mine, other = os.path.join(folder, "quern"), os.path.join(folder, "peer")

    def ours():
        shutil.rmtree(mine, ignore_errors=True)
        command = [options.quern, "quantize", options.source, "--to", scheme, "--output", mine, "--name", "m", "--quiet"]
        return turns.run(command + ["--workers", str(options.threads)])

    def theirs():
        shutil.rmtree(other, ignore_errors=True)
        environment = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(options.threads)}
        os.environ.update(environment)
        return turns.run([options.python, "-c", PEER, options.source, other, scheme, str(options.threads)])

    pairs = []
    for took, peer in turns.in_turn(options.runs, ours, theirs):
        pairs.append({"quern": took, "model_free_ptq": peer})
        print(f"{scheme} {peer['seconds'] / took['seconds']:.2f}", file=sys.stderr)
    found = turns.comparison(pairs, "model_free_ptq")
    found["same_tensors"] = digests(os.path.join(mine, f"m-{scheme}")) == digests(other)
    return found


def table(report):
    lines = [
        f"{report['source']['name']}, {report['source']['bytes'] / 1e6:.0f} MB; {turns.setting_text(report)}",
        "",
        "| scheme | quern | model_free_ptq | times as fast (range) | peak memory, quern | peak memory, model_free_ptq "
        "| same tensors |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for scheme, found in report["schemes"].items():
        lines.append(
            f"| {scheme} | {turns.cells(found, 'model_free_ptq')} | "
            f"{'yes' if found['same_tensors'] else 'NO'} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="a checkpoint folder with one model.safetensors")
    parser.add_argument("--python", required=True, help="a Python that has llmcompressor")
    parser.add_argument("--schemes", default="W4A16,W8A8,FP8_DYNAMIC,MXFP4A16", help="separated by commas")
    parser.add_argument("--scratch", help="folder for what the programs write; default: beside the source")
    turns.add_options(parser, 3, "program and scheme", "schemes")
    options = turns.parse(parser)
    report = {
        "source": turns.file_facts(os.path.join(options.source, "model.safetensors")),
        **turns.setting(options),
        "schemes": {},
    }
    with turns.scratch_folder(options) as folder:
        for scheme in options.schemes.split(","):
            report["schemes"][scheme] = measure(options, scheme, folder)
    turns.publish(report, table(report), options.output, "schemes")
    return 0 if all(found["same_tensors"] for found in report["schemes"].values()) else 1


if __name__ == "__main__":
    turns.run_main(main, "compare_schemes")
