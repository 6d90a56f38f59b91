/// Tables that the first caller builds while others wait.
#ifndef QUERN_BUILD_ONCE_H
#define QUERN_BUILD_ONCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { build_guard_tables = 8 };

/// Of so many tables, which are built. Begins as `{.building = PTHREAD_MUTEX_INITIALIZER}`.
typedef struct {
    pthread_mutex_t building;
    _Atomic(bool) built[build_guard_tables];
} build_guard;

/// Calls `build(table)` unless that was done before, and returns when it is done.
static inline void build_once(build_guard *guard, uint32_t table, void (*build)(uint32_t)) {
    if (atomic_load_explicit(&guard->built[table], memory_order_acquire)) return;
    pthread_mutex_lock(&guard->building);
    if (!atomic_load_explicit(&guard->built[table], memory_order_relaxed)) {
        build(table);
        atomic_store_explicit(&guard->built[table], true, memory_order_release);
    }
    pthread_mutex_unlock(&guard->building);
}

#endif
