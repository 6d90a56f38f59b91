// Counts the operations with which a card's threads refine blocks of one type, as `count.cpp` does, those of the type's
// usual encoder and of the corrections by earlier blocks apart.
#include "counted.hpp"

#define ROW 1
#include "../../Sources/CQuernKernels/codebook.h"
#include "../../Sources/CQuernKernels/codebook_candidates.h"
#include "../../Sources/CQuernKernels/device/prelude.h"
#include "../../Sources/CQuernKernels/device/books.h"
#include "../../Sources/CQuernKernels/device/thread.h"
#include "../../Sources/CQuernKernels/device/refine_bodies.h"
#include "../../Sources/CQuernKernels/device/refine_kernels.h"
#undef float
#undef double

extern "C" bool encode_blocks(uint32_t type, const void *from, size_t rows, size_t columns, const void *importance,
                              uint8_t *to);

#define NAME_OF(name, type) name##_##type
#define NAME(name, type) NAME_OF(name, type)

/// V and D of inputs of which each follows the one before it by nine tenths: H = V D Vᵀ with V_kj = 0.9^(j − k).
struct Inputs {
    std::vector<uint32_t> order;
    std::vector<Counted<float>> panels, variances;

    explicit Inputs(size_t columns) {
        for (size_t column = 0; column < columns; ++column) {
            order.push_back((uint32_t)column);
            variances.push_back(column + 1 < columns ? 1 - 0.81f : 1.0f);
        }
        for (size_t first = 0; first < columns; first += fit_panel)
            for (size_t row = 0; row < first + fit_panel; ++row)
                for (size_t column = first; column < first + fit_panel; ++column)
                    panels.push_back(row > column ? 0 : std::pow(0.9f, (float)(column - row)));
    }
};

/// SIZE BYTES: of a block. Prints operations per value.
int main(int, char **arguments) {
    const size_t size = std::strtoul(arguments[1], nullptr, 10), bytes = std::strtoul(arguments[2], nullptr, 10);
    put_tables(quern_tables);
    enum { rows = fit_lanes, columns = 512 };
    Uniform uniform;
    const std::vector<Counted<float>> values = normal_rows(rows * columns, uniform);
    const std::vector<Counted<float>> importance(size, 1);
    const Inputs inputs(columns);
    const quern_feedback feedback = {0, columns, inputs.order.data(), inputs.panels.data(), inputs.variances.data()};
    std::vector<Counted<float>> weights(values.size()), differences(values.size()), natural(rows * size);
    std::vector<refine_work> work(1);
    const auto run = [](size_t threads, auto kernel) {
        for (blockIdx.x = 0; blockIdx.x < threads; ++blockIdx.x) kernel();
    };
    run(values.size(), [&] {
        NAME(quern_refine_tiles, QUERN_TYPE)(values.data(), rows, columns, feedback, weights.data());
    });
    uint64_t counted = 0;
    for (size_t first = 0; first < columns; first += size) {
        run(rows * size / fit_step, [&] {
            NAME(quern_refine_correct, QUERN_TYPE)(weights.data(), 1, columns, feedback, first, differences.data(),
                                                   work.data(), natural.data());
        });
        std::vector<uint8_t> encoded(rows * bytes);
        encode_blocks(QUERN_TYPE, natural.data(), rows, size, importance.data(), encoded.data());
        operations = 0;
        run(rows, [&] {
            for (size_t trial = 0; trial < quern_refine_trials; ++trial)
                NAME(quern_refine_try, QUERN_TYPE)(weights.data(), 1, columns, feedback, first, trial, 1,
                                                   encoded.data(), work.data());
        });
        counted += operations;
        run(rows * size, [&] { NAME(quern_refine_keep, QUERN_TYPE)(1, columns, first, work.data(), differences.data()); });
    }
    std::printf("%.1f", (double)counted / (double)values.size());
}
