#!/usr/bin/env python3
"""Holds GGUFs of quern against those of llama-quantize with llama-imatrix's matrix of the same text, at the same presets:
sizes, and what llama-perplexity finds on texts that nobody calibrated on.

The base of all divergences is the BF16 GGUF that quern makes of the checkpoint, whose logits llama-perplexity computes. Of
quern, anything that --to takes can stand beside a preset: Q4_K_M=Q4_K_M:dynamic holds the second against llama-quantize's
first.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

FIGURES = {
    "divergence": r"Mean\s+KLD:\s*(\S+) ±",
    "same_top_percent": r"Same top p:\s*(\S+) ±",
    "perplexity": r"Mean PPL\(Q\)\s*:\s*(\S+) ±",
}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}")
    return done.stdout


def judge(options, base, file, logits):
    """The figures of a file for each text."""
    found = []
    for text in options.evaluation:
        # It now and then ends without a word.
        for _ in range(12):
            output = run([options.llama_perplexity, "-m", file, "-f", text, "-c", str(options.chunk_tokens),
                          "--chunks", str(options.chunks), "-t", str(options.threads), "--kl-divergence",
                          "--kl-divergence-base", logits[text]])
            figures = {name: re.search(pattern, output) for name, pattern in FIGURES.items()}
            if all(figures.values()):
                break
        else:
            sys.exit(f"llama-perplexity found nothing about {file}:\n{output[-2000:]}")
        found.append({name: float(match.group(1)) for name, match in figures.items()})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a checkpoint folder")
    parser.add_argument("--quern", default=".build/release/quern")
    for tool in ("imatrix", "quantize", "perplexity"):
        parser.add_argument(f"--llama-{tool}", default=f"llama-{tool}")
    parser.add_argument("--calibration", required=True, help="text that both calibrate on")
    parser.add_argument("--evaluation", required=True, action="append", help="text to judge by; may be repeated")
    parser.add_argument("--presets", default="Q4_K_M", help="separated by commas; PRESET or PRESET=TARGET of quern")
    parser.add_argument("--chunks", type=int, default=-1, help="chunks of each text to judge by; all otherwise")
    parser.add_argument("--chunk-tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quern-options", default="", help="further options of quern quantize, separated by spaces")
    parser.add_argument("--json", help="a file for the figures")
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.basename(os.path.normpath(options.source))
        run([options.quern, "quantize", options.source, "--to", "BF16", "--output", f"{folder}/base", "--quiet"])
        base = f"{folder}/base/{name}-BF16.gguf"
        logits = {}
        for index, text in enumerate(options.evaluation):
            logits[text] = f"{folder}/{index}.logits"
            run([options.llama_perplexity, "-m", base, "-f", text, "-c", str(options.chunk_tokens), "--chunks",
                 str(options.chunks), "-t", str(options.threads), "--kl-divergence-base", logits[text]])
        imatrix = f"{folder}/imatrix.gguf"
        run([options.llama_imatrix, "-m", base, "-f", options.calibration, "-o", imatrix, "-t", str(options.threads)])
        for entry in options.presets.split(","):
            preset, _, target = entry.partition("=")
            target = target or preset
            theirs = f"{folder}/{preset}.gguf"
            run([options.llama_quantize, "--imatrix", imatrix, base, theirs, preset, str(options.threads)])
            output = f"{folder}/{len(rows)}"
            run([options.quern, "quantize", options.source, "--to", target, "--calibration", options.calibration,
                 "--output", output, "--quiet"] + options.quern_options.split())
            ours = [f"{output}/{file}" for file in os.listdir(output) if file.endswith(".gguf") and "imatrix" not in file][0]
            rows.append({"preset": preset, "target": target, "bytes": [os.path.getsize(theirs), os.path.getsize(ours)],
                         "figures": [judge(options, base, theirs, logits), judge(options, base, ours, logits)]})
            for file in (theirs, ours):
                os.remove(file)

    print("| preset | quern | text | bytes | quern's | mean KLD | quern's | change | same top | quern's | perplexity | quern's |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        for index, text in enumerate(options.evaluation):
            theirs, ours = (figures[index] for figures in row["figures"])
            change = 100 * (ours["divergence"] / theirs["divergence"] - 1)
            print(f"| {row['preset']} | {row['target']} | {os.path.basename(text)} | {row['bytes'][0]:,} | {row['bytes'][1]:,} "
                  f"| {theirs['divergence']:.6f} | {ours['divergence']:.6f} | {change:+.0f} % "
                  f"| {theirs['same_top_percent']:.2f} % | {ours['same_top_percent']:.2f} % "
                  f"| {theirs['perplexity']:.3f} | {ours['perplexity']:.3f} |")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
