import QuernFormats
import QuernJobs

/// The key-values of an artifact.
enum ArtifactMetadata {
    /// Version of the block layouts, as llama.cpp counts them.
    private static let quantizationVersion: UInt32 = 2

    /// What goes into metadata about the statistics.
    struct Statistics {
        /// Base name of the importance matrix file; its folder is nobody's business.
        let file: String
        /// Base name of the text it was made from, where that is known.
        let dataset: String?
        let entries: Int
        /// Chunks of text; 0 where a file does not say.
        let chunks: Int

        /// What stands for the number of chunks until it is known.
        static let unknownChunks = Int(UInt32.max)

        /// - Returns: nil where nothing is encoded with importance.
        init?(_ origin: ImportanceVectors.Origin, _ recipe: Recipe, name: String) {
            switch origin {
            case .none: return nil
            case .matrix(let matrix):
                guard let path = recipe.imatrix, !matrix.entries.isEmpty else { return nil }
                file = Planner.baseName(path)
                dataset = matrix.datasets.first
                entries = matrix.entries.count
                chunks = matrix.chunkCount
            case .calibration(let values, _):
                guard let text = recipe.calibration?.text, !values.isEmpty else { return nil }
                file = Recipe.Calibration.fileName(of: name)
                dataset = Planner.baseName(text)
                entries = values.count
                chunks = Self.unknownChunks
            }
        }
    }

    /// The number of chunks of text behind an importance matrix.
    static let chunksKey = "quantize.imatrix.chunks_count"

    /// Which encoder made the tensors, where it is not llama.cpp's.
    private static let encoderKey = "quantize.encoder"

    /// The size for which types were chosen, where it was no preset that chose them.
    private static let goalKey = "quantize.types"

    /// The source's key-values with those that a preset changes.
    ///
    /// llama-quantize moves the keys it sets to the end, so a quantized artifact of a converted checkpoint has the
    /// order of the converted file that was quantized. An artifact in a plain type is the converted file itself:
    /// there they keep their place.
    /// - Parameters:
    ///   - encoder: that made its tensors.
    ///   - goal: the size for which types were chosen; nil for those of a preset.
    ///   - overrides: what a user wants to stand there.
    ///   - blockCount: of the artifact, where it is not the source's.
    static func make(
        source: SourceModel, preset: Preset, statistics: Statistics?, encoder: Recipe.BlockEncoder = .reference,
        goal: String? = nil, overrides: [MetadataOverride] = [], blockCount: Int? = nil
    ) -> [(key: String, value: GGUFValue)] {
        let staysInPlace = source.isConverted && !preset.baseType.isQuantized
        // A conversion that takes over experts in MXFP4 is of that type, whatever the rest has.
        let fileType = staysInPlace && source.tensors.contains { $0.fixedType == .mxfp4 } ? .mxfp4_moe : preset
        let changes: [(key: String, value: GGUFValue)] = [
            ("general.quantization_version", .uint32(quantizationVersion)),
            ("general.file_type", .uint32(fileType.rawValue)),
        ]
        var metadata = source.metadata.filter { !$0.key.hasPrefix("split.") }
        let blocks =
            blockCount.map { [(key: source.blockCountKey, value: GGUFValue.uint32(UInt32(clamping: $0)))] } ?? []
        var own: [(key: String, value: GGUFValue)] = []
        if encoder != .reference { own.append((encoderKey, .string(GGUFString("quern \(encoder.version)")))) }
        if let goal { own.append((goalKey, .string(GGUFString("measured, for \(goal)")))) }
        for change in changes + overrides.map(\.entry) + entries(statistics) + own + blocks {
            if let place = metadata.firstIndex(where: { $0.key == change.key }) {
                if staysInPlace {
                    metadata[place] = change
                    continue
                }
                metadata.remove(at: place)
            }
            metadata.append(change)
        }
        return metadata
    }

    private static func entries(_ statistics: Statistics?) -> [(key: String, value: GGUFValue)] {
        guard let statistics else { return [] }
        var entries: [(key: String, value: GGUFValue)] = [
            ("quantize.imatrix.file", .string(GGUFString(statistics.file)))
        ]
        if let dataset = statistics.dataset {
            entries.append(("quantize.imatrix.dataset", .string(GGUFString(dataset))))
        }
        entries.append(("quantize.imatrix.entries_count", .uint32(UInt32(clamping: statistics.entries))))
        if statistics.chunks > 0 { entries.append((chunksKey, .uint32(UInt32(clamping: statistics.chunks)))) }
        return entries
    }
}

extension MetadataOverride {
    fileprivate var entry: (key: String, value: GGUFValue) {
        switch value {
        case .int(let value): (key, .uint32(value))
        case .float(let value): (key, .float32(value))
        case .bool(let value): (key, .bool(value))
        case .string(let value): (key, .string(GGUFString(value)))
        }
    }
}

extension [MetadataOverride] {
    /// Keys that follow from the artifact itself.
    private static let reserved: Set<String> = [
        "general.architecture", "general.alignment", "general.file_type", "general.quantization_version",
    ]

    /// - Throws: `QuernError` `.usage` for keys that nobody may choose.
    func validate() throws {
        for key in map(\.key) where Self.reserved.contains(key) || key.hasPrefix("split.") {
            throw QuernError(
                .usage, "the key '\(key)' follows from the artifact and cannot be overridden", at: "override_kv",
                remedy: "Leave it out")
        }
    }

    /// `metadata` with the overrides, as far as mixture rules look at it.
    func applied(to metadata: [(key: String, value: GGUFValue)]) -> [(key: String, value: GGUFValue)] {
        metadata.filter { entry in !contains { $0.key == entry.key } } + map(\.entry)
    }
}

extension SourceModel {
    /// Whether it is a checkpoint in another format than GGUF.
    var isConverted: Bool { !files.allSatisfy { $0.name.lowercased().hasSuffix(".gguf") } }
}
