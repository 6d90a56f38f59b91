#!/usr/bin/env python3
"""Writes a Llama-shaped F16 GGUF file of about a given size, to measure quantizers on.

The weights are normally distributed: every row is a slice of a pool of normal numbers, taken at a random place, so that
no two rows are equal and a file of gigabytes is written at the speed of the disk. The same arguments give the same
bytes. The model loads and runs, and says nothing sensible.
"""

import argparse
import os
import random
import struct
import sys

import gguf

POOL = 1 << 20
DEVIATION = 0.02


def pool_of_halves(generator):
    values = (generator.gauss(0, DEVIATION) for _ in range(POOL))
    return struct.pack("<%de" % POOL, *values)


def random_rows(pool, generator, columns, rows):
    """Chunks of about a megabyte; each row is `columns` halves of the pool."""
    size, last = 2 * columns, POOL - columns
    step = max(1, (1 << 20) // size)
    for first in range(0, rows, step):
        starts = (2 * generator.randint(0, last) for _ in range(min(step, rows - first)))
        yield b"".join(pool[start : start + size] for start in starts)


def vocabulary(size):
    """Control tokens, the 256 bytes, and made-up words: enough for the `llama` tokenizer to load."""
    tokens = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % byte for byte in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    tokens += ["\u2581w%d" % index for index in range(len(tokens), size)]
    kinds += [1] * (size - len(kinds))
    return tokens, kinds


def layer_tensors(index, width, feed_forward, key_value):
    block = f"blk.{index}."
    return [
        (block + "attn_norm.weight", (width,)),
        (block + "attn_q.weight", (width, width)),
        (block + "attn_k.weight", (width, key_value)),
        (block + "attn_v.weight", (width, key_value)),
        (block + "attn_output.weight", (width, width)),
        (block + "ffn_norm.weight", (width,)),
        (block + "ffn_gate.weight", (width, feed_forward)),
        (block + "ffn_up.weight", (width, feed_forward)),
        (block + "ffn_down.weight", (feed_forward, width)),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", help="the .gguf file to write")
    parser.add_argument("--megabytes", type=float, default=400, help="size to come near to (10^6 bytes), default 400")
    parser.add_argument("--width", type=int, default=2048, help="a multiple of 256, default 2048")
    parser.add_argument("--feed-forward", type=int, default=5632, help="a multiple of 256, default 5632")
    parser.add_argument("--vocabulary", type=int, default=4096, help="at least 259, default 4096")
    parser.add_argument("--imatrix", help="also write an importance matrix (GGUF) to this file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.width % 256 or options.feed_forward % 256 or options.vocabulary < 259:
        parser.error("--width and --feed-forward are multiples of 256, --vocabulary is at least 259")

    head_size = 64
    heads = options.width // head_size
    key_value_heads = max(1, heads // 8)
    key_value = key_value_heads * head_size
    ends = 2 * options.width * options.vocabulary
    layer = 2 * options.width * (options.width + key_value) + 3 * options.width * options.feed_forward
    layers = max(1, round((options.megabytes * 1e6 / 2 - ends) / layer))

    generator = random.Random(options.seed)
    pool = pool_of_halves(generator)
    shapes = [("token_embd.weight", (options.width, options.vocabulary))]
    for index in range(layers):
        shapes += layer_tensors(index, options.width, options.feed_forward, key_value)
    shapes += [("output_norm.weight", (options.width,)), ("output.weight", (options.width, options.vocabulary))]

    tensors = []
    for name, shape in shapes:
        if len(shape) == 1:
            tensors.append((name, shape, gguf.F32, iter([struct.pack("<%df" % shape[0], *[1.0] * shape[0])])))
        else:
            tensors.append((name, shape, gguf.F16, random_rows(pool, generator, shape[0], shape[1])))

    tokens, kinds = vocabulary(options.vocabulary)
    metadata = [
        ("general.architecture", gguf.STRING, "llama"),
        ("general.name", gguf.STRING, "benchmark"),
        ("general.file_type", gguf.U32, 1),
        ("llama.block_count", gguf.U32, layers),
        ("llama.context_length", gguf.U32, 2048),
        ("llama.embedding_length", gguf.U32, options.width),
        ("llama.feed_forward_length", gguf.U32, options.feed_forward),
        ("llama.attention.head_count", gguf.U32, heads),
        ("llama.attention.head_count_kv", gguf.U32, key_value_heads),
        ("llama.attention.layer_norm_rms_epsilon", gguf.FLOAT, 1e-5),
        ("llama.rope.dimension_count", gguf.U32, head_size),
        ("llama.vocab_size", gguf.U32, options.vocabulary),
        ("tokenizer.ggml.model", gguf.STRING, "llama"),
        ("tokenizer.ggml.tokens", (gguf.ARRAY, gguf.STRING), tokens),
        ("tokenizer.ggml.scores", (gguf.ARRAY, gguf.FLOAT), [-float(index) for index in range(len(tokens))]),
        ("tokenizer.ggml.token_type", (gguf.ARRAY, gguf.I32), kinds),
        ("tokenizer.ggml.bos_token_id", gguf.U32, 1),
        ("tokenizer.ggml.eos_token_id", gguf.U32, 2),
        ("tokenizer.ggml.unknown_token_id", gguf.U32, 0),
    ]
    os.makedirs(os.path.dirname(os.path.abspath(options.output)), exist_ok=True)
    size = gguf.write(options.output, metadata, tensors)
    print(f"{options.output}: {size / 1e6:.0f} MB, {layers} layers, {sum(len(s) == 2 for _, s in shapes)} matrices")

    if options.imatrix:
        write_importance(options.imatrix, shapes, generator)
    return 0


def write_importance(path, shapes, generator):
    """Mean squares as activations have them: spread over some orders of magnitude, a few columns far above the rest."""
    entries = []
    # The embedding is looked up, not multiplied: no statistics exist for it.
    for name, shape in sorted(entry for entry in shapes if len(entry[1]) == 2 and entry[0] != "token_embd.weight"):
        values = [generator.lognormvariate(0, 1.5) * 512 for _ in range(shape[0])]
        sums = struct.pack("<%df" % shape[0], *values)
        entries.append((name + ".counts", (1, 1), gguf.F32, iter([struct.pack("<f", 512.0)])))
        entries.append((name + ".in_sum2", (shape[0], 1), gguf.F32, iter([sums])))
    metadata = [
        ("general.type", gguf.STRING, "imatrix"),
        ("imatrix.datasets", (gguf.ARRAY, gguf.STRING), ["synthetic"]),
        ("imatrix.chunk_count", gguf.U32, 1),
        ("imatrix.chunk_size", gguf.U32, 512),
    ]
    size = gguf.write(path, metadata, entries)
    print(f"{path}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
