// Memory and copies.
#include "call.hpp"

#include <cstring>

using namespace simulated;

namespace {

/// Enqueues work, or does it at once where there is no stream.
int enqueue(Card &card, quern_cuda_stream stream, std::function<int()> work) {
    if (stream) {
        if (stream->stream.card != &card) return invalidHandle;
        stream->stream.work.push_back(std::move(work));
        return success;
    }
    const int status = card.drainAll();
    return status ? status : card.lose(work());
}

} // namespace

extern "C" {

quern_cuda_status cuMemAlloc_v2(quern_cuda_address *address, size_t bytes) {
    const Call call("cuMemAlloc_v2", Call::context);
    if (call.status) return call.status;
    uintptr_t found = 0;
    const int status = call.card->allocate(bytes, &found);
    *address = found;
    return status;
}

quern_cuda_status cuMemFree_v2(quern_cuda_address address) {
    const Call call("cuMemFree_v2", Call::context);
    if (call.status) return call.status;
    if (const int status = call.card->drainAll()) return status;
    return call.card->release(address);
}

quern_cuda_status cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
    const Call call("cuMemHostAlloc", Call::context);
    return call.status ? call.status : pin(pointer, bytes);
}

quern_cuda_status cuMemFreeHost(void *pointer) {
    const Call call("cuMemFreeHost", Call::context);
    if (call.status) return call.status;
    if (const int status = call.card->drainAll()) return status;
    return unpin(pointer);
}

quern_cuda_status cuMemcpyHtoDAsync_v2(quern_cuda_address to, const void *from, size_t bytes,
                                       quern_cuda_stream stream) {
    const Call call("cuMemcpyHtoDAsync_v2", Call::context);
    if (call.status) return call.status;
    if (!call.card->contains(to, bytes)) return invalidValue;
    if (isPinned(from, bytes)) {
        return enqueue(*call.card, stream, [=] {
            std::memcpy(reinterpret_cast<void *>(to), from, bytes);
            return success;
        });
    }
    // Ordinary memory may be written again when the call returns: the driver has copied it by then.
    const auto *start = static_cast<const unsigned char *>(from);
    auto staged = std::make_shared<std::vector<unsigned char>>(start, start + bytes);
    return enqueue(*call.card, stream, [=] {
        std::memcpy(reinterpret_cast<void *>(to), staged->data(), bytes);
        return success;
    });
}

quern_cuda_status cuMemcpyDtoHAsync_v2(void *to, quern_cuda_address from, size_t bytes, quern_cuda_stream stream) {
    const Call call("cuMemcpyDtoHAsync_v2", Call::context);
    if (call.status) return call.status;
    if (!call.card->contains(from, bytes)) return invalidValue;
    const bool flipped = flips(call.card->ordinal) && bytes > 0;
    const int status = enqueue(*call.card, stream, [=] {
        std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
        if (flipped) static_cast<unsigned char *>(to)[bytes / 2] ^= 0x10;
        return success;
    });
    // Into ordinary memory the driver copies before it returns.
    return status || !stream || isPinned(to, bytes) ? status : call.card->drain(stream->stream);
}

quern_cuda_status cuMemcpyDtoDAsync_v2(quern_cuda_address to, quern_cuda_address from, size_t bytes,
                                       quern_cuda_stream stream) {
    const Call call("cuMemcpyDtoDAsync_v2", Call::context);
    if (call.status) return call.status;
    if (!call.card->contains(to, bytes) || !call.card->contains(from, bytes)) return invalidValue;
    return enqueue(*call.card, stream, [=] {
        std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes);
        return success;
    });
}

quern_cuda_status cuMemsetD8Async(quern_cuda_address to, unsigned char byte, size_t bytes, quern_cuda_stream stream) {
    const Call call("cuMemsetD8Async", Call::context);
    if (call.status) return call.status;
    if (!call.card->contains(to, bytes)) return invalidValue;
    return enqueue(*call.card, stream, [=] {
        std::memset(reinterpret_cast<void *>(to), byte, bytes);
        return success;
    });
}

} // extern "C"
