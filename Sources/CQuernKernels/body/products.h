// Sums of products: c[i][j] += Σ a[k][i]·b[k][j], or -=. Every element takes its terms one after the other in the order
// of k: sums are the same for any width of registers and any size of tiles.

#if REGISTER == 1
typedef double register_double;
#else
typedef VECTOR(double, REGISTER / 2) register_double;
#endif

/// Rows of a tile, two registers wide, that leaves registers for the factors.
#if REGISTER == 16
#define TILE_ROWS 12
#else
#define TILE_ROWS 6
#endif
/// Terms that are gone through for all tiles before the next, so that what they share stays in the nearest cache.
#define TILE_TERMS 128

// - a: [terms, rows], b: [terms, columns], c: [rows, columns], with their strides.
// - columns: a multiple of 32.
#define PRODUCTS(name, number, vector, SIGN)                                                                           \
    KERNEL void name##_tile(const int rows, const number *a, size_t a_stride, const number *b, size_t b_stride,        \
                            size_t terms, number *c, size_t c_stride) {                                                \
        enum { width = sizeof(vector) / sizeof(number) };                                                              \
        vector sums[TILE_ROWS][2];                                                                                     \
        UNROLL for (int i = 0; i < rows; ++i) {                                                                        \
            memcpy(&sums[i][0], c + (size_t)i * c_stride, sizeof(vector));                                             \
            memcpy(&sums[i][1], c + (size_t)i * c_stride + width, sizeof(vector));                                     \
        }                                                                                                              \
        for (size_t k = 0; k < terms; ++k, a += a_stride, b += b_stride) {                                             \
            vector low, high;                                                                                          \
            memcpy(&low, b, sizeof(vector));                                                                           \
            memcpy(&high, b + width, sizeof(vector));                                                                  \
            UNROLL for (int i = 0; i < rows; ++i) {                                                                    \
                const vector factor = (vector)a[i];                                                                    \
                sums[i][0] = sums[i][0] SIGN factor * low;                                                             \
                sums[i][1] = sums[i][1] SIGN factor * high;                                                            \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (int i = 0; i < rows; ++i) {                                                                        \
            memcpy(c + (size_t)i * c_stride, &sums[i][0], sizeof(vector));                                             \
            memcpy(c + (size_t)i * c_stride + width, &sums[i][1], sizeof(vector));                                     \
        }                                                                                                              \
    }                                                                                                                  \
    static void name(const number *a, size_t a_stride, const number *b, size_t b_stride, size_t terms, size_t rows,    \
                     size_t columns, number *c, size_t c_stride) {                                                     \
        enum { width = 2 * sizeof(vector) / sizeof(number) };                                                          \
        for (size_t k = 0; k < terms; k += TILE_TERMS) {                                                               \
            const size_t some = terms - k < TILE_TERMS ? terms - k : TILE_TERMS;                                       \
            for (size_t j = 0; j < columns; j += width) {                                                              \
                const number *factors = a + k * a_stride, *values = b + k * b_stride + j;                              \
                size_t i = 0;                                                                                          \
                for (; i + TILE_ROWS <= rows; i += TILE_ROWS)                                                          \
                    name##_tile(TILE_ROWS, factors + i, a_stride, values, b_stride, some, c + i * c_stride + j,        \
                                c_stride);                                                                             \
                for (; i + 4 <= rows; i += 4)                                                                          \
                    name##_tile(4, factors + i, a_stride, values, b_stride, some, c + i * c_stride + j, c_stride);     \
                for (; i + 2 <= rows; i += 2)                                                                          \
                    name##_tile(2, factors + i, a_stride, values, b_stride, some, c + i * c_stride + j, c_stride);     \
                if (i < rows)                                                                                          \
                    name##_tile(1, factors + i, a_stride, values, b_stride, some, c + i * c_stride + j, c_stride);     \
            }                                                                                                          \
        }                                                                                                              \
    }
PRODUCTS(add_products, float, register_float, +)
PRODUCTS(subtract_products, double, register_double, -)
#undef PRODUCTS
