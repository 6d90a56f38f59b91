// The exhaustive three-way split of IQ1: sorted values take level 0 below the first cut, 2 from the second cut on and
// 1 between them. Level l stands for scale · (l − 1 + shift), with a shift of +1/8 or −1/8.

// Which shifts are negative: bit 1 for the first half of the values, bit 0 for the second half.
enum { shifts_positive = 0, shifts_negative = 3 };

typedef struct {
    lane_float scale, score;
    /// First cut, second cut and shifts, a byte each; negative where no split has a score.
    lane_int split;
} best_split;

KERNEL best_split no_split(void) {
    const best_split none = {lane_float_of(0), lane_float_of(-0x1.fffffep127f), lane_int_of(-1)};
    return none;
}

/// Where a split with these sums could be better than the best one so far.
KERNEL lane_mask split_gains(const best_split *best, lane_float sum_wxq, lane_float sum_wqq) {
    return greater(sum_wxq * sum_wxq, best->score * sum_wqq);
}

/// Takes a split with these sums, where it is better.
KERNEL void try_split(best_split *best, lane_float sum_wxq, lane_float sum_wqq, int first, int second, int shifts) {
    const lane_mask better = split_gains(best, sum_wxq, sum_wqq) & greater(sum_wqq, lane_float_of(0));
    const lane_float scale = sum_wxq / sum_wqq;
    best->scale = pick(better, scale, best->scale);
    best->score = pick(better, scale * sum_wxq, best->score);
    best->split = pick_int(better, lane_int_of(first | (second << 8) | (shifts << 16)), best->split);
}

/// The place of each value in ascending order, equal ones in the order in which they are given.
KERNEL void lane_ranks(const lane_float *x, int count, lane_int *ranks) {
    ranks[0] = lane_int_of(0);
    for (int j = 1; j < count; ++j) {
        lane_int rank = lane_int_of(j);
        for (int i = 0; i < j; ++i) {
            const lane_mask after = greater(x[i], x[j]);
            ranks[i] -= after;
            rank += after;
        }
        ranks[j] = rank;
    }
}

/// Prefix sums of values in the order of their ranks: sums[r] adds the values with ranks below r, 0 ... `ranked`. Ranks
/// that none of the values has count as zero.
KERNEL void lane_ranked_sums(lane_float *sums, const lane_float *values, const lane_int *ranks, int count, int ranked) {
    for (int r = 0; r <= ranked; ++r) sums[r] = lane_float_of(0);
    for (int i = 0; i < count; ++i)
        for (int lane = 0; lane < LANES; ++lane) {
            const int rank = lane_get_int(&ranks[i], lane);
            ((float *)&sums[rank + 1])[lane] = lane_get(&values[i], lane);
        }
    for (int r = 1; r <= ranked; ++r) sums[r] += sums[r - 1];
}

/// One shift for all 32 values, which IQ1_S has.
KERNEL best_split search_split(const lane_float *wx, const lane_float *w, const lane_int *ranks) {
    lane_float sums_wx[33], sums_w[33];
    lane_ranked_sums(sums_wx, wx, ranks, 32, 32);
    lane_ranked_sums(sums_w, w, ranks, 32, 32);
    // What level 2 adds for each second cut, with either shift.
    lane_float above_wx[2][33], above_w[2][33];
    for (int second = 0; second <= 32; ++second) {
        const lane_float rest_wx = sums_wx[32] - sums_wx[second], rest_w = sums_w[32] - sums_w[second];
        above_wx[0][second] = rest_wx * 1.125f;
        above_wx[1][second] = rest_wx * 0.875f;
        above_w[0][second] = rest_w * 1.125f * 1.125f;
        above_w[1][second] = rest_w * 0.875f * 0.875f;
    }
    best_split best = no_split();
    for (int first = 0; first <= 32; ++first) {
        const lane_float positive_wx = sums_wx[first] * -0.875f, negative_wx = sums_wx[first] * -1.125f;
        const lane_float positive_w = sums_w[first] * -0.875f * -0.875f;
        const lane_float negative_w = sums_w[first] * -1.125f * -1.125f;
        for (int second = first; second <= 32; ++second) {
            const lane_float middle_wx = (sums_wx[second] - sums_wx[first]) * 0.125f;
            const lane_float middle_w = (sums_w[second] - sums_w[first]) * 0.125f * 0.125f;
            const lane_float wxq[2] = {positive_wx + middle_wx + above_wx[0][second],
                                       negative_wx - middle_wx + above_wx[1][second]};
            const lane_float wqq[2] = {positive_w + middle_w + above_w[0][second],
                                       negative_w + middle_w + above_w[1][second]};
            // Where neither is better, neither is after the other.
            if (!any(split_gains(&best, wxq[0], wqq[0]) | split_gains(&best, wxq[1], wqq[1]))) continue;
            try_split(&best, wxq[0], wqq[0], first, second, shifts_positive);
            try_split(&best, wxq[1], wqq[1], first, second, shifts_negative);
        }
    }
    return best;
}

