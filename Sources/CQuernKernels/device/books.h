// The code books in a device's memory.
#ifndef QUERN_DEVICE_BOOKS_H
#define QUERN_DEVICE_BOOKS_H

/// By `quern_device_table`; whoever loads the program writes their addresses here.
extern "C" {
__constant__ const void *quern_tables[quern_device_tables];
}

const quern_codebook *quern_codebook_get(uint32_t book) { return (const quern_codebook *)quern_tables[book]; }

const quern_candidates *quern_candidates_get(uint32_t book) {
    return (const quern_candidates *)quern_tables[book == quern_codebook_iq3_s ? quern_device_candidates_iq3_s
                                                                                : quern_device_candidates_iq3_xxs];
}

#endif
