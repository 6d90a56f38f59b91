// CRC-32C (Castagnoli; RFC 3720, appendix B.4), which current processors have an instruction for.
#include "CQuernKernels.h"

#include <pthread.h>
#include <string.h>

/// The polynomial, bits reversed.
#define POLYNOMIAL 0x82f63b78u

/// remainders[k][byte]: of `byte` followed by k zero bytes, so that eight bytes are looked up at once.
static uint32_t remainders[8][256];

static void build_remainders(void) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ (rest & 1 ? POLYNOMIAL : 0);
        remainders[0][byte] = rest;
    }
    for (int k = 1; k < 8; ++k)
        for (int byte = 0; byte < 256; ++byte)
            remainders[k][byte] = (remainders[k - 1][byte] >> 8) ^ remainders[0][remainders[k - 1][byte] & 255];
}

static uint32_t by_table(const uint8_t *bytes, size_t count, uint32_t rest) {
    static pthread_once_t built = PTHREAD_ONCE_INIT;
    pthread_once(&built, build_remainders);
    for (; count >= 8; count -= 8, bytes += 8) {
        uint32_t next = 0;
        for (int i = 0; i < 4; ++i) next ^= remainders[7 - i][(uint8_t)(rest >> (8 * i)) ^ bytes[i]];
        for (int i = 4; i < 8; ++i) next ^= remainders[7 - i][bytes[i]];
        rest = next;
    }
    for (; count > 0; --count, ++bytes) rest = (rest >> 8) ^ remainders[0][(rest ^ *bytes) & 255];
    return rest;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(const uint8_t *bytes, size_t count, uint32_t rest) {
    uint64_t wide = rest;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    rest = (uint32_t)wide;
    for (; count > 0; --count, ++bytes) rest = __builtin_ia32_crc32qi(rest, *bytes);
    return rest;
}
#endif

uint32_t quern_crc32c(uint32_t set, const uint8_t *bytes, size_t count, uint32_t preceding) {
#if defined(__x86_64__)
    if (set != quern_set_plain && __builtin_cpu_supports("sse4.2")) return ~by_instruction(bytes, count, ~preceding);
#endif
    (void)set;
    return ~by_table(bytes, count, ~preceding);
}
