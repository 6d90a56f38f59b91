/// The header of one GGUF file: metadata and where the tensors lie.
public struct GGUFHeader: Sendable {
    /// In the order of the file; keys are unique.
    public let metadata: [(key: String, value: GGUFValue)]
    /// In the order of the header; names are unique.
    public let tensors: [GGUFTensor]
    /// `general.alignment`, 32 where the file does not say: a power of two, at least 8.
    public let alignment: Int
    /// Where tensor data begin, from the beginning of the file.
    public let dataOffset: UInt64

    private static let damagedHeader = "The header is damaged: download or export the file again"

    /// "GGUF", read as a little-endian number.
    static let magic: UInt32 = 0x4655_4747
    public static let defaultAlignment = 32

    /// The value of `key`; nil where there is none.
    public subscript(key: String) -> GGUFValue? { metadata.first { $0.key == key }?.value }

    /// Reads and checks the header of version 2 and 3 files by ranged reads; no tensor bytes are read.
    /// - Parameter requiringData: false for a file that was cut off where tensor data begin.
    /// - Throws: `QuernError` `.invalidInput` where the file breaks the format, `.unsupported` for versions, byte
    ///   orders and element types that are not known here. The location names the file, and the key or the tensor.
    public static func read(from source: any ByteSource, requiringData: Bool = true) throws -> GGUFHeader {
        do {
            var cursor = GGUFCursor(source)
            return try GGUFHeader(from: &cursor, requiringData: requiringData)
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    private init(from cursor: inout GGUFCursor, requiringData: Bool) throws {
        let counts = try Self.preamble(&cursor)
        metadata = try Self.metadata(&cursor, count: counts.keyValues)
        alignment = try Self.alignment(in: metadata)
        let descriptions = try Self.descriptions(&cursor, count: counts.tensors)
        let mask = UInt64(alignment - 1)
        dataOffset = (cursor.offset + mask) & ~mask
        var tensors: [GGUFTensor] = []
        tensors.reserveCapacity(descriptions.count)
        for description in descriptions {
            guard description.offset & mask == 0 else {
                throw QuernError(
                    .invalidInput, "its offset \(description.offset) is not aligned to \(alignment)",
                    at: "tensor \(description.name.quotedForMessage)")
            }
            let (offset, overflow) = description.offset.addingReportingOverflow(dataOffset)
            let (end, endOverflow) = offset.addingReportingOverflow(description.bytes)
            guard !overflow, !endOverflow, !requiringData || end <= cursor.source.size else {
                throw QuernError(
                    .invalidInput, "its bytes go beyond the end of the file",
                    at: "tensor \(description.name.quotedForMessage)",
                    remedy: "The file is truncated: copy or download it again")
            }
            tensors.append(
                GGUFTensor(
                    name: description.name, shape: description.shape, type: description.type, offset: offset,
                    bytes: description.bytes))
        }
        try Self.checkOverlap(tensors)
        self.tensors = tensors
    }

    private static func preamble(_ cursor: inout GGUFCursor) throws -> (tensors: Int, keyValues: Int) {
        let magic: UInt32 = try cursor.integer()
        guard magic == Self.magic else {
            throw cursor.error("not a GGUF file", remedy: "Check the path, or download it again")
        }
        let version: UInt32 = try cursor.integer()
        guard version == 0 || version & 0xFFFF != 0 else {
            throw cursor.error(
                "a big-endian GGUF file", .unsupported,
                remedy: "Convert it to little-endian, which is what all others are")
        }
        guard version == 2 || version == 3 else {
            throw cursor.error(
                "GGUF version \(version), versions 2 and 3 can be read", .unsupported,
                remedy: version == 1 ? "Convert the checkpoint again" : "A newer Quern may read it")
        }
        let tensors: UInt64 = try cursor.integer()
        let keyValues: UInt64 = try cursor.integer()
        // The least a tensor takes: length of its name, rank, type, offset. A key-value: length, type, one byte.
        guard tensors <= GGUFLimits.tensors, tensors * 24 <= cursor.remaining else {
            throw cursor.error(
                "\(tensors) tensors, which neither the file nor the limit of \(GGUFLimits.tensors) has room for",
                remedy: damagedHeader)
        }
        guard keyValues <= GGUFLimits.keyValues, keyValues * 13 <= cursor.remaining else {
            throw cursor.error(
                "\(keyValues) key-values, which neither the file nor the limit of \(GGUFLimits.keyValues) has room for",
                remedy: damagedHeader)
        }
        return (Int(tensors), Int(keyValues))
    }

    private static func metadata(
        _ cursor: inout GGUFCursor, count: Int
    ) throws -> [(key: String, value: GGUFValue)] {
        var metadata: [(key: String, value: GGUFValue)] = []
        var keys: Set<String> = []
        for _ in 0..<count {
            let key = try cursor.text(limit: GGUFLimits.keyBytes, what: "a key")
            guard keys.insert(key).inserted else { throw cursor.error("duplicate key \(key.quotedForMessage)") }
            do {
                metadata.append((key, try cursor.value()))
            } catch let error as QuernError {
                throw error.located(in: "key \(key.quotedForMessage)")
            }
        }
        return metadata
    }

    private static func alignment(in metadata: [(key: String, value: GGUFValue)]) throws -> Int {
        guard let value = metadata.first(where: { $0.key == "general.alignment" })?.value else {
            return defaultAlignment
        }
        guard case .uint32(let alignment) = value, alignment >= 8, alignment.nonzeroBitCount == 1 else {
            throw QuernError(
                .invalidInput, "\(value), it must be a u32 and a power of two of at least 8",
                at: "general.alignment")
        }
        return Int(alignment)
    }

    private typealias Description = (name: String, shape: [Int], type: ElementType, offset: UInt64, bytes: UInt64)

    private static func descriptions(_ cursor: inout GGUFCursor, count: Int) throws -> [Description] {
        var descriptions: [Description] = []
        var names: Set<String> = []
        for _ in 0..<count {
            let name = try cursor.text(limit: GGUFLimits.tensorNameBytes, what: "a tensor name")
            do {
                guard names.insert(name).inserted else { throw cursor.error("two tensors of one name") }
                descriptions.append(try description(&cursor, name: name))
            } catch let error as QuernError {
                throw error.located(in: "tensor \(name.quotedForMessage)")
            }
        }
        return descriptions
    }

    private static func description(_ cursor: inout GGUFCursor, name: String) throws -> Description {
        let rank: UInt32 = try cursor.integer()
        guard rank <= GGUFLimits.rank else { throw cursor.error("rank \(rank), at most \(GGUFLimits.rank) is allowed") }
        var shape: [Int] = []
        for _ in 0..<rank {
            let dimension: UInt64 = try cursor.integer()
            guard dimension > 0, let dimension = Int(exactly: dimension) else {
                throw cursor.error("a dimension of \(Int64(bitPattern: dimension))")
            }
            shape.append(dimension)
        }
        // A scalar is one row of one element: llama.cpp has no other notion of it.
        if shape.isEmpty { shape = [1] }
        let typeID: UInt32 = try cursor.integer()
        guard let type = ElementType(rawValue: typeID) else {
            throw cursor.error(
                "unknown element type \(typeID)", .unsupported,
                remedy: "It may be newer than this version of Quern, or retired")
        }
        guard let bytes = type.bytes(shape: shape) else {
            throw cursor.error(
                "its shape \(shape) of \(type): rows end inside a block of \(type.blockSize), or too many elements"
            )
        }
        return (name, shape, type, try cursor.integer(), bytes)
    }

    /// Padding between tensors is allowed, sharing bytes is not.
    private static func checkOverlap(_ tensors: [GGUFTensor]) throws {
        var end: UInt64 = 0
        for tensor in tensors.sorted(by: { $0.offset < $1.offset }) {
            guard tensor.offset >= end else {
                throw QuernError(
                    .invalidInput, "its bytes overlap those of another tensor",
                    at: "tensor \(tensor.name.quotedForMessage)",
                    remedy: damagedHeader)
            }
            end = tensor.offset + tensor.bytes
        }
    }
}
