// The point of a code book for the columns that share it, four or eight neighbours, which are rounded together.
//
// Where t_j is column j with the corrections by the columns before the point, the point loses
// Σ D_j (t_j + Σ V_kj (w_k − ŵ_k) − ŵ_j)², k < j within it. The one that loses least is looked for in the tree of all
// points: sums only grow on the way to a point, so what is below a node is passed over where no row's sum is less there
// than that of its best point so far.

/// Vectors of the rows of a tile, and coordinates of a point at most.
enum { point_parts = refine_lanes / ROW, point_columns = 8, point_levels = 8 };

/// The columns of a point, for the rows of a tile: [column, part], `point_parts` vectors of rows.
typedef struct {
    const quern_codebook *book;
    /// V and D of the columns.
    float factor[point_columns][point_columns], variances[point_columns];
    /// t; what the columns were before all corrections; what levels stand for.
    row_float targets[point_columns][point_parts], weights[point_columns][point_parts];
    row_float numbers[point_levels][point_parts];
    /// The sign bit where a value is negative; used where the point does not choose the signs.
    row_int signs[point_columns][point_parts];
    /// The best point so far, packed, and what it loses.
    row_int point[point_parts];
    row_float loss[point_parts];
    /// Of that point: the corrected columns, what they are rounded to, their codes (see `point_store`).
    row_float corrected[point_columns][point_parts], rounded[point_columns][point_parts];
    row_int codes[point_columns][point_parts];
} point_group;

/// Known to the compiler.
typedef struct {
    int count, bits, signs;
} point_kind;

KERNEL int point_level_count(point_kind kind) { return kind.bits == 2 ? 3 : 8; }

/// The sign bit where a value is less than zero, which no processor finds of what is not a number.
KERNEL row_int row_sign(row_float value) { return (value < 0) & INT32_MIN; }

KERNEL row_float row_xor(row_float a, row_int bits) { return (row_float)((row_int)a ^ bits); }

/// The sign bit that a number in place of `value` has in addition to its own.
KERNEL row_int point_sign(const point_group *group, row_float value, int column, int part, point_kind kind) {
    if (kind.signs == signs_none) return 0;
    return kind.signs == signs_even ? group->signs[column][part] : row_sign(value);
}

/// Adds the difference of a column to those that follow.
KERNEL void point_feed_back(const point_group *group, int column, int part, row_float rounded,
                            const row_float (*from)[point_parts], row_float (*to)[point_parts], int count) {
    const row_float difference = group->weights[column][part] - rounded;
    for (int i = column + 1; i < count; ++i)
        to[i][part] = from[i][part] + group->factor[column][i] * difference;
}

/// A point to begin with: the columns rounded one by one, or a neighbour of that.
KERNEL void point_begin(point_group *group, point_kind kind) {
    for (int part = 0; part < point_parts; ++part) {
        row_float values[point_columns][point_parts];
        row_int packed = 0;
        for (int i = 0; i < kind.count; ++i) values[i][part] = group->targets[i][part];
        for (int i = 0; i < kind.count; ++i) {
            const row_int sign = point_sign(group, values[i][part], i, part, kind);
            const row_float magnitude = row_xor(values[i][part], sign);
            row_float number = group->numbers[0][part];
            row_int level = 0;
            for (int l = 1; l < point_level_count(kind); ++l) {
                const row_float upper = group->numbers[l][part];
                const row_int above = magnitude > 0.5f * (group->numbers[l - 1][part] + upper);
                level -= above;
                number = CHOOSE(above, upper, number);
            }
            packed |= level << (kind.bits * i);
            point_feed_back(group, i, part, row_xor(number, sign), values, values, kind.count);
        }
        for (int i = 0; i < ROW; ++i) {
            const int32_t place = group->book->places[packed[i]];
            if (place < 0) packed[i] = group->book->neighbours[codebook_list_start(place)];
        }
        group->point[part] = packed;
    }
}

