// Kernels for blocks of one type, QUERN_TYPE; the type's number ends their names. A thread works on one block, row or
// piece as one lane does elsewhere: what it writes is what the other builds write.

#define QUERN_NAME_OF(name, type) name##_##type
#define QUERN_NAME(name, type) QUERN_NAME_OF(name, type)

/// Encodes `count` blocks of `size` values and `bytes` bytes: whole rows of `columns` values.
/// - importance: `columns` weights, or null.
/// - means: the mean square of each row where the type goes by it and there is importance (`quern_row_means`).
extern "C" __global__ void QUERN_NAME(quern_encode, QUERN_TYPE)(const float *from, size_t count, size_t size,
                                                               size_t bytes, size_t columns, const float *importance,
                                                               const float *means, uint8_t *to) {
    const size_t block = quern_thread();
    if (block >= count) return;
    const size_t per_row = columns / size, row = block / per_row, place = block % per_row;
    const float *values = from + row * columns;
    uint8_t *const blocks = to + row * per_row * bytes;
    if (importance && QUERN_TYPE == quern_type_q4_0)
        encode_symmetric_blocks(values, place, place + 1, columns, importance, means + row, blocks, 8);
    else if (importance && QUERN_TYPE == quern_type_q5_0)
        encode_symmetric_blocks(values, place, place + 1, columns, importance, means + row, blocks, 16);
    else if (importance && QUERN_TYPE == quern_type_q4_1)
        encode_affine_blocks(values, place, place + 1, columns, importance, means + row, blocks, 15);
    else if (importance && QUERN_TYPE == quern_type_q5_1)
        encode_affine_blocks(values, place, place + 1, columns, importance, means + row, blocks, 31);
    else
        encode(QUERN_TYPE, values + place * size, 1, size, importance ? importance + place * size : nullptr,
               blocks + place * bytes);
}

/// Decodes `count` blocks of `size` values and `bytes` bytes.
extern "C" __global__ void QUERN_NAME(quern_decode, QUERN_TYPE)(const uint8_t *from, size_t count, size_t size,
                                                               size_t bytes, float *to) {
    const size_t block = quern_thread();
    if (block < count) decode(QUERN_TYPE, from + block * bytes, size, to + block * size);
}

#undef QUERN_NAME
#undef QUERN_NAME_OF
