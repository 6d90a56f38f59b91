// Q4_K and Q5_K: super-blocks of 256 values: half-precision scales of the scales and of the minima, 12 bytes with
// eight 6-bit scales and minima, (Q5_K: 32 bytes of fifth bits), 128 bytes of two low nibbles.

/// Eight scales and minima (each 0 ... 63; a reference quirk lets up to 255 through, which spill as there).
KERNEL void pack_scales(lane_int bytes[12], const lane_int *scales, const lane_int *minima) {
    for (int j = 0; j < 4; ++j) {
        bytes[j] = scales[j];
        bytes[j + 4] = minima[j];
    }
    for (int j = 4; j < 8; ++j) {
        bytes[j + 4] = (scales[j] & 15) | ((minima[j] & 15) << 4);
        bytes[j - 4] = (bytes[j - 4] | ((scales[j] >> 4) << 6)) & 0xff;
        bytes[j] = (bytes[j] | ((minima[j] >> 4) << 6)) & 0xff;
    }
}

KERNEL void unpack_scale(const lane_int bytes[12], int j, lane_int *scale, lane_int *minimum) {
    if (j < 4) {
        *scale = bytes[j] & 63;
        *minimum = bytes[j + 4] & 63;
    } else {
        *scale = (bytes[j + 4] & 15) | ((bytes[j - 4] >> 6) << 4);
        *minimum = (bytes[j + 4] >> 4) | ((bytes[j] >> 6) << 4);
    }
}

/// Six-bit quants of positive numbers against their largest, as the reference does without importance.
/// - Returns: the scale of the scales.
KERNEL lane_float quantize_scales(const lane_float *x, lane_int *quants) {
    lane_float max = lane_float_of(0);
    for (int j = 0; j < 8; ++j) max = pick(greater(x[j], max), x[j], max);
    const lane_float inverse =
        pick(greater(max, lane_float_of(0)), lane_float_of(63.0f) / max, lane_float_of(0));
    for (int j = 0; j < 8; ++j) quants[j] = least(nearest(inverse * x[j]) & 0xff, lane_int_of(63));
    return max / 63.0f;
}

