/// One tensor of a safetensors file.
public struct SafetensorsTensor: Sendable, Equatable {
    public let name: String
    public let type: SafetensorsType
    /// As in the file: outermost dimension first. May be empty (one element) and may hold 0 (no element).
    public let shape: [Int]
    /// Where its bytes begin, from the beginning of the file.
    public let offset: UInt64
    /// In bytes.
    public let length: UInt64

    public init(name: String, type: SafetensorsType, shape: [Int], offset: UInt64, length: UInt64) {
        self.name = name
        self.type = type
        self.shape = shape
        self.offset = offset
        self.length = length
    }
}

/// The header of a safetensors file: eight bytes of length, then JSON; the rest of the file is the tensors' bytes,
/// which they cover exactly, without overlap and without holes.
public struct SafetensorsHeader: Sendable {
    /// In the order of their bytes.
    public let tensors: [SafetensorsTensor]
    /// `__metadata__`: free text by key, empty where the file has none.
    public let metadata: [String: String]

    /// Bytes of JSON that the format allows.
    public static let maximumLength: UInt64 = 100_000_000
    static let maximumTensors = 1 << 20
    static let maximumRank = 16
    static let maximumNameBytes = 1024

    /// Reads and checks the header of `source`; no tensor bytes are read.
    /// - Throws: `QuernError` `.invalidInput` where the file breaks the format, `.unsupported` for an element type that
    ///   this version does not know; the location names the file and the tensor.
    public static func read(from source: any ByteSource) throws -> SafetensorsHeader {
        do {
            let prefix = try source.bytes(at: 0, count: 8)
            let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard length <= Self.maximumLength else {
                throw QuernError(
                    .invalidInput, "a header of \(length) bytes, the format allows \(Self.maximumLength)",
                    remedy: "This is no safetensors file, or its beginning is damaged")
            }
            guard length <= source.size - 8 else {
                throw QuernError(
                    .invalidInput, "a header of \(length) bytes in a file of \(source.size)",
                    remedy: "The file is truncated: copy or download it again")
            }
            let text = try source.bytes(at: 8, count: Int(length))
            guard text.first == UInt8(ascii: "{") else {
                throw QuernError(.invalidInput, "the header does not begin with '{'")
            }
            let limits = JSONLimits(bytes: Int(Self.maximumLength), depth: 4, values: 8 << 20)
            let json: JSONValue
            do {
                json = try JSONValue.parse(text, limits: limits)
            } catch {
                throw error.located(in: "header")
            }
            return try SafetensorsHeader(
                json: json.object ?? JSONObject(), dataOffset: 8 + length, fileSize: source.size)
        } catch let error as QuernError where !error.location.hasPrefix(source.name) {
            throw error.located(in: source.name)
        }
    }

    /// - Parameters:
    ///   - dataOffset: where the header ends, at most `fileSize`.
    init(json: JSONObject, dataOffset: UInt64, fileSize: UInt64) throws(QuernError) {
        var metadata: [String: String] = [:]
        var tensors: [SafetensorsTensor] = []
        var names: Set<String> = []
        guard json.count <= Self.maximumTensors else {
            throw QuernError(.invalidInput, "\(json.count) tensors, at most \(Self.maximumTensors) are allowed")
        }
        for (name, value) in json.entries {
            if name.hasSameBytes(as: "__metadata__") {
                metadata = try Self.metadata(value)
                continue
            }
            // Sets of strings compare by canonical equivalence, as everyone will who looks a tensor up by name.
            guard names.insert(name).inserted else {
                throw QuernError(.invalidInput, "two tensors of one name", at: "tensor \(name.quotedForMessage)")
            }
            do throws(QuernError) {
                tensors.append(try Self.tensor(name, value, dataOffset: dataOffset, fileSize: fileSize))
            } catch {
                throw error.located(in: "tensor \(name.quotedForMessage)")
            }
        }
        tensors.sort { ($0.offset, $0.length) < ($1.offset, $1.length) }
        var end = dataOffset
        for tensor in tensors {
            guard tensor.offset == end else {
                throw QuernError(
                    .invalidInput,
                    tensor.offset < end
                        ? "its bytes overlap those of another tensor"
                        : "\(tensor.offset - end) bytes before it belong to no tensor",
                    at: "tensor \(tensor.name.quotedForMessage)",
                    remedy: "The header is damaged: download or export the file again")
            }
            end += tensor.length
        }
        guard end == fileSize else {
            throw QuernError(.invalidInput, "\(fileSize - end) bytes at the end belong to no tensor")
        }
        self.tensors = tensors
        self.metadata = metadata
    }

