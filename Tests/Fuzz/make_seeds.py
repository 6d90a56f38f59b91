#!/usr/bin/env python3
"""Writes the seeds of all corpora: small files of every kind and form, each named by what is in it.

usage: Tests/Fuzz/make_seeds.py [FOLDER]     (Tests/Fuzz/Corpora otherwise; needs the program zstd)
"""

import json
import math
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "Corpora"
REPOSITORY = HERE.parent.parent
DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def write(target, name, content):
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    folder = ROOT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content)


def safetensors(header, data=0):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def tensor(kind, shape, begin, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def safetensors_seeds():
    write("safetensors", "empty", safetensors({}))
    write("safetensors", "two", safetensors({
        "__metadata__": {"format": "pt"}, "a.weight": tensor("F32", [2, 2], 0, 16),
        "b.bias": tensor("BF16", [3], 16, 22)}, 22))
    kinds = [("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8),
             ("F8_E4M3", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16),
             ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32), ("C64", 64), ("F64", 64),
             ("I64", 64), ("U64", 64)]
    header, end = {}, 0
    for kind, bits in kinds:
        header[f"t.{kind}"] = tensor(kind, [4], end, end + bits // 2)
        end += bits // 2
    write("safetensors", "types", safetensors(header, end))
    write("safetensors", "scalar", safetensors({"s": tensor("F32", [], 0, 4), "none": tensor("F32", [0, 7], 4, 4)}, 4))
    write("safetensors", "huge", safetensors({"s": tensor("U8", [2**32, 2**31], 0, 2**63 - 1)}))
    write("safetensors", "long", struct.pack("<Q", 2**60) + b"{}")


def gguf_string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


VALUES = {"u8": (0, "<B"), "i8": (1, "<b"), "u16": (2, "<H"), "i16": (3, "<h"), "u32": (4, "<I"), "i32": (5, "<i"),
          "f32": (6, "<f"), "bool": (7, "<B"), "u64": (10, "<Q"), "i64": (11, "<q"), "f64": (12, "<d")}


def gguf_value(kind, value):
    """The type's id and the bytes of the value; arrays are ("array", (KIND, [VALUE...]))."""
    if kind == "string":
        return 8, gguf_string(value)
    if kind == "array":
        element, values = value
        parts = [gguf_value(element, v) for v in values]
        type_id = parts[0][0] if parts else VALUES.get(element, (8, ""))[0]
        return 9, struct.pack("<IQ", type_id, len(values)) + b"".join(part for _, part in parts)
    type_id, form = VALUES[kind]
    return type_id, struct.pack(form, value)


def gguf(metadata, tensors=(), version=3, alignment=32):
    """Metadata are (key, kind, value), tensors (name, shape, type's id, bytes)."""
    out = struct.pack("<IIQQ", 0x46554747, version, len(tensors), len(metadata))
    for key, kind, value in metadata:
        type_id, content = gguf_value(kind, value)
        out += gguf_string(key) + struct.pack("<I", type_id) + content
    data = b""
    for name, shape, type_id, content in tensors:
        out += gguf_string(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        out += struct.pack("<IQ", type_id, len(data))
        data += content + bytes(-len(content) % alignment)
    return out + bytes(-len(out) % alignment) + data


def gguf_model():
    """A llama of one layer that is 8 wide, in F32."""
    metadata = [("general.architecture", "string", "llama"), ("general.name", "string", "x")]
    sizes = {"block_count": 1, "context_length": 64, "embedding_length": 8, "feed_forward_length": 8, "vocab_size": 4,
             "attention.head_count": 2, "attention.head_count_kv": 1, "rope.dimension_count": 4}
    metadata += [(f"llama.{key}", "u32", size) for key, size in sizes.items()]
    metadata += [("llama.attention.layer_norm_rms_epsilon", "f32", 1e-5), ("llama.rope.freq_base", "f32", 1e4),
                 ("tokenizer.ggml.model", "string", "gpt2"), ("tokenizer.ggml.pre", "string", "llama-bpe"),
                 ("tokenizer.ggml.tokens", "array", ("string", ["a", "b", "ab", "<s>"])),
                 ("tokenizer.ggml.token_type", "array", ("i32", [1, 1, 1, 3])),
                 ("tokenizer.ggml.merges", "array", ("string", ["a b"])),
                 ("tokenizer.ggml.bos_token_id", "u32", 3), ("tokenizer.ggml.add_bos_token", "bool", 1)]
    shapes = {"token_embd": (8, 4), "output_norm": (8,), "output": (8, 4), "blk.0.attn_norm": (8,),
              "blk.0.ffn_norm": (8,), "blk.0.attn_q": (8, 8), "blk.0.attn_k": (8, 4), "blk.0.attn_v": (8, 4),
              "blk.0.attn_output": (8, 8), "blk.0.ffn_gate": (8, 8), "blk.0.ffn_up": (8, 8), "blk.0.ffn_down": (8, 8)}
    return gguf(metadata, [(f"{name}.weight", shape, 0, bytes(4 * math.prod(shape))) for name, shape in shapes.items()])


def vocabulary(kind, pre, tokens, more=()):
    return gguf([("tokenizer.ggml.model", "string", kind), ("tokenizer.ggml.pre", "string", pre),
                 ("tokenizer.ggml.tokens", "array", ("string", [token for token, _, _ in tokens])),
                 ("tokenizer.ggml.scores", "array", ("f32", [score for _, score, _ in tokens])),
                 ("tokenizer.ggml.token_type", "array", ("i32", [kind for _, _, kind in tokens])), *more])


def gguf_seeds():
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("\u2581He", -1, 1), ("l", -2, 1), ("<0x41>", 0, 6), ("and", -3, 4)]
    words = [("[UNK]", 0, 2), ("\u2581hello", 0, 1), ("o", 0, 1), ("[CLS]", 0, 3)]
    write("gguf", "vocabulary-llama", vocabulary("llama", "default", pieces))
    write("gguf", "vocabulary-t5", vocabulary("t5", "default", pieces))
    write("gguf", "vocabulary-bert", vocabulary("bert", "jina-v2-en", words))

    write("gguf", "empty", gguf([]))
    write("gguf", "version-2", gguf([("general.architecture", "string", "llama")], version=2))
    every = [(f"a.{kind}", kind, 1) for kind in VALUES]
    every += [(f"b.{kind}", "array", (kind, [0, 1, 1])) for kind in VALUES]
    every += [("c", "string", "text"), ("d", "array", ("string", ["x", "", "yz"])),
              ("e", "array", ("array", [("u8", [1]), ("string", ["a"])])), ("f", "string", b"\xff\xfe")]
    write("gguf", "values", gguf(every))
    write("gguf", "tensors", gguf(
        [("general.architecture", "string", "llama"), ("general.alignment", "u32", 64), ("split.count", "u16", 1)],
        [("token_embd.weight", [32, 2], 8, bytes(68)), ("output_norm.weight", [4], 0, bytes(16)),
         ("blk.0.ffn_up.weight", [256, 1], 12, bytes(144)), ("scalar", [], 0, bytes(4))], alignment=64))
    write("gguf", "model", gguf_model())
    write("gguf", "huge", gguf([], [("x", [2**31, 2**31, 2, 1], 0, b"")]))
    write("gguf", "counts", struct.pack("<IIQQ", 0x46554747, 3, 2**60, 2**60))


def imatrix_seeds():
    def floats(*values):
        return struct.pack(f"<{len(values)}f", *values)
    keys = [("general.type", "string", "imatrix"), ("imatrix.datasets", "array", ("string", ["text.txt"])),
            ("imatrix.chunk_count", "u32", 10), ("imatrix.chunk_size", "u32", 512)]
    own = [("quern.imatrix.distinct_tokens", "u32", 5), ("quern.imatrix.vocabulary_size", "u32", 9)]
    one = [("t.weight.in_sum2", [4], 0, floats(1, 2, 3, 4)), ("t.weight.counts", [1], 0, floats(2))]
    experts = [("x.in_sum2", [2, 3], 0, floats(1, 2, 5, 6, 7, 8)), ("x.counts", [1, 3], 0, floats(3, 0, 2))]
    write("imatrix", "one", gguf(keys, one))
    write("imatrix", "experts", gguf(keys + own, experts + one))
    write("imatrix", "none", gguf(keys))

    def dat(*entries, tail=b""):
        out = struct.pack("<i", len(entries))
        for name, calls, values in entries:
            out += struct.pack("<i", len(name)) + name + struct.pack("<ii", calls, len(values)) + floats(*values)
        return out + tail
    write("imatrix", "dat", dat((b"a.weight", 4, [4, 8]), (b"b.weight", 1, [1])))
    write("imatrix", "dat-dataset", dat((b"a.weight", 4, [4, 8]), tail=struct.pack("<ii", 3, 4) + b"text"))
    write("imatrix", "dat-counts", struct.pack("<ii", 2**31 - 1, 2**31 - 1))


def index_seeds():
    both = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    write("index", "both", {"metadata": {"total_size": 2}, **both})
    write("index", "swapped", {"weight_map": {"x": "b.safetensors", "y": "a.safetensors"}})
    write("index", "more", {"weight_map": {**both["weight_map"], "z": "b.safetensors"}})
    write("index", "outside", {"weight_map": {"x": "../a.safetensors", "y": "/etc/passwd"}})
    write("index", "same", {"weight_map": {"\u00e9": "a.safetensors", "e\u0301": "b.safetensors"}})


def config_seeds():
    for file in sorted((REPOSITORY / "Tests/Fixtures/checkpoints").glob("*/config.json")):
        write("config", file.parent.name, file.read_bytes())
    llama = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256,
             "num_hidden_layers": 2, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2,
             "vocab_size": 8, "rms_norm_eps": 1e-5, "max_position_embeddings": 1024}
    write("config", "matching", llama)
    write("config", "yarn", {**llama, "rope_scaling": {"rope_type": "yarn", "factor": 4.0,
                                                       "original_max_position_embeddings": 256}})
    write("config", "llama3", {**llama, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}})
    write("config", "text", {"architectures": ["LlamaForCausalLM"], "text_config": llama})
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}
    write("config", "compressed", {**llama, "quantization_config": {
        "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}})
    write("config", "fp8", {**llama, "quantization_config": {
        "quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}})
    write("config", "huge", {**llama, "hidden_size": 2**62, "num_hidden_layers": 2**40, "num_attention_heads": 2**62})


def card_seeds():
    write("card", "usual", """license: other
license_name: terms
license_link: https://example.com/terms
base_model:
- a/b
- https://huggingface.co/c/d
language: [en, de]
tags: [text-generation, x]
datasets: a/data
pipeline_tag: text-generation
model-index:
- name: X 7B v0.1
""")
    write("card", "tabs", "license:\tmit\nbase_model:\n\t- a/b-7B-Instruct-v1.2\n")
    write("card", "times", "date: 2024-02-30 12:00:00\nlicense: ~\ntags: !!set {a, b}\nbase_model: 1e3\n")


def tokenizer_seeds():
    added = [{"id": 4, "content": "<s>", "special": True, "lstrip": True, "rstrip": True, "single_word": True},
             {"id": 5, "content": "and", "special": False, "normalized": True}]
    letters = {"H": 0, "e": 1, "l": 2, "o": 3, "<s>": 4, "and": 5, "ll": 6, "\u0120": 7, "lo": 8}
    models = {
        "bpe": {"type": "BPE", "vocab": letters, "merges": ["l l", "l o"]},
        "bpe-pairs": {"type": "BPE", "vocab": {**letters, "<0x00>": 9, "<unk>": 10}, "merges": [["l", "l"]],
                      "byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True, "ignore_merges": True,
                      "dropout": None, "continuing_subword_prefix": "", "end_of_word_suffix": ""},
        "unigram": {"type": "Unigram", "unk_id": 0, "byte_fallback": False,
                    "vocab": [["<unk>", 0], ["H", -1.5], ["el", -2], ["lo", -2.5], ["\u2581", -3]]},
        "wordpiece": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "hell": 1, "##o": 2}},
        "wordlevel": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "Hello": 1}},
    }
    for name, model in models.items():
        write("tokenizer", name, {"version": "1.0", "model": model, "added_tokens": added if "bpe" in name else []})
    level = {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}
    charsmap = "tAAAAAEAAAABAAAA"
    normalizers = {
        "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
        "nmt": {"type": "Nmt"}, "lowercase": {"type": "Lowercase"}, "accents": {"type": "StripAccents"},
        "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
        "bert": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                 "lowercase": True},
        "prepend": {"type": "Prepend", "prepend": "\u2581"}, "bytes": {"type": "ByteLevel"},
        "replace": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"},
        "precompiled": {"type": "Precompiled", "precompiled_charsmap": charsmap},
    }
    write("tokenizer", "normalizers", {"model": level, "normalizer": {
        "type": "Sequence", "normalizers": list(normalizers.values())[:-1]}})
    for name in ["nfkc", "bert", "replace", "precompiled"]:
        write("tokenizer", f"normalizer-{name}", {"model": level, "normalizer": normalizers[name]})
    steps = {
        "bytelevel": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True, "trim_offsets": True},
        "metaspace": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        "whitespace": {"type": "Whitespace"}, "whitespacesplit": {"type": "WhitespaceSplit"},
        "punctuation": {"type": "Punctuation", "behavior": "Contiguous"},
        "digits": {"type": "Digits", "individual_digits": True}, "bert": {"type": "BertPreTokenizer"},
        "unicode": {"type": "UnicodeScripts"}, "delimiter": {"type": "CharDelimiterSplit", "delimiter": " "},
        "fixed": {"type": "FixedLength", "length": 3},
        "split": {"type": "Split", "pattern": {"Regex": "\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)"}, "behavior": "Isolated",
                  "invert": False},
        "merged": {"type": "Split", "pattern": {"String": "l"}, "behavior": "MergedWithPrevious", "invert": True},
    }
    write("tokenizer", "steps", {"model": level, "pre_tokenizer": {
        "type": "Sequence", "pretokenizers": list(steps.values())}})
    for name, step in steps.items():
        write("tokenizer", f"step-{name}", {"model": models["bpe"], "pre_tokenizer": step})
    write("tokenizer", "template", {"model": models["bpe"], "post_processor": {
        "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                 {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}}})
    write("tokenizer", "bert", {"model": models["wordpiece"], "post_processor": {
        "type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["hell", 1]}})


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def pieces_seeds():
    def field(number, content):
        if isinstance(content, bytes):
            return varint(number << 3 | 2) + varint(len(content)) + content
        if isinstance(content, float):
            return varint(number << 3 | 5) + struct.pack("<f", content)
        return varint(number << 3) + varint(content)

    def model(pieces, trainer=b"", normalizer=b""):
        out = b"".join(field(1, field(1, text.encode()) + field(2, float(score)) + field(3, kind))
                       for text, score, kind in pieces)
        return out + field(2, trainer) + field(3, normalizer)
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("\u2581He", -1, 1), ("l", -2, 1), ("and", -3, 4),
              ("<0x41>", 0, 6), ("zz", 0, 5)]
    ids = field(40, 0) + field(41, 1) + field(42, 2) + field(43, 2**64 - 1)
    write("pieces", "bpe", model(pieces, field(3, 2) + field(35, 1) + ids, field(1, b"identity") + field(3, 1)))
    write("pieces", "unigram", model(pieces, field(3, 1) + ids, field(1, b"nmt_nfkc") + field(3, 1) + field(4, 1)))
    write("pieces", "charsmap", model(pieces, field(3, 1), field(2, struct.pack("<III", 4, 1 << 10, 0) + b"a\0")))


def zstd_seeds():
    def packed(content, *options):
        return subprocess.run(["zstd", "-q", "-c", *options], input=content, capture_output=True, check=True).stdout
    text = b"Quern grinds checkpoints. " * 20
    sized = ["--content-size", f"--stream-size={len(text)}"]
    write("zstd", "text", packed(text, *sized))
    write("zstd", "two", packed(text, *sized) + packed(text, "-19", *sized))
    write("zstd", "plain", packed(bytes(range(256)), "--stream-size=256", "--no-check"))
    write("zstd", "no-size", packed(text))
    write("zstd", "empty", b"")
    write("zstd", "zeros", packed(bytes(1 << 20), f"--stream-size={1 << 20}"))
    write("zstd", "long", packed(bytes(9 << 20), f"--stream-size={9 << 20}"))
    write("zstd", "window", packed(text, "--long=31", *sized))
    write("zstd", "skippable", b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + packed(text, *sized))


def recipes():
    yield "least", {"source": "/model", "targets": [{"gguf": "Q4_K_M"}]}
    yield "full", {
        "source": "/model", "name": "x", "imatrix": "/i.gguf", "allow_requantize": True, "include_weights": ["ffn"],
        "prune_layers": [1], "override_kv": ["a.b=int:7", "c=float:0.5", "d=bool:true", "e=str:x"],
        "split": {"max_size": "5GB", "max_tensors": 12},
        "targets": [
            {"gguf": "Q4_K_M", "pure": False, "tensors": {"attn_v": "q8_0", "blk\\.[0-3]\\.": "f16"},
             "output_tensor_type": "q6_K", "token_embedding_type": "bf16", "leave_output_tensor": True},
            {"gguf": "IQ2_M"}, {"gguf": "Q8_0", "method": "awq"}]}
    yield "calibrated", {
        "source": "hf://a/b@main", "encoder": "refined", "forward": "cuda", "measurement": {"chunks": 4, "layers": 2},
        "calibration": {"text": "/t.txt", "chunk_tokens": 128, "chunks": 20, "process_output": True,
                        "gram": {"max_block": 256, "budget": "3MB"}},
        "evaluation": {"text": "/t.txt", "chunk_tokens": 64, "chunks": 3},
        "targets": [{"size": "1MB"}, {"bpw": "4.25"}, {"gguf": "Q4_K_M:dynamic"}]}
    yield "folders", {
        "source": "/model", "calibration": {"text": "/t.txt", "gram": True},
        "targets": [
            {"compressed_tensors": "W4A16", "group_size": 32, "method": "awq+gptq", "ignore": ["lm_head", "re:.*gate"]},
            {"compressed_tensors": "W8A8", "layers": {"re:.*down.*": "W4A16_G32", "model.layers.0": "none"}},
            {"compressed_tensors": "FP8_BLOCK"}, {"compressed_tensors": "NVFP4"}, {"compressed_tensors": "MXFP4"},
            {"compressed_tensors": "W4A16_GPTQ", "bpw": "6"}]}
    yield "kept", {"source": "/model.gguf", "split": {"keep": True}, "targets": [{"gguf": "F16"}],
                   "exclude_weights": ["attn"], "sensitivity": "/costs.json"}


def recipe_seeds():
    def yaml(value, indent=""):
        if isinstance(value, dict):
            return "".join(f"\n{indent}{json.dumps(k) if not k.isidentifier() else k}:{yaml(v, indent + '  ')}"
                           for k, v in value.items())
        if isinstance(value, list):
            return "".join(f"\n{indent}-{yaml(v, indent + '  ')}" for v in value)
        return f" {json.dumps(value)}"
    for name, recipe in recipes():
        write("recipe", name, yaml(recipe).lstrip() + "\n")
    write("recipe", "flow", json.dumps(dict(recipes())["least"]))
    write("recipe", "deep", "source: /model\ntargets: " + "[" * 3000)
    write("recipe", "sixties", "source: /model\ntargets: [{gguf: F16}]\nprune_layers: [153722867280912930:59, 1:30]\n")
    write("recipe", "anchors", "source: &s /model\ntargets: [&t {gguf: Q8_0}, *t]\nname: *s\n")


def costs(keys):
    """What the tensors of the small llama cost; `keys` spells keys."""
    shapes = {"token_embd": (256, 8), "output": (256, 8)}
    for layer in range(2):
        parts = {"attn_q": (256, 256), "attn_k": (256, 128), "attn_v": (256, 128), "attn_output": (256, 256),
                 "ffn_gate": (256, 512), "ffn_up": (256, 512), "ffn_down": (512, 256)}
        shapes |= {f"blk.{layer}.{part}": shape for part, shape in parts.items()}
    blocks = [("Q2_K", 84, 0.4), ("Q4_K", 144, 0.1), ("Q6_K", 210, 0.01)]
    schemes = [{"scheme": name, "divergence": d} for name, d in (("W4A16", 0.2), ("W4A16_G32", 0.1), ("W8A16", 0.01))]
    return {
        keys("format_version"): 1, "source": "model", "encoder": "e", "text": "t", keys("chunk_tokens"): 512,
        "chunks": 8, "tensors": [
            {"tensor": f"{name}.weight", "probe": "Q2_K", "divergence": 0.4, "schemes": schemes, "types": [
                {"type": kind, "bytes": columns * rows // 256 * size, "divergence": d} for kind, size, d in blocks]}
            for name, (columns, rows) in shapes.items()]}


def camel(key):
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def sensitivity_seeds():
    write("sensitivity", "whole", costs(str))
    write("sensitivity", "part", {**costs(str), "tensors": costs(str)["tensors"][:1]})


def http_seeds():
    lease = {"item": {"job": "j", "ordinal": 3}, "id": "l", "fence": 2}
    part = {"digest": DIGEST, "bytes": 7, "squaredError": 0.5, "squaredNorm": 2}
    scores = costs(camel)["tensors"][0]
    for name, recipe in recipes():
        for target in recipe["targets"]:
            if "bpw" in target:
                target["bpw"] = float(target["bpw"])
            for key, names in (("tensors", ("pattern", "type")), ("layers", ("pattern", "scheme"))):
                if key in target:
                    target[key] = [dict(zip(names, pair)) for pair in target[key].items()]
        write("http", f"recipe-{name}", "J" + json.dumps(recipe))
    write("http", "submission", "J" + json.dumps({
        "recipe": dict(recipes())["least"], "priority": 3, "idempotencyKey": "k"}))
    write("http", "session", "S" + json.dumps({
        "node": "n", "slots": 2, "memory": 1 << 40, "stages": ["digest", "encode", "publish"]}))
    write("http", "heartbeat", "H" + json.dumps({"leases": [{"lease": lease, "fraction": 0.5}]}))
    write("http", "claim", "W" + json.dumps({"session": "s", "limit": 4, "waitSeconds": 1.5}))
    results = {
        "digest": {"sha256": DIGEST, "size": 4},
        "tokenize": {"tokens": DIGEST, "chunks": 3, "text": DIGEST, "distinctTokens": 4, "vocabulary": 9},
        "calibrate": {"statistics": [DIGEST]}, "scan": {"weights": 0.5, "groupMean": 0.25, "input": 1},
        "merge": {"sha256": DIGEST, "statistics": [DIGEST], "index": DIGEST, "chunks": 2,
                  "coverage": [{"layer": 0, "tokens": [1, 2]}], "warnings": ["w"]},
        "balance": {"vector": DIGEST}, "factor": {"factor": [DIGEST]},
        "measure": {"tensors": [scores], "losses": [0.5]}, "collect": {"costs": costs(camel)},
        "encode": {"parts": [part]}, "evaluate": {"scores": [DIGEST]},
        "assemble": {"file": "x.gguf", "size": 4, "sha256": DIGEST, "tensors": []},
        "publish": {"sha256": DIGEST, "size": 3, "reports": [{"name": "r", "sha256": DIGEST, "size": 1}]},
    }
    for stage, result in results.items():
        write("http", f"complete-{stage}", "C" + json.dumps({
            "lease": lease, "completion": {"result": {stage: result}, "cache": [{"key": DIGEST, "part": part}]}}))
    write("http", "fail", "F" + json.dumps({
        "lease": lease, "failure": {"class": "lostInput", "message": "m", "blobs": [DIGEST]}}))
    write("http", "release", "R" + json.dumps({"lease": {**lease, "token": "t"}}))
    write("http", "lookup", "L" + json.dumps({"keys": [DIGEST]}))


for seeds in [safetensors_seeds, gguf_seeds, imatrix_seeds, index_seeds, config_seeds, card_seeds, tokenizer_seeds, pieces_seeds, zstd_seeds,
              recipe_seeds, sensitivity_seeds, http_seeds]:
    seeds()
