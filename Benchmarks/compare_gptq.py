#!/usr/bin/env python3
"""Runs `quern quantize` and llm-compressor's `oneshot` on the same checkpoint folder with the same text, in turn, and tables
what each took and how far the models they made are from the source, by `quern eval` on another text.

Both get all whole chunks of the text as tokens, of which the first is the one that begins a text.
"""

import argparse
import json
import os
import shutil
import subprocess

import turns

PEER = """
import sys, torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import GPTQModifier
from llmcompressor.modifiers.awq import AWQModifier
from transformers import AutoModelForCausalLM, AutoTokenizer
source, output, method, text, length, threads = sys.argv[1:7]
length = int(length)
torch.set_num_threads(int(threads))
# Without an accelerator there is no memory to pin.
torch.Tensor.pin_memory = lambda self, *args, **kinds: self
tokenizer = AutoTokenizer.from_pretrained(source)
ids = tokenizer(open(text, encoding="utf-8").read(), add_special_tokens=False).input_ids
chunks = [ids[i : i + length] for i in range(0, len(ids) - length + 1, length)]
for chunk in chunks:
    if tokenizer.bos_token_id is not None:
        chunk[0] = tokenizer.bos_token_id
rows = Dataset.from_list([{"input_ids": chunk, "attention_mask": [1] * length} for chunk in chunks])
modifier = {"gptq": GPTQModifier, "awq": AWQModifier}[method]
model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
oneshot(
    model=model, dataset=rows, recipe=modifier(targets="Linear", scheme="W4A16", ignore=["lm_head"]),
    max_seq_length=length, num_calibration_samples=len(chunks))
model.save_pretrained(output, save_compressed=True)
tokenizer.save_pretrained(output)
"""


def divergence(options, folder):
    """Mean KL divergence of a folder from the source, and its error."""
    command = [options.quern, "eval", options.source, folder, "--text", options.evaluation, "--json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    mean = json.loads(output.splitlines()[-1])["candidates"][0]["divergence"]["mean"]
    return mean["value"], mean["error"]


def measure(options, method, folder):
    mine, other = os.path.join(folder, "quern"), os.path.join(folder, "peer")

    def ours():
        shutil.rmtree(mine, ignore_errors=True)
        command = [options.quern, "quantize", options.source, "--to", f"W4A16_{method.upper()}", "--output", mine]
        command += ["--name", "m", "--quiet", "--calibration", options.calibration, "--workers", str(options.threads)]
        return turns.run(command + ["--chunk-tokens", str(options.chunk_tokens)])

    def theirs():
        shutil.rmtree(other, ignore_errors=True)
        os.environ.update({"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(options.threads)})
        command = [options.python, "-c", PEER, options.source, other, method, options.calibration]
        return turns.run(command + [str(options.chunk_tokens), str(options.threads)])

    pairs = [{"quern": took, "llm-compressor": peer} for took, peer in turns.in_turn(options.runs, ours, theirs)]
    found = turns.comparison(pairs, "llm-compressor")
    found["divergence"] = {
        "quern": divergence(options, os.path.join(mine, "m-W4A16")),
        "llm-compressor": divergence(options, other),
    }
    return found


def table(report):
    lines = [
        f"{report['source']}; {turns.setting_text(report)}",
        "",
        "| W4A16 by | quern | llm-compressor | times as fast (range) | peak memory, quern | peak memory, llm-compressor "
        "| mean KL divergence, quern | mean KL divergence, llm-compressor |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for method, found in report["methods"].items():
        means = [f"{value:.6f} ± {error:.6f}" for value, error in found["divergence"].values()]
        lines.append(f"| {method} | {turns.cells(found, 'llm-compressor')} | {means[0]} | {means[1]} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="a checkpoint folder")
    parser.add_argument("calibration", help="the text that both calibrate on")
    parser.add_argument("evaluation", help="the text that both are judged by")
    parser.add_argument("--python", required=True, help="a Python that has llmcompressor")
    parser.add_argument("--methods", default="gptq", help="gptq and awq, separated by commas")
    parser.add_argument("--chunk-tokens", type=int, default=512)
    parser.add_argument("--scratch", default="/tmp", help="folder for what the programs write")
    turns.add_options(parser, 1, "program and method", "methods")
    options = turns.parse(parser)
    report = {"source": os.path.basename(options.source.rstrip("/")), **turns.setting(options), "methods": {}}
    with turns.scratch_folder(options) as folder:
        for method in options.methods.split(","):
            report["methods"][method] = measure(options, method, folder)
    turns.publish(report, table(report), options.output, "methods")
    return 0


if __name__ == "__main__":
    turns.run_main(main, "compare_gptq")
