"""As much of GGUF v3 as the benchmarks need: write a file whose tensors are streamed, read a file's directory.

Shapes are in GGUF order: the innermost dimension (the columns of a row) first.
"""

import hashlib
import math
import struct

ALIGNMENT = 32
F32, F16 = 0, 1
ELEMENT_BYTES = {F32: 4, F16: 2}
U32, I32, FLOAT, STRING, ARRAY, U64 = 4, 5, 6, 8, 9, 10
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", U32: "<I", I32: "<i", FLOAT: "<f", 7: "<?", U64: "<Q", 11: "<q", 12: "<d"}


def padded(size, alignment=ALIGNMENT):
    return -size % alignment + size


def encode_string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def encode_value(kind, value):
    """`kind` is a value type, or a pair (ARRAY, type of the elements)."""
    if isinstance(kind, tuple):
        head = struct.pack("<IQ", kind[1], len(value))
        if kind[1] == STRING:
            return head + b"".join(encode_string(element) for element in value)
        return head + struct.pack("<%d%s" % (len(value), SCALARS[kind[1]][1:]), *value)
    return encode_string(value) if kind == STRING else struct.pack(SCALARS[kind], value)


def write(path, metadata, tensors):
    """Writes a file. `metadata`: (key, kind, value); `tensors`: (name, shape, type, iterator over chunks of bytes).

    Returns the size of the file in bytes.
    """
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, kind, value in metadata:
        number = kind[0] if isinstance(kind, tuple) else kind
        head += [encode_string(key), struct.pack("<I", number), encode_value(kind, value)]
    offset = 0
    for name, shape, element, _ in tensors:
        head += [encode_string(name), struct.pack("<I", len(shape)), struct.pack("<%dQ" % len(shape), *shape)]
        head.append(struct.pack("<IQ", element, offset))
        offset += padded(math.prod(shape) * ELEMENT_BYTES[element])
    header = b"".join(head)
    with open(path, "wb") as file:
        file.write(header.ljust(padded(len(header)), b"\0"))
        for name, shape, element, chunks in tensors:
            written = 0
            for chunk in chunks:
                file.write(chunk)
                written += len(chunk)
            expected = math.prod(shape) * ELEMENT_BYTES[element]
            if written != expected:
                raise ValueError(f"{name}: {written} bytes written, its shape wants {expected}")
            file.write(bytes(padded(written) - written))
        return file.tell()


def read_value(file, kind):
    if kind == STRING:
        return read_string(file)
    if kind == ARRAY:
        element, count = struct.unpack("<IQ", file.read(12))
        return [read_value(file, element) for _ in range(count)]
    layout = SCALARS[kind]
    return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]


def read_string(file):
    return file.read(struct.unpack("<Q", file.read(8))[0]).decode(errors="replace")


def directory(file):
    """Where the data of an open file begin, and its tensors: (name, shape, type number, offset from there)."""
    magic, version, tensor_count, key_count = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{file.name}: not a GGUF v3 file")
    metadata = {}
    for _ in range(key_count):
        key = read_string(file)
        metadata[key] = read_value(file, struct.unpack("<I", file.read(4))[0])
    entries = []
    for _ in range(tensor_count):
        name = read_string(file)
        (rank,) = struct.unpack("<I", file.read(4))
        shape = struct.unpack("<%dQ" % rank, file.read(8 * rank))
        entries.append((name, shape, *struct.unpack("<IQ", file.read(12))))
    return padded(file.tell(), metadata.get("general.alignment", ALIGNMENT)), entries


def places(path):
    """The F32 tensors of a file: name -> (where they begin in the file, how many numbers they are)."""
    with open(path, "rb") as file:
        start, entries = directory(file)
    return {name: (start + offset, math.prod(shape)) for name, shape, element, offset in entries if element == F32}


def tensors(path):
    """The tensors of a file: name -> (shape, type number, sha256 of its bytes up to the next tensor's)."""
    with open(path, "rb") as file:
        start, entries = directory(file)
        end = file.seek(0, 2)
        starts = sorted(entry[3] for entry in entries) + [end - start]
        following = dict(zip(starts, starts[1:]))
        found = {}
        for name, shape, element, offset in entries:
            file.seek(start + offset)
            left, digest = following[offset] - offset, hashlib.sha256()
            while left > 0:
                chunk = file.read(min(left, 1 << 22))
                if not chunk:
                    raise ValueError(f"{path}: ends inside {name}")
                digest.update(chunk)
                left -= len(chunk)
            found[name] = (shape, element, digest.hexdigest())
        return found
