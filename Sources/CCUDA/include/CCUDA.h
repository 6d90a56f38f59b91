/// NVIDIA's driver (libcuda), run-time compiler (NVRTC) and library for products of matrices (cuBLASLt), opened when
/// they are asked for: machines that build Quern have neither headers nor libraries of CUDA. Declared here is what
/// Quern calls, as NVIDIA's reference manuals give it: https://docs.nvidia.com/cuda/cuda-driver-api,
/// https://docs.nvidia.com/cuda/nvrtc and https://docs.nvidia.com/cuda/cublas. Names are those of the symbols, with the
/// version that the headers of CUDA 12 and 13 choose.
#ifndef CCUDA_H
#define CCUDA_H

#include <stddef.h>
#include <stdint.h>

/// `CUresult`, `nvrtcResult`, `cublasStatus_t`: 0 for success.
typedef int quern_cuda_status;
/// `CUdevice`.
typedef int quern_cuda_device;
/// `CUdeviceptr`.
typedef unsigned long long quern_cuda_address;
typedef struct quern_cuda_context_s *quern_cuda_context;
typedef struct quern_cuda_module_s *quern_cuda_module;
typedef struct quern_cuda_function_s *quern_cuda_function;
typedef struct quern_cuda_stream_s *quern_cuda_stream;
typedef struct quern_cuda_event_s *quern_cuda_event;
typedef struct quern_nvrtc_program_s *quern_nvrtc_program;
typedef struct quern_cublaslt_handle_s *quern_cublaslt_handle;
typedef struct quern_cublaslt_operation_s *quern_cublaslt_operation;
typedef struct quern_cublaslt_layout_s *quern_cublaslt_layout;
typedef struct quern_cublaslt_preference_s *quern_cublaslt_preference;

/// `CUuuid`.
typedef struct {
    unsigned char bytes[16];
} quern_cuda_uuid;

/// Of `CUdevice_attribute` and `CUfunction_attribute`, what is asked for here.
enum {
    QUERN_CUDA_MULTIPROCESSORS = 16,
    QUERN_CUDA_ASYNC_ENGINES = 40,
    QUERN_CUDA_CAPABILITY_MAJOR = 75,
    QUERN_CUDA_CAPABILITY_MINOR = 76,

    QUERN_CUDA_FUNCTION_MAX_THREADS = 0,
    QUERN_CUDA_FUNCTION_SHARED_BYTES = 1,
    QUERN_CUDA_FUNCTION_LOCAL_BYTES = 3,
    QUERN_CUDA_FUNCTION_REGISTERS = 4,

    /// `CU_STREAM_NON_BLOCKING`, `CU_EVENT_BLOCKING_SYNC`, `CU_EVENT_DISABLE_TIMING`, `CU_MEMHOSTALLOC_PORTABLE`.
    QUERN_CUDA_STREAM_NON_BLOCKING = 1,
    QUERN_CUDA_EVENT_BLOCKING = 1,
    QUERN_CUDA_EVENT_WITHOUT_TIME = 2,
    QUERN_CUDA_HOST_PORTABLE = 1,
};

/// Of cuBLASLt's enumerations, what is used here.
enum {
    /// `CUBLAS_STATUS_` …
    QUERN_CUBLAS_NOT_INITIALIZED = 1,
    QUERN_CUBLAS_ALLOC_FAILED = 3,
    QUERN_CUBLAS_INVALID_VALUE = 7,
    QUERN_CUBLAS_ARCH_MISMATCH = 8,
    QUERN_CUBLAS_EXECUTION_FAILED = 13,
    QUERN_CUBLAS_INTERNAL_ERROR = 14,
    QUERN_CUBLAS_NOT_SUPPORTED = 15,

    /// `CUDA_R_32F`, `CUDA_R_16BF`, `CUBLAS_COMPUTE_32F`, `CUBLAS_OP_N`, `CUBLAS_OP_T`.
    QUERN_CUBLAS_FLOAT = 0,
    QUERN_CUBLAS_BFLOAT16 = 14,
    QUERN_CUBLAS_COMPUTE_FLOAT = 68,
    QUERN_CUBLAS_AS_IT_LIES = 0,
    QUERN_CUBLAS_TRANSPOSED = 1,

