#include "CDNNL.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>

#if DNNL_VERSION_MAJOR != 2
#error "Quern is written for oneDNN 2 (Debian 12: libdnnl-dev)"
#endif

#define DNNL_FUNCTIONS(apply)                                                                                         \
    apply(dnnl_engine_create) apply(dnnl_get_effective_cpu_isa) apply(dnnl_matmul_desc_init)                          \
    apply(dnnl_memory_create) apply(dnnl_memory_desc_equal) apply(dnnl_memory_desc_get_size)                          \
    apply(dnnl_memory_desc_init_by_tag) apply(dnnl_memory_desc_init_submemory) apply(dnnl_memory_destroy)             \
    apply(dnnl_post_ops_append_sum)                                                                                   \
    apply(dnnl_post_ops_create) apply(dnnl_post_ops_destroy) apply(dnnl_primitive_attr_create)                        \
    apply(dnnl_primitive_attr_destroy) apply(dnnl_primitive_attr_set_post_ops)                                        \
    apply(dnnl_primitive_attr_set_scratchpad_mode) apply(dnnl_primitive_create) apply(dnnl_primitive_desc_create)     \
    apply(dnnl_primitive_desc_destroy) apply(dnnl_primitive_desc_query_md) apply(dnnl_primitive_destroy)              \
    apply(dnnl_primitive_execute) apply(dnnl_reorder_primitive_desc_create) apply(dnnl_sgemm)                         \
    apply(dnnl_stream_create) apply(dnnl_stream_destroy) apply(dnnl_stream_wait) apply(dnnl_version)

#define DECLARE(name) static __typeof__(name) *call_##name;
DNNL_FUNCTIONS(DECLARE)
static void (*set_thread_count)(int);

static dnnl_engine_t engine;
static const char *failure;
static pthread_once_t loading = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        failure = "the library oneDNN (libdnnl.so.2) is not installed";
        return;
    }
#define FIND(name)                                                                                                    \
    call_##name = (__typeof__(call_##name))dlsym(library, #name);                                                     \
    if (!call_##name) failure = "the library oneDNN lacks " #name;
    DNNL_FUNCTIONS(FIND)
    // oneDNN divides work among OpenMP's threads; where it was built without them there is nothing to hold back.
    set_thread_count = (void (*)(int))dlsym(library, "omp_set_num_threads");
    if (failure) return;
    if (call_dnnl_version()->major != 2) {
        failure = "the library oneDNN is of another version than 2";
    } else if (call_dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) {
        failure = "oneDNN does not start on this processor";
    }
}

const char *quern_dnnl_load(void) {
    pthread_once(&loading, load);
    return failure;
}

