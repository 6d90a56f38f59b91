#!/usr/bin/env python3
"""Runs `quern quantize` and `llama-quantize` on the same file, in turn, and tables what each took.

The two alternate, so that a machine that slows down slows both; the ratio is taken pair by pair and its median is
reported. Time is that of the whole program from start to exit, memory is its peak resident size. The output of either,
and with it the state that Quern keeps there, is deleted before the next run, so that nothing is found done already.
"""

import argparse
import os
import shutil
import statistics
import sys

import gguf
import turns


class Contest:
    """The two programs with everything that does not change between runs."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.output = os.path.join(folder, "quern")
        self.peer_output = os.path.join(folder, "llama.gguf")
        # Both spell them alike.
        self.shared = ["--pure"] if options.pure else []
        if options.token_embedding_type:
            self.shared += ["--token-embedding-type", options.token_embedding_type]

    def quern(self, presets, imatrix):
        shutil.rmtree(self.output, ignore_errors=True)
        command = [self.options.quern, "quantize", self.options.source, "--to", ",".join(presets), "--quiet"]
        command += ["--output", self.output, "--workers", str(self.options.threads)]
        command += ["--name", "model", "--device", self.options.device]
        command += ["--imatrix", imatrix] if imatrix else []
        command += self.shared
        return turns.run(command)

    def peer(self, preset, imatrix):
        if os.path.exists(self.peer_output):
            os.remove(self.peer_output)
        command = [self.options.llama_quantize]
        command += ["--imatrix", imatrix] if imatrix else []
        command += self.shared
        command += [self.options.source, self.peer_output, preset, str(self.options.peer_threads)]
        return turns.run(command)

    def same_tensors(self, preset):
        """Whether both wrote the same tensors: names, shapes, types and bytes."""
        return gguf.tensors(os.path.join(self.output, f"model-{preset}.gguf")) == gguf.tensors(self.peer_output)


def compare(contest, preset, imatrix):
    pairs, same = [], None
    turn = turns.in_turn(
        contest.options.runs, lambda: contest.quern([preset], imatrix), lambda: contest.peer(preset, imatrix)
    )
    for ours, theirs in turn:
        pairs.append({"quern": ours, "llama_quantize": theirs})
        if same is None:
            same = contest.same_tensors(preset)
    row = {"preset": preset, "imatrix": bool(imatrix), "pure": contest.options.pure, "same_tensors": same}
    return {**row, **turns.comparison(pairs, "llama_quantize"), "runs": pairs}


def together(contest, presets, imatrix, singles):
    """All presets as one job, against the sums of the single runs of both programs."""
    runs = [contest.quern(presets, imatrix) for _ in range(contest.options.runs)]
    seconds = statistics.median(run["seconds"] for run in runs)
    return {
        "presets": presets,
        "imatrix": bool(imatrix),
        "seconds": seconds,
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "share_of_single_runs": seconds / sum(single["quern"]["seconds"] for single in singles),
        "times_as_fast": sum(single["llama_quantize"]["seconds"] for single in singles) / seconds,
        "runs": runs,
    }


def table(report):
    lines = [
        f"{report['source']['name']}, {report['source']['bytes'] / 1e6:.0f} MB; {turns.setting_text(report)}"
        + (" quern encodes on cards." if report["device"] == "cuda" else "")
        + (f" llama-quantize has {report['peer_threads']}." if report["peer_threads"] != report["threads"] else ""),
        "",
        "| target | imatrix | quern | llama-quantize | times as fast (range) | peak memory, quern | peak memory, "
        "llama-quantize | same tensors |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in report["results"]:
        lines.append(
            f"| {row['preset']}{' --pure' if row['pure'] else ''} | {'yes' if row['imatrix'] else 'no'} "
            f"| {turns.cells(row, 'llama_quantize')} "
            f"| {'yes' if row['same_tensors'] else 'NO'} |"
        )
    for row in report["together"]:
        lines += [
            "",
            f"{', '.join(row['presets'])} in one job{', with an imatrix' if row['imatrix'] else ''}: "
            f"{row['seconds']:.2f} s, {row['share_of_single_runs']:.2f} of the single runs' sum, "
            f"{row['times_as_fast']:.1f} times as fast as llama-quantize's runs, "
            f"peak memory {row['peak_bytes'] / 1e6:.0f} MB.",
        ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="an F16, BF16 or F32 .gguf file")
    parser.add_argument("--llama-quantize", required=True, help="path of the program to compare with")
    parser.add_argument("--presets", default="Q4_K_M,Q8_0", help="comma-separated, default Q4_K_M,Q8_0")
    parser.add_argument("--imatrix", help="run every preset once more with this importance matrix")
    parser.add_argument("--imatrix-only", action="store_true", help="no runs without it: some presets need one")
    parser.add_argument("--pure", action="store_true", help="one type for all tensors")
    parser.add_argument("--token-embedding-type", help="for types that need an importance matrix, and it has none there")
    parser.add_argument("--together", action="store_true", help="also measure all presets as one job")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="what quern encodes on")
    parser.add_argument("--peer-threads", type=int, help="of llama-quantize, where they are not as many as quern's")
    parser.add_argument("--scratch", help="folder for what the programs write; default: beside the source")
    turns.add_options(parser, 5, "program and preset", "results")
    options = turns.parse(parser)
    if options.imatrix_only and not options.imatrix:
        parser.error("--imatrix-only goes with --imatrix")
    options.peer_threads = options.peer_threads or options.threads
    presets = options.presets.split(",")

    report = {"source": turns.file_facts(options.source), **turns.setting(options), "results": [], "together": []}
    report.update(device=options.device, peer_threads=options.peer_threads)
    with turns.scratch_folder(options) as folder:
        contest = Contest(options, folder)
        matrices = ([] if options.imatrix_only else [None]) + ([options.imatrix] if options.imatrix else [])
        for imatrix in matrices:
            rows = []
            for preset in presets:
                rows.append(compare(contest, preset, imatrix))
                print(f"{preset}{' with imatrix' if imatrix else ''}: {rows[-1]['ratio']['median']:.2f}", file=sys.stderr)
            report["results"] += rows
            if options.together:
                report["together"].append(together(contest, presets, imatrix, rows))

    turns.publish(report, table(report), options.output, "results")
    return 0 if all(row["same_tensors"] for row in report["results"]) else 1


if __name__ == "__main__":
    turns.run_main(main, "compare")
