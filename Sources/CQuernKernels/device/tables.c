// Tables as they lie in a device's memory: a structure, and behind it what it points to.
#include "../codebook.h"
#include "../codebook_candidates.h"

#include <string.h>

enum { alignment = 64, most_pieces = 4 };

typedef struct {
    const void *from;
    size_t bytes;
} piece;

static bool has_candidates(uint32_t table) { return table >= quern_device_candidates_iq3_xxs; }

static const quern_candidates *candidates(uint32_t table) {
    return quern_candidates_get(table == quern_device_candidates_iq3_s ? quern_codebook_iq3_s
                                                                       : quern_codebook_iq3_xxs);
}

/// What a table points to, in the order of its structure.
static void list_pieces(uint32_t table, piece pieces[most_pieces]) {
    if (has_candidates(table)) {
        const quern_candidates *from = candidates(table);
        pieces[0] = (piece){from->lists, candidate_keys * sizeof *from->lists};
        pieces[1] = (piece){from->long_lists, candidates_listed_long * sizeof *from->long_lists};
        pieces[2] = (piece){from->indices, candidate_points * sizeof *from->indices};
        pieces[3] = (piece){NULL, 0};
        return;
    }
    const quern_codebook *from = quern_codebook_get(table);
    pieces[0] = (piece){from->points, (size_t)from->count * sizeof *from->points};
    pieces[1] = (piece){from->places, (size_t)from->place_count * sizeof *from->places};
    pieces[2] = (piece){from->neighbours, (size_t)from->neighbour_count * sizeof *from->neighbours};
    pieces[3] = (piece){from->nodes, (size_t)from->node_count * sizeof *from->nodes};
}

static size_t padded(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

static size_t structure_bytes(uint32_t table) {
    return padded(has_candidates(table) ? sizeof(quern_candidates) : sizeof(quern_codebook));
}

size_t quern_device_table_bytes(uint32_t table) {
    piece pieces[most_pieces];
    list_pieces(table, pieces);
    size_t bytes = structure_bytes(table);
    for (int i = 0; i < most_pieces; ++i) bytes += padded(pieces[i].bytes);
    return bytes;
}

void quern_device_table_write(uint32_t table, uint64_t address, uint8_t *to) {
    piece pieces[most_pieces];
    list_pieces(table, pieces);
    memset(to, 0, quern_device_table_bytes(table));
    const void *places[most_pieces];
    size_t offset = structure_bytes(table);
    for (int i = 0; i < most_pieces; ++i) {
        places[i] = (const void *)(uintptr_t)(address + offset);
        if (pieces[i].bytes > 0) memcpy(to + offset, pieces[i].from, pieces[i].bytes);
        offset += padded(pieces[i].bytes);
    }
    if (has_candidates(table)) {
        const quern_candidates there = {places[0], places[1], places[2]};
        memcpy(to, &there, sizeof there);
    } else {
        quern_codebook there = *quern_codebook_get(table);
        there.points = places[0];
        there.places = places[1];
        there.neighbours = places[2];
        there.nodes = places[3];
        memcpy(to, &there, sizeof there);
    }
}