    /// Attributes of an operation (`CUBLASLT_MATMUL_DESC_TRANSA`, `…_TRANSB`): an int32_t.
    QUERN_CUBLASLT_TRANSPOSE_A = 3,
    QUERN_CUBLASLT_TRANSPOSE_B = 4,

    /// Of a layout (`CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT`, `…_STRIDED_BATCH_OFFSET`): an int32_t; elements, an int64_t.
    QUERN_CUBLASLT_BATCH_COUNT = 5,
    QUERN_CUBLASLT_BATCH_STRIDE = 6,

    /// Of a preference (`CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES`, `…_REDUCTION_SCHEME_MASK`,
    /// `…_MIN_ALIGNMENT_A_BYTES` and so on): a uint64_t; uint32_t.
    QUERN_CUBLASLT_WORKSPACE_BYTES = 1,
    QUERN_CUBLASLT_REDUCTIONS = 3,
    QUERN_CUBLASLT_ALIGNMENT_A = 5,
    QUERN_CUBLASLT_ALIGNMENT_B = 6,
    QUERN_CUBLASLT_ALIGNMENT_C = 7,
    QUERN_CUBLASLT_ALIGNMENT_D = 8,

    /// `CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE`. No reduction at all is always among what the mask allows.
    QUERN_CUBLASLT_REDUCED_APART = 2,
};

/// `cublasLtMatmulAlgo_t`.
typedef struct {
    uint64_t data[8];
} quern_cublaslt_algorithm;

/// `cublasLtMatmulHeuristicResult_t`.
typedef struct {
    quern_cublaslt_algorithm algorithm;
    size_t workspace_bytes;
    quern_cuda_status state;
    float waves;
    int reserved[4];
} quern_cublaslt_choice;

/// Every function of the driver: its symbol, and its parameters.
#define QUERN_CUDA_DRIVER_FUNCTIONS(apply)                                                                            \
    apply(cuInit, (unsigned flags))                                                                                   \
    apply(cuDriverGetVersion, (int *version))                                                                         \
    apply(cuGetErrorName, (quern_cuda_status status, const char **name))                                              \
    apply(cuGetErrorString, (quern_cuda_status status, const char **text))                                            \
    apply(cuDeviceGetCount, (int *count))                                                                             \
    apply(cuDeviceGet, (quern_cuda_device * device, int ordinal))                                                     \
    apply(cuDeviceGetName, (char *name, int length, quern_cuda_device device))                                        \
    apply(cuDeviceTotalMem_v2, (size_t *bytes, quern_cuda_device device))                                             \
    apply(cuDeviceGetAttribute, (int *value, int attribute, quern_cuda_device device))                                \
    apply(cuDeviceGetUuid_v2, (quern_cuda_uuid * uuid, quern_cuda_device device))                                     \
    apply(cuDeviceGetPCIBusId, (char *identifier, int length, quern_cuda_device device))                              \
    apply(cuDevicePrimaryCtxRetain, (quern_cuda_context * context, quern_cuda_device device))                         \
    apply(cuDevicePrimaryCtxRelease_v2, (quern_cuda_device device))                                                   \
    apply(cuCtxSetCurrent, (quern_cuda_context context))                                                              \
    apply(cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes))                                                 \
    apply(cuMemAlloc_v2, (quern_cuda_address * address, size_t bytes))                                                \
    apply(cuMemFree_v2, (quern_cuda_address address))                                                                 \
    apply(cuMemHostAlloc, (void **pointer, size_t bytes, unsigned flags))                                             \
    apply(cuMemFreeHost, (void *pointer))                                                                             \
    apply(cuMemcpyHtoDAsync_v2, (quern_cuda_address to, const void *from, size_t bytes, quern_cuda_stream stream))    \
    apply(cuMemcpyDtoHAsync_v2, (void *to, quern_cuda_address from, size_t bytes, quern_cuda_stream stream))          \
    apply(cuMemcpyDtoDAsync_v2,                                                                                       \
          (quern_cuda_address to, quern_cuda_address from, size_t bytes, quern_cuda_stream stream))                   \
    apply(cuMemsetD8Async, (quern_cuda_address to, unsigned char byte, size_t bytes, quern_cuda_stream stream))       \
    apply(cuStreamCreate, (quern_cuda_stream * stream, unsigned flags))                                               \
    apply(cuStreamDestroy_v2, (quern_cuda_stream stream))                                                             \
    apply(cuStreamSynchronize, (quern_cuda_stream stream))                                                            \
    apply(cuStreamWaitEvent, (quern_cuda_stream stream, quern_cuda_event event, unsigned flags))                      \
    apply(cuEventCreate, (quern_cuda_event * event, unsigned flags))                                                  \
    apply(cuEventDestroy_v2, (quern_cuda_event event))                                                                \
    apply(cuEventRecord, (quern_cuda_event event, quern_cuda_stream stream))                                          \
    apply(cuEventQuery, (quern_cuda_event event))                                                                     \
    apply(cuEventSynchronize, (quern_cuda_event event))                                                               \
    apply(cuEventElapsedTime, (float *milliseconds, quern_cuda_event start, quern_cuda_event end))                    \
    apply(cuModuleLoadData, (quern_cuda_module * module, const void *image))                                          \
    apply(cuModuleUnload, (quern_cuda_module module))                                                                 \
    apply(cuModuleGetFunction, (quern_cuda_function * function, quern_cuda_module module, const char *name))          \
    apply(cuModuleGetGlobal_v2,                                                                                       \
          (quern_cuda_address * address, size_t *bytes, quern_cuda_module module, const char *name))                  \
    apply(cuLaunchKernel,                                                                                             \
          (quern_cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,         \
           unsigned block_y, unsigned block_z, unsigned shared_bytes, quern_cuda_stream stream, void **parameters,    \
           void **extra))                                                                                             \
    apply(cuFuncGetAttribute, (int *value, int attribute, quern_cuda_function function))

