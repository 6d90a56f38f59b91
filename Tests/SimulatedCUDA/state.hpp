// Cards whose memory is memory of the host.
#pragma once

#include "CCUDA.h"
#include "simulated_kernels.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace simulated {

/// Of `CUresult`, what is given here of itself.
enum Status {
    success = 0,
    invalidValue = 1,
    outOfMemory = 2,
    notInitialized = 3,
    noDevice = 100,
    invalidDevice = 101,
    invalidContext = 201,
    invalidHandle = 400,
    notFound = 500,
    notReady = 600,
    illegalAddress = 700,
};

/// Whether the real driver, once it gave this, gives it for all that follows on the card.
bool isSticky(int status);

struct Card;

/// Work that was enqueued and not done yet: it is done as late as a real stream may, when somebody waits for it, so that
/// whoever reads results, or writes into a buffer, too early has wrong ones.
struct Stream {
    Card *card;
    std::deque<std::function<int()>> work;
};

struct Event {
    Card *card;
    bool hasTime;
    /// How often it was recorded, and how many of the recordings were reached.
    uint64_t recorded = 0, reached = 0;
    Stream *stream = nullptr;
    std::chrono::steady_clock::time_point time;
};

/// One piece of a card's memory, with bytes before and behind it that no kernel may change.
struct Allocation {
    size_t bytes, charged;
    unsigned char *start;
};

struct Card {
    int ordinal;
    size_t memory, used = 0;
    int retained = 0;
    /// What all calls give since the card was lost; 0 while it works.
    int lost = 0;
    std::map<uintptr_t, Allocation> allocations;
    /// Bytes of the variables of modules.
    std::map<uintptr_t, size_t> variables;
    std::vector<Stream *> streams;

    int allocate(size_t bytes, uintptr_t *address);
    int release(uintptr_t address);
    bool contains(uintptr_t address, size_t bytes) const;
    /// Whether a kernel wrote outside of what was allocated.
    bool isDamaged() const;

    /// Does what is enqueued, until `isEnough`.
    int drain(Stream &stream, const std::function<bool()> &isEnough = [] { return false; });
    int drainAll();
    int lose(int status);
};

/// Waits for the recording of that number.
int reach(Event &event, uint64_t recording);

/// Memory of the host that copies may read and write long after they were asked for.
bool isPinned(const void *pointer, size_t bytes);
int pin(void **pointer, size_t bytes);
int unpin(void *pointer);

extern std::mutex &lock;
/// Empty until cuInit.
extern std::vector<std::unique_ptr<Card>> &cards;

} // namespace simulated
