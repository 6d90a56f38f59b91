// What the blocks of GGUF types with code books hold, for an encoder that chooses points itself: four or eight columns
// share a point of a book; a scale is unit · (2 · quant + 1) · factor.

/// How the signs of values are stored: they lie in the numbers; there is one for each value; there is one for seven of
/// eight, of which an even number is negative.
typedef enum { signs_none, signs_free, signs_even } point_signs;

typedef struct {
    uint32_t book;
    /// Coordinates of a point, and bits of each when packed.
    int count, bits;
    point_signs signs;
    /// What the levels of coordinates stand for in units of the scale, offsets apart.
    float numbers[8];
    /// Columns that share a scale; the largest quant of one, which is all ones.
    int sharing, highest;
    float factor;
} point_grid;

/// - Returns: a grid of points without coordinates for types of other kinds.
KERNEL point_grid point_grid_of(uint32_t type) {
    switch (type) {
    case quern_type_iq2_xxs:
        return LITERAL(point_grid){quern_codebook_iq2_xxs, 8, 2, signs_even, {8, 25, 43}, 32, 15, 0.125f};
    case quern_type_iq2_xs:
        return LITERAL(point_grid){quern_codebook_iq2_xs, 8, 2, signs_even, {8, 25, 43}, 16, 15, 0.125f};
    case quern_type_iq2_s:
        return LITERAL(point_grid){quern_codebook_iq2_s, 8, 2, signs_free, {8, 25, 43}, 16, 15, 0.125f};
    case quern_type_iq3_xxs:
        return LITERAL(point_grid){
            quern_codebook_iq3_xxs, 4, 3, signs_even, {4, 12, 20, 28, 36, 44, 52, 62}, 32, 15, 0.25f};
    case quern_type_iq3_s:
        return LITERAL(point_grid){quern_codebook_iq3_s, 4, 3, signs_free, {1, 3, 5, 7, 9, 11, 13, 15}, 32, 15, 1};
    case quern_type_iq1_s: return LITERAL(point_grid){quern_codebook_iq1, 8, 2, signs_none, {0, 1, 2}, 32, 7, 1};
    case quern_type_iq1_m: return LITERAL(point_grid){quern_codebook_iq1, 8, 2, signs_none, {0, 1, 2}, 16, 7, 1};
    default: return LITERAL(point_grid){0};
    }
}

/// The number of which all scales of a block are multiples.
KERNEL uint16_t block_unit(uint32_t type, grid kind, const uint8_t *block) {
    uint16_t words[4];
    memcpy(words, block + kind.scale, type == quern_type_iq1_m ? sizeof words : sizeof *words);
    if (type != quern_type_iq1_m) return words[0];
    return (uint16_t)(words[0] >> 12 | (words[1] >> 8 & 0xf0) | (words[2] >> 4 & 0xf00) | (words[3] & 0xf000));
}

KERNEL void block_set_unit(uint32_t type, grid kind, uint8_t *block, uint16_t half) {
    if (type != quern_type_iq1_m) {
        store_half(block + kind.scale, half);
        return;
    }
    for (int i = 0; i < 4; ++i) {
        uint8_t *const upper = block + kind.scale + 2 * i + 1;
        *upper = (uint8_t)((*upper & 15) | (half >> (4 * i) & 15) << 4);
    }
}

/// Where the quant of a scale lies: its lowest bit, from the first of the block on. None crosses a bound of 16-bit words.
KERNEL int point_quant_place(uint32_t type, int index) {
    switch (type) {
    case quern_type_iq2_xxs: return 8 * 6 + 64 * index + 28;
    case quern_type_iq2_xs: return 8 * 66 + 4 * index;
    case quern_type_iq2_s: return 8 * 74 + 4 * index;
    case quern_type_iq3_xxs: return 8 * 66 + 32 * index + 28;
    case quern_type_iq3_s: return 8 * 106 + 4 * index;
    case quern_type_iq1_s: return 8 * 34 + 16 * index + 12;
    default: return 8 * 48 + 16 * (index / 4) + 3 * (index % 4);
    }
}

/// Replaces the quant of a scale.
KERNEL void point_set_quant(uint32_t type, point_grid points, uint8_t *block, int index, int quant) {
    const int place = point_quant_place(type, index), shift = place % 16;
    uint16_t word;
    memcpy(&word, block + place / 16 * 2, sizeof word);
    word = (uint16_t)((word & ~(points.highest << shift)) | quant << shift);
    memcpy(block + place / 16 * 2, &word, sizeof word);
}

