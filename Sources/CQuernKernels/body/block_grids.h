// What the blocks of GGUF types round values to, and how the codes of values lie in them: for an encoder that chooses
// codes itself.

/// The numbers of a type: (code − centre) · scale + offset, codes from 0 to `highest`; or scale · level.
typedef struct {
    /// Values in a block, and those that share a scale.
    int block, group;
    int centre, highest;
    /// Sixteen uneven levels in place of whole numbers.
    bool has_levels;
    size_t bytes;
    /// Where the half-precision number lies of which all scales are multiples.
    int scale;
} grid;

/// - Returns: a grid of blocks without values for types of other kinds.
KERNEL grid grid_of(uint32_t type) {
    switch (type) {
    case quern_type_q4_0: return LITERAL(grid){32, 32, 8, 15, false, q4_0_bytes, 0};
    case quern_type_q4_1: return LITERAL(grid){32, 32, 0, 15, false, q4_1_bytes, 0};
    case quern_type_q5_0: return LITERAL(grid){32, 32, 16, 31, false, q5_0_bytes, 0};
    case quern_type_q5_1: return LITERAL(grid){32, 32, 0, 31, false, q5_1_bytes, 0};
    case quern_type_q8_0: return LITERAL(grid){32, 32, 128, 255, false, q8_0_bytes, 0};
    case quern_type_iq4_nl: return LITERAL(grid){32, 32, 0, 15, true, iq4_nl_bytes, 0};
    case quern_type_iq4_xs: return LITERAL(grid){256, 32, 0, 15, true, iq4_xs_bytes, 0};
    case quern_type_q2_k: return LITERAL(grid){256, 16, 0, 3, false, q2_k_bytes, 80};
    case quern_type_q3_k: return LITERAL(grid){256, 16, 4, 7, false, q3_k_bytes, 108};
    case quern_type_q4_k: return LITERAL(grid){256, 32, 0, 15, false, q4_k_bytes, 0};
    case quern_type_q5_k: return LITERAL(grid){256, 32, 0, 31, false, q5_k_bytes, 0};
    case quern_type_q6_k: return LITERAL(grid){256, 16, 32, 63, false, q6_k_bytes, 208};
    // For the rest of these see point_grids.h.
    case quern_type_iq2_xxs: return LITERAL(grid){256, 32, 0, 0, false, iq2_xxs_bytes, 0};
    case quern_type_iq2_xs: return LITERAL(grid){256, 16, 0, 0, false, iq2_xs_bytes, 0};
    case quern_type_iq2_s: return LITERAL(grid){256, 16, 0, 0, false, iq2_s_bytes, 0};
    case quern_type_iq3_xxs: return LITERAL(grid){256, 32, 0, 0, false, iq3_xxs_bytes, 0};
    case quern_type_iq3_s: return LITERAL(grid){256, 32, 0, 0, false, iq3_s_bytes, 0};
    case quern_type_iq1_s: return LITERAL(grid){256, 32, 0, 0, false, iq1_s_bytes, 0};
    case quern_type_iq1_m: return LITERAL(grid){256, 8, 0, 0, false, iq1_m_bytes, 48};
    default: return LITERAL(grid){0, 0, 0, 0, false, 0, 0};
    }
}

/// Scale and offset of a group of an encoded block.
KERNEL void grid_scale(uint32_t type, const uint8_t *block, int group, float *scale, float *offset) {
    *offset = 0;
    switch (type) {
    case quern_type_q4_1:
    case quern_type_q5_1:
        *offset = load_half(block + 2);
        *scale = load_half(block);
        return;
    case quern_type_iq4_xs: {
        const int low = block[4 + group / 2] >> (4 * (group % 2)) & 15;
        const int high = block[2 + group / 4] >> (2 * (group % 4)) & 3;
        *scale = load_half(block) * (float)((low | high << 4) - 32);
        return;
    }
    case quern_type_q2_k:
        *scale = load_half(block + 80) * (float)(block[group] & 15);
        *offset = -(load_half(block + 82) * (float)(block[group] >> 4));
        return;
    case quern_type_q3_k: {
        const uint8_t *const scales = block + 96;
        const int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
        const int high = scales[8 + group % 4] >> (2 * (group / 4)) & 3;
        *scale = load_half(block + 108) * (float)((low | high << 4) - 32);
        return;
    }
    case quern_type_q4_k:
    case quern_type_q5_k: {
        const uint8_t *const scales = block + 4;
        const int j = group;
        const int quant = j < 4 ? scales[j] & 63 : (scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4);
        const int minimum = j < 4 ? scales[j + 4] & 63 : (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4);
        *scale = load_half(block) * (float)quant;
        *offset = -(load_half(block + 2) * (float)minimum);
        return;
    }
    case quern_type_q6_k:
        *scale = load_half(block + 208) * (float)(int8_t)block[192 + group];
        return;
    default:
        *scale = load_half(block);
    }
}

