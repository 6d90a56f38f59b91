// Lanes: LANES independent blocks side by side, lane j working on block j. Every lane does what scalar code would
// do, in the same order; branches become masks (all ones or zero) and selects.

#if LANES == 1
typedef float lane_float;
typedef int32_t lane_int;
typedef int32_t lane_mask;
#define MASK(condition) ((condition) ? -1 : 0)
#else
typedef VECTOR(float, LANES) lane_float;
typedef VECTOR(int32_t, LANES) lane_int;
typedef lane_int lane_mask;
#define MASK(condition) (condition)
#endif

KERNEL lane_int lane_bits(lane_float a) {
#if LANES == 1
    return (int32_t)float_bits(a);
#else
    return (lane_int)a;
#endif
}

KERNEL lane_float lane_from_bits(lane_int a) {
#if LANES == 1
    return float_from_bits((uint32_t)a);
#else
    return (lane_float)a;
#endif
}

KERNEL lane_float lane_to_float(lane_int a) {
#if LANES == 1
    return (float)a;
#else
    return __builtin_convertvector(a, lane_float);
#endif
}

KERNEL lane_float lane_sqrt(lane_float a) {
#if LANES == 1
    return __builtin_sqrtf(a);
#else
    return __builtin_elementwise_sqrt(a);
#endif
}

KERNEL lane_float lane_float_of(float a) { return (lane_float)a; }
KERNEL lane_int lane_int_of(int32_t a) { return (lane_int)a; }

KERNEL lane_mask less(lane_float a, lane_float b) { return MASK(a < b); }
KERNEL lane_mask greater(lane_float a, lane_float b) { return MASK(a > b); }
KERNEL lane_mask equal(lane_float a, lane_float b) { return MASK(a == b); }
KERNEL lane_mask differs(lane_float a, lane_float b) { return MASK(a != b); }
KERNEL lane_mask at_least(lane_int a, lane_int b) { return MASK(a >= b); }

KERNEL lane_int pick_int(lane_mask mask, lane_int a, lane_int b) {
#if LANES == 1
    return mask ? a : b;
#else
    return (mask & a) | (~mask & b);
#endif
}

KERNEL lane_float pick(lane_mask mask, lane_float a, lane_float b) {
#if LANES == 1
    return mask ? a : b;
#else
    return lane_from_bits(pick_int(mask, lane_bits(a), lane_bits(b)));
#endif
}

KERNEL lane_int least(lane_int a, lane_int b) {
#if LANES == 1
    return a < b ? a : b;
#else
    return __builtin_elementwise_min(a, b);
#endif
}

KERNEL lane_int most(lane_int a, lane_int b) {
#if LANES == 1
    return a > b ? a : b;
#else
    return __builtin_elementwise_max(a, b);
#endif
}

KERNEL bool any(lane_mask mask) {
#if LANES == 1
    return mask != 0;
#else
    return __builtin_reduce_or(mask) != 0;
#endif
}

KERNEL lane_float magnitude(lane_float a) { return lane_from_bits(lane_bits(a) & 0x7fffffff); }

// The integer nearest to `a`, |a| < 2^22, the even one of two, as a float.
#if defined(PERMUTE_LANES) || (defined(__aarch64__) && LANES > 1)
#define NEAREST(a) __builtin_elementwise_rint(a)
#else
#define NEAREST(a) (((a) + ROUNDING) - ROUNDING)
#endif

/// The nearest integer. As in the reference, values from ±2^22 on wrap around: only the low 23 bits count.
KERNEL lane_int nearest(lane_float a) { return (lane_bits(a + ROUNDING) & 0x7fffff) - 0x400000; }

/// ROUNDING + `nearest(a)`, held within low ... high, as bits.
KERNEL lane_int rounded_within(lane_float a, int low, int high) {
    const lane_int wrapped = (lane_bits(a + ROUNDING) & 0x7fffff) | 0x4b000000;
    return least(most(wrapped, lane_int_of(ROUNDING_BITS + low)), lane_int_of(ROUNDING_BITS + high));
}

