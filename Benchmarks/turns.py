"""Two programs that take turns: runs them, and says what they took and how they compare.

Who goes first alternates too, for the second finds the files in the page cache. Time is that of a whole program from
start to exit, memory is its peak resident size.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time


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


def in_turn(runs, ours, theirs):
    """Calls both so many times. Yields what they return, ours first."""
    for index in range(runs):
        if index % 2 == 0:
            mine = ours()
            yield mine, theirs()
        else:
            other = theirs()
            yield ours(), other


def comparison(pairs, peer):
    """What Quern and the peer took as a rule, and how many times as fast Quern was, pair by pair."""
    ratios = [pair[peer]["seconds"] / pair["quern"]["seconds"] for pair in pairs]
    found = {"ratio": {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}}
    for program in ("quern", peer):
        found[program] = {
            "seconds": statistics.median(pair[program]["seconds"] for pair in pairs),
            "cpu_seconds": statistics.median(pair[program]["cpu_seconds"] for pair in pairs),
            "peak_bytes": max(pair[program]["peak_bytes"] for pair in pairs),
        }
    return found


def times_as_fast(ratio):
    return f"{ratio['median']:.2f} ({ratio['lowest']:.2f}–{ratio['highest']:.2f})"


def cells(found, peer):
    """Five cells of a table: what both took, how they compare, and their memory."""
    mine, other = found["quern"], found[peer]
    return (
        f"{mine['seconds']:.2f} s | {other['seconds']:.2f} s | {times_as_fast(found['ratio'])} | "
        f"{mine['peak_bytes'] / 1e6:.0f} MB | {other['peak_bytes'] / 1e6:.0f} MB"
    )


def setting(options):
    """What a report says of how it came about."""
    machine = {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()}
    return {"threads": options.threads, "runs": options.runs, "machine": machine}


def setting_text(report):
    machine = report["machine"]
    return (
        f"{report['threads']} threads each; {report['runs']} runs each, in turn; "
        f"{machine['processor']}, {machine['cores']} cores."
    )


def file_facts(path):
    return {"name": os.path.basename(path), "bytes": os.path.getsize(path)}


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.machine()


def add_options(parser, runs, runs_of, results):
    """The options that all comparisons have."""
    parser.add_argument("--quern", default=".build/release/quern")
    parser.add_argument("--threads", type=int, default=2, help="for each program, default 2")
    parser.add_argument("--runs", type=int, default=runs, help=f"of each {runs_of}, default {runs}")
    parser.add_argument(
        "--output", help=f"folder for {results}.md and {results}.json; default: the table to the terminal"
    )


def parse(parser):
    options = parser.parse_args()
    if options.runs < 1 or options.threads < 1:
        parser.error("--runs and --threads are at least 1")
    return options


def scratch_folder(options):
    """A folder for what the programs write, where the options want it, that goes when it is left."""
    folder = options.scratch or os.path.dirname(os.path.abspath(options.source))
    return tempfile.TemporaryDirectory(dir=folder, prefix="compare-")


def publish(report, text, folder, name):
    """Prints the table, and writes it and the report where a folder is given."""
    if folder:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{name}.md"), "w") as file:
            file.write(text)
        with open(os.path.join(folder, f"{name}.json"), "w") as file:
            json.dump(report, file, indent=1)
    print(text, end="")


def run_main(main, name):
    """Ends this program as `main` says, or with what went wrong."""
    try:
        sys.exit(main())
    except (RunFailed, OSError, ValueError) as failure:
        sys.exit(f"{name}: {failure}")
