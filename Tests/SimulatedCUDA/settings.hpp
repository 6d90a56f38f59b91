// What steers the simulation: variables of the environment, which `simulated_cuda_set` overrides in one copy of the
// library.
#pragma once

#include <string>

namespace simulated {

/// QUERN_SIMULATED_CARDS: how many (1). _MEMORY: bytes of each (1 GiB). _CAPABILITY: of the cards ("9.0"). _DRIVER: as
/// cuDriverGetVersion gives it (12090).
std::string text(const char *name, const char *usual);
long long number(const char *name, long long usual);

/// QUERN_SIMULATED_FAILURES: `CALL:N:CODE`, joined by commas: the Nth call of that function gives the code; `N+` for
/// that call and all later ones. Functions of cuBLASLt give a `cublasStatus_t`, and lose the card with
/// EXECUTION_FAILED (13) and INTERNAL_ERROR (14).
/// - Returns: 0 where this call is to succeed.
int failure(const std::string &call);

/// QUERN_SIMULATED_FLIPS: each Nth copy to the host has one wrong bit, on all cards, or, as `CARD:N`, on one.
bool flips(int card);

} // namespace simulated
