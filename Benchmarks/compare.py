#!/usr/bin/env python3
"""Runs `quern quantize` and `llama-quantize` on the same file, in turn, and tables what each took.

The two alternate, so that a machine that slows down slows both; the ratio is taken pair by pair and its median is
reported. Time is that of the whole program from start to exit, memory is its peak resident size. The output of either,
and with it the state that Quern keeps there, is deleted before the next run, so that nothing is found done already.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import gguf


class RunFailed(Exception):
    pass


def run(command):
    """Runs a program to its end. Returns seconds of wall time, seconds of CPU time and peak resident bytes."""
    return run_for_output(command)[0]


def run_for_output(command):
    """Like `run`, with what the program wrote to standard output and standard error."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
        if process.returncode != 0:
            tail = text.strip().splitlines()[-15:]
            raise RunFailed(f"{' '.join(command)}\nended with status {process.returncode}:\n" + "\n".join(tail))
    took = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    return took, text


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
        command += ["--name", "model"]
        command += ["--imatrix", imatrix] if imatrix else []
        command += self.shared
        return run(command)

    def peer(self, preset, imatrix):
        if os.path.exists(self.peer_output):
            os.remove(self.peer_output)
        command = [self.options.llama_quantize]
        command += ["--imatrix", imatrix] if imatrix else []
        command += self.shared
        command += [self.options.source, self.peer_output, preset, str(self.options.threads)]
        return run(command)

    def same_tensors(self, preset):
        """Whether both wrote the same tensors: names, shapes, types and bytes."""
        return gguf.tensors(os.path.join(self.output, f"model-{preset}.gguf")) == gguf.tensors(self.peer_output)


def compare(contest, preset, imatrix):
    pairs, same = [], None
    for index in range(contest.options.runs):
        # Who goes first alternates too: the second finds the source in the page cache.
        ours_first = index % 2 == 0
        first = contest.quern([preset], imatrix) if ours_first else contest.peer(preset, imatrix)
        second = contest.peer(preset, imatrix) if ours_first else contest.quern([preset], imatrix)
        pairs.append({"quern": first if ours_first else second, "llama_quantize": second if ours_first else first})
        if same is None:
            same = contest.same_tensors(preset)
    ratios = [pair["llama_quantize"]["seconds"] / pair["quern"]["seconds"] for pair in pairs]
    row = {"preset": preset, "imatrix": bool(imatrix), "pure": contest.options.pure, "same_tensors": same}
    for program in ("quern", "llama_quantize"):
        row[program] = {
            "seconds": statistics.median(pair[program]["seconds"] for pair in pairs),
            "cpu_seconds": statistics.median(pair[program]["cpu_seconds"] for pair in pairs),
            "peak_bytes": max(pair[program]["peak_bytes"] for pair in pairs),
        }
    row["ratio"] = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    row["runs"] = pairs
    return row


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


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.machine()


def table(report):
    lines = [
        f"{report['source']['name']}, {report['source']['bytes'] / 1e6:.0f} MB; {report['threads']} threads each; "
        f"{report['runs']} runs each, in turn; {report['machine']['processor']}, {report['machine']['cores']} cores.",
        "",
        "| target | imatrix | quern | llama-quantize | times as fast (range) | peak memory, quern | peak memory, "
        "llama-quantize | same tensors |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in report["results"]:
        ours, theirs, ratio = row["quern"], row["llama_quantize"], row["ratio"]
        lines.append(
            f"| {row['preset']}{' --pure' if row['pure'] else ''} | {'yes' if row['imatrix'] else 'no'} "
            f"| {ours['seconds']:.2f} s | {theirs['seconds']:.2f} s "
            f"| {ratio['median']:.2f} ({ratio['lowest']:.2f}–{ratio['highest']:.2f}) "
            f"| {ours['peak_bytes'] / 1e6:.0f} MB | {theirs['peak_bytes'] / 1e6:.0f} MB "
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
    parser.add_argument("--quern", default=".build/release/quern")
    parser.add_argument("--llama-quantize", required=True, help="path of the program to compare with")
    parser.add_argument("--presets", default="Q4_K_M,Q8_0", help="comma-separated, default Q4_K_M,Q8_0")
    parser.add_argument("--imatrix", help="run every preset once more with this importance matrix")
    parser.add_argument("--imatrix-only", action="store_true", help="no runs without it: some presets need one")
    parser.add_argument("--pure", action="store_true", help="one type for all tensors")
    parser.add_argument("--token-embedding-type", help="for types that need an importance matrix, and it has none there")
    parser.add_argument("--together", action="store_true", help="also measure all presets as one job")
    parser.add_argument("--threads", type=int, default=2, help="for each program, default 2")
    parser.add_argument("--runs", type=int, default=5, help="of each program and preset, default 5")
    parser.add_argument("--scratch", help="folder for what the programs write; default: beside the source")
    parser.add_argument("--output", help="folder for results.md and results.json; default: the table to the terminal")
    options = parser.parse_args()
    if options.runs < 1 or options.threads < 1:
        parser.error("--runs and --threads are at least 1")
    if options.imatrix_only and not options.imatrix:
        parser.error("--imatrix-only goes with --imatrix")
    presets = options.presets.split(",")

    report = {
        "source": {"name": os.path.basename(options.source), "bytes": os.path.getsize(options.source)},
        "threads": options.threads,
        "runs": options.runs,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "results": [],
        "together": [],
    }
    scratch = options.scratch or os.path.dirname(os.path.abspath(options.source))
    with tempfile.TemporaryDirectory(dir=scratch, prefix="compare-") as folder:
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

    text = table(report)
    if options.output:
        os.makedirs(options.output, exist_ok=True)
        with open(os.path.join(options.output, "results.md"), "w") as file:
            file.write(text)
        with open(os.path.join(options.output, "results.json"), "w") as file:
            json.dump(report, file, indent=1)
    print(text, end="")
    return 0 if all(row["same_tensors"] for row in report["results"]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RunFailed, OSError, ValueError) as failure:
        sys.exit(f"compare: {failure}")