/// `nearest(a)`, held within low ... high, as a float.
KERNEL lane_float nearest_within(lane_float a, int low, int high) {
    return lane_from_bits(rounded_within(a, low, high)) - ROUNDING;
}

/// `nearest(a)`, held within low ... high.
KERNEL lane_int nearest_integer_within(lane_float a, int low, int high) {
    return rounded_within(a, low, high) - ROUNDING_BITS;
}

/// The integer that `a` holds exactly, |a| < 2^22.
KERNEL lane_int whole(lane_float a) { return lane_bits(a + ROUNDING) - ROUNDING_BITS; }

KERNEL float lane_get(const lane_float *a, int lane) { return ((const float *)a)[lane]; }
KERNEL int32_t lane_get_int(const lane_int *a, int lane) { return ((const int32_t *)a)[lane]; }

/// Rounds to half precision.
/// - Returns: the rounded values; `halves` receives their encodings.
KERNEL lane_float lane_to_half(lane_float a, uint16_t halves[LANES]) {
    lane_float rounded;
    for (int lane = 0; lane < LANES; ++lane) {
        halves[lane] = half_from_float(lane_get(&a, lane));
        ((float *)&rounded)[lane] = float_from_half(halves[lane]);
    }
    return rounded;
}

/// Lays `count` consecutive values (a multiple of 4) of each lane side by side: to[i] has value i of every lane.
KERNEL void lane_load(lane_float *to, const float *const from[LANES], int count) {
#if LANES == 1
    memcpy(to, from[0], (size_t)count * sizeof(float));
#else
    for (int i = 0; i < count; i += 4)
        for (int lane = 0; lane < LANES; lane += 16) {
            row_float values[4];
            row_load_fours(values, from + lane, (size_t)i);
            for (int j = 0; j < 4; ++j) memcpy((float *)&to[i + j] + lane, &values[j], sizeof values[j]);
        }
#endif
}

/// Four consecutive words of each lane, to[i] receiving word i: those of a table from word 4 · index on.
KERNEL void lane_load_words(lane_int to[4], const void *table, lane_int index) {
    const float *from[LANES];
    for (int lane = 0; lane < LANES; ++lane)
        from[lane] = (const float *)table + 4 * (size_t)((const int32_t *)&index)[lane];
    lane_load((lane_float *)to, from, 4);
}

/// a · 2^places, without its upper bits where they do not fit.
KERNEL lane_int shift_up(lane_int a, int places) {
#if LANES == 1
    return (int32_t)((uint32_t)a << places);
#else
    return a << places;
#endif
}

#ifdef LANE_TABLES
/// Entry `index` modulo 32 of 32 words.
KERNEL lane_int lane_lookup(const void *table, lane_int index) {
    lane_int entries;
#if PERMUTE_LANES == 16
    typedef int32_t sixteen __attribute__((vector_size(64)));
    sixteen low, high, part;
    memcpy(&low, table, sizeof low);
    memcpy(&high, (const int32_t *)table + 16, sizeof high);
    for (int lane = 0; lane < LANES; lane += 16) {
        memcpy(&part, (const int32_t *)&index + lane, sizeof part);
        part = __builtin_ia32_vpermi2vard512(low, part, high);
        memcpy((int32_t *)&entries + lane, &part, sizeof part);
    }
#else
    index &= 31;
    for (int lane = 0; lane < LANES; ++lane)
        memcpy((int32_t *)&entries + lane, (const int32_t *)table + ((const int32_t *)&index)[lane], sizeof(int32_t));
#endif
    return entries;
}
#endif

/// Four bytes to a word, first byte lowest; each in 0 ... 255.
KERNEL lane_int word_of(const lane_int bytes[4]) {
    return bytes[0] | shift_up(bytes[1], 8) | shift_up(bytes[2], 16) | shift_up(bytes[3], 24);
}