/// Rounds the columns to the point; `loss` is what that loses.
KERNEL void point_round(point_group *group, point_kind kind) {
    for (int part = 0; part < point_parts; ++part) {
        row_float loss = 0;
        for (int i = 0; i < kind.count; ++i) group->corrected[i][part] = group->targets[i][part];
        for (int i = 0; i < kind.count; ++i) {
            const row_float value = group->corrected[i][part];
            const row_int sign = point_sign(group, value, i, part, kind);
            const row_int level = (group->point[part] >> (kind.bits * i)) & ((1 << kind.bits) - 1);
            row_float number = group->numbers[0][part];
            for (int l = 1; l < point_level_count(kind); ++l) number = CHOOSE(level == l, group->numbers[l][part], number);
            number = row_xor(number, sign);
            const row_float left = value - number;
            loss += group->variances[i] * (left * left);
            group->rounded[i][part] = number;
            group->codes[i][part] = level | (sign >> 24 & 0x80);
            point_feed_back(group, i, part, number, group->corrected, group->corrected, kind.count);
        }
        group->loss[part] = loss;
    }
}

/// Tries a node of the tree whose coordinate is `column`.
/// - values, before: the columns corrected by those before it, and what those lose.
/// - corrected, sums: receive the same for the columns after it.
/// - Returns: false where no row can find a better point below it.
KERNEL bool point_try(point_group *group, quern_codebook_node node, int column,
                      const row_float (*values)[point_parts], const row_float *before,
                      row_float (*corrected)[point_parts], row_float *sums, point_kind kind) {
    row_float rounded[point_parts];
    row_int better[point_parts], some = 0;
    for (int part = 0; part < point_parts; ++part) {
        const row_float value = values[column][part];
        rounded[part] = row_xor(group->numbers[node.level][part], point_sign(group, value, column, part, kind));
        const row_float left = value - rounded[part];
        sums[part] = before[part] + group->variances[column] * (left * left);
        better[part] = sums[part] < group->loss[part];
        some |= better[part];
    }
    if (__builtin_reduce_or(some) == 0) return false;
    for (int part = 0; part < point_parts; ++part) {
        point_feed_back(group, column, part, rounded[part], values, corrected, kind.count);
        if (column < kind.count - 1) continue;
        group->loss[part] = CHOOSE(better[part], sums[part], group->loss[part]);
        group->point[part] = CHOOSE(better[part], (row_int)node.point, group->point[part]);
    }
    return true;
}

// For each coordinate a function of its own: what belongs to it then lies in registers, which makes the search a fifth
// quicker. It goes through the nodes of that coordinate from `at` to `end` and all below them.
#define POINT_SEARCH(name, column, below)                                                                              \
    KERNEL void name(point_group *group, int at, int end, const row_float (*values)[point_parts],                      \
                     const row_float *before, point_kind kind) {                                                       \
        for (int next; at < end; at = next) {                                                                          \
            const quern_codebook_node node = group->book->nodes[at];                                                   \
            row_float corrected[point_columns][point_parts], sums[point_parts];                                        \
            next = node.next;                                                                                          \
            if (point_try(group, node, column, values, before, corrected, sums, kind) && column < kind.count - 1)      \
                below(group, at + 1, next, (const row_float(*)[point_parts])corrected, sums, kind);                    \
        }                                                                                                              \
    }
#define POINT_SEARCH_NONE(group, at, end, values, before, kind) (void)0
POINT_SEARCH(point_search_7, 7, POINT_SEARCH_NONE)
POINT_SEARCH(point_search_6, 6, point_search_7)
POINT_SEARCH(point_search_5, 5, point_search_6)
POINT_SEARCH(point_search_4, 4, point_search_5)
POINT_SEARCH(point_search_3, 3, point_search_4)
POINT_SEARCH(point_search_2, 2, point_search_3)
POINT_SEARCH(point_search_1, 1, point_search_2)
POINT_SEARCH(point_search_0, 0, point_search_1)
#undef POINT_SEARCH
#undef POINT_SEARCH_NONE

/// Chooses the point that loses least: of several the one to begin with, or the first.
KERNEL void point_choose(point_group *group, point_kind kind) {
    const row_float none[point_parts] = {0};
    point_begin(group, kind);
    point_round(group, kind);
    point_search_0(group, 0, group->book->node_count, (const row_float(*)[point_parts])group->targets, none, kind);
    point_round(group, kind);
}

#define POINT_CHOICE(name, count, bits, signs)                                                                         \
    ENCODER void name(point_group *group) { point_choose(group, LITERAL(point_kind){count, bits, signs}); }
POINT_CHOICE(choose_eight_even, 8, 2, signs_even)
POINT_CHOICE(choose_eight, 8, 2, signs_free)
POINT_CHOICE(choose_ternary, 8, 2, signs_none)
POINT_CHOICE(choose_four_even, 4, 3, signs_even)
POINT_CHOICE(choose_four, 4, 3, signs_free)
#undef POINT_CHOICE
