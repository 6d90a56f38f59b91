/// The code books of IQ3_XXS and IQ3_S for searches: for every point of the full grid, and for each way that a value
/// can lie beside it, the points of the book that can be nearest to the value.
#ifndef QUERN_CODEBOOK_CANDIDATES_H
#define QUERN_CODEBOOK_CANDIDATES_H

#include "codebook.h"

enum {
    /// Keys of points with known sides: 16 · packed point + sides, bit i of `sides` set where coordinate i of the
    /// value is less than the point's.
    candidates_of_sides = 0,
    /// Keys of points where nothing is known of the value: this + packed point.
    candidates_of_point = 65536,
    /// Points of the full grid.
    candidate_points = 4096,
    candidate_keys = candidates_of_point + candidate_points,
};

enum {
    candidates_listed = 8,
    /// The room of the long lists.
    candidates_listed_long = 32768,
    /// In the first word of a list that has no room for all candidates.
    candidates_exceed = 1 << 12,
};

typedef struct {
    /// By key: candidates as packed points, nearest to the key's point first, those equally near in ascending order.
    /// Behind the last one it stands there again. The only candidate of a point that is in the book is that point.
    /// Where there is no room for all of them: their number + `candidates_exceed`; where they are in `long_lists`, in
    /// units of `codebook_alignment`.
    const uint16_t (*lists)[candidates_listed];
    /// Aligned and padded as the lists of codebook.h are.
    const uint16_t *long_lists;
    /// By packed point: the index of a point of the book.
    const uint16_t *indices;
} quern_candidates;

/// Lists for values of which the coordinates' nearest levels and sides are known to be certain:
/// Σw(scale · (2l + 1) − x)², rounded at each step, is never less at a neighbour that is not in the list than at one
/// that stands before it in the whole list. Built at the first call, which takes some 50 ms.
/// - book: `quern_codebook_iq3_xxs` or `quern_codebook_iq3_s`.
const quern_candidates *quern_candidates_get(uint32_t book);

#endif
