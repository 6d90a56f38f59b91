/// How many blocks a launch has, or how many threads a block.
package struct LaunchSize: Sendable, Equatable {
    let x, y, z: UInt32

    /// - Parameters: each at least 1; `y` and `z` at most 65535.
    package init(_ x: Int, _ y: Int = 1, _ z: Int = 1) { (self.x, self.y, self.z) = (UInt32(x), UInt32(y), UInt32(z)) }
}

/// What a kernel is called with: values in the order of its parameters, each of exactly the type that it declares.
package struct LaunchArguments: Sendable {
    /// Where each value begins in `words`.
    private var offsets: [Int] = []
    private var words: [UInt64] = []
    /// Whose addresses are among them: a launch must not find them freed.
    private var memory: [DeviceMemory] = []

    package init() {}

    /// - Parameter value: a number, or a struct of numbers that is laid out as the kernel's is; aligned to 8 bytes at the
    ///   most.
    package mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        precondition(MemoryLayout<Value>.alignment <= MemoryLayout<UInt64>.alignment)
        withUnsafeBytes(of: value) { bytes in
            offsets.append(words.count)
            var padded = [UInt64](repeating: 0, count: (bytes.count + 7) / 8)
            padded.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
            words += padded
        }
    }

    /// Counts of 64 bits.
    package mutating func append(counts: Int...) { for count in counts { append(UInt64(count)) } }

    /// A pointer to memory of the card, `offset` bytes from its start. It is kept as long as these arguments are.
    package mutating func append(_ memory: DeviceMemory, at offset: Int = 0) {
        append(memory.address(at: offset, count: 0))
        self.memory.append(memory)
    }

    /// Pointers to the values, as the driver wants them.
    func withPointers<Failure: Error>(
        _ body: (UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(Failure) -> Void
    ) throws(Failure) {
        var values = words
        let result = values.withUnsafeMutableBufferPointer { buffer in
            var pointers = offsets.map { offset in buffer.baseAddress.map { UnsafeMutableRawPointer($0 + offset) } }
            return pointers.withUnsafeMutableBufferPointer { pointers in
                Result { () throws(Failure) in try body(pointers.baseAddress) }
            }
        }
        try result.get()
    }
}
