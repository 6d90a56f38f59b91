import QuernFormats

/// Scores as a blob, all little-endian: `QSCR`, version, positions, chunks, candidates (U32 each), the reference's losses
/// (F32); then for each candidate losses and divergences (F32), same top (a byte each), the number of layers (U32) and
/// for each chunk and layer squared error and norm (F64).
extension PositionScores {
    private static let magic: [UInt8] = Array("QSCR".utf8)
    private static let version: UInt32 = 1

    /// - Parameter chunks: whose scores these are.
    public func bytes(chunks: Int) -> [UInt8] {
        var bytes = Self.magic
        bytes.append(
            littleEndian: [Self.version, UInt32(losses.count), UInt32(chunks), UInt32(candidates.count)])
        bytes.append(littleEndian: losses.map(\.bitPattern))
        for candidate in candidates {
            bytes.append(littleEndian: candidate.losses.map(\.bitPattern))
            bytes.append(littleEndian: candidate.divergences.map(\.bitPattern))
            bytes += candidate.sameTop.map { $0 ? 1 : 0 }
            bytes.append(littleEndian: [UInt32(candidate.layers.first?.count ?? 0)])
            for layer in candidate.layers.joined() {
                bytes.append(littleEndian: [layer.error.bitPattern, layer.norm.bitPattern])
            }
        }
        return bytes
    }

    /// - Returns: the scores and the number of chunks they are of.
    /// - Throws: `.invalidInput` where the bytes are something else.
    public static func parse(_ bytes: [UInt8]) throws -> (scores: PositionScores, chunks: Int) {
        var reader = Reader(bytes: bytes)
        guard try reader.take(4).elementsEqual(magic), try reader.integer(UInt32.self) == version else {
            throw Reader.damaged
        }
        let positions = Int(try reader.integer(UInt32.self))
        let chunks = Int(try reader.integer(UInt32.self))
        let count = Int(try reader.integer(UInt32.self))
        // A candidate has nine bytes for every position and four more.
        guard count <= reader.left / 4 else { throw Reader.damaged }
        var scores = PositionScores(candidates: count)
        scores.losses = try reader.floats(positions)
        for index in 0..<count {
            scores.candidates[index].losses = try reader.floats(positions)
            scores.candidates[index].divergences = try reader.floats(positions)
            scores.candidates[index].sameTop = try reader.take(positions).map { $0 != 0 }
            let layers = Int(try reader.integer(UInt32.self))
            guard layers > 0 else { continue }
            guard chunks <= reader.left / 16 / layers else { throw Reader.damaged }
            scores.candidates[index].layers = try (0..<chunks).map { _ in
                try (0..<layers).map { _ in
                    SquaredError(
                        error: Double(bitPattern: try reader.integer(UInt64.self)),
                        norm: Double(bitPattern: try reader.integer(UInt64.self)))
                }
            }
        }
        guard reader.left == 0 else { throw Reader.damaged }
        return (scores, chunks)
    }

    private struct Reader {
        static let damaged = QuernError(.invalidInput, "these are no scores of an evaluation", at: "scores")
        let bytes: [UInt8]
        var place = 0
        var left: Int { bytes.count - place }

        mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard count <= left else { throw Self.damaged }
            place += count
            return bytes[place - count..<place]
        }

        mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
            try take(MemoryLayout<Value>.size).reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
        }

        mutating func floats(_ count: Int) throws -> [Float] {
            guard count <= left / 4 else { throw Self.damaged }
            return try (0..<count).map { _ in Float(bitPattern: try integer(UInt32.self)) }
        }
    }
}