/// - highest: 15 or 31.
KERNEL void encode_affine_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to,
                            int highest) {
    for (size_t block = 0; block < count; block += LANES) {
        lane_blocks blocks = lane_blocks_at(
            block, count, 256, columns, from, importance, to, highest == 15 ? q4_k_bytes : q5_k_bytes);
        lane_float x[256];
        lane_load(x, blocks.values, 256);
        const lane_float mean_square = importance ? lane_twice_mean_square(x) : lane_float_of(0);

        affine_fit fits[8];
        lane_float scales[8], minima[8], sums[8];
        for (int j = 0; j < 8; ++j) {
            const lane_float *part = x + 32 * j;
            lane_float w[32];
            if (importance) {
                lane_importance(w, &blocks, 32 * j, 32);
                sums[j] = lane_weigh(w, part, 32, mean_square);
                fits[j] = search_affine(part, w, 32, highest, -0.9f, 0.05f, 36, false);
            } else {
                lane_float sum = lane_float_of(0);
                for (int i = 0; i < 32; ++i) sum += part[i] * part[i];
                const lane_float root = lane_sqrt(sum / 32.0f);
                for (int i = 0; i < 32; ++i) w[i] = root + magnitude(part[i]);
                fits[j] = highest == 15 ? search_affine(part, w, 32, 15, -1.0f, 0.1f, 20, false)
                                        : search_affine(part, w, 32, 31, -0.5f, 0.1f, 15, false);
            }
            scales[j] = fits[j].scale;
            minima[j] = -fits[j].minimum;
        }

        lane_int scale_quants[8], minimum_quants[8];
        lane_float scale, minimum;
        if (importance) {
            scale = search_scales(scales, sums, 8, 63, scale_quants);
            minimum = search_scales(minima, sums, 8, 63, minimum_quants);
            if (highest == 31) {
                for (int j = 0; j < 8; ++j) {
                    scale_quants[j] = least(scale_quants[j], lane_int_of(63));
                    minimum_quants[j] = least(minimum_quants[j], lane_int_of(63));
                }
            }
        } else {
            scale = quantize_scales(scales, scale_quants);
            minimum = quantize_scales(minima, minimum_quants);
        }
        uint16_t halves[LANES];
        scale = lane_to_half(scale, halves);
        lane_write_halves(&blocks, halves);
        minimum = lane_to_half(minimum, halves);
        lane_write_halves(&blocks, halves);
        lane_int bytes[12], words[32];
        pack_scales(bytes, scale_quants, minimum_quants);
        for (int word = 0; word < 3; ++word) words[word] = word_of(bytes + 4 * word);
        lane_write_words(&blocks, words, 3);

        // Quants are rounded again against what the scales have become.
        lane_int quants[256];
        for (int j = 0; j < 8; ++j) {
            const lane_float *part = x + 32 * j;
            lane_int scale_quant, minimum_quant;
            unpack_scale(bytes, j, &scale_quant, &minimum_quant);
            const lane_float d = scale * lane_to_float(scale_quant);
            const lane_float m = minimum * lane_to_float(minimum_quant);
            for (int i = 0; i < 32; ++i) quants[32 * j + i] = whole(nearest_within((part[i] + m) / d, 0, highest));
            const lane_mask kept = equal(d, lane_float_of(0));
            if (any(kept)) {
                for (int i = 0; i < 32; ++i) {
                    const lane_int searched = whole(affine_quant(&fits[j], part[i], highest));
                    quants[32 * j + i] = pick_int(kept, searched, quants[32 * j + i]);
                }
            }
        }

        if (highest == 31) {
            for (int word = 0; word < 8; ++word) {
                words[word] = lane_int_of(0);
                for (int i = 0; i < 4; ++i)
                    for (int j = 0; j < 8; ++j)
                        words[word] |= shift_up(quants[32 * j + 4 * word + i] >> 4, 8 * i + j);
            }
            lane_write_words(&blocks, words, 8);
        }
        for (int word = 0; word < 32; ++word) {
            const lane_int *low = quants + 64 * (word / 8) + 4 * (word % 8);
            words[word] = lane_int_of(0);
            for (int i = 0; i < 4; ++i)
                words[word] |= shift_up((low[i] & 15) | ((low[i + 32] & 15) << 4), 8 * i);
        }
        lane_write_words(&blocks, words, 32);
    }
}

ENCODER void encode_q4_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_affine_k(from, count, columns, importance, to, 15);
    else
        encode_affine_k(from, count, columns, 0, to, 15);
}

ENCODER void encode_q5_k(const float *from, size_t count, size_t columns, const float *importance, uint8_t *to) {
    if (importance)
        encode_affine_k(from, count, columns, importance, to, 31);
    else
        encode_affine_k(from, count, columns, 0, to, 31);
}

KERNEL void decode_affine_k(const uint8_t *from, size_t count, float *to, bool five) {
    for (size_t block = 0; block < count; ++block) {
        const float scale = load_half(from), minimum = load_half(from + 2);
        const uint8_t *scales = from + 4, *fifth = from + 16, *nibbles = five ? from + 48 : from + 16;
        for (int j = 0; j < 8; ++j, to += 32) {
            const int scale_quant = j < 4 ? scales[j] & 63 : (scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4);
            const int minimum_quant = j < 4 ? scales[j + 4] & 63 : (scales[j + 4] >> 4) | ((scales[j] >> 6) << 4);
            const float d = scale * (float)scale_quant, m = minimum * (float)minimum_quant;
            for (int half = 0; half < 2; ++half) {
                row_byte quants = row_load_bytes(nibbles + 32 * (j / 2) + 16 * half);
                quants = j % 2 ? quants >> 4 : quants & 15;
                if (five) {
                    const row_byte high = row_load_bytes(fifth + 16 * half);
                    quants |= (row_byte)(((high >> (uint8_t)j) & 1) << 4);
                }
                row_save(to + 16 * half, row_from_bytes(quants) * d - m);
            }
        }
        from += five ? q5_k_bytes : q4_k_bytes;
    }
}

static void decode_q4_k(const uint8_t *from, size_t count, float *to) { decode_affine_k(from, count, to, false); }
static void decode_q5_k(const uint8_t *from, size_t count, float *to) { decode_affine_k(from, count, to, true); }
