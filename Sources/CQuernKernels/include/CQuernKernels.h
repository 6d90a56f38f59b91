/// Lane kernels: encode, decode and compare blocks of quantized weights.
///
/// Every instruction set gives the same bytes: IEEE single precision, no fused multiply-add, sums in one order.
#ifndef CQUERNKERNELS_H
#define CQUERNKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// GGUF ids of the element types that have kernels.
enum quern_type {
    quern_type_f32 = 0,
    quern_type_f16 = 1,
    quern_type_q4_0 = 2,
    quern_type_q4_1 = 3,
    quern_type_q5_0 = 6,
    quern_type_q5_1 = 7,
    quern_type_q8_0 = 8,
    quern_type_q2_k = 10,
    quern_type_q3_k = 11,
    quern_type_q4_k = 12,
    quern_type_q5_k = 13,
    quern_type_q6_k = 14,
    quern_type_iq2_xxs = 16,
    quern_type_iq2_xs = 17,
    quern_type_iq3_xxs = 18,
    quern_type_iq1_s = 19,
    quern_type_iq4_nl = 20,
    quern_type_iq3_s = 21,
    quern_type_iq2_s = 22,
    quern_type_iq4_xs = 23,
    quern_type_iq1_m = 29,
    quern_type_bf16 = 30,
    quern_type_tq1_0 = 34,
    quern_type_tq2_0 = 35,
    quern_type_mxfp4 = 39,
    quern_type_nvfp4 = 40,
    quern_type_q1_0 = 41,
    quern_type_q2_0 = 42,
};

/// The builds of the kernels. A larger number is preferred where the processor has it.
enum quern_instruction_set {
    quern_set_plain = 0,
    quern_set_sse2 = 1,
    quern_set_avx2 = 2,
    quern_set_avx512 = 3,
    quern_set_neon = 4,
};

/// Whether the kernels were built for `set` and this processor can run them.
bool quern_set_available(uint32_t set);

/// Encodes `rows` rows of `columns` finite values each; `columns` is a multiple of the type's block.
/// - importance: `columns` weights (mean squared activations), or NULL.
/// - to: rows × columns / block × block bytes; needs no alignment.
/// Any number of threads may call it. It uses up to 128 KiB of stack, and for the IQ types tables that the first call
/// builds and that stay.
/// - Returns: false where `type` has no encoder or `set` is not available; nothing is written then.
bool quern_encode(uint32_t set, uint32_t type, const float *from, size_t rows, size_t columns, const float *importance,
                  uint8_t *to);

/// Decodes `elements` values, a multiple of the type's block. `from` needs no alignment.
/// - Returns: false where `type` has no decoder or `set` is not available.
bool quern_decode(uint32_t set, uint32_t type, const uint8_t *from, size_t elements, float *to);

/// Sums over one row in double precision.
typedef struct {
    /// Σ(a−b)².
    double error;
    /// Σa².
    double norm;
} quern_row_sums;

/// Element i goes to accumulator i mod 16; the sixteen are then added in order.
/// - Returns: false where `set` is not available.
bool quern_row_error(uint32_t set, const float *a, const float *b, size_t columns, quern_row_sums *sums);

/// The code books of the IQ types.
enum quern_codebook_id {
    quern_codebook_iq2_xxs = 0,
    quern_codebook_iq2_xs = 1,
    quern_codebook_iq2_s = 2,
    /// Of IQ1_S and IQ1_M.
    quern_codebook_iq1 = 3,
    quern_codebook_iq3_xxs = 4,
    quern_codebook_iq3_s = 5,
};

/// Whether a point of the full grid is in a code book. A book counts its points in ascending order of `packed`.
/// - packed: IQ1, IQ2: eight coordinates 0 ... 2, coordinate i in bits 2·i and 2·i + 1. IQ3: four coordinates 0 ... 7,
///   coordinate i in bits 3·i ... 3·i + 2.
bool quern_codebook_contains(uint32_t book, uint32_t packed);

