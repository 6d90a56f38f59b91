// Builds the lists of candidates from the code books of IQ3_XXS and IQ3_S.
#include "codebook_candidates.h"

#include "build_once.h"

enum { longest_list = 64 };

typedef struct {
    uint16_t lists[candidate_keys][candidates_listed] __attribute__((aligned(64)));
    uint16_t long_lists[candidates_listed_long] __attribute__((aligned(64)));
    uint16_t indices[candidate_points];
} candidate_lists;

/// How many levels are nearer to a value than `level` is, where `own` is the level nearest to the value and `below`
/// whether the value is less than that. Beyond the outermost levels the order does not depend on the side.
static int rank(int level, int own, bool below) {
    const int distance = own == 7 || (own > 0 && below) ? own - level : level - own;
    if (own == 0 || own == 7) return distance;
    return distance > 0 ? 2 * distance - 1 : -2 * distance;
}

/// Whether each coordinate of `a` is as near to the value as that of `b`.
static bool as_near(uint32_t a, uint32_t b, uint32_t point, int sides) {
    for (int i = 0; i < 12; i += 3) {
        const int own = point >> i & 7;
        const bool below = sides >> i / 3 & 1;
        if (rank(a >> i & 7, own, below) > rank(b >> i & 7, own, below)) return false;
    }
    return true;
}

/// Writes those points of a list that no point before them makes needless.
/// - Returns: how many they are.
static int keep_candidates(const uint16_t *list, int count, uint32_t point, int sides, uint16_t *kept) {
    int length = 0;
    for (int j = 0; j < count; ++j) {
        bool needless = false;
        for (int k = 0; k < length && !needless; ++k) needless = as_near(kept[k], list[j], point, sides);
        if (!needless) kept[length++] = list[j];
    }
    return length;
}

/// - listed: how much of the long lists is in use.
/// - Returns: how much of them is in use afterwards.
static int add_list(candidate_lists *lists, int key, const uint16_t *candidates, int count, int listed) {
    uint16_t *list = lists->lists[key];
    if (count <= candidates_listed) {
        for (int j = 0; j < candidates_listed; ++j) list[j] = candidates[j < count ? j : count - 1];
        return listed;
    }
    list[0] = (uint16_t)(candidates_exceed + count);
    list[1] = (uint16_t)(listed / codebook_alignment);
    const int end = listed + (count + codebook_alignment - 1) / codebook_alignment * codebook_alignment;
    for (int j = 0; listed < end; ++j, ++listed)
        lists->long_lists[listed] = candidates[j < count ? j : count - 1];
    return listed;
}

static candidate_lists all_lists[2];

/// Index of a book's lists.
static int which(uint32_t id) { return id == quern_codebook_iq3_s; }

static void build(uint32_t id) {
    candidate_lists *lists = &all_lists[which(id)];
    const quern_codebook *book = quern_codebook_get(id);
    int listed = 0;
    for (int point = 0; point < candidate_points; ++point) {
        const uint16_t own = (uint16_t)point;
        const uint16_t *list = &own;
        int count = 1;
        const int index = codebook_index(book, own);
        if (index >= 0)
            lists->indices[point] = (uint16_t)index;
        else
            list = codebook_neighbours(book, own, &count);
        listed = add_list(lists, candidates_of_point + point, list, count, listed);
        for (int sides = 0; sides < 16; ++sides) {
            uint16_t kept[longest_list];
            const int length = keep_candidates(list, count, own, sides, kept);
            listed = add_list(lists, candidates_of_sides + 16 * point + sides, kept, length, listed);
        }
    }
}

const quern_candidates *quern_candidates_get(uint32_t id) {
    static const quern_candidates candidates[2] = {
        {all_lists[0].lists, all_lists[0].long_lists, all_lists[0].indices},
        {all_lists[1].lists, all_lists[1].long_lists, all_lists[1].indices},
    };
    static build_guard guard = {.building = PTHREAD_MUTEX_INITIALIZER};
    build_once(&guard, id, build);
    return &candidates[which(id)];
}
