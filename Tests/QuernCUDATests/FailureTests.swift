import QuernCUDA
import TestSupport
import Testing

/// Cards that fail: what the caller is told, and what goes on.
@Suite struct FailureTests {
    @Test func memoryRunsOut() throws {
        let rig = try Rig(["MEMORY": "1000000"])
        let failed = try #require(failure { _ = try DeviceMemory(rig.context, count: 1_000_001) })
        #expect(failed.kind == .outOfMemory && failed.error.code == .outOfMemory)
        #expect(failed.error.location == "card 0 (Simulated GPU 0, 0000:01:00.0)")
        #expect(failed.error.message.hasPrefix("cuMemAlloc_v2 failed with CUDA_ERROR_OUT_OF_MEMORY (2)"))
        #expect(failed.error.remedy.contains("nvidia-smi"))
        // The card goes on.
        #expect(try rig.sums([1, 2], [3, 4]) == [4, 6])
    }

    @Test func theThirdAllocationFails() throws {
        let rig = try Rig()
        try rig.cards.set("FAILURES", "cuMemAlloc_v2:3:2")
        #expect(failure { _ = try rig.sums([1], [2]) }?.kind == .outOfMemory)
        #expect(try rig.sums([1], [2]) == [3])
    }

    @Test func pinnedMemoryRunsOut() throws {
        let rig = try Rig()
        try rig.cards.set("FAILURES", "cuMemHostAlloc:1:2")
        #expect(failure { _ = try PinnedMemory(rig.context, count: 8) }?.kind == .outOfMemory)
    }

    /// Every later call gives the same, and freeing what is left does no harm.
    @Test(arguments: [
        (call: "cuLaunchKernel", status: 719), ("cuStreamSynchronize", 700), ("cuMemcpyDtoHAsync_v2", 214),
    ])
    func theCardIsLost(call: String, status: Int) throws {
        let rig = try Rig()
        try rig.cards.set("FAILURES", "\(call):1:\(status)")
        let failed = try #require(failure { _ = try rig.sums([1], [2]) })
        #expect(failed.kind == .deviceLost && failed.status == status && failed.error.code == .io)
        #expect(failed.error.remedy.contains("Xid"))
        for _ in 0..<2 {
            let later = try #require(failure { _ = try rig.sums([1], [2]) })
            #expect(later.kind == .deviceLost && later.status == status)
        }
        #expect(failure { _ = try CUDAContext(rig.driver, rig.context.device) }?.kind == .deviceLost)
    }

    /// Another card of the same process works on.
    @Test func onlyThatCardIsLost() throws {
        let cards = try SimulatedCards(["CARDS": "2"])
        let driver = try CUDADriver(CUDALibraries(folders: [cards.path]))
        let contexts = try driver.devices().map { try CUDAContext(driver, $0) }
        let streams = try contexts.map { try CUDAStream($0) }
        try cards.set("FAILURES", "cuStreamSynchronize:1:719")
        #expect(failure { try streams[1].synchronize() }?.kind == .deviceLost)
        #expect(failure { try streams[1].synchronize() }?.kind == .deviceLost)
        try streams[0].synchronize()
    }

    @Test func aKernelWritesWhereItMayNot() throws {
        let rig = try Rig()
        let memory = try (0..<3).map { _ in try DeviceMemory(rig.context, count: 400) }
        try rig.stream.launch(
            try rig.function(), grid: LaunchSize(1), block: LaunchSize(128),
            arguments: Rig.arguments(memory, count: 101))
        let failed = try #require(failure { try rig.stream.synchronize() })
        #expect(failed.status == 700 && failed.kind == .deviceLost)
    }

    @Test(arguments: [LaunchSize(1025), LaunchSize(32, 33), LaunchSize(1, 1, 65)])
    func tooManyThreads(block: LaunchSize) throws {
        let rig = try Rig()
        let memory = try DeviceMemory(rig.context, count: 4)
        let failed = try #require(
            failure {
                try rig.stream.launch(
                    try rig.function(), grid: LaunchSize(1), block: block,
                    arguments: Rig.arguments([memory, memory, memory], count: 1))
            })
        #expect(failed.kind == .other && failed.status == 1)
        #expect(failed.error.message.hasPrefix("cuLaunchKernel of vector_add failed with CUDA_ERROR_INVALID_VALUE"))
        try rig.stream.synchronize()
    }

    @Test func wrongResults() throws {
        let rig = try Rig(["FLIPS": "2"])
        let a: [Float] = [1, 2, 3, 4]
        #expect(try rig.sums(a, a) == [2, 4, 6, 8])
        let wrong = try rig.sums(a, a)
        #expect(wrong != [2, 4, 6, 8] && zip(wrong, [2, 4, 6, 8]).count { $0 != $1 } == 1)
        #expect(try rig.sums(a, a) == [2, 4, 6, 8])
        try rig.cards.set("FLIPS", "1:1")
        #expect(try rig.sums(a, a) == [2, 4, 6, 8])
    }

    /// What the driver has no name for is told by its number.
    @Test func namelessFailure() throws {
        let rig = try Rig()
        try rig.cards.set("FAILURES", "cuMemGetInfo_v2:1:12345")
        let failed = try #require(failure { _ = try rig.context.memory() })
        #expect(failed.kind == .other && failed.error.message.contains("(12345)"))
    }
}
