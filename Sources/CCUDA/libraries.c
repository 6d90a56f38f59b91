#define _GNU_SOURCE
#include "CCUDA.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *open_library(const char *library, const char *symbol, char *place, char *reason, size_t capacity) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *text = dlerror();
        snprintf(reason, capacity, "%s", text ? text : "it cannot be opened");
        return NULL;
    }
    Dl_info information;
    void *const function = dlsym(handle, symbol);
    const int known = function && dladdr(function, &information) && information.dli_fname;
    snprintf(place, capacity, "%s", known ? information.dli_fname : library);
    return handle;
}

#define FIND(name, parameters)                                                                                        \
    *(void **)&functions->name = dlsym(handle, #name);                                                                \
    if (!functions->name && !missing) missing = #name;

#define NVRTC_FUNCTIONS(apply) QUERN_NVRTC_FUNCTIONS(apply) apply(nvrtcGetErrorString, )

#define CUBLASLT_FUNCTIONS(apply)                                                                                     \
    QUERN_CUBLASLT_FUNCTIONS(apply)                                                                                   \
    apply(cublasLtGetVersion, ) apply(cublasLtGetStatusName, ) apply(cublasLtGetStatusString, )

/// - symbol: one of the library's, by which its place is found.
#define OPENER(name, table, symbol, LIST)                                                                             \
    const table *name(const char *library, char *place, char *reason, size_t capacity) {                              \
        void *const handle = open_library(library, symbol, place, reason, capacity);                                  \
        if (!handle) return NULL;                                                                                     \
        table *functions = calloc(1, sizeof *functions);                                                              \
        const char *missing = functions ? NULL : "(no memory)";                                                       \
        if (functions) {                                                                                              \
            LIST(FIND)                                                                                                \
        }                                                                                                             \
        if (!missing) return functions;                                                                               \
        snprintf(reason, capacity, "%s lacks the function %s", place, missing);                                       \
        free(functions);                                                                                              \
        dlclose(handle);                                                                                              \
        return NULL;                                                                                                  \
    }

void quern_cuda_open_part(const char *library) { dlopen(library, RTLD_NOW | RTLD_LOCAL); }

OPENER(quern_cuda_open_driver, quern_cuda_driver, "cuInit", QUERN_CUDA_DRIVER_FUNCTIONS)
OPENER(quern_cuda_open_nvrtc, quern_nvrtc, "nvrtcVersion", NVRTC_FUNCTIONS)
OPENER(quern_cuda_open_cublaslt, quern_cublaslt, "cublasLtCreate", CUBLASLT_FUNCTIONS)
