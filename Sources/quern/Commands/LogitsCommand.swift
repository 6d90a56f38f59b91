import ArgumentParser
import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernWorker

struct LogitsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logits",
        abstract: "Run token sequences through a model and write the logits, to hold it against another program.",
        discussion: """
            Example: quern logits ./Llama-3.1-8B-Instruct --tokens ids.json --output logits.safetensors

            The file of tokens holds JSON: a list of sequences of token ids, such as [[1, 15043, 29892], [1, 910, 338]]. \
            All have the same length. What is written is one tensor 'logits' of F32 [sequences, tokens, vocabulary].
            """)

    @Argument(help: "A checkpoint folder or a .gguf.", completion: .file()) var source: String
    @Option(help: "A JSON file with a list of sequences of token ids.", completion: .file()) var tokens: String
    @Option(help: "The safetensors file to write.", completion: .file()) var output: String
    @Option(help: "Threads that compute. Default: one for each processor.") var threads: Int?
    @Option(help: ForwardDevice.help) var forward: ForwardDevice?
    @Flag(help: "Say nothing but errors.") var quiet = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("'--threads' has to be from 1 to 1024") }
    }

    func run() async throws {
        let device = try ForwardDevice.request(Settings.load(), flag: forward)
        let work = LogitsWork(
            source: source, tokens: tokens, output: output,
            threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
            engines: try device.engines())
        try await Interruption.computed("logits") { check in
            try work.engines.computing(on: device) { try work.run(on: $0, check) }
        }
        if !quiet { Console.error("\(output): written") }
    }
}

/// From sequences of tokens to a file of logits; in memory is one group of sequences.
private struct LogitsWork: Sendable {
    let source: String
    let tokens: String
    let output: String
    let threads: Int
    let engines: any ForwardEngines

    /// Positions whose logits are made at once.
    private static let rows = 512
    /// Sequences that go through the layers together, for each thread: weights are read once for all of them.
    private static let sequencesPerThread = 8
    /// Tokens of sequences that go together, unless a single one has more: what passes from layer to layer is in memory.
    private static let tokensTogether = 1 << 16

    func run(on engine: any ForwardEngine, _ check: () throws -> Void) throws {
        let sequences = try readSequences()
        let length = sequences.first?.count ?? 0
        let model = try SourceModel.open(path: source)
        try checkLength(length, model)
        let decoder = try Decoder(model: model, threads: threads, engine: engine)
        let vocabulary = decoder.graph.vocabularySize
        let header = try SafetensorsWriter.header(tensors: [
            SafetensorsTensorInfo(
                name: "logits", type: .f32, shape: [sequences.count, length, vocabulary])
        ])
        let partial = output + ".partial"
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let file = FileHandle(forWritingAtPath: partial)
        else { throw QuernError(.io, "cannot write the file", at: partial, remedy: "Check the folder") }
        do {
            try file.write(contentsOf: Data(header))
            let group = max(1, min(Self.sequencesPerThread * threads, Self.tokensTogether / length))
            for first in stride(from: 0, to: sequences.count, by: group) {
                let some = Array(sequences[first..<min(sequences.count, first + group)])
                try write(some, decoder, to: file, check)
            }
            try file.close()
            guard rename(partial, output) == 0 else {
                throw QuernError(.io, "cannot rename to it: \(String(cString: strerror(errno)))", at: output)
            }
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    private func write(_ sequences: [[Int32]], _ decoder: Decoder, to file: FileHandle, _ check: () throws -> Void)
        throws
    {
        let states = try decoder.forward(chunks: sequences) { _ in try check() }
        for (index, sequence) in sequences.enumerated() {
            for first in stride(from: 0, to: sequence.count, by: Self.rows) {
                let rows = first..<min(sequence.count, first + Self.rows)
                var logits = [Float](repeating: 0, count: rows.count * decoder.graph.vocabularySize)
                try logits.withUnsafeMutableBufferPointer {
                    try decoder.logits(of: states, chunk: index, rows: rows, into: $0) { _ in try check() }
                }
                // Little-endian, as every machine that this runs on.
                do {
                    try file.write(contentsOf: logits.withUnsafeBytes { Data($0) })
                } catch {
                    throw QuernError(.io, "cannot write: \(error.localizedDescription)", at: output)
                }
            }
        }
    }

    /// - Throws: `.invalidInput` for sequences that are longer than what the model was made for, or than any may be.
    private func checkLength(_ length: Int, _ model: SourceModel) throws {
        let key = model.architecture + ".context_length"
        let context = model.metadata.first { $0.key == key }?.value.unsigned.flatMap { Int(exactly: $0) }
        let longest = min(context ?? .max, TextLimits.chunkTokens.upperBound)
        guard length <= longest else {
            throw QuernError(
                .invalidInput,
                "sequences of \(length) tokens, and \(longest) are the most that \(model.name) can read at once",
                at: tokens, remedy: "Cut them shorter")
        }
    }

    private func readSequences() throws -> [[Int32]] {
        func fault(_ message: String) -> QuernError {
            QuernError(.invalidInput, message, at: tokens, remedy: "Write [[ids], …], all of the same length")
        }
        let file = try FileByteSource(path: tokens)
        guard file.size <= 1 << 30 else { throw fault("\(file.size) bytes are no list of token ids") }
        guard let lists = try JSONValue.parse(file.bytes(at: 0, count: Int(file.size))).array, !lists.isEmpty else {
            throw fault("no list of sequences")
        }
        let sequences = try lists.enumerated().map { index, list in
            guard let ids = list.array, !ids.isEmpty else { throw fault("sequence \(index) is no list of token ids") }
            return try ids.map { id in
                guard let id = id.integer.flatMap({ Int32(exactly: $0) }) else {
                    throw fault("sequence \(index) holds something that is no token id")
                }
                return id
            }
        }
        if let other = sequences.firstIndex(where: { $0.count != sequences[0].count }) {
            throw fault("sequence \(other) has \(sequences[other].count) tokens, the first \(sequences[0].count)")
        }
        return sequences
    }
}
