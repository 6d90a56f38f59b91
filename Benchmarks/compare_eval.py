#!/usr/bin/env python3
"""Runs `quern eval` and `llama-perplexity --kl-divergence` on the same two files and text, in turn, and tables what
each took and found.

llama-perplexity needs two runs, one that writes the logits of the reference and one that compares; both count. The two
programs alternate, so that a machine that slows down slows both; the ratio is taken pair by pair and its median is
reported. Time is that of the whole program from start to exit, memory is its peak resident size.
"""

import argparse
import json
import os
import re
import sys
import tempfile

import turns

FIGURES = {
    "perplexity": r"Mean PPL\(Q\)\s*:\s*(\S+) ±\s*(\S+)",
    "reference_perplexity": r"Mean PPL\(base\)\s*:\s*(\S+) ±\s*(\S+)",
    "log_ratio": r"Mean ln\(PPL\(Q\)/PPL\(base\)\)\s*:\s*(\S+) ±\s*(\S+)",
    "divergence": r"Mean\s+KLD:\s*(\S+) ±\s*(\S+)",
    "rms_change_percent": r"RMS Δp\s*:\s*(\S+) ±\s*(\S+) %",
    "same_top_percent": r"Same top p:\s*(\S+) ±\s*(\S+) %",
}


def ours(options):
    command = [options.quern, "eval", options.reference, options.candidate, "--text", options.text, "--json"]
    command += ["--workers", str(options.threads), "--chunk-tokens", str(options.chunk_tokens)]
    command += ["--chunks", str(options.chunks)] if options.chunks else []
    took, output = turns.run_for_output(command)
    summary = json.loads(output.strip().splitlines()[-1])
    candidate = summary["candidates"][0]

    def pair(estimate, factor=1):
        return [estimate["value"] * factor, estimate["error"] * factor]

    return took, {
        "perplexity": pair(candidate["perplexity"]),
        "reference_perplexity": pair(summary["perplexity"]),
        "log_ratio": pair(candidate["log_ratio"]),
        "divergence": pair(candidate["divergence"]["mean"]),
        "rms_change_percent": pair(candidate["root_mean_square_change"], 100),
        "same_top_percent": pair(candidate["same_top"], 100),
    }


def theirs(options, folder):
    base = os.path.join(folder, "base.kld")
    shared = [options.llama_perplexity, "-f", options.text, "--kl-divergence-base", base]
    shared += ["-t", str(options.threads), "-tb", str(options.threads), "-c", str(options.chunk_tokens)]
    shared += ["--chunks", str(options.chunks)] if options.chunks else []
    first = turns.run(shared + ["-m", options.reference])
    second, output = turns.run_for_output(shared + ["-m", options.candidate, "--kl-divergence"])
    written = os.path.getsize(base)
    os.remove(base)
    found = {}
    for name, pattern in FIGURES.items():
        match = re.search(pattern, output)
        found[name] = [float(match.group(1)), float(match.group(2))] if match else None
    took = {
        "seconds": first["seconds"] + second["seconds"],
        "cpu_seconds": first["cpu_seconds"] + second["cpu_seconds"],
        "peak_bytes": max(first["peak_bytes"], second["peak_bytes"]),
        "file_bytes": written,
    }
    return took, found


def table(report):
    lines = [
        f"{report['reference']} against {report['candidate']}; {turns.setting_text(report)}",
        "",
        f"quern {report['quern']['seconds']:.2f} s, {report['quern']['peak_bytes'] / 1e6:.0f} MB; "
        f"llama-perplexity {report['llama_perplexity']['seconds']:.2f} s, "
        f"{report['llama_perplexity']['peak_bytes'] / 1e6:.0f} MB and a file of "
        f"{report['llama_perplexity']['file_bytes'] / 1e6:.0f} MB; "
        f"{report['ratio']['median']:.2f} times as fast "
        f"({report['ratio']['lowest']:.2f}–{report['ratio']['highest']:.2f}).",
        "",
        "| | quern | llama-perplexity | apart, in its errors |",
        "|---|---:|---:|---:|",
    ]
    for name, mine in report["figures"]["quern"].items():
        other = report["figures"]["llama_perplexity"][name]
        apart = abs(mine[0] - other[0]) / other[1] if other and other[1] else 0
        said = f"{other[0]:.6f} ± {other[1]:.6f}" if other else "–"
        lines.append(f"| {name.replace('_', ' ')} | {mine[0]:.6f} ± {mine[1]:.6f} | {said} | {apart:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", help="a .gguf file")
    parser.add_argument("candidate", help="another, of the same vocabulary")
    parser.add_argument("--text", required=True)
    parser.add_argument("--llama-perplexity", required=True, help="path of the program to compare with")
    parser.add_argument("--chunks", type=int, help="of the text, default all")
    parser.add_argument("--chunk-tokens", type=int, default=512)
    turns.add_options(parser, 3, "program", "eval")
    options = turns.parse(parser)

    pairs = []
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        for (mine, my_figures), (other, other_figures) in turns.in_turn(
            options.runs, lambda: ours(options), lambda: theirs(options, folder)
        ):
            pairs.append({"quern": mine, "llama_perplexity": other})
            print(f"{other['seconds'] / mine['seconds']:.2f}", file=sys.stderr)
    report = {
        "reference": os.path.basename(options.reference),
        "candidate": os.path.basename(options.candidate),
        **turns.setting(options),
        **turns.comparison(pairs, "llama_perplexity"),
        "figures": {"quern": my_figures, "llama_perplexity": other_figures},
        "pairs": pairs,
    }
    report["llama_perplexity"]["file_bytes"] = max(pair["llama_perplexity"]["file_bytes"] for pair in pairs)
    turns.publish(report, table(report), options.output, "eval")


if __name__ == "__main__":
    turns.run_main(main, "compare_eval")
