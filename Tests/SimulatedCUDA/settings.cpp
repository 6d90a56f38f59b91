#include "settings.hpp"

#include <cstdlib>
#include <map>
#include <sstream>

namespace simulated {
namespace {

// Never destroyed: threads of the host may still call while it ends.
auto &changed = *new std::map<std::string, std::string>;
auto &calls = *new std::map<std::string, long long>;
auto &copies = *new std::map<int, long long>;

} // namespace

std::string text(const char *name, const char *usual) {
    if (const auto found = changed.find(name); found != changed.end()) return found->second;
    const char *value = std::getenv(("QUERN_SIMULATED_" + std::string(name)).c_str());
    return value ? value : usual;
}

long long number(const char *name, long long usual) {
    const std::string value = text(name, "");
    return value.empty() ? usual : std::atoll(value.c_str());
}

int failure(const std::string &call) {
    const long long count = ++calls[call];
    std::istringstream list(text("FAILURES", ""));
    for (std::string entry; std::getline(list, entry, ',');) {
        std::istringstream parts(entry);
        std::string name, turn, code;
        std::getline(parts, name, ':');
        std::getline(parts, turn, ':');
        std::getline(parts, code);
        const bool later = !turn.empty() && turn.back() == '+';
        const long long first = std::atoll(turn.c_str());
        if (name == call && (count == first || (later && count > first))) return std::atoi(code.c_str());
    }
    return 0;
}

bool flips(int card) {
    const std::string value = text("FLIPS", "");
    const size_t colon = value.find(':');
    if (value.empty() || (colon != std::string::npos && std::atoi(value.c_str()) != card)) return false;
    const long long every = std::atoll(value.c_str() + (colon == std::string::npos ? 0 : colon + 1));
    return every > 0 && ++copies[card] % every == 0;
}

} // namespace simulated

/// Sets what QUERN_SIMULATED_`name` sets, from now on, and counts calls anew.
extern "C" void simulated_cuda_set(const char *name, const char *value) {
    simulated::changed[name] = value;
    simulated::calls.clear();
    simulated::copies.clear();
}
