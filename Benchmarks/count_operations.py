#!/usr/bin/env python3
"""How fast a card can encode at best: bytes over the bus, and operations of its threads, for each type.

    count_operations.py [--bus GB/S] [--rate TERA-OPERATIONS/S] [--types Q4_K,IQ2_S] [--refined COLUMNS]

Operations are those in single and double precision, comparisons included, that the kernels' source does for normally
distributed rows, counted by running it with numbers that count; operations on integers, and reading tables, come on top.
The usual rates are those of an H200: 16 lanes of PCIe 5.0, and 132 multiprocessors with 128 lanes of 1.98 GHz, of which
each does one operation at a time, for nothing is fused. Needs clang++.

With --refined the same for the refined encoders of rows of so many columns: the type's usual encoder with importance, what
its blocks take under all sizes of scales, and a product and a sum for each pair of a column and an earlier one.
"""

import argparse
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = os.path.join(HERE, "..", "Sources", "CQuernKernels")

# Number, values and bytes of a block.
TYPES = {
    "Q1_0": (41, 128, 18), "Q2_0": (42, 64, 18), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22),
    "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144),
    "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "IQ1_S": (19, 256, 50), "IQ1_M": (29, 256, 56),
    "IQ2_XXS": (16, 256, 66), "IQ2_XS": (17, 256, 74), "IQ2_S": (22, 256, 82), "IQ3_XXS": (18, 256, 98),
    "IQ3_S": (21, 256, 110), "IQ4_NL": (20, 32, 18), "IQ4_XS": (23, 256, 136), "TQ1_0": (34, 256, 54),
    "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17), "NVFP4": (40, 64, 36),
}  # fmt: skip


UNREFINED = {"Q1_0", "Q2_0", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4"}


def compile_parts(folder):
    """The tables that encoders go by, and the encoders themselves."""
    objects = []
    parts = [os.path.join(KERNELS, name) for name in ["codebook", "codebook_candidates", "device/tables", "plain"]]
    for part in parts + [os.path.join(HERE, "Operations", "encode")]:
        target = os.path.join(folder, os.path.basename(part) + ".o")
        subprocess.run(
            ["clang", "-std=gnu17", "-O2", "-w", "-c", "-I", f"{KERNELS}/include", f"{part}.c", "-o", target], check=True
        )
        objects.append(target)
    return objects


def count(folder, objects, program, number, size, count):
    source = os.path.join(HERE, "Operations", program + ".cpp")
    program = os.path.join(folder, f"{program}-{number}")
    subprocess.run(
        ["clang++", "-std=gnu++17", "-O1", "-w", f"-DQUERN_TYPE={number}", "-I", f"{KERNELS}/include", source]
        + objects
        + ["-o", program],
        check=True,
    )
    printed = subprocess.run([program, str(size), str(count)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in printed.split()]


def count_refined(arguments, names):
    print("| type | encoder | blocks | earlier columns | together, 10⁶/s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_parts(folder)
        for name in names:
            encoder = count(folder, objects, "count", *TYPES[name])[1]
            blocks = count(folder, objects, "count_refined", *TYPES[name])[0]
            rate = arguments.rate * 1e6 / (encoder + blocks + arguments.refined)
            print(f"| {name} | {encoder:.0f} | {blocks:.0f} | {arguments.refined} | {rate:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Floors of encoding on a card.")
    parser.add_argument("--bus", type=float, default=64, help="GB/s each way")
    parser.add_argument("--rate", type=float, default=33.5, help="10^12 operations in single precision per second")
    parser.add_argument("--types", help="some of them, separated by commas")
    parser.add_argument("--refined", type=int, metavar="COLUMNS", help="refined encoders, of rows of so many columns")
    arguments = parser.parse_args()
    known = [name for name in TYPES if not arguments.refined or name not in UNREFINED]
    names = arguments.types.split(",") if arguments.types else known
    unknown = [name for name in names if name not in known]
    if unknown:
        parser.error(f"unknown types: {', '.join(unknown)}")
    if arguments.refined:
        count_refined(arguments, names)
        return
    print("| type | operations | weighted | bus, 10⁹/s | operations, 10⁹/s | weighted, 10⁹/s | floor |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_parts(folder)
        for name in names:
            number, size, length = TYPES[name]
            plain, weighted = count(folder, objects, "count", number, size, length)
            # Values go to the card as BF16, blocks come back.
            bus = arguments.bus / max(2, length / size)
            rates = [arguments.rate * 1000 / max(operations, 1e-9) for operations in (plain, weighted)]
            floor = "bus" if bus < rates[1] else "operations"
            print(
                f"| {name} | {plain:.0f} | {weighted:.0f} | {bus:.1f} | {rates[0]:.1f} | {rates[1]:.1f} | {floor} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
