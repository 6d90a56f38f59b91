import QuernCUDA
import TestSupport
import Testing

/// Memory, copies, kernels, streams and events.
@Suite struct WorkTests {
    @Test(arguments: [1, 127, 128, 129, 100_000])
    func sums(count: Int) throws {
        let rig = try Rig()
        let a = (0..<count).map { Float($0) }, b = (0..<count).map { Float($0) * 0.5 }
        #expect(try rig.sums(a, b) == zip(a, b).map { $0 + $1 })
    }

    @Test func usage() throws {
        let usage = try Rig().function().usage()
        #expect(usage.maximumThreads == 1024 && usage.registers == 32)
        #expect(usage.localBytes == 0 && usage.sharedBytes == 0)
    }

    @Test func unknownKernel() throws {
        let rig = try Rig()
        let failed = try #require(failure { _ = try rig.function("vector_sub") })
        #expect(failed.kind == .other && failed.status == 500)
        #expect(failed.error.message.contains("cuModuleGetFunction of vector_sub failed with CUDA_ERROR_NOT_FOUND"))
    }

    @Test func memoryIsCountedAndFreed() throws {
        let rig = try Rig(["MEMORY": "1000000"])
        #expect(try rig.context.memory() == (1_000_000, 1_000_000))
        var memory: DeviceMemory? = try DeviceMemory(rig.context, count: 1024)
        #expect(memory?.count == 1024)
        #expect(try rig.context.memory() == (1_000_000 - 1024, 1_000_000))
        memory = nil
        #expect(try rig.context.memory() == (1_000_000, 1_000_000))
    }

    @Test func fillsAndCopiesOnTheCard() throws {
        let rig = try Rig()
        let first = try DeviceMemory(rig.context, count: 10), second = try DeviceMemory(rig.context, count: 10)
        try rig.stream.fill(first, with: 7)
        try rig.stream.fill(second, with: 1)
        try rig.stream.copy(first, at: 2, count: 3, to: second, at: 4)
        var bytes = [UInt8](repeating: 0, count: 8)
        try bytes.withUnsafeMutableBytes { try rig.stream.copy(second, at: 1, to: $0) }
        #expect(bytes == [1, 1, 1, 7, 7, 7, 1, 1])
    }

    /// As on a real card, nothing that is pinned is read or written before somebody waits.
    @Test func pinnedCopiesAreLate() throws {
        let rig = try Rig()
        let pinned = try PinnedMemory(rig.context, count: 4), result = try PinnedMemory(rig.context, count: 4)
        let memory = try DeviceMemory(rig.context, count: 4)
        pinned.bytes.storeBytes(of: 1, as: UInt32.self)
        result.bytes.storeBytes(of: 0, as: UInt32.self)
        try rig.stream.copy(UnsafeRawBufferPointer(pinned.bytes), to: memory)
        try rig.stream.copy(memory, to: result.bytes)
        #expect(result.bytes.load(as: UInt32.self) == 0)
        pinned.bytes.storeBytes(of: 2, as: UInt32.self)
        try rig.stream.synchronize()
        #expect(result.bytes.load(as: UInt32.self) == 2)
    }

    /// Ordinary memory may be used again at once.
    @Test func ordinaryCopiesAreNot() throws {
        let rig = try Rig()
        let memory = try DeviceMemory(rig.context, count: 4)
        var value: [UInt32] = [1]
        try value.withUnsafeBytes { try rig.stream.copy($0, to: memory) }
        value = [2]
        try value.withUnsafeMutableBytes { try rig.stream.copy(memory, to: $0) }
        #expect(value == [1])
    }

    @Test func streamsWaitForEachOther() throws {
        let rig = try Rig()
        let other = try CUDAStream(rig.context)
        let memory = try DeviceMemory(rig.context, count: 8), event = try CUDAEvent(rig.context)
        #expect(try event.isReached)
        try rig.stream.fill(memory, with: 5)
        try rig.stream.record(event)
        #expect(try !event.isReached)
        try other.wait(for: event)
        let result = try PinnedMemory(rig.context, count: 8)
        try other.copy(memory, to: result.bytes)
        try other.synchronize()
        #expect(Array(result.bytes) == [UInt8](repeating: 5, count: 8))
        #expect(try event.isReached)
    }

    @Test func eventsTellTheTime() throws {
        let rig = try Rig()
        let events = try (0..<2).map { _ in try CUDAEvent(rig.context, takesTime: true) }
        let memory = try DeviceMemory(rig.context, count: 1 << 20)
        try rig.stream.record(events[0])
        try rig.stream.fill(memory, with: 1)
        try rig.stream.record(events[1])
        #expect(failure { _ = try events[1].milliseconds(since: events[0]) }?.status == 600)
        try events[1].synchronize()
        #expect(try events[1].milliseconds(since: events[0]) > 0)
        let timeless = try CUDAEvent(rig.context)
        try rig.stream.record(timeless)
        try timeless.synchronize()
        #expect(failure { _ = try timeless.milliseconds(since: events[0]) }?.status == 400)
    }

    /// One thread, two cards in turn: each call is made in the right context.
    @Test func cardsInTurn() throws {
        let cards = try SimulatedCards(["CARDS": "2", "MEMORY": "100000"])
        let driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        let contexts = try driver.devices().map { try CUDAContext(driver, $0) }
        let first = try DeviceMemory(contexts[0], count: 512), second = try DeviceMemory(contexts[1], count: 2048)
        #expect(try contexts.map { try $0.memory().free } == [99_488, 97_952])
        try withExtendedLifetime((first, second)) {
            let streams = try contexts.map { try CUDAStream($0) }
            try streams[0].fill(first, with: 1)
            try streams[1].fill(second, with: 2)
            for stream in streams { try stream.synchronize() }
            // A card does not reach into another.
            #expect(failure { try streams[0].copy(second, count: 8, to: first) }?.status == 1)
        }
    }

    /// Several threads, each with streams on both cards.
    @Test func threadsShareCards() async throws {
        let cards = try SimulatedCards(["CARDS": "2"])
        let driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        let contexts = try driver.devices().map { try CUDAContext(driver, $0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    for turn in 0..<50 {
                        let context = contexts[(thread + turn) % 2]
                        let stream = try CUDAStream(context), memory = try DeviceMemory(context, count: 100)
                        let result = try PinnedMemory(context, count: 100)
                        try stream.fill(memory, with: UInt8(thread * 50 + turn))
                        try stream.copy(memory, to: result.bytes)
                        try stream.synchronize()
                        guard result.bytes.allSatisfy({ $0 == thread * 50 + turn }) else { return false }
                    }
                    return true
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        for context in contexts { #expect(try context.memory().free == context.device.memory) }
    }

    @Test func emptyCopiesAreNone() throws {
        let rig = try Rig()
        let memory = try DeviceMemory(rig.context, count: 1)
        try rig.cards.set("FAILURES", "cuMemcpyHtoDAsync_v2:1:1,cuMemcpyDtoHAsync_v2:1:1,cuMemcpyDtoDAsync_v2:1:1")
        try rig.stream.copy(UnsafeRawBufferPointer(start: nil, count: 0), to: memory)
        try rig.stream.copy(memory, to: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        try rig.stream.copy(memory, count: 0, to: memory)
    }
}