/// Scale and offset of a group of columns; the offset, which only numbers with signs have, is in units of the scale.
KERNEL void point_scale(uint32_t type, grid kind, point_grid points, const uint8_t *block, int group, float *scale,
                        float *offset) {
    const int place = point_quant_place(type, group * kind.group / points.sharing);
    uint16_t word;
    memcpy(&word, block + place / 16 * 2, sizeof word);
    const int quant = word >> place % 16 & points.highest;
    *scale = float_from_half(block_unit(type, kind, block)) * (float)(2 * quant + 1) * points.factor;
    *offset = 0;
    if (points.signs != signs_none) return;
    const int shifts =
        type == quern_type_iq1_s ? block[35 + 2 * group] >> 7 : block[32 + group / 2] >> (4 * (group % 2) + 3);
    *offset = shifts & 1 ? -1.125f : -0.875f;
}

/// The index of a point.
/// - codes: the levels of its coordinates; upper bits do not count.
KERNEL int point_index(const quern_codebook *book, const uint8_t *codes) {
    uint32_t packed = 0;
    for (int i = 0; i < book->dimensions; ++i)
        packed |= (uint32_t)(codes[i] & ((1 << book->bits) - 1)) << (book->bits * i);
    return codebook_index(book, packed);
}

/// The signs of eight codes, the first lowest.
KERNEL uint32_t point_signs_of(const uint8_t *codes) {
    uint32_t signs = 0;
    for (int i = 0; i < 8; ++i) signs |= (uint32_t)(codes[i] >> 7) << i;
    return signs;
}

/// Puts the codes of all values into a block and leaves its scales.
/// - codes: levels, with the sign in the highest bit.
KERNEL void point_store(uint32_t type, const quern_codebook *book, const uint8_t *codes, uint8_t *block) {
    int indices[64];
    uint32_t signs[32];
    for (int i = 0; i < 256 / book->dimensions; ++i) indices[i] = point_index(book, codes + book->dimensions * i);
    for (int i = 0; i < 32; ++i) signs[i] = point_signs_of(codes + 8 * i);
    switch (type) {
    case quern_type_iq2_xxs:
    case quern_type_iq3_xxs:
        for (int j = 0; j < 8; ++j) {
            const bool two = type == quern_type_iq2_xxs;
            const int points = two ? 4 : 8;
            uint8_t *const to = block + 2 + 8 * j, *const at = two ? to + 4 : block + 66 + 4 * j;
            uint32_t word = (uint32_t)(at[3] >> 4) << 28;
            for (int i = 0; i < points; ++i) to[i] = (uint8_t)indices[points * j + i];
            for (int i = 0; i < 4; ++i) word |= (signs[4 * j + i] & 127) << (7 * i);
            memcpy(at, &word, sizeof word);
        }
        return;
    case quern_type_iq2_xs:
        for (int i = 0; i < 32; ++i) {
            const uint16_t word = (uint16_t)((uint32_t)indices[i] | (signs[i] & 127) << 9);
            memcpy(block + 2 + 2 * i, &word, sizeof word);
        }
        return;
    case quern_type_iq2_s:
        memset(block + 66, 0, 8);
        for (int i = 0; i < 32; ++i) {
            block[2 + i] = (uint8_t)indices[i];
            block[34 + i] = (uint8_t)signs[i];
            block[66 + i / 4] |= (uint8_t)(indices[i] >> 8 << (2 * (i % 4)));
        }
        return;
    case quern_type_iq3_s:
        memset(block + 66, 0, 8);
        for (int i = 0; i < 64; ++i) {
            block[2 + i] = (uint8_t)indices[i];
            block[66 + i / 8] |= (uint8_t)(indices[i] >> 8 << (i % 8));
        }
        for (int i = 0; i < 32; ++i) block[74 + i] = (uint8_t)signs[i];
        return;
    case quern_type_iq1_s:
        for (int j = 0; j < 8; ++j) {
            uint8_t *const upper = block + 34 + 2 * j;
            int bits = upper[1] << 8 & 0xf000;
            for (int i = 0; i < 4; ++i) {
                block[2 + 4 * j + i] = (uint8_t)indices[4 * j + i];
                bits |= indices[4 * j + i] >> 8 << (3 * i);
            }
            upper[0] = (uint8_t)bits;
            upper[1] = (uint8_t)(bits >> 8);
        }
        return;
    default:
        for (int i = 0; i < 32; i += 2) {
            uint8_t *const upper = block + 32 + i / 2;
            block[i] = (uint8_t)indices[i];
            block[i + 1] = (uint8_t)indices[i + 1];
            *upper = (uint8_t)((*upper & 0x88) | indices[i] >> 8 | indices[i + 1] >> 8 << 4);
        }
    }
}
