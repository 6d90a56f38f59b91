/// The code books of the IQ types: the points that a group of neighbouring quants may take, and for every other point
/// of the full grid the ones near it.
///
/// A point has 8 coordinates of 3 levels or 4 coordinates of 8 levels. It is written packed: coordinate i in bits
/// 2·i and 2·i + 1, or in bits 3·i ... 3·i + 2.
#ifndef QUERN_CODEBOOK_H
#define QUERN_CODEBOOK_H

#include "CQuernKernels.h"

enum {
    /// Lists of neighbours are this aligned and padded, in points.
    codebook_alignment = 16,
    /// For points that were certainly the nearest of the full grid: shorter lists, without the points that are never
    /// nearer to a value in any coordinate than another before them. No weights at least zero prefer them.
    codebook_certain = 65536,
};

/// Points whose coordinates up to one are the same.
typedef struct {
    /// The node that follows those with the same coordinates.
    uint16_t next;
    /// Packed; coordinates after that one are zero.
    uint16_t point;
    uint8_t coordinate, level;
} quern_codebook_node;

typedef struct {
    /// 256, 512, 1024 or 2048.
    int count;
    /// 8 or 4, and the bits of each in a packed point: 2 or 3.
    int dimensions, bits;
    /// By index, ascending.
    const uint16_t *points;
    /// By packed point, 65536 or 4096 of them; see `codebook_index` and `codebook_neighbours`. Those of IQ2_XXS and
    /// IQ2_XS go on by packed point + `codebook_certain`.
    const int32_t *places;
    int place_count;
    /// All lists, packed points; 64-byte aligned.
    const uint16_t *neighbours;
    int neighbour_count;
    /// All points as a tree, coordinate 0 at its root: every node is followed by those below it, levels ascend.
    const quern_codebook_node *nodes;
    int node_count;
} quern_codebook;

/// A book, built at the first call: up to 50 ms then, with other callers waiting. It lives as long as the process.
/// - book: a `quern_codebook_id`.
const quern_codebook *quern_codebook_get(uint32_t book);

/// The index of a packed point, or a negative number where it is not in the book.
static inline int codebook_index(const quern_codebook *book, uint32_t packed) { return book->places[packed]; }

/// Where the list of a point begins that is not in the book, from its place: a multiple of `codebook_alignment`.
static inline int codebook_list_start(int32_t place) { return (~place >> 10) * codebook_alignment; }

/// How long that list is: 1 ... 292. Up to the next multiple of `codebook_alignment` its last point follows again.
static inline int codebook_list_count(int32_t place) { return ~place & 1023; }

/// The points of the book nearest to a packed point that is not in it, by distance, then by index.
static inline const uint16_t *codebook_neighbours(const quern_codebook *book, uint32_t packed, int *count) {
    const int32_t place = book->places[packed];
    *count = codebook_list_count(place);
    return book->neighbours + codebook_list_start(place);
}

#endif
