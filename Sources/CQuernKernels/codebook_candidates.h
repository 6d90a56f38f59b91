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
    candidate_keys = 65536 + 4096,
};

typedef struct {
    /// By key: where its list of candidates begins in `pairs`, times 256, + the number of pairs − 1.
    const uint32_t *places;
    /// Lists of packed points, nearest to the key's point first, those equally near in ascending order; two points in
    /// one word, the first in the lower half. The last point of a list of odd length stands there twice. The list of a
    /// point that is in the book is that point.
    const uint32_t *pairs;
    /// By packed point: the index of a point of the book.
    const uint16_t *indices;
} quern_candidates;

/// Lists for values of which the coordinates' nearest levels and sides are known to be certain:
/// Σw(scale · (2l + 1) − x)², rounded at each step, is never less at a neighbour that is not in the list than at one
/// that stands before it in the whole list. Built at the first call, which takes some 50 ms.
/// - book: `quern_codebook_iq3_xxs` or `quern_codebook_iq3_s`.
const quern_candidates *quern_candidates_get(uint32_t book);

#endif
