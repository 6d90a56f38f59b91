import Foundation
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// XᵀX as it is collected, against plain sums.
struct GramCollectorTests {
    /// Several panels, and experts.
    static let inputs = [
        LinearInput(tensors: ["blk.0.attn_q.weight"], channels: 600, layer: 0),
        LinearInput(tensors: ["blk.0.ffn_up_exps.weight"], channels: 40, matrices: 3, layer: 0),
        LinearInput(tensors: ["blk.1.attn_q.weight"], channels: 17, layer: 1),
    ]
    /// Rows of each chunk for each input; the first needs two pieces.
    static let counts = [[530, 1, 9], [17, 0, 9], [64, 33, 9], [3, 5, 9]]

    struct Call: Sendable {
        let input: Int
        let matrix: Int
        let chunk: Int
        let rows: [Float]
    }

    /// By chunk, in the order of the forward pass. The last expert has no rows at all.
    static let calls: [[Call]] = {
        var generator = SeededGenerator(seed: 3)
        return counts.enumerated().map { chunk, counts in
            [(0, 0), (1, 0), (1, 1), (2, 0)].map { input, matrix in
                Call(
                    input: input, matrix: matrix, chunk: chunk,
                    rows: (0..<inputs[input].channels * counts[input]).map { _ in
                        Float.random(in: -1...2, using: &generator) * (chunk == 2 ? 100 : 1)
                    })
            }
        }
    }()

    static func collector(widest: Int) -> StatisticsCollector {
        StatisticsCollector(
            inputs: inputs, isTensor: { _ in true }, chunks: counts.count, processOutput: false,
            gram: widest)
    }

    static func observe(_ call: Call, by collector: StatisticsCollector) throws {
        try collector.see(call.rows, of: inputs[call.input], matrix: call.matrix, chunk: call.chunk)
    }

    static func straight(_ collector: StatisticsCollector) throws -> [InputStatistics] {
        for call in calls.joined() { try observe(call, by: collector) }
        return try collector.finish()
    }

    /// Σ x·y over all rows, in double precision: [channels, channels].
    static let expected = inputs.indices.map { input in
        (0..<inputs[input].matrices).map { sums(input, matrix: $0) }
    }

    private static func sums(_ input: Int, matrix: Int) -> [Double] {
        let channels = inputs[input].channels
        var sums = [Double](repeating: 0, count: channels * channels)
        for call in calls.joined() where call.input == input && call.matrix == matrix {
            for row in 0..<call.rows.count / channels {
                let values = call.rows[row * channels..<(row + 1) * channels].map { Double($0) }
                for left in 0..<channels {
                    for right in 0..<channels { sums[left * channels + right] += values[left] * values[right] }
                }
            }
        }
        return sums
    }

    @Test(arguments: [8192, 300, 100, 7])
    func isTheSumOfProducts(widest: Int) throws {
        let found = try Self.straight(Self.collector(widest: widest))
        for (index, input) in Self.inputs.enumerated() {
            let gram = try #require(found[index].gram)
            #expect(gram.layout == GramLayout(channels: input.channels, widest: widest))
            #expect(gram.values.count == input.matrices * gram.layout.values)
            for matrix in 0..<input.matrices {
                let expected = Self.expected[index][matrix]
                var worst = 0.0
                for (block, columns) in gram.layout.blocks.enumerated() {
                    let square = gram.square(matrix: matrix, block: block)
                    for row in columns {
                        for column in columns {
                            let value = square[
                                (row - columns.lowerBound) * columns.count + column - columns.lowerBound]
                            let exact = expected[row * input.channels + column]
                            let scale = (expected[row * (input.channels + 1)] * expected[column * (input.channels + 1)])
                                .squareRoot()
                            worst = max(worst, abs(value - exact) / max(scale, 1e-30))
                        }
                    }
                }
                #expect(worst < 1e-5)
            }
            for (square, sum) in zip(gram.diagonal, found[index].squares) {
                #expect(abs(square - sum) <= 1e-5 * sum)
            }
        }
        let last = try #require(found[1].gram?.values.suffix(GramLayout.triangle(7)))
        #expect(last.allSatisfy { $0 == 0 })
    }

    /// Chunks may overtake each other, on several threads: the sums have the same bits.
    @Test(arguments: 0..<6)
    func neitherOrderNorThreadsShow(seed: Int) throws {
        let straight = try Self.straight(Self.collector(widest: 300))
        var generator = SeededGenerator(seed: UInt64(seed))
        let shares = Self.calls.shuffled(using: &generator)
        let mixed = Self.collector(widest: 300)
        let done = DispatchGroup()
        for first in 0..<3 {
            done.enter()
            let thread = Thread {
                for chunk in stride(from: first, to: shares.count, by: 3) {
                    for call in shares[chunk] { #expect(throws: Never.self) { try Self.observe(call, by: mixed) } }
                }
                done.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        done.wait()
        #expect(try mixed.finish() == straight)
    }

    /// Chunks that nobody speaks of are passed over at the end.
    @Test func chunksWithoutRowsMayBeLeftOut() throws {
        let told = try Self.straight(Self.collector(widest: 8192))
        let collector = Self.collector(widest: 8192)
        for call in Self.calls.joined() where !call.rows.isEmpty { try Self.observe(call, by: collector) }
        #expect(try collector.finish() == told)
    }

    @Test(arguments: ["llama", "mixtral", "deepseek2"])
    func modelsGiveTheSameWithAnyThreads(name: String) throws {
        let chunks = (0..<5).map { chunk in DecoderTests.tokens.map { ($0 + Int32(chunk)) % 32 } }
        func run(threads: Int) throws -> [InputStatistics] {
            let decoder = try Decoder(model: DecoderTests.model(name), threads: threads)
            let names = Set(try DecoderTests.model(name).tensors.map(\.name))
            let collector = StatisticsCollector(
                inputs: decoder.graph.linearInputs, isTensor: { names.contains($0) }, chunks: chunks.count,
                processOutput: true, gram: 8192)
            _ = try decoder.forward(chunks: chunks, observer: collector) { _ in }
            return try collector.finish()
        }
        let one = try run(threads: 1)
        #expect(try run(threads: 3) == one)
        for input in one {
            let gram = try #require(input.gram)
            #expect(gram.layout.isWhole && gram.diagonal.count == input.squares.count)
            for (square, sum) in zip(gram.diagonal, input.squares) { #expect(abs(square - sum) <= 1e-5 * sum) }
        }
    }
}
