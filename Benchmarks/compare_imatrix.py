#!/usr/bin/env python3
"""Runs `quern imatrix compute` and `llama-imatrix` on the same model and text, in turn, and tables what each took.

The two alternate, as in compare.py, and the state that Quern keeps is deleted before each run. What they wrote is
compared number by number: how far each sum of squares is from the other program's, and whether the counts are the same.
"""

import argparse
import math
import os
import shutil
import statistics
import struct

import gguf
import turns


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
        return turns.run(command)

    def peer(self):
        options = self.options
        command = [options.llama_imatrix, "-m", options.source, "-f", options.text, "-o", self.peer_output]
        command += ["-c", str(options.chunk_tokens), "-t", str(options.threads), "--no-ppl"]
        command += ["--chunks", str(options.chunks)] if options.chunks else []
        return turns.run(command)


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
    turn = turns.in_turn(contest.options.runs, lambda: contest.quern(contest.options.threads), contest.peer)
    pairs = [{"quern": ours, "llama_imatrix": theirs} for ours, theirs in turn]
    row = turns.comparison(pairs, "llama_imatrix")
    return {**row, "difference": difference(contest.output, contest.peer_output), "runs": pairs}


def scaling(contest, seconds):
    """One worker against all of them."""
    alone = statistics.median(contest.quern(1)["seconds"] for _ in range(contest.options.runs))
    return {"seconds": alone, "times_as_fast": alone / seconds}


def table(report):
    row = report["result"]
    apart = row["difference"]
    lines = [
        f"{report['source']['name']}, {report['source']['bytes'] / 1e6:.0f} MB; {report['text']['name']}, "
        f"{report['chunks'] or 'all'} chunks of {report['chunk_tokens']} tokens; {turns.setting_text(report)}",
        "",
        "| quern | llama-imatrix | times as fast (range) | peak memory, quern | peak memory, llama-imatrix "
        "| difference of in_sum2, median | 99 % | largest | equal counts |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---|",
        f"| {turns.cells(row, 'llama_imatrix')} "
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
    parser.add_argument("--llama-imatrix", required=True, help="path of the program to compare with")
    parser.add_argument("--chunks", type=int, help="chunks of the text to use; all otherwise")
    parser.add_argument("--chunk-tokens", type=int, default=512)
    parser.add_argument("--scaling", action="store_true", help="also measure Quern with a single worker")
    parser.add_argument("--tolerance", type=float, default=0.01, help="largest relative difference, default 0.01")
    parser.add_argument("--scratch", help="folder for what the programs write; default: beside the source")
    turns.add_options(parser, 3, "program", "results")
    options = turns.parse(parser)

    report = {
        "source": turns.file_facts(options.source),
        "text": turns.file_facts(options.text),
        "chunks": options.chunks,
        "chunk_tokens": options.chunk_tokens,
        **turns.setting(options),
    }
    with turns.scratch_folder(options) as folder:
        contest = Contest(options, folder)
        report["result"] = compare(contest)
        if options.scaling:
            report["scaling"] = scaling(contest, report["result"]["quern"]["seconds"])

    turns.publish(report, table(report), options.output, "results")
    apart = report["result"]["difference"]
    return 0 if apart["equal_counts"] and apart["largest"] <= options.tolerance else 1


if __name__ == "__main__":
    turns.run_main(main, "compare_imatrix")
