import QuernCUDA

extension CUDAStream {
    /// Starts a kernel of a program with threads in one row; none where there is nothing to do.
    /// - Parameters:
    ///   - threads: all of them, in whole blocks.
    ///   - block: threads of a block.
    func launch(
        _ program: Card.Loaded, _ kernel: String, threads: Int, block: Int = 128,
        _ arguments: (inout LaunchArguments) -> Void
    ) throws {
        guard threads > 0 else { return }
        var list = LaunchArguments()
        arguments(&list)
        try launch(
            program.function(kernel), grid: LaunchSize((threads + block - 1) / block), block: LaunchSize(block),
            arguments: list)
    }
}

extension CUDAContext {
    /// Memory for at least `count` bytes; where it has to grow, what was there before is lost.
    func room<Memory: CUDAMemory>(_ memory: inout Memory?, for count: Int) throws -> Memory {
        if let memory, memory.count >= count { return memory }
        memory = nil
        let made = try Memory(self, count: max(count, 1))
        memory = made
        return made
    }
}
