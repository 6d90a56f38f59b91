/// Matrix products by oneDNN (https://github.com/oneapi-src/oneDNN), which is loaded when first needed: starting it
/// takes milliseconds that most commands have no use for. Every call runs on the calling thread alone, and a sum's
/// order depends on the shapes only.
#ifndef CDNNL_H
#define CDNNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Loads the library, once.
/// - Returns: NULL, or why it cannot be used; valid for ever.
const char *quern_dnnl_load(void);

/// Whether the processor multiplies BF16 at all, and whether it has tiles (AMX) for it. After loading.
bool quern_dnnl_has_bf16(void);
bool quern_dnnl_has_tiles(void);

/// The library's version, and the instruction set it uses (`dnnl_cpu_isa_t`): sums depend on both. After loading.
void quern_dnnl_version(int *major, int *minor, int *patch);
unsigned quern_dnnl_instruction_set(void);

/// C = A·B or A·Bᵀ (`transposed`), all row-major: A [m, k], B [k, n] or [n, k], C [m, n]; `lda` … are strides of rows.
/// - Returns: false where oneDNN fails.
bool quern_dnnl_multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc);

/// The product of m rows with packed weights: C [m, n] (+)= A [m, k]·Wᵀ, W [n, k].
typedef struct quern_product quern_product;

/// - bf16: A and W are BF16; otherwise single precision. C is single precision.
/// - adds: C is added to, as opposed to overwritten.
/// - Returns: NULL where oneDNN refuses.
quern_product *quern_product_create(bool bf16, size_t m, size_t n, size_t k, bool adds);
void quern_product_destroy(quern_product *product);
/// Bytes of packed weights; the same for all m.
size_t quern_product_weight_bytes(const quern_product *product);
size_t quern_product_scratch_bytes(const quern_product *product);
/// Packs the rows `first` ..< `first + count` of weights [n, k] of the product's type; different rows may be packed at the
/// same time.
/// - first: a multiple of 192, and so is `count` unless these are the last rows: layouts go by blocks of outputs.
/// - rows: [count, k].
/// - Returns: false where oneDNN's layout cannot be written in such pieces, or it fails.
bool quern_product_pack(const quern_product *product, size_t first, size_t count, const void *rows, void *weights);
/// - scratch: `quern_product_scratch_bytes`, aligned to 64; so are `weights`.
bool quern_product_run(const quern_product *product, const void *a, const void *weights, float *c, void *scratch);

#endif
