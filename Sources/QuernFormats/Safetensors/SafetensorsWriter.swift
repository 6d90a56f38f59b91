/// A tensor as the header of a file to be written describes it.
public struct SafetensorsTensorInfo: Sendable, Equatable {
    public let name: String
    public let type: SafetensorsType
    /// Outermost dimension first.
    public let shape: [Int]

    public init(name: String, type: SafetensorsType, shape: [Int]) {
        self.name = name
        self.type = type
        self.shape = shape
    }
}

/// Writes safetensors headers. Equal arguments give equal bytes.
public enum SafetensorsWriter {
    /// The length and the JSON of a header, padded with spaces to a multiple of 8, so that the tensors' bytes may follow
    /// at once, one after the other in the order given and without gaps.
    /// - Parameters:
    ///   - tensors: in the order of their bytes; names are distinct and not `__metadata__`.
    ///   - metadata: written first, sorted by key; nothing is written where it is empty.
    /// - Throws: `QuernError` `.invalidInput` naming a tensor whose size is no countable number of whole bytes, or that
    ///   is there twice.
    public static func header(
        tensors: [SafetensorsTensorInfo], metadata: [String: String] = [:]
    ) throws(QuernError) -> [UInt8] {
        var json = "{"
        if !metadata.isEmpty {
            let members = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { "\(quoted($0.key)):\(quoted($0.value))" }
            json += "\"__metadata__\":{\(members.joined(separator: ","))}"
        }
        var names: Set<String> = []
        var end: UInt64 = 0
        for tensor in tensors {
            let size = tensor.type.bytes(shape: tensor.shape)
            let (next, overflow) = end.addingReportingOverflow(size ?? 0)
            guard size != nil, !overflow else {
                throw QuernError(
                    .invalidInput, "a shape of \(tensor.shape) has no size in bytes", at: "tensor \(tensor.name)")
            }
            guard tensor.name != "__metadata__", names.insert(tensor.name).inserted else {
                throw QuernError(.invalidInput, "its name is taken", at: "tensor \(tensor.name)")
            }
            if json.utf8.count > 1 { json += "," }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            json += "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
            json += "\"data_offsets\":[\(end),\(next)]}"
            end = next
        }
        json += "}"
        var text = Array(json.utf8)
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: -text.count & 7))
        return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
    }

    /// A JSON string (RFC 8259, section 7).
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