/// Those of the compiler. `nvrtcGetErrorString` gives a text, not a status.
#define QUERN_NVRTC_FUNCTIONS(apply)                                                                                  \
    apply(nvrtcVersion, (int *major, int *minor))                                                                     \
    apply(nvrtcGetNumSupportedArchs, (int *count))                                                                    \
    apply(nvrtcGetSupportedArchs, (int *architectures))                                                               \
    apply(nvrtcCreateProgram,                                                                                         \
          (quern_nvrtc_program * program, const char *source, const char *name, int header_count,                     \
           const char *const *headers, const char *const *header_names))                                              \
    apply(nvrtcDestroyProgram, (quern_nvrtc_program * program))                                                       \
    apply(nvrtcCompileProgram, (quern_nvrtc_program program, int option_count, const char *const *options))           \
    apply(nvrtcGetProgramLogSize, (quern_nvrtc_program program, size_t *bytes))                                       \
    apply(nvrtcGetProgramLog, (quern_nvrtc_program program, char *log))                                               \
    apply(nvrtcGetCUBINSize, (quern_nvrtc_program program, size_t *bytes))                                            \
    apply(nvrtcGetCUBIN, (quern_nvrtc_program program, char *image))                                                  \
    apply(nvrtcGetPTXSize, (quern_nvrtc_program program, size_t *bytes))                                              \
    apply(nvrtcGetPTX, (quern_nvrtc_program program, char *image))

