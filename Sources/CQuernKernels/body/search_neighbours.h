// The nearest of the points that a code book has instead of a point it lacks, for books with eight coordinates of 3
// levels, one lane at a time: lists of neighbours differ in length.

/// What the levels of a coordinate stand for, in units of a scale; the fourth counts for nothing.
typedef float four_levels __attribute__((ext_vector_type(4)));

#if defined(PERMUTE_LANES)
// Candidates side by side: their distances grow coordinate by coordinate, each looked up in a table in a register.
typedef float candidate_float __attribute__((ext_vector_type(PERMUTE_LANES)));
typedef uint32_t candidate_word __attribute__((ext_vector_type(PERMUTE_LANES)));
typedef uint16_t candidate_short __attribute__((ext_vector_type(PERMUTE_LANES)));
typedef bool candidate_mask __attribute__((ext_vector_type(PERMUTE_LANES)));

#if PERMUTE_LANES == 16
#define PERMUTE(table, index) __builtin_ia32_permvarsf512(table, index)
#define REPEAT(four) __builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)
#else
#define PERMUTE(table, index) __builtin_ia32_permvarsf256(table, index)
#define REPEAT(four) __builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3)
#endif

/// Of a point's neighbours the one with the least Σw(scale · q − x)²; the first where several have it or where no sum
/// is finite.
/// - place: of the point (codebook.h).
/// - x, w: eight values, LANES apart.
KERNEL int32_t nearest_neighbour(const quern_codebook *book, int32_t place, const float *x, const float *w,
                                 float scale, four_levels levels) {
    const candidate_float scaled = scale * REPEAT(levels);
    candidate_float tables[8];
    for (int i = 0; i < 8; ++i) {
        const candidate_float difference = scaled - x[i * LANES];
        tables[i] = w[i * LANES] * difference * difference;
    }
    const uint16_t *list = book->neighbours + codebook_list_start(place);
    const int count = codebook_list_count(place);
    // Sums are at least zero, so their bits order as they do; what is not finite counts as larger than all others.
    candidate_word least = 0x7f7fffff, chunk = 0;
    for (int first = 0; first < count; first += PERMUTE_LANES) {
        candidate_short points;
        memcpy(&points, list + first, sizeof points);
        const candidate_word packed = __builtin_convertvector(points, candidate_word);
        candidate_float sum = PERMUTE(tables[0], packed);
        for (int i = 1; i < 8; ++i) sum += PERMUTE(tables[i], packed >> (uint32_t)(2 * i));
        const candidate_word bits = (candidate_word)sum;
        const candidate_word less = (candidate_word)(bits < least);
        least = __builtin_elementwise_min(bits, least);
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
/// Of a point's neighbours the one with the least Σw(scale · q − x)²; the first where several have it or where no sum
/// is finite.
/// - place: of the point (codebook.h).
/// - x, w: eight values, LANES apart.
KERNEL int32_t nearest_neighbour(const quern_codebook *book, int32_t place, const float *x, const float *w,
                                 float scale, four_levels levels) {
    float tables[8][4];
    for (int i = 0; i < 8; ++i)
        for (int level = 0; level < 3; ++level) {
            const float difference = scale * levels[level] - x[i * LANES];
            tables[i][level] = w[i * LANES] * difference * difference;
        }
    const uint16_t *list = book->neighbours + codebook_list_start(place);
    const int count = codebook_list_count(place);
    float least = 0x1.fffffep127f;
    int32_t nearest = list[0];
    for (int candidate = 0; candidate < count; ++candidate) {
        const int32_t packed = list[candidate];
        float sum = tables[0][packed & 3];
        for (int i = 1; i < 8; ++i) sum += tables[i][(packed >> (2 * i)) & 3];
        if (sum < least) {
            least = sum;
            nearest = packed;
        }
    }
    return nearest;
}
#endif