/// Puts the codes of all values into a block and leaves its scales.
KERNEL void grid_store(uint32_t type, const uint8_t *codes, uint8_t *block) {
    switch (type) {
    case quern_type_q8_0:
        for (int i = 0; i < 32; ++i) block[2 + i] = (uint8_t)(codes[i] - 128);
        return;
    case quern_type_q4_0:
    case quern_type_iq4_nl:
    case quern_type_q4_1: {
        uint8_t *const to = block + (type == quern_type_q4_1 ? 4 : 2);
        for (int i = 0; i < 16; ++i) to[i] = (uint8_t)(codes[i] | codes[i + 16] << 4);
        return;
    }
    case quern_type_q5_0:
    case quern_type_q5_1: {
        uint8_t *const to = block + (type == quern_type_q5_1 ? 4 : 2);
        uint32_t fifth = 0;
        for (int i = 0; i < 32; ++i) fifth |= (uint32_t)(codes[i] >> 4) << i;
        memcpy(to, &fifth, sizeof fifth);
        for (int i = 0; i < 16; ++i) to[4 + i] = (uint8_t)((codes[i] & 15) | (codes[i + 16] & 15) << 4);
        return;
    }
    case quern_type_iq4_xs:
        for (int j = 0; j < 8; ++j)
            for (int i = 0; i < 16; ++i)
                block[8 + 16 * j + i] = (uint8_t)(codes[32 * j + i] | codes[32 * j + i + 16] << 4);
        return;
    case quern_type_q2_k:
    case quern_type_q3_k: {
        uint8_t *const pairs = block + (type == quern_type_q2_k ? 16 : 32);
        for (int i = 0; i < 64; ++i) {
            const uint8_t *const from = codes + 128 * (i / 32) + i % 32;
            pairs[i] = (uint8_t)((from[0] & 3) | (from[32] & 3) << 2 | (from[64] & 3) << 4 | (from[96] & 3) << 6);
        }
        if (type == quern_type_q2_k) return;
        for (int i = 0; i < 32; ++i) {
            int thirds = 0;
            for (int j = 0; j < 8; ++j) thirds |= (codes[32 * j + i] >> 2) << j;
            block[i] = (uint8_t)thirds;
        }
        return;
    }
    case quern_type_q4_k:
    case quern_type_q5_k: {
        uint8_t *const nibbles = block + (type == quern_type_q4_k ? 16 : 48);
        for (int i = 0; i < 128; ++i) {
            const uint8_t *const from = codes + 64 * (i / 32) + i % 32;
            nibbles[i] = (uint8_t)((from[0] & 15) | (from[32] & 15) << 4);
        }
        if (type == quern_type_q4_k) return;
        for (int i = 0; i < 32; ++i) {
            int fifths = 0;
            for (int j = 0; j < 8; ++j) fifths |= (codes[32 * j + i] >> 4) << j;
            block[16 + i] = (uint8_t)fifths;
        }
        return;
    }
    case quern_type_q6_k:
        for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 32; ++i) {
                const uint8_t *const q = codes + 128 * half + i;
                uint8_t *const low = block + 64 * half + i;
                low[0] = (uint8_t)((q[0] & 15) | (q[64] & 15) << 4);
                low[32] = (uint8_t)((q[32] & 15) | (q[96] & 15) << 4);
                block[128 + 32 * half + i] =
                    (uint8_t)(q[0] >> 4 | (q[32] >> 4) << 2 | (q[64] >> 4) << 4 | (q[96] >> 4) << 6);
            }
        }
        return;
    default:
        return;
    }
}