/// The CRC-32C of what had the CRC-32C `preceding` (0 for nothing), followed by `bytes`.
uint32_t quern_crc32c(uint32_t set, const uint8_t *bytes, size_t count, uint32_t preceding);

/// The index of the first infinity or NaN, or `count`.
size_t quern_first_non_finite(uint32_t set, const float *values, size_t count);

/// What a softmax over logits needs: p_i = e^(x_i − maximum) / sum.
typedef struct {
    float maximum;
    /// Of the first of the largest.
    uint32_t index;
    /// Σe^(x − maximum), in [1, count]; no number where a value is NaN or +∞, or all are −∞.
    double sum;
} quern_softmax;

/// Element i goes to accumulator i mod 16 in double precision; the sixteen are then added in order.
/// - count: 1 ... 2^31 − 16.
/// - Returns: false where `set` is not available.
bool quern_softmax_of(uint32_t set, const float *values, size_t count, quern_softmax *result);

/// The Kullback–Leibler divergence Σp·ln(p/q) ≥ 0 of softmax(b) from softmax(a), in nats, as Σp·(e^−δ − 1 + δ) with
/// δ = ln(p/q), whose terms are all positive: what rounds in one does not have to cancel in another.
/// - offset: ln Σe^a − ln Σe^b.
/// - Returns: false where `set` is not available.
bool quern_divergence(uint32_t set, const float *a, const float *b, size_t count, const quern_softmax *of_a,
                      const quern_softmax *of_b, float offset, double *result);

/// Adds `count` rows of `columns` values to the sums of each column, row after row in double precision: Σx² to
/// `squares`, Σ|x| to `magnitudes`; `maxima` become the larger of what they are (at least 0) and |x|, a NaN being larger
/// than all.
/// - Returns: false where `set` is not available.
bool quern_add_moments(uint32_t set, const float *rows, size_t count, size_t columns, double *squares,
                       double *magnitudes, float *maxima);

/// Writes values as BF16 numbers.
/// - Returns: false where one is none; some may be written then.
bool quern_pack_brain_floats(const float *from, size_t count, uint16_t *to);

/// The numbers that weights are stored as.
enum quern_weight_numbers {
    /// Integers of 4 bits + 8, eight to a 32-bit word.
    quern_weight_packed4 = 0,
    /// Integers of 8 bits + 128, four to a 32-bit word.
    quern_weight_packed8 = 1,
    quern_weight_int8 = 2,
    quern_weight_e4m3 = 3,
    /// E2M1, two to a byte, under E4M3 scales for 16 of a row.
    quern_weight_nvfp4 = 4,
    /// E2M1, two to a byte, under powers of two for 32 of a row.
    quern_weight_mxfp4 = 5,
    /// Codes of bitsandbytes' NF4, two to a byte, the first in its upper half, under F32 magnitudes of 64 of a row.
    /// Not fitted.
    quern_weight_nf4 = 6,
    /// Bytes as bitsandbytes has them, under the F32 magnitude of a row, which counts 127. Not fitted.
    quern_weight_absmax8 = 7,
};

typedef struct {
    /// One of `quern_weight_numbers`.
    uint32_t numbers;
    /// The type in which scales are computed: quern_type_f16, quern_type_bf16 or quern_type_f32. Scales of integers
    /// and E4M3 are stored in it.
    uint32_t source;
    /// Columns that share a scale; 0 for a row. Of integers it divides the columns and holds whole bytes.
    size_t group;
    /// Rows that share a scale, at least 1. More than one only with E4M3.
    size_t block_rows;
    /// Of integers.
    bool has_zero_points;
    /// Of NVFP4: scales are stored multiplied by it.
    float global_scale;
} quern_weight_layout;

/// Memory of any alignment.
typedef struct {
    /// The numbers, row after row; rows of packed integers are whole words.
    uint8_t *weight;
    /// [rows / block_rows, columns / group], both rounded up.
    uint8_t *scale;
    /// Words [rows · bits / 32 rounded up, columns / group] with a code for each row in its bits.
    uint8_t *zero_point;
} quern_weight_parts;

