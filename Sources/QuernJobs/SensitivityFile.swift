import Foundation
import QuernFormats

/// What tensors of a model cost in each type and scheme, as measured: enough to choose them for any size, again and again.
///
/// It hangs on the machines that measured, in its last digits.
public struct SensitivityFile: Sendable, Codable, Equatable {
    /// As jobs with targets write it beside their artifacts.
    public static let fileName = "sensitivity.json"
    /// The version of the format that is written.
    public static let currentFormat = 1

    public let formatVersion: Int
    /// The source's name without its folder.
    public let source: String
    /// Version of the encoders.
    public let encoder: String
    /// Base name of the text.
    public let text: String
    public let chunkTokens: Int
    /// Of the text, that divergences are means over.
    public let chunks: Int
    /// By layer.
    public let tensors: [TensorCosts]

    public init(
        source: String, encoder: String, text: String, chunkTokens: Int, chunks: Int, tensors: [TensorCosts]
    ) {
        formatVersion = Self.currentFormat
        self.source = source
        self.encoder = encoder
        self.text = text
        self.chunkTokens = chunkTokens
        self.chunks = chunks
        self.tensors = tensors
    }

    /// - Throws: `.notFound` where there is no such file, and as `parse`.
    public static func read(path: String) throws -> SensitivityFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw QuernError(.notFound, "cannot read the sensitivity file", at: path, remedy: "Check the path")
        }
        return try parse([UInt8](data), name: path)
    }

    /// Its bytes.
    public func json() throws -> [UInt8] { try JSONFile.bytes(self) }

    /// - Parameter name: of the file, for errors.
    /// - Throws: `.invalidInput` where `json` is something else, `.unsupported` where it is of a newer release.
    public static func parse(_ json: [UInt8], name: String) throws -> SensitivityFile {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            let file = try decoder.decode(SensitivityFile.self, from: Data(json))
            guard file.formatVersion == currentFormat else {
                throw QuernError(
                    .unsupported, "format version \(file.formatVersion) is not known", at: name,
                    remedy: "Use the release of quern that wrote it, or measure again")
            }
            guard
                file.tensors.allSatisfy({ tensor in
                    let costs = tensor.types.map(\.divergence) + (tensor.schemes ?? []).map(\.divergence)
                    return !tensor.types.isEmpty && costs.allSatisfy { $0.isFinite && $0 >= 0 }
                })
            else {
                throw QuernError(
                    .invalidInput, "it has a cost that is no number of at least 0", at: name, remedy: "Measure again")
            }
            return file
        } catch let error as DecodingError {
            throw QuernError(
                .invalidInput, error.explanation, at: name, remedy: "Give a file that quern sensitivity wrote")
        }
    }
}