/// Those of cuBLASLt that give a status. Matrices of an operation are by column; D = alpha · op(A) · op(B) + beta · C.
#define QUERN_CUBLASLT_FUNCTIONS(apply)                                                                               \
    apply(cublasLtCreate, (quern_cublaslt_handle * handle))                                                           \
    apply(cublasLtDestroy, (quern_cublaslt_handle handle))                                                            \
    apply(cublasLtMatmulDescCreate, (quern_cublaslt_operation * operation, int compute_type, int scale_type))         \
    apply(cublasLtMatmulDescDestroy, (quern_cublaslt_operation operation))                                            \
    apply(cublasLtMatmulDescSetAttribute,                                                                             \
          (quern_cublaslt_operation operation, int attribute, const void *value, size_t bytes))                       \
    apply(cublasLtMatrixLayoutCreate,                                                                                 \
          (quern_cublaslt_layout * layout, int type, uint64_t rows, uint64_t columns, int64_t leading_dimension))     \
    apply(cublasLtMatrixLayoutDestroy, (quern_cublaslt_layout layout))                                                \
    apply(cublasLtMatrixLayoutSetAttribute,                                                                           \
          (quern_cublaslt_layout layout, int attribute, const void *value, size_t bytes))                             \
    apply(cublasLtMatmulPreferenceCreate, (quern_cublaslt_preference * preference))                                   \
    apply(cublasLtMatmulPreferenceDestroy, (quern_cublaslt_preference preference))                                    \
    apply(cublasLtMatmulPreferenceSetAttribute,                                                                       \
          (quern_cublaslt_preference preference, int attribute, const void *value, size_t bytes))                     \
    apply(cublasLtMatmulAlgoGetHeuristic,                                                                             \
          (quern_cublaslt_handle handle, quern_cublaslt_operation operation, quern_cublaslt_layout a,                 \
           quern_cublaslt_layout b, quern_cublaslt_layout c, quern_cublaslt_layout d,                                 \
           quern_cublaslt_preference preference, int asked, quern_cublaslt_choice *choices, int *count))              \
    apply(cublasLtMatmul,                                                                                             \
          (quern_cublaslt_handle handle, quern_cublaslt_operation operation, const void *alpha, const void *a,        \
           quern_cublaslt_layout a_layout, const void *b, quern_cublaslt_layout b_layout, const void *beta,           \
           const void *c, quern_cublaslt_layout c_layout, void *d, quern_cublaslt_layout d_layout,                    \
           const quern_cublaslt_algorithm *algorithm, void *workspace, size_t workspace_bytes,                        \
           quern_cuda_stream stream))

#define QUERN_CUDA_MEMBER(name, parameters) quern_cuda_status (*name) parameters;

/// The functions of an opened driver. All of them may be called by several threads at a time; which context is current
/// is a matter of each thread.
typedef struct {
    QUERN_CUDA_DRIVER_FUNCTIONS(QUERN_CUDA_MEMBER)
} quern_cuda_driver;

/// The functions of an opened compiler. Programs may be compiled by several threads at a time.
typedef struct {
    QUERN_NVRTC_FUNCTIONS(QUERN_CUDA_MEMBER)
    const char *(*nvrtcGetErrorString)(quern_cuda_status status);
} quern_nvrtc;

/// The functions of an opened cuBLASLt. All of them may be called by several threads at a time, with one handle.
typedef struct {
    QUERN_CUBLASLT_FUNCTIONS(QUERN_CUDA_MEMBER)
    /// 120903 for 12.9.3.
    size_t (*cublasLtGetVersion)(void);
    const char *(*cublasLtGetStatusName)(quern_cuda_status status);
    const char *(*cublasLtGetStatusString)(quern_cuda_status status);
} quern_cublaslt;

/// Opens a library and finds its functions. What is open stays so until the process ends.
/// - library: a path, or a name that the loader looks for in its own places.
/// - reason: where NULL is returned, why, in at most `capacity` bytes with the last one 0.
/// - place: where it was found, in as many.
const quern_cuda_driver *quern_cuda_open_driver(const char *library, char *place, char *reason, size_t capacity);
const quern_nvrtc *quern_cuda_open_nvrtc(const char *library, char *place, char *reason, size_t capacity);
const quern_cublaslt *quern_cuda_open_cublaslt(const char *library, char *place, char *reason, size_t capacity);

/// Opens a library that another one will ask the loader for by its name alone: it finds what is open, wherever that lies.
/// Where there is none, nothing happens.
/// - library: a path.
void quern_cuda_open_part(const char *library);

#endif