/// Rounds finite weights to the nearest numbers.
/// - from: [rows, columns] values that the source type has.
/// - Returns: false where there are no such numbers or `set` is not available; nothing is written then.
bool quern_quantize(uint32_t set, const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
                    const quern_weight_parts *to);

/// The values of numbers, in single precision. `from` is only read.
/// - Returns: as `quern_quantize`.
bool quern_dequantize(uint32_t set, const quern_weight_layout *layout, const quern_weight_parts *from, size_t rows,
                      size_t columns, float *to);

/// Columns that are rounded together where errors are fed into later ones.
enum { quern_feedback_panel = 128 };

/// Of those, columns whose sums are at hand while they are rounded one after the other.
enum { quern_feedback_step = 16 };

/// How the errors of columns are fed into those that are rounded after them: V of H = V D Vᵀ, H being the Gram matrix of
/// some neighbouring inputs.
typedef struct {
    /// The columns, of which the first is `first`.
    size_t first, count;
    /// The order in which they are rounded: numbers below `count`.
    const uint32_t *order;
    /// For each panel of columns in that order, up to `quern_feedback_panel`, rows 0 ..< its end of V: [end, width].
    const float *panels;
    /// D, in that order.
    const float *variances;
} quern_feedback;

/// What is known of a layer's inputs.
typedef struct {
    /// How much the error of each column matters, [columns]; NULL where all matter alike.
    const float *importance;
    /// Together they have every column, or there are none.
    const quern_feedback *feedback;
    size_t blocks;
} quern_weight_aid;

/// Floats that `quern_fit` takes to work with.
size_t quern_fit_scratch(const quern_weight_layout *layout, size_t columns);

/// Rounds weights so that the layer's outputs change little: scales by search; where there is feedback, the errors of
/// columns are made good by those rounded after them.
/// - from: [rows, columns], any finite values; at most 128 rows.
/// - Returns: false where there are no such numbers, there are too many rows, or `set` is not available.
bool quern_fit(uint32_t set, const quern_weight_layout *layout, const float *from, size_t rows, size_t columns,
               const quern_weight_aid *aid, float *scratch, const quern_weight_parts *to);

/// Floats that `quern_refine` takes to work with.
size_t quern_refine_scratch(size_t columns);

/// Encodes rows to blocks of a type so that the outputs of the layer change little: scales are those that the type's
/// encoder finds for columns corrected by the errors of earlier ones, codes make good the errors of earlier columns.
/// - from: [rows, columns], finite; at most 128 rows.
/// - aid: with feedback; the columns of each of its blocks are whole blocks of the type, which follow each other in the
///   order of the feedback one by one. Within them columns that share a point or the parity of their signs, four for
///   IQ3_S and eight for IQ3_XXS, IQ2 and IQ1, follow each other in their natural order.
/// - Returns: false where the type has no such encoder, there are too many rows, or `set` is not available.
bool quern_refine(uint32_t set, uint32_t type, const float *from, size_t rows, size_t columns,
                  const quern_weight_aid *aid, float *scratch, uint8_t *to);

/// Sizes of a block's scales that refined encoders try, that of the type's usual encoder among them. More of them gain
/// less than a hundredth.
enum { quern_refine_trials = 5 };

/// Bytes that a refined encoder on a device works in for every 32 rows: for each size of scales two values and two codes
/// for each of 256 columns of a row, two values for each of 32 groups and one for the row; beside these a value for each
/// column and three for each group.
enum {
    quern_refine_work = 32 * (quern_refine_trials * (256 * (2 * 4 + 2) + 32 * 2 * 4 + 4) + 256 * 4 + 32 * 3 * 4)
};

/// Columns of a strip of a matrix to be factored.
enum { quern_factor_strip = 96 };

/// Cholesky's factor U of a symmetric matrix UᵀU, in its place: the upper triangle; the rest has no meaning afterwards.
/// - matrix: for each strip of columns, `quern_factor_strip` wide, the rows above its end: [end, quern_factor_strip]. All
///   of the last strip, too: zero in columns and rows from `count` on.
/// - Returns: `count`, or the row at which the matrix turns out not to be positive definite; more where `set` is not
///   available.
size_t quern_factor(uint32_t set, float *matrix, size_t count);

