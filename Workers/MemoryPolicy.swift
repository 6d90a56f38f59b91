import CMalloc

/// Keeps freed memory from staying with the process.
enum MemoryPolicy {
    /// Tunes the allocator once per process: large arrays come from the kernel and go back to it when freed, and
    /// threads share few arenas, so that what one thread freed serves the next.
    static func apply() { applied }

    private static let applied: Void = {
        // Setting the threshold also switches off its growth, by which glibc would come to keep up to 32 MiB chunks.
        mallopt(M_MMAP_THRESHOLD, 512 << 10)
        mallopt(M_TRIM_THRESHOLD, 1 << 20)
        mallopt(M_ARENA_MAX, 2)
    }()

    /// Gives back what is free.
    static func trim() { malloc_trim(0) }
}
