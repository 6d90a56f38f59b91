import QuernFormats

/// One thing that Quern reads from strangers, as a fuzzer hands it bytes.
public struct FuzzTarget: Sendable {
    /// That of its corpus, too.
    public let name: String
    private let read: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, _ read: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.read = read
    }

    public static let all = [
        safetensors, gguf, imatrix, index, config, card, tokenizer, pieces, zstd, recipe, sensitivity, http,
    ]

    /// Reads `bytes`, which may be anything: they are read, or refused by an error of ours.
    /// - Throws: any other error, and `FuzzFault` where what was read is not what it should be.
    public func check(_ bytes: [UInt8]) throws {
        do {
            try read(bytes)
        } catch let error as QuernError {
            try Self.check(error)
        }
    }

    /// Whether it says something, and nothing that would steer a terminal or fill it.
    private static func check(_ error: QuernError) throws {
        guard !error.message.isEmpty else { throw FuzzFault("an error that says nothing") }
        let text = error.description
        guard text.utf8.count <= 50_000 else { throw FuzzFault("an error of \(text.utf8.count) bytes") }
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
        guard isPlain else { throw FuzzFault("an error with control characters: \(text.debugDescription)") }
    }
}

/// What a reader must not do although it throws nothing.
public struct FuzzFault: Error {
    public let message: String

    init(_ message: String) { self.message = message }
}