/// c[i][j] += Σ a[k][i]·b[k][j] in single precision, every element in the order of k.
/// - a: [terms, rows], b: [terms, columns], c: [rows, columns], each with its stride.
/// - columns: a multiple of 32.
/// - Returns: false where `set` is not available.
bool quern_add_products(uint32_t set, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t terms,
                        size_t rows, size_t columns, float *c, size_t c_stride);

/// Vectors of which `quern_add_quadratic` has one in each lane.
enum { quern_quadratic_lanes = 32 };

/// sums[j] += dᵀHd for each of some vectors d.
/// - matrix: H, [count, count], symmetric.
/// - values: the vectors, [count, lanes]; scratch: as many.
/// - Returns: false where `set` is not available.
bool quern_add_quadratic(uint32_t set, const float *matrix, size_t count, const float *values, float *scratch,
                         double *sums);

/// Zero of no values.
float quern_largest_magnitude(uint32_t set, const float *values, size_t count);

/// Steps of a decoder on rows of `count` values, at least one, of any alignment. Sums are in double precision in
/// sixteen places; exponentials and tangents are right to a few units in the last place.
typedef struct {
    /// x / sqrt(mean(x²) + epsilon) · weight
    void (*rms_norm)(const float *from, size_t count, const float *weight, float epsilon, float *to);
    /// (x − mean) / sqrt(variance + epsilon) · weight + bias, which may be NULL
    void (*layer_norm)(const float *from, size_t count, const float *weight, const float *bias, float epsilon,
                       float *to);
    /// to += scale · from
    void (*add)(float *to, const float *from, size_t count, float scale);
    void (*scale)(float *values, size_t count, float scale);
    /// Rotates (x_i, x_(i + pairs)) by the angle of which cosine and sine i are.
    void (*rotate_halves)(float *values, const float *cosines, const float *sines, size_t pairs);
    /// Rotates (x_2i, x_(2i + 1)).
    void (*rotate_neighbours)(float *values, const float *cosines, const float *sines, size_t pairs);
    /// silu(gate) · up
    void (*silu)(const float *gate, const float *up, size_t count, float *to);
    /// gelu(gate) · up in the form with tanh; gelu(gate) where `up` is NULL
    void (*gelu)(const float *gate, const float *up, size_t count, float *to);
    /// (u + 1) · g · sigmoid(alpha · g), g = min(gate, limit), u = up within ±limit
    void (*clamped_silu)(const float *gate, const float *up, size_t count, float alpha, float limit, float *to);
    /// cap · tanh(scale · x / cap)
    void (*soft_cap)(float *values, size_t count, float scale, float cap);
    /// In place; `sink`, where it is not NULL, is one more score that takes no place.
    void (*softmax)(float *values, size_t count, const float *sink);
    /// x ≈ high + low as BF16, to 2^-17 of its size.
    void (*split)(const float *from, size_t count, uint16_t *high, uint16_t *low);
} quern_forward_kernels;

/// - Returns: NULL where `set` is not available.
const quern_forward_kernels *quern_forward(uint32_t set);

/// Tables that kernels on a device read: the code books, and the candidates of two of them.
enum quern_device_table {
    // The code books come first, by `quern_codebook_id`.
    quern_device_candidates_iq3_xxs = 6,
    quern_device_candidates_iq3_s = 7,
    quern_device_tables = 8,
};

/// Bytes of a table. Built at the first call, which takes up to 50 ms.
size_t quern_device_table_bytes(uint32_t table);

/// Writes a table as it is to lie at `address` of a device's memory, which is a multiple of 64.
void quern_device_table_write(uint32_t table, uint64_t address, uint8_t *to);

/// A file of the program for devices.
typedef struct {
    /// As the others include it. Some files have several names.
    const char *name;
    const char *text;
} quern_device_file;

/// The program in CUDA C++, its main file first.
/// - count: receives how many files there are.
const quern_device_file *quern_device_files(size_t *count);

#endif
