#!/usr/bin/env python3
"""Runs `quern imatrix compute` and `llama-imatrix` on the same model and text, in turn, and tables what each took.

The two alternate, as in compare.py, and the state that Quern keeps is deleted before each run. What they wrote is
compared number by number: how far each sum of squares is from the other program's, and whether the counts are the same.
"""

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import struct
import sys
import tempfile

import gguf
from compare import RunFailed, processor, run


class Contest:
    """The two programs with everything that does not change between runs."""

    def __init__(self, options, folder):
        self.options = options
        self.output = os.path.join(folder, "quern.gguf")
        self.peer_output = os.path.join(folder, "llama.gguf")

    def quern(self, threads):
        for leftover in (self.output, self.output + ".quern"):
            shutil.rmtree(leftover, ignore_errors=True)
        options = self.options
        command = [options.quern, "imatrix", "compute", options.source, "--text", options.text, "--quiet"]
        command += ["--output", self.output, "--workers", str(threads), "--chunk-tokens", str(options.chunk_tokens)]
        command += ["--chunks", str(options.chunks)] if options.chunks else []
        return run(command)

    def peer(self):
        options = self.options
        command = [options.llama_imatrix, "-m", options.source, "-f", options.text, "-o", self.peer_output]
        command += ["-c", str(options.chunk_tokens), "-t", str(options.threads), "--no-ppl"]
        command += ["--chunks", str(options.chunks)] if options.chunks else []
        return run(command)


def numbers(path):
    """The F32 tensors of an importance matrix file, by name."""
    found = {}
    with open(path, "rb") as file:
        for name, (offset, count) in gguf.places(path).items():
            file.seek(offset)
            found[name] = struct.unpack(f"<{count}f", file.read(4 * count))
    return found


def difference(path, peer_path):
    """How far the sums of squares of one file are from the other's, each relative to the other's."""
    ours, theirs = numbers(path), numbers(peer_path)
    if sorted(ours) != sorted(theirs):
        raise ValueError(f"other tensors: {sorted(set(ours) ^ set(theirs))[:6]}")
    relative, equal_counts = [], True
    for name, values in theirs.items():
        if name.endswith(".counts"):
            equal_counts &= values == ours[name]
            continue
        for mine, other in zip(ours[name], values):
            relative.append(abs(mine - other) / abs(other) if other else (0.0 if mine == 0 else math.inf))
    relative.sort()
    return {
        "tensors": len(theirs) // 2,
        "values": len(relative),
        "median": statistics.median(relative),
        "99 %": relative[int(0.99 * (len(relative) - 1))],
        "largest": relative[-1],
        "equal_counts": equal_counts,
    }


def compare(contest):
    pairs = []
    for index in range(contest.options.runs):
        # Who goes first alternates too: the second finds the source in the page cache.
        ours_first = index % 2 == 0
        first = contest.quern(contest.options.threads) if ours_first else contest.peer()
        second = contest.peer() if ours_first else contest.quern(contest.options.threads)
        pairs.append({"quern": first if ours_first else second, "llama_imatrix": second if ours_first else first})
    ratios = [pair["llama_imatrix"]["seconds"] / pair["quern"]["seconds"] for pair in pairs]
    row = {"ratio": {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}}
    for program in ("quern", "llama_imatrix"):
        row[program] = {
            "seconds": statistics.median(pair[program]["seconds"] for pair in pairs),
            "cpu_seconds": statistics.median(pair[program]["cpu_seconds"] for pair in pairs),
            "peak_bytes": max(pair[program]["peak_bytes"] for pair in pairs),
        }
    row["difference"] = difference(contest.output, contest.peer_output)
    row["runs"] = pairs
    return row


def scaling(contest, seconds):
    """One worker against all of them."""
    alone = statistics.median(contest.quern(1)["seconds"] for _ in range(contest.options.runs))
    return {"seconds": alone, "times_as_fast": alone / seconds}


def table(report):
    row = report["result"]
    ours, theirs, ratio, apart = row["quern"], row["llama_imatrix"], row["ratio"], row["difference"]
    lines = [
        f"{report['source']['name']}, {report['source']['bytes'] / 1e6:.0f} MB; {report['text']['name']}, "
        f"{report['chunks'] or 'all'} chunks of {report['chunk_tokens']} tokens; {report['threads']} threads each; "
        f"{report['runs']} runs each, in turn; {report['machine']['processor']}, {report['machine']['cores']} cores.",
        "",
        "| quern | llama-imatrix | times as fast (range) | peak memory, quern | peak memory, llama-imatrix "
        "| difference of in_sum2, median | 99 % | largest | equal counts |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---|",
        f"| {ours['seconds']:.2f} s | {theirs['seconds']:.2f} s "
        f"| {ratio['median']:.2f} ({ratio['lowest']:.2f}–{ratio['highest']:.2f}) "
        f"| {ours['peak_bytes'] / 1e6:.0f} MB | {theirs['peak_bytes'] / 1e6:.0f} MB "
        f"| {apart['median']:.2e} | {apart['99 %']:.2e} | {apart['largest']:.2e} "
        f"| {'yes' if apart['equal_counts'] else 'NO'} |",
    ]
    if "scaling" in report:
        lines += [
            "",
            f"One worker takes {report['scaling']['seconds']:.2f} s: {report['threads']} workers are "
            f"{report['scaling']['times_as_fast']:.2f} times as fast.",
        ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="a .gguf file")
    parser.add_argument("text", help="a text file")
    parser.add_argument("--quern", default=".build/release/quern")
    parser.add_argument("--llama-imatrix", required=True, help="path of the program to compare with")
    parser.add_argument("--chunks", type=int, help="chunks of the text to use; all otherwise")
    parser.add_argument("--chunk-tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2, help="for each program, default 2")
    parser.add_argument("--runs", type=int, default=3, help="of each program, default 3")
    parser.add_argument("--scaling", action="store_true", help="also measure Quern with a single worker")
    parser.add_argument("--tolerance", type=float, default=0.01, help="largest relative difference, default 0.01")
    parser.add_argument("--scratch", help="folder for what the programs write; default: beside the source")
    parser.add_argument("--output", help="folder for results.md and results.json; default: the table to the terminal")
    options = parser.parse_args()
    if options.runs < 1 or options.threads < 1:
        parser.error("--runs and --threads are at least 1")

    report = {
        "source": {"name": os.path.basename(options.source), "bytes": os.path.getsize(options.source)},
        "text": {"name": os.path.basename(options.text), "bytes": os.path.getsize(options.text)},
        "chunks": options.chunks,
        "chunk_tokens": options.chunk_tokens,
        "threads": options.threads,
        "runs": options.runs,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
    }
    scratch = options.scratch or os.path.dirname(os.path.abspath(options.source))
    with tempfile.TemporaryDirectory(dir=scratch, prefix="compare-") as folder:
        contest = Contest(options, folder)
        report["result"] = compare(contest)
        if options.scaling:
            report["scaling"] = scaling(contest, report["result"]["quern"]["seconds"])

    text = table(report)
    if options.output:
        os.makedirs(options.output, exist_ok=True)
        with open(os.path.join(options.output, "results.md"), "w") as file:
            file.write(text)
        with open(os.path.join(options.output, "results.json"), "w") as file:
            json.dump(report, file, indent=1)
    print(text, end="")
    apart = report["result"]["difference"]
    return 0 if apart["equal_counts"] and apart["largest"] <= options.tolerance else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RunFailed, OSError, ValueError) as failure:
        sys.exit(f"compare_imatrix: {failure}")