/// A shift for each half of 16 values, which IQ1_M has.
KERNEL best_split search_split_halves(const lane_float *wx, const lane_float *w, const lane_int *ranks) {
    // Level l = 2 − [below the second cut] − [below the first cut]: a half's sums are those of all its values on level
    // 2, less the prefix sums at the cuts; squared levels differ by 3/4 and −5/4, or by 5/4 and −3/4.
    lane_float sums_wx[2][17], sums_w[2][17];
    lane_float all_wx[2][2], all_w[2][2], second_w[2][2][17];
    for (int half = 0; half < 2; ++half) {
        lane_ranked_sums(sums_wx[half], wx + 8 * half, ranks + 8 * half, 8, 16);
        lane_ranked_sums(sums_w[half], w + 8 * half, ranks + 8 * half, 8, 16);
        all_wx[half][0] = sums_wx[half][16] * 1.125f;
        all_wx[half][1] = sums_wx[half][16] * 0.875f;
        all_w[half][0] = sums_w[half][16] * 1.125f * 1.125f;
        all_w[half][1] = sums_w[half][16] * 0.875f * 0.875f;
        for (int second = 0; second <= 16; ++second) {
            second_w[half][0][second] = sums_w[half][second] * -1.25f;
            second_w[half][1][second] = sums_w[half][second] * -0.75f;
        }
    }
    best_split best = no_split();
    for (int first = 0; first <= 16; ++first) {
        lane_float first_w[2][2];
        for (int half = 0; half < 2; ++half) {
            first_w[half][0] = all_w[half][0] + sums_w[half][first] * 0.75f;
            first_w[half][1] = all_w[half][1] + sums_w[half][first] * 1.25f;
        }
        for (int second = first; second <= 16; ++second) {
            lane_float half_wxq[2][2], half_wqq[2][2], wxq[4], wqq[4];
            for (int half = 0; half < 2; ++half) {
                const lane_float below = sums_wx[half][first] + sums_wx[half][second];
                for (int shift = 0; shift < 2; ++shift) {
                    half_wxq[half][shift] = all_wx[half][shift] - below;
                    half_wqq[half][shift] = first_w[half][shift] + second_w[half][shift][second];
                }
            }
            lane_mask gains = lane_int_of(0);
            for (int shifts = 0; shifts < 4; ++shifts) {
                wxq[shifts] = half_wxq[0][shifts / 2] + half_wxq[1][shifts % 2];
                wqq[shifts] = half_wqq[0][shifts / 2] + half_wqq[1][shifts % 2];
                gains |= split_gains(&best, wxq[shifts], wqq[shifts]);
            }
            if (!any(gains)) continue;
            for (int shifts = 0; shifts < 4; ++shifts)
                try_split(&best, wxq[shifts], wqq[shifts], first, second, shifts);
        }
    }
    return best;
}
