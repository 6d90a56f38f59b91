import QuernFormats

/// A SentencePiece model (`tokenizer.model`): a protocol buffer, of which the pieces are read.
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

    /// By id.
    package let pieces: [Piece]

    /// - Throws: `.invalidInput` where the bytes are no such model.
    package init(_ bytes: [UInt8]) throws {
        var pieces: [Piece] = []
        var message = ProtobufReader(bytes)
        while let field = try message.next() {
            guard field.number == 1, case .bytes(let range) = field.value else { continue }
            pieces.append(try Self.piece(ProtobufReader(bytes, in: range), bytes: bytes))
        }
        guard !pieces.isEmpty else {
            throw QuernError(.invalidInput, "holds no pieces", remedy: "It is no SentencePiece model")
        }
        self.pieces = pieces
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
