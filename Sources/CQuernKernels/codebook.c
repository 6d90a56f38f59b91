// Builds the code books from their points.
#include "codebook.h"

#include "build_once.h"
#include "codebook_points.h"

typedef struct {
    quern_codebook book;
    int levels;
    /// A list holds the points at this many different least distances.
    int distances;
    /// Whether there are lists for points that are certain.
    bool shortens;
    /// Bit Σ coordinate[i] · levels^i: whether the book has the point.
    const uint64_t *members;
    uint16_t *points, *neighbours;
    int32_t *places;
    quern_codebook_node *nodes;
} book_source;

// What building needs is known beforehand, so it lies in zeroed memory that costs nothing until then.
#define ROOM(name, count, grid, listed, branches)                                                                      \
    static uint16_t name##_list[count];                                                                                \
    static int32_t name##_places[grid];                                                                                \
    static quern_codebook_node name##_nodes[branches];                                                                 \
    static uint16_t name##_neighbours[listed] __attribute__((aligned(64)));

#define SOURCE(name, count, dimensions, bits, levels, distances, shortens)                                             \
    {                                                                                                                  \
        {count, dimensions, bits, name##_list, name##_places, sizeof name##_places / sizeof *name##_places,            \
         name##_neighbours, sizeof name##_neighbours / sizeof *name##_neighbours, name##_nodes,                        \
         sizeof name##_nodes / sizeof *name##_nodes},                                                                  \
            levels, distances, shortens, name##_points, name##_list, name##_neighbours, name##_places, name##_nodes    \
    }

ROOM(iq2_xxs, 256, 2 * 65536, 291408, 878)
ROOM(iq2_xs, 512, 2 * 65536, 375104, 1579)
ROOM(iq2_s, 1024, 65536, 100576, 2660)
ROOM(iq1, 2048, 65536, 362352, 4420)
ROOM(iq3_xxs, 256, 4096, 62432, 514)
ROOM(iq3_s, 512, 4096, 59296, 894)

static const book_source sources[] = {
    [quern_codebook_iq2_xxs] = SOURCE(iq2_xxs, 256, 8, 2, 3, 2, true),
    [quern_codebook_iq2_xs] = SOURCE(iq2_xs, 512, 8, 2, 3, 2, true),
    [quern_codebook_iq2_s] = SOURCE(iq2_s, 1024, 8, 2, 3, 1, false),
    [quern_codebook_iq1] = SOURCE(iq1, 2048, 8, 2, 3, 3, false),
    [quern_codebook_iq3_xxs] = SOURCE(iq3_xxs, 256, 4, 3, 8, 2, false),
    [quern_codebook_iq3_s] = SOURCE(iq3_s, 512, 4, 3, 8, 3, false),
};
_Static_assert(sizeof sources / sizeof *sources <= build_guard_tables, "one guard for all books");
enum { largest_book = 2048, largest_distance = 4 * 7 * 7 };

static int coordinate(const quern_codebook *book, uint32_t packed, int i) {
    return (int)(packed >> (book->bits * i)) & ((1 << book->bits) - 1);
}

/// The packed form of the point whose coordinates are the digits of `number`, lowest first.
static uint32_t packed_from_digits(const book_source *source, int number) {
    uint32_t packed = 0;
    for (int i = 0; i < source->book.dimensions; ++i, number /= source->levels)
        packed |= (uint32_t)(number % source->levels) << (source->book.bits * i);
    return packed;
}

static int grid_size(const book_source *source) {
    int size = 1;
    for (int i = 0; i < source->book.dimensions; ++i) size *= source->levels;
    return size;
}

/// Writes the list of a point that is not in the book.
/// - coordinates: those of the book's points, point after point for each dimension.
/// - Returns: how many points it holds, padding not counted.
static int list_neighbours(const book_source *source, const uint8_t *coordinates, uint32_t packed, uint16_t *list) {
    const quern_codebook *book = &source->book;
    uint8_t distances[largest_book] = {0};
    for (int i = 0; i < book->dimensions; ++i) {
        const int own = coordinate(book, packed, i);
        for (int point = 0; point < book->count; ++point) {
            const int difference = coordinates[i * book->count + point] - own;
            distances[point] = (uint8_t)(distances[point] + difference * difference);
        }
    }
    bool seen[largest_distance + 1] = {false};
    for (int point = 0; point < book->count; ++point) seen[distances[point]] = true;
    int count = 0;
    for (int distance = 0, taken = 0; distance <= largest_distance && taken < source->distances; ++distance) {
        if (!seen[distance]) continue;
        taken += 1;
        for (int point = 0; point < book->count; ++point)
            if (distances[point] == distance) list[count++] = book->points[point];
    }
    return count;
}

/// How far each coordinate of a point is from one that is certainly nearest to a value: two bits that are a subset of
/// those of another point where it is never farther.
static uint32_t farness(uint32_t point, uint32_t nearest) {
    uint32_t bits = 0;
    for (int i = 0; i < 16; i += 2) {
        const int level = point >> i & 3, own = nearest >> i & 3;
        const int distance = level < own ? own - level : level - own;
        // On which side of the middle level the value lies is not known.
        const int far = own != 1 ? (1 << distance) - 1 : distance == 0 ? 0 : level + 1 - level / 2;
        bits |= (uint32_t)far << i;
    }
    return bits;
}

/// Copies those points of a list that no point before them makes needless.
/// - Returns: how many they are.
static int shorten_list(const uint16_t *list, int count, uint32_t nearest, uint16_t *kept) {
    uint32_t far[1024];
    int length = 0;
    for (int j = 0; j < count; ++j) {
        const uint32_t candidate = farness(list[j], nearest);
        bool needless = false;
        for (int k = 0; k < length && !needless; ++k) needless = (far[k] & ~candidate) == 0;
        if (needless) continue;
        far[length] = candidate;
        kept[length++] = list[j];
    }
    return length;
}

/// Pads the list that begins at `listed`.
/// - place: receives its place.
/// - Returns: where the next one begins.
static int end_list(uint16_t *neighbours, int listed, int count, int32_t *place) {
    *place = ~(listed / codebook_alignment << 10 | count);
    uint16_t *list = neighbours + listed;
    for (; count % codebook_alignment != 0; ++count) list[count] = list[count - 1];
    return listed + count;
}

/// The point whose coordinates are the digits of `number`, highest first.
static uint32_t packed_from_reversed(const book_source *source, int number) {
    uint32_t packed = 0;
    for (int i = source->book.dimensions - 1; i >= 0; --i, number /= source->levels)
        packed |= (uint32_t)(number % source->levels) << (source->book.bits * i);
    return packed;
}

static void build_tree(const book_source *source) {
    const quern_codebook *book = &source->book;
    // Of the point before: the nodes it went through.
    int nodes[8] = {0};
    uint32_t last = 0;
    int count = 0;
    for (int number = 0, size = grid_size(source); number < size; ++number) {
        const uint32_t packed = packed_from_reversed(source, number);
        if (book->places[packed] < 0) continue;
        int first = 0;
        if (count > 0)
            while (coordinate(book, packed, first) == coordinate(book, last, first)) ++first;
        for (int i = first; i < book->dimensions; ++i) source->nodes[nodes[i]].next = (uint16_t)count;
        for (int i = first; i < book->dimensions; ++i) {
            const uint32_t known = (1u << (book->bits * (i + 1))) - 1;
            nodes[i] = count;
            source->nodes[count++] = (quern_codebook_node){.point = (uint16_t)(packed & known),
                                                           .coordinate = (uint8_t)i,
                                                           .level = (uint8_t)coordinate(book, packed, i)};
        }
        last = packed;
    }
    for (int i = 0; i < book->dimensions; ++i) source->nodes[nodes[i]].next = (uint16_t)count;
}

static void build(uint32_t id) {
    const book_source *source = &sources[id];
    const quern_codebook *book = &source->book;
    uint8_t coordinates[8 * largest_book];
    const int size = grid_size(source);
    int index = 0;
    for (int number = 0; number < size; ++number) {
        if (!(source->members[number / 64] >> (number % 64) & 1)) continue;
        const uint32_t packed = packed_from_digits(source, number);
        for (int i = 0; i < book->dimensions; ++i)
            coordinates[i * book->count + index] = (uint8_t)coordinate(book, packed, i);
        source->points[index++] = (uint16_t)packed;
    }
    uint16_t *neighbours = source->neighbours;
    int32_t *places = source->places;
    int listed = 0;
    index = 0;
    for (int number = 0; number < size; ++number) {
        const uint32_t packed = packed_from_digits(source, number);
        const bool member = source->members[number / 64] >> (number % 64) & 1;
        if (member) {
            places[packed] = index++;
            if (source->shortens) places[packed + codebook_certain] = places[packed];
            continue;
        }
        uint16_t *list = neighbours + listed;
        const int count = list_neighbours(source, coordinates, packed, list);
        listed = end_list(neighbours, listed, count, &places[packed]);
        if (!source->shortens) continue;
        const int kept = shorten_list(list, count, packed, neighbours + listed);
        listed = end_list(neighbours, listed, kept, &places[packed + codebook_certain]);
    }
    build_tree(source);
}

const quern_codebook *quern_codebook_get(uint32_t id) {
    static build_guard guard = {.building = PTHREAD_MUTEX_INITIALIZER};
    build_once(&guard, id, build);
    return &sources[id].book;
}

bool quern_codebook_contains(uint32_t id, uint32_t packed) {
    const book_source *source = &sources[id];
    int number = 0;
    for (int i = source->book.dimensions - 1; i >= 0; --i)
        number = number * source->levels + coordinate(&source->book, packed, i);
    return source->members[number / 64] >> (number % 64) & 1;
}
