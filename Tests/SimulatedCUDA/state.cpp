#include "state.hpp"

#include "device_kernels.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace simulated {
namespace {

constexpr size_t margin = 256;
constexpr unsigned char marginByte = 0xA5, freshByte = 0xCD;

auto &pinned = *new std::map<uintptr_t, size_t>;

} // namespace

std::mutex &lock = *new std::mutex;
std::vector<std::unique_ptr<Card>> &cards = *new std::vector<std::unique_ptr<Card>>;

bool isSticky(int status) {
    const int codes[] = {46, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999};
    return std::find(std::begin(codes), std::end(codes), status) != std::end(codes);
}

int Card::lose(int status) {
    if (isSticky(status) && !lost) {
        lost = status;
        for (Stream *stream : streams) stream->work.clear();
    }
    return status;
}

int Card::allocate(size_t bytes, uintptr_t *address) {
    if (bytes == 0) return invalidValue;
    const size_t charged = (bytes + 511) / 512 * 512;
    if (charged > memory - used) return outOfMemory;
    auto *start = static_cast<unsigned char *>(std::aligned_alloc(margin, charged + 2 * margin + 256));
    if (!start) return outOfMemory;
    std::memset(start, marginByte, margin);
    std::memset(start + margin, freshByte, bytes);
    std::memset(start + margin + bytes, marginByte, margin);
    *address = reinterpret_cast<uintptr_t>(start + margin);
    allocations[*address] = {bytes, charged, start};
    used += charged;
    return success;
}

int Card::release(uintptr_t address) {
    const auto found = allocations.find(address);
    if (found == allocations.end()) return invalidValue;
    used -= found->second.charged;
    std::free(found->second.start);
    allocations.erase(found);
    return success;
}

bool Card::contains(uintptr_t address, size_t bytes) const {
    if (const auto variable = variables.find(address); variable != variables.end()) return bytes <= variable->second;
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return false;
    const auto &[start, allocation] = *--after;
    return address - start <= allocation.bytes && bytes <= allocation.bytes - (address - start);
}

bool Card::isDamaged() const {
    const auto isWhole = [](const unsigned char *bytes) {
        return std::all_of(bytes, bytes + margin, [](unsigned char byte) { return byte == marginByte; });
    };
    return std::any_of(allocations.begin(), allocations.end(), [&](const auto &entry) {
        const Allocation &allocation = entry.second;
        return !isWhole(allocation.start) || !isWhole(allocation.start + margin + allocation.bytes);
    });
}

int Card::drain(Stream &stream, const std::function<bool()> &isEnough) {
    while (!lost && !stream.work.empty() && !isEnough()) {
        const auto next = std::move(stream.work.front());
        stream.work.pop_front();
        if (const int status = next(); status != success) return lose(status);
    }
    return lost;
}

int Card::drainAll() {
    for (Stream *stream : streams)
        if (const int status = drain(*stream)) return status;
    return lost;
}

int reach(Event &event, uint64_t recording) {
    if (event.reached >= recording || !event.stream) return event.card->lost;
    return event.card->drain(*event.stream, [&] { return event.reached >= recording; });
}

bool isPinned(const void *pointer, size_t bytes) {
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    auto after = pinned.upper_bound(address);
    if (after == pinned.begin()) return false;
    const auto &[start, length] = *--after;
    return address - start <= length && bytes <= length - (address - start);
}

int pin(void **pointer, size_t bytes) {
    if (bytes == 0) return invalidValue;
    *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*pointer) return outOfMemory;
    std::memset(*pointer, freshByte, bytes);
    pinned[reinterpret_cast<uintptr_t>(*pointer)] = bytes;
    return success;
}

int unpin(void *pointer) {
    if (pinned.erase(reinterpret_cast<uintptr_t>(pointer)) == 0) return invalidValue;
    std::free(pointer);
    return success;
}

} // namespace simulated
