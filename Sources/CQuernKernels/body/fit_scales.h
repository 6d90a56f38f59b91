// Scales that lose least: of a group of weights, for many rows at once, a row in each lane.
//
// Groups lie in tiles: `columns` vectors of FIT_LANES rows, one after the other.

/// Numbers and how their scales are stored; constants.
typedef struct {
    uint32_t numbers;
    bool has_zero_points;
    uint32_t source;
} fit_kind;

/// Largest scales in 25ths of the usual one that are tried, down to the smallest.
enum { fit_most = 26, fit_least = 14, fit_refinements = 2 };

KERNEL float fit_highest(fit_kind kind) {
    switch (kind.numbers) {
    case quern_weight_packed4: return 7;
    case quern_weight_e4m3: return 448;
    case quern_weight_nvfp4:
    case quern_weight_mxfp4: return 6;
    default: return 127;
    }
}

KERNEL bool fit_is_integer(fit_kind kind) {
    return kind.numbers == quern_weight_packed4 || kind.numbers == quern_weight_packed8
        || kind.numbers == quern_weight_int8;
}

/// The code of the number nearest to a value that has been divided by the scale: integers as such, floats as they are
/// stored.
/// - zero: a whole number; zero without zero points.
KERNEL row_int fit_codes(row_float values, row_float zero, fit_kind kind) {
    if (kind.numbers == quern_weight_e4m3) return __builtin_convertvector(row_e4m3(values), row_int);
    if (!fit_is_integer(kind)) return row_e2m1(values);
    const float highest = fit_highest(kind);
    const row_float sum = kind.has_zero_points ? values + zero : values;
    return __builtin_convertvector((row_least(row_most(sum, -highest - 1), highest) + ROUNDING) - ROUNDING, row_int);
}

/// The number that a code stands for, to be multiplied by the scale.
KERNEL row_float fit_number(row_int codes, row_float zero, fit_kind kind) {
    if (kind.numbers == quern_weight_e4m3) return row_from_e4m3(__builtin_convertvector(codes, row_byte));
    if (!fit_is_integer(kind)) return row_from_e2m1(codes);
    const row_float number = __builtin_convertvector(codes, row_float);
    return kind.has_zero_points ? number - zero : number;
}

/// The scale as a loader will compute it.
KERNEL row_float fit_storable(row_float scale, float global_scale, fit_kind kind) {
    if (kind.numbers != quern_weight_nvfp4) return row_or_epsilon(row_in_source(scale, kind.source), kind.source);
    return row_from_e4m3(nvfp4_stored(scale * global_scale)) / global_scale;
}

typedef struct {
    row_float scale, zero;
} fit_choice;

typedef struct {
    /// Σ importance·(w − number·scale)²; Σ importance·number·w; Σ importance·number².
    row_float error, product, square;
} fit_sums;

KERNEL fit_sums fit_try(const float *weights, const float *importance, size_t columns, fit_choice choice,
                        fit_kind kind) {
    fit_sums sums = {0, 0, 0};
    const row_float inverse = 1.0f / choice.scale;
    for (size_t i = 0; i < columns; ++i, weights += fit_lanes) {
        const row_float weight = row_load(weights);
        const row_float number = fit_number(fit_codes(weight * inverse, choice.zero, kind), choice.zero, kind);
        const row_float difference = weight - number * choice.scale;
        const row_float weighted = importance ? number * importance[i] : number;
        sums.error += importance ? difference * difference * importance[i] : difference * difference;
        sums.product += weighted * weight;
        sums.square += weighted * number;
    }
    return sums;
}

KERNEL row_float fit_pick(row_int mask, row_float a, row_float b) {
    return (row_float)((mask & (row_int)a) | (~mask & (row_int)b));
}

/// Takes over the lanes in which a choice loses less.
KERNEL void fit_keep(fit_choice *best, fit_sums *least, fit_choice choice, fit_sums sums) {
    // What is no number does not stay.
    const row_int better = ~(row_int)(sums.error >= least->error);
    best->scale = fit_pick(better, choice.scale, best->scale);
    best->zero = fit_pick(better, choice.zero, best->zero);
    least->error = fit_pick(better, sums.error, least->error);
    least->product = fit_pick(better, sums.product, least->product);
    least->square = fit_pick(better, sums.square, least->square);
}

