import QuernFormats

/// A SentencePiece model (`tokenizer.model`): a protocol buffer, of which the pieces are read, and how text is prepared.
///
/// Field numbers: sentencepiece_model.proto of google/sentencepiece.
package struct SentencePieceModel: Sendable {
    package struct Piece: Sendable, Equatable {
        package var text: [UInt8] = []
        package var score: Float = 0
        package var kind = Kind.normal
    }

    package enum Kind: UInt64, Sendable {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// How text is cut into pieces.
    package enum Algorithm: UInt64, Sendable {
        case unigram = 1
        case bytePair = 2
        case word = 3
        case character = 4
    }

    /// How text is prepared.
    package struct Normalization: Sendable, Equatable {
        /// A map of characters in sentencepiece's own form; empty where there is none.
        package var charsmap: [UInt8] = []
        package var addsSpacePrefix = true
        /// Whether spaces at the ends go, and of several only one stays.
        package var removesExtraSpaces = true
    }

    /// By id.
    package private(set) var pieces: [Piece] = []
    package private(set) var algorithm = Algorithm.unigram
    package private(set) var normalization = Normalization()

    /// - Throws: `.invalidInput` where the bytes are no such model.
    package init(_ bytes: [UInt8]) throws {
        var pieces: [Piece] = []
        var message = ProtobufReader(bytes)
        while let field = try message.next() {
            guard case .bytes(let range) = field.value else { continue }
            let part = ProtobufReader(bytes, in: range)
            switch field.number {
            case 1: pieces.append(try Self.piece(part, bytes: bytes))
            case 2: try readTraining(part)
            case 3: try readNormalization(part, bytes: bytes)
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw QuernError(.invalidInput, "holds no pieces", remedy: "It is no SentencePiece model")
        }
        self.pieces = pieces
    }

    private mutating func readTraining(_ reader: ProtobufReader) throws {
        var reader = reader
        while let field = try reader.next() {
            guard field.number == 3, case .integer(let number) = field.value else { continue }
            guard let algorithm = Algorithm(rawValue: number) else {
                throw QuernError(.invalidInput, "the model is of the unknown type \(number)")
            }
            self.algorithm = algorithm
        }
    }

    private mutating func readNormalization(_ reader: ProtobufReader, bytes: [UInt8]) throws {
        var reader = reader
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let range)): normalization.charsmap = Array(bytes[range])
            case (3, .integer(let number)): normalization.addsSpacePrefix = number != 0
            case (4, .integer(let number)): normalization.removesExtraSpaces = number != 0
            default: break
            }
        }
    }

    private static func piece(_ reader: ProtobufReader, bytes: [UInt8]) throws -> Piece {
        var reader = reader
        var piece = Piece()
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let range)):
                piece.text = Array(bytes[range])
            case (2, .fixed32(let bits)):
                piece.score = Float(bitPattern: bits)
            case (3, .integer(let number)):
                guard let kind = Kind(rawValue: number) else {
                    throw QuernError(.invalidInput, "a piece has the unknown type \(number)")
                }
                piece.kind = kind
            default:
                break
            }
        }
        return piece
    }
}

/// Reads the fields of one protocol buffer message, never past its end.
struct ProtobufReader {
    enum Value: Equatable {
        case integer(UInt64)
        case fixed64
        case bytes(Range<Int>)
        case fixed32(UInt32)
    }

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    init(_ bytes: [UInt8]) { self.init(bytes, in: bytes.indices) }

    /// - Parameter range: where the message lies; within `bytes`.
    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    /// - Returns: nil at the end of the message.
    mutating func next() throws -> (number: UInt64, value: Value)? {
        guard position < end else { return nil }
        let tag = try varint()
        let value: Value
        switch tag & 7 {
        case 0:
            value = .integer(try varint())
        case 1:
            _ = try take(8)
            value = .fixed64
        case 2:
            let length = try varint()
            guard length <= UInt64(end - position) else { throw Self.fault(position, "a field runs past the end") }
            value = .bytes(try take(Int(length)))
        case 5:
            value = .fixed32(bytes[try take(4)].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        default:
            throw Self.fault(position, "wire type \(tag & 7) is unknown")
        }
        return (tag >> 3, value)
    }

    private mutating func take(_ count: Int) throws -> Range<Int> {
        guard count <= end - position else { throw Self.fault(position, "a field runs past the end") }
        defer { position += count }
        return position..<position + count
    }

    private mutating func varint() throws -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw Self.fault(position, "a number runs past the end") }
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        throw Self.fault(position, "a number has more than ten bytes")
    }

    private static func fault(_ position: Int, _ message: String) -> QuernError {
        QuernError(.invalidInput, "\(message), at byte \(position)", remedy: "Download the file again")
    }
}
