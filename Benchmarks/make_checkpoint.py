#!/usr/bin/env python3
"""Writes a Llama-shaped BF16 checkpoint folder (one safetensors file) of about a given size, to measure quantizers on.

The weights are normally distributed: every row is a slice of a pool of normal numbers, taken at a random place. The same
arguments give the same bytes. There is no tokenizer: the weights are for programs that look at nothing else.
"""

import argparse
import json
import os
import random
import struct

WIDTH, FEED_FORWARD, KEY_VALUE, VOCABULARY = 2048, 5632, 256, 4096
POOL = 1 << 20
DEVIATION = 0.02


def tensors(layers):
    yield "model.embed_tokens.weight", (VOCABULARY, WIDTH)
    for layer in range(layers):
        block = f"model.layers.{layer}."
        yield block + "input_layernorm.weight", (WIDTH,)
        yield block + "post_attention_layernorm.weight", (WIDTH,)
        for name, rows in (("q", WIDTH), ("k", KEY_VALUE), ("v", KEY_VALUE), ("o", WIDTH)):
            yield f"{block}self_attn.{name}_proj.weight", (rows, WIDTH)
        yield block + "mlp.gate_proj.weight", (FEED_FORWARD, WIDTH)
        yield block + "mlp.up_proj.weight", (FEED_FORWARD, WIDTH)
        yield block + "mlp.down_proj.weight", (WIDTH, FEED_FORWARD)
    yield "model.norm.weight", (WIDTH,)
    yield "lm_head.weight", (VOCABULARY, WIDTH)


def size(shape):
    product = 2
    for dimension in shape:
        product *= dimension
    return product


def config(layers):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD, "num_hidden_layers": layers, "num_attention_heads": WIDTH // 64,
        "num_key_value_heads": KEY_VALUE // 64, "head_dim": 64, "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 2048, "hidden_act": "silu", "tie_word_embeddings": False,
        "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--megabytes", type=int, default=400)
    options = parser.parse_args()
    layer = sum(size(shape) for name, shape in tensors(1) if ".0." in name)
    layers = max(1, round((options.megabytes * 1e6 - 4 * VOCABULARY * WIDTH) / layer))
    generator = random.Random(1)
    # The upper half of a single-precision number is the BF16 number below it.
    pool = b"".join(struct.pack("<f", generator.gauss(0, DEVIATION))[2:] for _ in range(POOL))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(layers):
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size(shape)]}
        end += size(shape)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(options.folder, exist_ok=True)
    with open(os.path.join(options.folder, "config.json"), "w") as file:
        json.dump(config(layers), file, indent=2)
    with open(os.path.join(options.folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors(layers):
            columns = shape[-1]
            for _ in range(size(shape) // (2 * columns)):
                start = 2 * generator.randint(0, POOL - columns)
                file.write(pool[start : start + 2 * columns])


if __name__ == "__main__":
    main()
