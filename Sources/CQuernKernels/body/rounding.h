// Adding 1.5 × 2^23 rounds to the nearest even integer and leaves it in the low 23 bits.
#define ROUNDING 12582912.0f
#define ROUNDING_BITS 0x4b400000