    private static func metadata(_ value: JSONValue) throws(QuernError) -> [String: String] {
        guard let object = value.object else {
            throw QuernError(.invalidInput, "\(value.kind), an object should be here", at: "__metadata__")
        }
        var metadata: [String: String] = [:]
        for (key, value) in object.entries {
            guard let text = value.string else {
                throw QuernError(
                    .invalidInput, "\(value.kind), only strings are allowed", at: "__metadata__.\(key.quotedForMessage)"
                )
            }
            metadata[key] = text
        }
        return metadata
    }

    private static func tensor(
        _ name: String, _ value: JSONValue, dataOffset: UInt64, fileSize: UInt64
    ) throws(QuernError) -> SafetensorsTensor {
        guard name.utf8.count <= maximumNameBytes else {
            throw QuernError(.invalidInput, "a name of more than \(maximumNameBytes) bytes")
        }
        guard let object = value.object else {
            throw QuernError(.invalidInput, "\(value.kind), an object should be here")
        }
        if let other = object.keys.first(where: { !["dtype", "shape", "data_offsets"].contains($0) }) {
            throw QuernError(.unsupported, "unknown field \(other.quotedForMessage)")
        }
        guard let typeName = object["dtype"]?.string else {
            throw QuernError(.invalidInput, "dtype is missing or no string")
        }
        guard let type = SafetensorsType(rawValue: typeName) else {
            throw QuernError(.unsupported, "unknown element type \(typeName.quotedForMessage)")
        }
        let shape = try integers(object["shape"], field: "shape").map { Int($0) }
        guard shape.count <= maximumRank else {
            throw QuernError(.invalidInput, "rank \(shape.count), at most \(maximumRank) is allowed")
        }
        guard let length = type.bytes(shape: shape) else {
            throw QuernError(
                .invalidInput, "its shape \(shape) of \(typeName) has no whole or no countable size in bytes")
        }
        let offsets = try integers(object["data_offsets"], field: "data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw QuernError(.invalidInput, "data_offsets must be a begin and an end not before it")
        }
        let (begin, end) = (UInt64(offsets[0]), UInt64(offsets[1]))
        guard end <= fileSize - dataOffset else {
            throw QuernError(
                .invalidInput, "its bytes end \(end - (fileSize - dataOffset)) bytes beyond the file",
                remedy: "The file is truncated: copy or download it again")
        }
        guard end - begin == length else {
            throw QuernError(
                .invalidInput, "\(end - begin) bytes, but a \(typeName) of shape \(shape) takes \(length)")
        }
        return SafetensorsTensor(name: name, type: type, shape: shape, offset: dataOffset + begin, length: length)
    }

    /// An array of integers none of which is negative.
    private static func integers(_ value: JSONValue?, field: String) throws(QuernError) -> [Int64] {
        guard let array = value?.array else { throw QuernError(.invalidInput, "\(field) is missing or no array") }
        var integers: [Int64] = []
        for element in array {
            guard let integer = element.integer, integer >= 0 else {
                throw QuernError(.invalidInput, "\(field) must hold integers from 0 to \(Int64.max)")
            }
            integers.append(integer)
        }
        return integers
    }
}