bool quern_dnnl_has_bf16(void) {
    const unsigned isa = call_dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

bool quern_dnnl_has_tiles(void) {
    const unsigned isa = call_dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
}

void quern_dnnl_version(int *major, int *minor, int *patch) {
    const dnnl_version_t *version = call_dnnl_version();
    *major = version->major;
    *minor = version->minor;
    *patch = version->patch;
}

unsigned quern_dnnl_instruction_set(void) { return call_dnnl_get_effective_cpu_isa(); }

/// OpenMP keeps this number for each thread apart.
static void stay_on_this_thread(void) {
    static _Thread_local bool stays;
    if (stays || !set_thread_count) return;
    set_thread_count(1);
    stays = true;
}

bool quern_dnnl_multiply(bool transposed, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc) {
    stay_on_this_thread();
    return call_dnnl_sgemm('N', transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, 1, a,
                           (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, 0, c, (dnnl_dim_t)ldc)
        == dnnl_success;
}

struct quern_product {
    dnnl_primitive_t primitive;
    dnnl_data_type_t type;
    dnnl_memory_desc_t a, weights, c, scratch;
};

/// A primitive that multiplies; the layout of weights is oneDNN's choice where `weights` is NULL.
static dnnl_primitive_desc_t describe(quern_product *product, dnnl_data_type_t type, const dnnl_dims_t m_k,
                                      const dnnl_dims_t k_n, const dnnl_dims_t m_n, bool adds,
                                      const dnnl_memory_desc_t *weights) {
    dnnl_memory_desc_t b;
    if (weights) {
        b = *weights;
    } else {
        call_dnnl_memory_desc_init_by_tag(&b, 2, k_n, type, dnnl_format_tag_any);
    }
    call_dnnl_memory_desc_init_by_tag(&product->a, 2, m_k, type, dnnl_ab);
    call_dnnl_memory_desc_init_by_tag(&product->c, 2, m_n, dnnl_f32, dnnl_ab);
    dnnl_matmul_desc_t matmul;
    if (call_dnnl_matmul_desc_init(&matmul, &product->a, &b, NULL, &product->c) != dnnl_success) return NULL;
    dnnl_primitive_attr_t attributes = NULL;
    if (call_dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    call_dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    dnnl_post_ops_t after = NULL;
    if (adds) {
        if (call_dnnl_post_ops_create(&after) != dnnl_success) {
            call_dnnl_primitive_attr_destroy(attributes);
            return NULL;
        }
        call_dnnl_post_ops_append_sum(after, 1);
        call_dnnl_primitive_attr_set_post_ops(attributes, after);
    }
    dnnl_primitive_desc_t description = NULL;
    if (call_dnnl_primitive_desc_create(&description, &matmul, attributes, engine, NULL) != dnnl_success)
        description = NULL;
    if (after) call_dnnl_post_ops_destroy(after);
    call_dnnl_primitive_attr_destroy(attributes);
    return description;
}

/// Rows for which the layout of weights is chosen, whatever the number of rows multiplied with them.
enum { usual_rows = 512 };

quern_product *quern_product_create(bool bf16, size_t m, size_t n, size_t k, bool adds) {
    stay_on_this_thread();
    quern_product *product = calloc(1, sizeof *product);
    if (!product) return NULL;
    const dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_dims_t m_k = {(dnnl_dim_t)m, (dnnl_dim_t)k}, k_n = {(dnnl_dim_t)k, (dnnl_dim_t)n},
                      m_n = {(dnnl_dim_t)m, (dnnl_dim_t)n}, usual_k = {usual_rows, (dnnl_dim_t)k},
                      usual_n = {usual_rows, (dnnl_dim_t)n};
    dnnl_primitive_desc_t usual = describe(product, type, usual_k, k_n, usual_n, false, NULL), description = NULL;
    if (usual) {
        product->weights = *call_dnnl_primitive_desc_query_md(usual, dnnl_query_weights_md, 0);
        call_dnnl_primitive_desc_destroy(usual);
        description = describe(product, type, m_k, k_n, m_n, adds, &product->weights);
    }
    bool done = false;
    if (description) {
        product->scratch = *call_dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
        done = call_dnnl_primitive_create(&product->primitive, description) == dnnl_success;
        call_dnnl_primitive_desc_destroy(description);
    }
    product->type = type;
    if (done) return product;
    quern_product_destroy(product);
    return NULL;
}

void quern_product_destroy(quern_product *product) {
    if (!product) return;
    if (product->primitive) call_dnnl_primitive_destroy(product->primitive);
    free(product);
}

size_t quern_product_weight_bytes(const quern_product *product) {
    return call_dnnl_memory_desc_get_size(&product->weights);
}

size_t quern_product_scratch_bytes(const quern_product *product) {
    return call_dnnl_memory_desc_get_size(&product->scratch);
}

/// One operand of a primitive.
typedef struct {
    int place;
    const dnnl_memory_desc_t *description;
    const void *bytes;
} operand;

static bool execute(dnnl_primitive_t primitive, int count, const operand *operands) {
    stay_on_this_thread();
    dnnl_exec_arg_t arguments[4] = {{0}};
    dnnl_stream_t stream = NULL;
    bool done = call_dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success;
    for (int i = 0; i < count; ++i) {
        arguments[i].arg = operands[i].place;
        done = done
            && call_dnnl_memory_create(&arguments[i].memory, operands[i].description, engine,
                                       (void *)operands[i].bytes)
                == dnnl_success;
    }
    done = done && call_dnnl_primitive_execute(primitive, stream, count, arguments) == dnnl_success
        && call_dnnl_stream_wait(stream) == dnnl_success;
    for (int i = 0; i < count; ++i)
        if (arguments[i].memory) call_dnnl_memory_destroy(arguments[i].memory);
    if (stream) call_dnnl_stream_destroy(stream);
    return done;
}

bool quern_product_pack(const quern_product *product, size_t first, size_t count, const void *rows, void *weights) {
    const dnnl_dims_t size = {product->weights.dims[0], (dnnl_dim_t)count}, place = {0, (dnnl_dim_t)first};
    dnnl_memory_desc_t from, to;
    // oneDNN keeps primitives that were asked for before: making one for each piece costs microseconds.
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t packing = NULL;
    stay_on_this_thread();
    bool done = call_dnnl_memory_desc_init_by_tag(&from, 2, size, product->type, dnnl_ba) == dnnl_success
        && call_dnnl_memory_desc_init_submemory(&to, &product->weights, size, place) == dnnl_success
        && call_dnnl_reorder_primitive_desc_create(&description, &from, engine, &to, engine, NULL) == dnnl_success
        && call_dnnl_primitive_create(&packing, description) == dnnl_success;
    if (done) {
        const operand operands[] = {{DNNL_ARG_FROM, &from, rows}, {DNNL_ARG_TO, &to, weights}};
        done = execute(packing, 2, operands);
    }
    if (packing) call_dnnl_primitive_destroy(packing);
    if (description) call_dnnl_primitive_desc_destroy(description);
    return done;
}

bool quern_product_run(const quern_product *product, const void *a, const void *weights, float *c, void *scratch) {
    const operand operands[] = {{DNNL_ARG_SRC, &product->a, a},
                                {DNNL_ARG_WEIGHTS, &product->weights, weights},
                                {DNNL_ARG_DST, &product->c, c},
                                {DNNL_ARG_SCRATCHPAD, &product->scratch, scratch}};
    return execute(product->primitive, 4, operands);
}
