// Points of a code book with eight coordinates of 3 levels: level l stands for the odd number 2l + 1, but in IQ1.
//
// A packed point (codebook.h) is one integer, so a lane holds the quants of eight values in one register.

/// What a search of the book found, where the point it started from is not in the book, has this bit.
enum { codebook_moved = 1 << 16 };

/// The levels nearest to inverse · x, packed.
KERNEL lane_int pack_levels(const lane_float x[8], lane_float inverse) {
    lane_int packed = lane_int_of(0);
    for (int i = 0; i < 8; ++i)
        packed |= shift_up(nearest_integer_within(0.5f * (inverse * x[i] - 1.0f), 0, 2), 2 * i);
    return packed;
}

/// The odd number that coordinate `i` of a packed point stands for.
KERNEL lane_float unpack_odd(lane_int packed, int i) {
    return lane_to_float((shift_up(packed >> (2 * i), 1) & 6) | 1);
}

/// Adds Σwxq and Σwqq over a group of eight.
KERNEL void add_point_sums(lane_int packed, const lane_float *w, const lane_float *wx, lane_float *sum_wxq,
                           lane_float *sum_wqq) {
    for (int i = 0; i < 8; ++i) {
        const lane_float q = unpack_odd(packed, i);
        *sum_wxq += wx[i] * q;
        *sum_wqq += w[i] * q * q;
    }
}

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
/// - x, w: eight values, LANES apart.
/// - levels: what q is for each level; the fourth counts for nothing.
KERNEL uint32_t nearest_neighbour(const quern_codebook *book, int32_t place, const float *x, const float *w,
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
/// - x, w: eight values, LANES apart.
/// - levels: what q is for each level; the fourth counts for nothing.
KERNEL uint32_t nearest_neighbour(const quern_codebook *book, int32_t place, const float *x, const float *w,
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
    uint32_t nearest = list[0];
    for (int candidate = 0; candidate < count; ++candidate) {
        const uint32_t packed = list[candidate];
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

/// Moves points that are not in the book to the nearest of their neighbours, and marks them `codebook_moved`.
/// - x, w: eight values and the roots of their weights.
/// - scales: one for each trial.
/// - packed: the point of each trial, `step` apart.
/// - wanted: in which lanes to search.
static void move_trials_into_book(const quern_codebook *book, const lane_float x[8], const lane_float w[8],
                                  const lane_float *scales, int trials, lane_int *packed, int step,
                                  const lane_mask *wanted, int live) {
    for (int lane = 0; lane < live; ++lane) {
        if (!((const int32_t *)wanted)[lane]) continue;
        for (int trial = 0; trial < trials; ++trial) {
            int32_t *point = (int32_t *)&packed[trial * step] + lane;
            const int32_t place = book->places[*point];
            if (place >= 0) continue;
            const float scale = lane_get(&scales[trial], lane);
            const uint32_t neighbour = nearest_neighbour(book, place, (const float *)x + lane, (const float *)w + lane,
                                                         scale, (four_levels){1, 3, 5, 7});
            *point = (int32_t)neighbour | codebook_moved;
        }
    }
}
