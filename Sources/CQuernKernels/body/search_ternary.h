// The scale, the shifts and the points of IQ1 for the values that share a scale.

typedef struct {
    /// At least 0.
    lane_float scale;
    /// See `shifts_positive`.
    lane_int shifts;
    /// Eight levels each, packed: two points for 16 values, four for 32.
    lane_int points[4];
} ternary_fit;

/// −7/8 or −9/8: what to add to the levels of group `group` of `groups`.
KERNEL lane_float ternary_offset(lane_int shifts, int group, int groups) {
    const lane_int negative = (shifts >> (2 * group < groups ? 1 : 0)) & 1;
    return lane_to_float(negative) * -0.25f - 0.875f;
}

/// Value i of a point, in units of the scale.
KERNEL lane_float ternary_value(lane_int point, int i, lane_float offset) {
    return lane_to_float((point >> (2 * i)) & 3) + offset;
}

/// Replaces points that the book lacks by their best neighbours.
/// - live: the lanes to look at.
/// - Returns: where a point was replaced.
KERNEL lane_mask move_into_book(lane_int *points, const lane_float *x, const lane_float *w, lane_float scale,
                                lane_float offset, lane_mask wanted, int live, const quern_codebook *book) {
    lane_mask moved = lane_int_of(0);
    for (int lane = 0; lane < live; ++lane) {
        int32_t *point = (int32_t *)points + lane;
        const int32_t place = book->places[*point];
        if (place >= 0 || !lane_get_int(&wanted, lane)) continue;
        const codebook_levels levels = {0, 1, 2, 3, 0, 1, 2, 3};
        const uint16_t *list = book->neighbours + codebook_list_start(place);
        *point = nearest_neighbour(list, codebook_list_count(place), (const float *)x + lane, (const float *)w + lane,
                                   lane_get(&scale, lane), levels + lane_get(&offset, lane), 8, 2);
        ((int32_t *)&moved)[lane] = -1;
    }
    return moved;
}

/// Cuts the sorted values in three, moves the groups whose levels are no point of the book to a neighbour that is, and
/// fits the scale again where one moved.
/// - count: 32 for one shift, 16 for a shift for each half.
/// - smallest: values whose largest magnitude is smaller count as zero.
/// - live: the lanes that hold a block.
KERNEL ternary_fit fit_ternary(const lane_float *x, const lane_float *w, int count, float smallest, int live,
                               const quern_codebook *book) {
    lane_int ranks[32];
    lane_float wx[32];
    for (int i = 0; i < count; ++i) wx[i] = w[i] * x[i];
    lane_ranks(x, count, ranks);
    const best_split best = count == 32 ? search_split(wx, w, ranks) : search_split_halves(wx, w, ranks);
    const lane_mask tiny = less(magnitude(largest(x, count)), lane_float_of(smallest));
    const lane_mask found = ~tiny & at_least(best.split, lane_int_of(0));

    // A negative scale turns the order around: levels, shifts and scale change their signs.
    const lane_mask turned = less(best.scale, lane_float_of(0));
    const lane_int first = best.split & 0xff, second = (best.split >> 8) & 0xff, shifts = (best.split >> 16) & 3;
    ternary_fit fit;
    fit.scale = pick(found, magnitude(best.scale), lane_float_of(0));
    fit.shifts = found & pick_int(turned, 3 - shifts, shifts);

    const int groups = count / 8;
    lane_mask moved = lane_int_of(0);
    lane_float sum_wxq = lane_float_of(0), sum_wqq = lane_float_of(0);
    for (int group = 0; group < groups; ++group) {
        lane_int point = lane_int_of(0);
        for (int i = 0; i < 8; ++i) {
            const lane_int rank = ranks[8 * group + i];
            const lane_int level = -(at_least(rank, first) + at_least(rank, second));
            point |= shift_up(pick_int(turned, 2 - level, level), 2 * i);
        }
        point &= found;
        const lane_float *part = x + 8 * group, *weights = w + 8 * group;
        const lane_float offset = ternary_offset(fit.shifts, group, groups);
        moved |= move_into_book(&point, part, weights, fit.scale, offset, found, live, book);
        for (int i = 0; i < 8; ++i) {
            const lane_float wq = weights[i] * ternary_value(point, i, offset);
            sum_wxq += wq * part[i];
            sum_wqq += wq * ternary_value(point, i, offset);
        }
        fit.points[group] = point;
    }
    const lane_mask refitted = moved & greater(sum_wxq, lane_float_of(0)) & greater(sum_wqq, lane_float_of(0));
    fit.scale = pick(refitted, sum_wxq / sum_wqq, fit.scale);
    // Where sums overflow the reference stops; here such a scale counts as zero.
    fit.scale = pick(greater(fit.scale, lane_float_of(0)), fit.scale, lane_float_of(0));
    return fit;
}

/// The quant 0 ... 7 of a scale, given in units of the scale of the scales: it stands for 2 · quant + 1.
KERNEL lane_int ternary_scale_quant(lane_float scale) {
    return most(lane_int_of(0), least(lane_int_of(7), nearest(0.5f * (scale - 1.0f))));
}

/// The values of two points in units of their scale.
KERNEL row_float ternary_row(uint16_t first, uint16_t second, float first_offset, float second_offset) {
    const row_int upper = {0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1};
    const row_int places = {0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14};
    const row_int points = (~upper & (row_int)first) | (upper & (row_int)second);
    const row_int offsets = (~upper & (row_int)(row_float)first_offset) | (upper & (row_int)(row_float)second_offset);
    return __builtin_convertvector((points >> places) & 3, row_float) + (row_float)offsets;
}
