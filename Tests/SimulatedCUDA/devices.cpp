// Starting, errors, cards and contexts.
#include "call.hpp"

#include <cstdio>
#include <cstring>

using namespace simulated;

namespace simulated {
thread_local quern_cuda_context current = nullptr;
} // namespace simulated

namespace {

bool isCard(quern_cuda_device device) { return device >= 0 && size_t(device) < cards.size(); }

quern_cuda_context_s *contextOf(Card &card) {
    static auto &contexts = *new std::map<Card *, quern_cuda_context_s>;
    return &(contexts[&card] = {&card});
}

const struct {
    int status;
    const char *name;
} names[] = {
    {0, "CUDA_SUCCESS"},
    {1, "CUDA_ERROR_INVALID_VALUE"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY"},
    {3, "CUDA_ERROR_NOT_INITIALIZED"},
    {34, "CUDA_ERROR_STUB_LIBRARY"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE"},
    {100, "CUDA_ERROR_NO_DEVICE"},
    {101, "CUDA_ERROR_INVALID_DEVICE"},
    {201, "CUDA_ERROR_INVALID_CONTEXT"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
    {400, "CUDA_ERROR_INVALID_HANDLE"},
    {500, "CUDA_ERROR_NOT_FOUND"},
    {600, "CUDA_ERROR_NOT_READY"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
    {719, "CUDA_ERROR_LAUNCH_FAILED"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
    {999, "CUDA_ERROR_UNKNOWN"},
};

} // namespace

extern "C" {

quern_cuda_status cuInit(unsigned) {
    const std::lock_guard<std::mutex> guard(lock);
    if (const int status = failure("cuInit")) return status;
    const long long count = number("CARDS", 1);
    if (count <= 0) return noDevice;
    while (cards.size() < size_t(count)) {
        auto card = std::make_unique<Card>();
        card->ordinal = int(cards.size());
        card->memory = size_t(number("MEMORY", 1LL << 30));
        cards.push_back(std::move(card));
    }
    return success;
}

quern_cuda_status cuDriverGetVersion(int *version) {
    const std::lock_guard<std::mutex> guard(lock);
    *version = int(number("DRIVER", 12090));
    return failure("cuDriverGetVersion");
}

quern_cuda_status cuGetErrorName(quern_cuda_status status, const char **name) {
    for (const auto &entry : names) {
        if (entry.status != status) continue;
        *name = entry.name;
        return success;
    }
    *name = nullptr;
    return invalidValue;
}

quern_cuda_status cuGetErrorString(quern_cuda_status status, const char **text) {
    return cuGetErrorName(status, text) ? invalidValue : (*text = "a simulated error", success);
}

quern_cuda_status cuDeviceGetCount(int *count) {
    const Call call("cuDeviceGetCount", Call::driver);
    *count = int(cards.size());
    return call.status;
}

quern_cuda_status cuDeviceGet(quern_cuda_device *device, int ordinal) {
    const Call call("cuDeviceGet", Call::driver);
    if (call.status) return call.status;
    if (!isCard(ordinal)) return invalidDevice;
    *device = ordinal;
    return success;
}

quern_cuda_status cuDeviceGetName(char *name, int length, quern_cuda_device device) {
    const Call call("cuDeviceGetName", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    std::snprintf(name, size_t(length), "Simulated GPU %d", device);
    return success;
}

quern_cuda_status cuDeviceTotalMem_v2(size_t *bytes, quern_cuda_device device) {
    const Call call("cuDeviceTotalMem_v2", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    *bytes = cards[size_t(device)]->memory;
    return success;
}

quern_cuda_status cuDeviceGetAttribute(int *value, int attribute, quern_cuda_device device) {
    const Call call("cuDeviceGetAttribute", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    int major = 0, minor = 0;
    std::sscanf(text("CAPABILITY", "9.0").c_str(), "%d.%d", &major, &minor);
    switch (attribute) {
    case QUERN_CUDA_MULTIPROCESSORS: *value = 4; return success;
    case QUERN_CUDA_ASYNC_ENGINES: *value = 2; return success;
    case QUERN_CUDA_CAPABILITY_MAJOR: *value = major; return success;
    case QUERN_CUDA_CAPABILITY_MINOR: *value = minor; return success;
    default: return invalidValue;
    }
}

quern_cuda_status cuDeviceGetUuid_v2(quern_cuda_uuid *uuid, quern_cuda_device device) {
    const Call call("cuDeviceGetUuid_v2", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    std::memset(uuid->bytes, 0x51, sizeof uuid->bytes);
    uuid->bytes[15] = static_cast<unsigned char>(device);
    return success;
}

quern_cuda_status cuDeviceGetPCIBusId(char *identifier, int length, quern_cuda_device device) {
    const Call call("cuDeviceGetPCIBusId", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    std::snprintf(identifier, size_t(length), "0000:%02X:00.0", device + 1);
    return success;
}

quern_cuda_status cuDevicePrimaryCtxRetain(quern_cuda_context *context, quern_cuda_device device) {
    const Call call("cuDevicePrimaryCtxRetain", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    Card &card = *cards[size_t(device)];
    if (card.lost) return card.lost;
    ++card.retained;
    *context = contextOf(card);
    return success;
}

quern_cuda_status cuDevicePrimaryCtxRelease_v2(quern_cuda_device device) {
    const Call call("cuDevicePrimaryCtxRelease_v2", Call::driver);
    if (call.status) return call.status;
    if (!isCard(device)) return invalidDevice;
    Card &card = *cards[size_t(device)];
    if (card.retained == 0) return invalidContext;
    if (--card.retained == 0) {
        // All that is in a context ends with it.
        while (!card.allocations.empty()) card.release(card.allocations.begin()->first);
    }
    return success;
}

quern_cuda_status cuCtxSetCurrent(quern_cuda_context context) {
    const Call call("cuCtxSetCurrent", Call::driver);
    if (call.status) return call.status;
    if (context && context->card->retained == 0) return invalidContext;
    current = context;
    return success;
}

quern_cuda_status cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
    const Call call("cuMemGetInfo_v2", Call::context);
    if (call.status) return call.status;
    *free_bytes = call.card->memory - call.card->used;
    *total_bytes = call.card->memory;
    return success;
}

} // extern "C"
