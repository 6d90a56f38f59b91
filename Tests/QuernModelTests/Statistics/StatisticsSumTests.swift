import QuernFormats
import QuernModel
import Synchronization
import TestSupport
import Testing

/// Files added a few inputs at a time.
@Suite struct StatisticsSumTests {
    /// A file that counts what is read of it.
    private final class CountedSource: ByteSource {
        let name = "s"
        let bytes: MemoryByteSource
        let read = Mutex(0)
        var size: UInt64 { bytes.size }

        init(_ statistics: ModelStatistics) throws {
            bytes = MemoryByteSource(try StatisticsFile.bytes(statistics), name: "s")
        }

        func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
            read.withLock { $0 += buffer.count }
            try bytes.read(at: offset, into: buffer)
        }
    }

    private func joined(_ sum: StatisticsSum, windowBytes: Int) throws -> [UInt8] {
        try sum.windows(bytes: windowBytes).reduce(into: try sum.header()) { bytes, window in
            for input in try sum.statistics(of: window).inputs { bytes += StatisticsFile.bytes(of: input) }
        }
    }

    @Test(arguments: [1, 108, 372, 1 << 20], [false, true])
    func windowsMakeNoDifference(windowBytes: Int, hasGram: Bool) throws {
        let groups = try (1...4).map { seed in
            hasGram
                ? try GramFileTests.statistics(seed: UInt64(seed))
                : StatisticsFileTests.statistics(seed: UInt64(seed), chunks: seed)
        }
        var whole = groups[0]
        var sum = StatisticsSum()
        for group in groups { try sum.append(MemoryByteSource(try StatisticsFile.bytes(group), name: "s")) }
        for group in groups.dropFirst() { try whole.add(group) }
        #expect(sum.chunks == whole.chunks)
        #expect(try joined(sum, windowBytes: windowBytes) == StatisticsFile.bytes(whole))
    }

    /// Inputs of 1·(8 + 5·20) and 3·(8 + 4·20) bytes.
    @Test(arguments: [(1, [0..<1, 1..<2]), (371, [0..<1, 1..<2]), (372, [0..<2]), (1 << 20, [0..<2])])
    func windowsAreAsLargeAsTheyMayBe(bytes: Int, windows: [Range<Int>]) throws {
        var sum = StatisticsSum()
        try sum.append(CountedSource(StatisticsFileTests.statistics()))
        #expect(sum.windows(bytes: bytes) == windows)
    }

    /// One warning on experts counts them in all windows, and names the tensor with most.
    @Test(arguments: [1, 1 << 20], [1, 60])
    func theTextIsJudgedOverAllWindows(windowBytes: Int, chunks: Int) throws {
        let plain = StatisticsFileTests.statistics(chunks: chunks)
        let more = [(0, [5, 0, 6]), (2, [7, 0, 0]), (3, [0, 0, 8])].map { layer, counts in
            var input = InputStatistics(
                name: "blk.\(layer).ffn_down_exps.weight", tensors: ["blk.\(layer).ffn_down_exps.weight"], channels: 4,
                matrices: 3)
            input.counts = counts.map(Int64.init)
            return input
        }
        let group = ModelStatistics(
            origin: plain.origin, arithmetic: plain.arithmetic, chunks: chunks, inputs: plain.inputs + more)
        var whole = group
        try whole.add(group)
        var sum = StatisticsSum()
        for _ in 0..<2 { try sum.append(CountedSource(group)) }
        let text = ImatrixFile.Text(distinctTokens: 9, vocabulary: 10_000)
        let experts = try sum.windows(bytes: windowBytes).flatMap { try sum.statistics(of: $0).experts }
        let warnings = sum.warnings(of: text, experts: experts.reversed())
        var matrix = whole.imatrix(dataset: nil)
        matrix.text = text
        #expect(warnings == ImatrixReport(matrix).warnings)
        #expect(warnings.count == (chunks == 1 ? 3 : 2))
        let last = try #require(warnings.last)
        #expect(last.contains("in 3 tensors, 2 of 3 in blk.2.ffn_down_exps.weight"))
    }

    @Test func onlyWhatIsAskedForIsRead() throws {
        let source = try CountedSource(StatisticsFileTests.statistics())
        var sum = StatisticsSum()
        try sum.append(source)
        let header = source.read.withLock { $0 }
        #expect(header == Int(source.size) - 372)
        _ = try sum.statistics(of: 0..<1)
        #expect(source.read.withLock { $0 } == 2 * header + 108)
    }

    @Test func othersAreRefusedBeforeTheyAreRead() throws {
        let statistics = StatisticsFileTests.statistics()
        var sum = StatisticsSum()
        try sum.append(CountedSource(statistics))
        let fewer = ModelStatistics(
            origin: statistics.origin, arithmetic: [], chunks: 1, inputs: Array(statistics.inputs.prefix(1)))
        #expect(throws: QuernError.self) { try sum.append(CountedSource(fewer)) }
        let other = ModelStatistics(
            origin: .init(architecture: "qwen2", files: [], text: statistics.origin.text, chunkTokens: 512),
            arithmetic: [], chunks: 1, inputs: statistics.inputs)
        #expect(throws: QuernError.self) { try sum.append(CountedSource(other)) }
        #expect(sum.chunks == statistics.chunks)
        #expect(throws: QuernError.self) { try StatisticsSum().header() }
    }
}
