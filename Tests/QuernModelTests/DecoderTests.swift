import Foundation
import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// The forward pass of every architecture against the logits that llama.cpp gives for the same weights.
@Suite struct DecoderTests {
    static let names = [
        "llama", "mixtral", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "deepseek2",
        "gpt-oss", "olmo2", "granite", "glm4", "starcoder2",
    ]
    static let tokens: [Int32] = [1, 11, 3, 9, 29, 31, 15, 13, 25, 19, 27, 17, 21, 7]

    /// Sums are only taken for the same where all that decides their order is.
    @Test func arithmeticNamesWhatMultiplies() throws {
        for precision in [MatrixEngine.Precision.single, .splitBF16] where precision == .single || MatrixEngine.hasBF16
        {
            let words = try Decoder(model: Self.model("llama"), threads: 1, engine: MatrixEngine(precision: precision))
                .arithmetic
            #expect(words.hasPrefix(precision == .single ? "single precision, " : "BF16 halves, "))
            #expect(words.firstMatch(of: /, oneDNN 2\.\d+\.\d+ for 0x[0-9a-f]+$/) != nil, "\(words)")
        }
    }

    static func model(_ name: String) throws -> SourceModel {
        try SourceModel.open(path: Fixtures.path("decoders/\(name).gguf"))
    }

    static func expected(_ name: String) throws -> [Float] {
        try Fixtures.bytes("decoders/\(name).logits").withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }

    static func logits(_ decoder: Decoder, _ chunks: [[Int32]], observer: (any ActivationObserver)? = nil) throws
        -> [[Float]]
    {
        let states = try decoder.forward(chunks: chunks, observer: observer) { _ in }
        return try chunks.indices.map { chunk in
            var logits = [Float](repeating: .nan, count: chunks[chunk].count * decoder.graph.vocabularySize)
            try logits.withUnsafeMutableBufferPointer {
                try decoder.logits(of: states, chunk: chunk, rows: 0..<chunks[chunk].count, into: $0) { _ in }
            }
            return logits
        }
    }

    /// Norm of the difference over norm.
    static func error(_ found: [Float], _ expected: [Float]) -> Double {
        guard found.count == expected.count else { return .infinity }
        let difference = zip(found, expected).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        return (difference / expected.reduce(0.0) { $0 + pow(Double($1), 2) }).squareRoot()
    }

    @Test(arguments: names) func agreesWithLlamaCpp(_ name: String) throws {
        let decoder = try Decoder(model: Self.model(name), threads: 2)
        let found = try Self.logits(decoder, [Self.tokens])
        let usesGelu = ["gemma2", "gemma3", "starcoder2"].contains(name)
        #expect(Self.error(found[0], try Self.expected(name)) < (usesGelu ? 3e-4 : 2e-6))
    }

    @Test(arguments: names) func splitOperandsAreNearlySinglePrecision(_ name: String) throws {
        guard MatrixEngine.hasBF16 else { return }
        let single = try Decoder(model: Self.model(name), threads: 1, engine: MatrixEngine(precision: .single))
        let split = try Decoder(model: Self.model(name), threads: 1, engine: MatrixEngine(precision: .splitBF16))
        let error = Self.error(
            try Self.logits(split, [Self.tokens])[0], try Self.logits(single, [Self.tokens])[0])
        #expect(error > 0 && error < 1e-4)
    }

    /// Chunks of different lengths, some longer than what is multiplied at once.
    @Test(arguments: names) func threadsChangeNothing(_ name: String) throws {
        let long: [Int32] = (0..<530).map { (place: Int32) -> Int32 in (place * 11 + place / 7) % 32 }
        let chunks = [Self.tokens, [3], long, Array(long[100..<150]), Array(long.reversed())]
        let model = try Self.model(name)
        let one = try Self.logits(try Decoder(model: model, threads: 1), chunks)
        let three = try Self.logits(try Decoder(model: model, threads: 3), chunks)
        #expect(one == three)
        #expect(one.allSatisfy { row in row.allSatisfy { $0.isFinite } })
        // Nothing that comes later is seen: a beginning gives the beginning.
        let beginning = try Self.logits(Decoder(model: model, threads: 1), [Array(long[..<20])])[0]
        let error = Self.error(beginning, Array(one[2][..<640]))
        // Beyond its original context of 256, phi3 turns by other factors, from the first position on.
        #expect(name == "phi3" ? error > 0.1 : error < 2e-6)
    }

    @Test(arguments: names) func everyInputIsSeenOnce(_ name: String) throws {
        let decoder = try Decoder(model: Self.model(name), threads: 2)
        let observer = RowCounter()
        let chunks = [Self.tokens, Array(Self.tokens[3...])]
        let states = try decoder.forward(chunks: chunks, observer: observer) { _ in }
        let inputs = decoder.graph.linearInputs
        #expect(Set(inputs.map(\.name)).count == inputs.count)
        for layer in decoder.graph.layers {
            guard case .experts(let experts) = layer.feedForward else { continue }
            for (chunk, tokens) in chunks.enumerated() {
                let rows = (0..<experts.routing.experts).map { observer.count(experts.upInput, $0, chunk) }
                #expect(rows.reduce(0, +) == tokens.count * experts.routing.used)
                #expect(rows == (0..<rows.count).map { observer.count(experts.downInput, $0, chunk) })
            }
        }
        let routed = decoder.graph.layers.flatMap { layer -> [LinearInput] in
            guard case .experts(let experts) = layer.feedForward else { return [] }
            return [experts.upInput, experts.downInput]
        }
        for input in inputs where !routed.contains(input) {
            for (chunk, tokens) in chunks.enumerated() {
                for matrix in 0..<input.matrices { #expect(observer.count(input, matrix, chunk) == tokens.count) }
            }
        }
        #expect(observer.rows[decoder.graph.head.input.name]?[1] == states.chunks[1])
        #expect(observer.repeated == 0)
    }
}

/// Keeps what was seen.
final class RowCounter: ActivationObserver, @unchecked Sendable {
    private let lock = NSLock()
    private var counts: [String: Int] = [:]
    private(set) var rows: [String: [Int: [Float]]] = [:]
    private(set) var repeated = 0

    func observe(_ input: LinearInput, matrix: Int, rows: ObservedRows, chunk: Int) throws {
        let values = try rows.withValues { Array($0) }
        lock.withLock {
            let key = "\(input.name) \(matrix) \(chunk)"
            if counts[key] != nil { repeated += 1 }
            counts[key] = values.count / input.channels
            if input.matrices == 1 { self.rows[input.name, default: [:]][chunk] = values }
        }
    }

    func count(_ input: LinearInput, _ matrix: Int, _ chunk: Int) -> Int {
        lock.withLock { counts["\(input.name) \(matrix) \(chunk)"] ?? 0 }
    }
}