/// The whole number that stands for zero where the range begins at `low`.
KERNEL row_float fit_zero(row_float low, row_float scale, fit_kind kind) {
    const float highest = fit_highest(kind), lowest = -highest - 1;
    const row_float zero = lowest - low / scale;
    return (row_least(row_most(zero, lowest), highest) + ROUNDING) - ROUNDING;
}

/// The scale, and the zero point, that lose least among those that are tried: the usual scale made larger and smaller;
/// for integers around zero of either sign, since there is one more below zero than above; then what least squares say
/// for the codes found.
KERNEL fit_choice fit_search(const float *weights, const float *importance, size_t columns, float global_scale,
                             fit_kind kind) {
    row_float low = 0, high = 0;
    for (size_t i = 0; i < columns; ++i) {
        const row_float weight = row_load(weights + i * fit_lanes);
        low = row_least(weight, low);
        high = row_most(weight, high);
    }
    const bool is_integer = fit_is_integer(kind), is_signed = is_integer && !kind.has_zero_points;
    const float highest = fit_highest(kind);
    const row_float usual = kind.has_zero_points ? (high - low) / (2 * highest + 1)
                                                 : row_most(-low, high) / (is_integer ? highest + 0.5f : highest);
    fit_choice best = {0, 0};
    fit_sums least = {__builtin_inff(), 0, 0};
    for (int sign = 1; sign >= (is_signed ? -1 : 1); sign -= 2) {
        for (int step = fit_most; step >= fit_least; --step) {
            const float part = (float)step / 25;
            fit_choice choice = {fit_storable(usual * (part * (float)sign), global_scale, kind), 0};
            if (kind.has_zero_points) choice.zero = fit_zero(low * part, choice.scale, kind);
            fit_keep(&best, &least, choice, fit_try(weights, importance, columns, choice, kind));
        }
    }
    for (int i = 0; i < fit_refinements; ++i) {
        const row_float scale = fit_pick(least.square > 0, least.product / least.square, best.scale);
        const fit_choice choice = {fit_storable(scale, global_scale, kind), best.zero};
        fit_keep(&best, &least, choice, fit_try(weights, importance, columns, choice, kind));
    }
    return best;
}

/// As `fit_search` for powers of two: the usual one and its neighbours.
KERNEL fit_choice fit_search_powers(const float *weights, const float *importance, size_t columns, fit_kind kind) {
    row_int largest = 0;
    for (size_t i = 0; i < columns; ++i) largest = row_larger_magnitudes(largest, row_load(weights + i * fit_lanes));
    fit_choice best = {0, 0};
    fit_sums least = {__builtin_inff(), 0, 0};
    float usual[ROW];
    for (int lane = 0; lane < ROW; ++lane) {
        float inverse;
        mxfp4_scale(float_from_bits((uint32_t)largest[lane]), kind.source, &inverse);
        // Powers of which both neighbours are normal numbers.
        usual[lane] = 1 / (inverse < 0x1p-124f ? 0x1p-124f : inverse > 0x1p124f ? 0x1p124f : inverse);
    }
    for (int step = 0; step < 3; ++step) {
        const fit_choice choice = {row_load(usual) * (step == 0 ? 1.0f : step == 1 ? 0.5f : 2.0f), 0};
        fit_keep(&best, &least, choice, fit_try(weights, importance, columns, choice, kind));
    }
    return best;
}

/// Bits of a code.
KERNEL size_t fit_bits(fit_kind kind) {
    return kind.numbers == quern_weight_packed4 || kind.numbers == quern_weight_nvfp4
            || kind.numbers == quern_weight_mxfp4
        ? 4
        : 8;
}

/// The code as it is stored: integers with their offset, or in two's complement.
KERNEL uint8_t fit_stored(uint8_t code, fit_kind kind) {
    return kind.numbers == quern_weight_packed4       ? (code + 8) & 15
        : kind.numbers == quern_weight_packed8 ? (uint8_t)(code + 128)
                                               : code;
}
