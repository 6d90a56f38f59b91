// How every exported function begins.
#pragma once

#include "settings.hpp"
#include "state.hpp"

struct quern_cuda_context_s {
    simulated::Card *card;
};
struct quern_cuda_function_s {
    const simulated_kernel *kernel;
    std::shared_ptr<std::vector<unsigned char>> tables;
};
struct quern_cuda_module_s {
    simulated::Card *card;
    /// The module's own variable, for as long as anything reads it.
    std::shared_ptr<std::vector<unsigned char>> tables;
    std::map<const simulated_kernel *, quern_cuda_function_s> functions;
};
struct quern_cuda_stream_s {
    simulated::Stream stream;
};
struct quern_cuda_event_s {
    std::shared_ptr<simulated::Event> event;
};

// The definitions below have to be those that the program calls.
extern "C" {
#define DECLARE(name, parameters) quern_cuda_status name parameters;
QUERN_CUDA_DRIVER_FUNCTIONS(DECLARE)
#undef DECLARE
}

namespace simulated {

/// What is current on the calling thread.
extern thread_local quern_cuda_context current;

/// One call, alone in the library for as long as it lasts.
class Call {
    std::lock_guard<std::mutex> guard{lock};

public:
    /// The card of the current context; null without one.
    Card *card = nullptr;
    /// What the call is to return at once, if it is not success.
    int status = success;

    enum Need { driver, context };

    Call(const char *name, Need need) {
        if (current) card = current->card;
        status = failure(name);
        if (status && card) card->lose(status);
        if (status) return;
        if (cards.empty()) {
            status = notInitialized;
        } else if (need == context) {
            status = card ? card->lost : invalidContext;
        }
    }
};

} // namespace simulated
