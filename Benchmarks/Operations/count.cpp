// Counts the operations in single and double precision with which a card's thread encodes blocks of one type: the source
// of the programs for cards, compiled with numbers that count.
#include "counted.hpp"

#define LANES 1
#define LANE_TABLES 1
#include "../../Sources/CQuernKernels/body/kernels.h"
#include "../../Sources/CQuernKernels/device/books.h"
#include "../../Sources/CQuernKernels/device/thread.h"
#include "../../Sources/CQuernKernels/device/row_kernels.h"
#include "../../Sources/CQuernKernels/device/block_kernels.h"
#undef float
#undef double

#define NAME_OF(name, type) name##_##type
#define NAME(name, type) NAME_OF(name, type)

/// Operations per value of rows as trained layers have them, in blocks of `size` values and `bytes` bytes.
static void count(size_t size, size_t bytes, bool is_weighted) {
    enum { rows = 16, columns = 4096 };
    Uniform uniform;
    const std::vector<Counted<float>> values = normal_rows(rows * columns, uniform);
    std::vector<Counted<float>> importance;
    for (size_t i = 0; i < columns; ++i) importance.push_back(uniform() + 0.01f);
    const size_t blocks = values.size() / size;
    std::vector<uint8_t> encoded(blocks * bytes);
    std::vector<Counted<float>> means(rows);
    operations = 0;
    const Counted<float> *const weights = is_weighted ? importance.data() : nullptr;
    const bool has_means = is_weighted && (QUERN_TYPE == quern_type_q4_0 || QUERN_TYPE == quern_type_q4_1 || QUERN_TYPE == quern_type_q5_0
                                            || QUERN_TYPE == quern_type_q5_1);
    for (blockIdx.x = 0; has_means && blockIdx.x < rows; ++blockIdx.x)
        quern_row_means(values.data(), rows, columns, means.data());
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        NAME(quern_encode, QUERN_TYPE)(values.data(), blocks, size, bytes, columns, weights,
                                       has_means ? means.data() : nullptr, encoded.data());
    std::printf(" %.1f", (double)operations / (double)values.size());
}

/// SIZE BYTES: of a block. Prints operations per value, without importance and with.
int main(int, char **arguments) {
    const size_t size = std::strtoul(arguments[1], nullptr, 10), bytes = std::strtoul(arguments[2], nullptr, 10);
    put_tables(quern_tables);
    count(size, bytes, false);
    count(size, bytes, true);
}
