// The nearest of the points that a code book has instead of a point it lacks, one lane at a time: lists of neighbours
// differ in length.

/// What the levels of a coordinate stand for, in units of a scale. Books with 3 levels have them twice, each time
/// followed by one that counts for nothing.
typedef VECTOR(float, 8) codebook_levels;

#if defined(PERMUTE_LANES)
// Candidates side by side: their distances grow coordinate by coordinate, each looked up in a table in a register.
typedef VECTOR(float, PERMUTE_LANES) candidate_float;
typedef VECTOR(uint32_t, PERMUTE_LANES) candidate_word;
typedef VECTOR(uint16_t, PERMUTE_LANES) candidate_short;
typedef VECTOR(bool, PERMUTE_LANES) candidate_mask;

#if PERMUTE_LANES == 16
#define PERMUTE(table, index) __builtin_ia32_permvarsf512(table, index)
#define REPEAT(eight) __builtin_shufflevector(eight, eight, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7)
#else
#define PERMUTE(table, index) __builtin_ia32_permvarsf256(table, index)
#define REPEAT(eight) (eight)
#endif

/// Of the points in a list the one with the least Σw(scale · q − x)²; the first where several have it or where no sum
/// is finite.
/// - list: packed points, padded as those of codebook.h are.
/// - x, w: a value for each coordinate, LANES apart.
/// - dimensions, bits: those of the book, known to the compiler.
KERNEL uint16_t nearest_neighbour(const uint16_t *list, int count, const float *x, const float *w, float scale,
                                  codebook_levels levels, int dimensions, int bits) {
    const candidate_float scaled = scale * REPEAT(levels);
    candidate_float tables[8];
    for (int i = 0; i < dimensions; ++i) {
        const candidate_float difference = scaled - x[i * LANES];
        tables[i] = w[i * LANES] * difference * difference;
    }
    // Sums are at least zero, so their bits order as they do; what is not finite counts as larger than all others.
    candidate_word least = 0x7f7fffff, chunk = 0;
    for (int first = 0; first < count; first += PERMUTE_LANES) {
        candidate_short points;
        memcpy(&points, list + first, sizeof points);
        const candidate_word packed = __builtin_convertvector(points, candidate_word);
        candidate_float sum = PERMUTE(tables[0], packed);
        for (int i = 1; i < dimensions; ++i) sum += PERMUTE(tables[i], packed >> (uint32_t)(bits * i));
        const candidate_word error = (candidate_word)sum;
        const candidate_word less = (candidate_word)(error < least);
        least = __builtin_elementwise_min(error, least);
        chunk = (less & (uint32_t)first) | (~less & chunk);
    }
    const uint32_t minimum = __builtin_reduce_min(least);
    if (minimum == 0x7f7fffff) return list[0];
    const candidate_mask found = __builtin_convertvector(least == minimum, candidate_mask);
    uint32_t lanes = 0;
    memcpy(&lanes, &found, sizeof found);
    uint32_t position = UINT32_MAX;
    for (; lanes != 0; lanes &= lanes - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(lanes);
        const uint32_t candidate = ((const uint32_t *)&chunk)[lane] + lane;
        if (candidate < position) position = candidate;
    }
    return list[position];
}
#else
/// Of the points in a list the one with the least Σw(scale · q − x)²; the first where several have it or where no sum
/// is finite.
/// - list: packed points, padded as those of codebook.h are.
/// - x, w: a value for each coordinate, LANES apart.
/// - dimensions, bits: those of the book, known to the compiler.
KERNEL uint16_t nearest_neighbour(const uint16_t *list, int count, const float *x, const float *w, float scale,
                                  codebook_levels levels, int dimensions, int bits) {
    float tables[8][8];
    for (int i = 0; i < dimensions; ++i)
        for (int level = 0; level < 1 << bits; ++level) {
            const float difference = scale * levels[level] - x[i * LANES];
            tables[i][level] = w[i * LANES] * difference * difference;
        }
    float least = 0x1.fffffep127f;
    uint16_t nearest = list[0];
    for (int candidate = 0; candidate < count; ++candidate) {
        const uint16_t packed = list[candidate];
        float sum = tables[0][packed & ((1 << bits) - 1)];
        for (int i = 1; i < dimensions; ++i) sum += tables[i][(packed >> (bits * i)) & ((1 << bits) - 1)];
        if (sum < least) {
            least = sum;
            nearest = packed;
        }
    }
    return nearest;
}
#endif
