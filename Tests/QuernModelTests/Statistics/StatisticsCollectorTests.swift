import QuernModel
import QuernPlanning
import TestSupport
import Testing

struct StatisticsCollectorTests {
    static let inputs = [
        LinearInput(tensors: ["blk.0.attn_q.weight", "blk.0.attn_k.weight"], channels: 3, layer: 0),
        LinearInput(tensors: ["blk.0.ffn_up_exps.weight"], channels: 3, matrices: 2, layer: 0),
        LinearInput(tensors: ["blk.1.attn_q.weight"], channels: 2, layer: 1),
        LinearInput(tensors: ["blk.1.attn_kv_b.weight"], channels: 5, layer: 1),
        LinearInput(tensors: ["output.weight"], channels: 2, layer: nil),
    ]

    static func collector(chunks: Int, processOutput: Bool = false) -> StatisticsCollector {
        StatisticsCollector(
            inputs: inputs, isTensor: { !$0.contains("kv_b") }, chunks: chunks, processOutput: processOutput)
    }

    struct Call: Sendable {
        let input: Int
        let matrix: Int
        let chunk: Int
        let rows: [Float]
    }

    static func observe(_ call: Call, by collector: StatisticsCollector) throws {
        try collector.see(call.rows, of: inputs[call.input], matrix: call.matrix, chunk: call.chunk)
    }

    @Test func whatIsSummed() throws {
        let collector = Self.collector(chunks: 2)
        try Self.observe(Call(input: 0, matrix: 0, chunk: 0, rows: [1, -2, 0, 3, 0, 0.5]), by: collector)
        try Self.observe(Call(input: 0, matrix: 0, chunk: 1, rows: [-4, 1, 0]), by: collector)
        try Self.observe(Call(input: 1, matrix: 1, chunk: 1, rows: [1, 1, 2]), by: collector)
        let found = try collector.finish()
        #expect(found.map(\.name) == ["blk.0.attn_q.weight", "blk.0.ffn_up_exps.weight", "blk.1.attn_q.weight"])
        #expect(found[0].tensors == ["blk.0.attn_k.weight", "blk.0.attn_q.weight"])
        #expect(found[0].counts == [3])
        #expect(found[0].squares == [26, 5, 0.25] && found[0].magnitudes == [8, 3, 0.5])
        #expect(found[0].maxima == [4, 2, 0.5])
        #expect(found[1].counts == [0, 1] && found[1].squares == [0, 0, 0, 1, 1, 4])
        #expect(found[2].counts == [0])
    }

    @Test func theHeadCountsOnRequest() throws {
        let collector = Self.collector(chunks: 1, processOutput: true)
        #expect(collector.wants(Self.inputs[4]) && !collector.wants(Self.inputs[3]))
        #expect(!Self.collector(chunks: 1).wants(Self.inputs[4]))
        try Self.observe(Call(input: 4, matrix: 0, chunk: 0, rows: [3, 4]), by: collector)
        #expect(try collector.finish().last?.squares == [9, 16])
    }

    /// Chunks may overtake each other anywhere: the sums have the same bits.
    @Test(arguments: 0..<20)
    func theOrderOfChunksDoesNotShow(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let chunks = 4
        // By chunk, in the order of the forward pass.
        let calls = (0..<chunks).map { chunk in
            [(0, 0), (1, 0), (1, 1), (2, 0)].map { input, matrix in
                Call(
                    input: input, matrix: matrix, chunk: chunk,
                    rows: (0..<Self.inputs[input].channels * 7).map { _ in
                        Float.random(in: -1...1, using: &generator) * (chunk == 2 ? 1e4 : 1)
                    })
            }
        }
        let straight = Self.collector(chunks: chunks)
        for call in calls.joined() { try Self.observe(call, by: straight) }
        let mixed = Self.collector(chunks: chunks)
        var left = calls.map { $0[...] }
        while let chunk = left.indices.filter({ !left[$0].isEmpty }).randomElement(using: &generator) {
            try Self.observe(left[chunk].removeFirst(), by: mixed)
        }
        #expect(try mixed.finish() == straight.finish())
    }
}
