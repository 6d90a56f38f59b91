import QuernFormats

/// The key-values of an artifact.
enum ArtifactMetadata {
    /// Version of the block layouts, as llama.cpp counts them.
    private static let quantizationVersion: UInt32 = 2

    /// What goes into metadata about the statistics.
    struct Statistics {
        /// Base name of the importance matrix file; its folder is nobody's business.
        let file: String
        let matrix: ImportanceMatrix
    }

    /// The source's key-values with those that a preset changes.
    ///
    /// llama-quantize moves the keys it sets to the end, so a quantized artifact of a converted checkpoint has the
    /// order of the converted file that was quantized. An artifact in a plain type is the converted file itself:
    /// there they keep their place.
    static func make(
        source: SourceModel, preset: Preset, statistics: Statistics?
    ) -> [(key: String, value: GGUFValue)] {
        let changes: [(key: String, value: GGUFValue)] = [
            ("general.quantization_version", .uint32(quantizationVersion)),
            ("general.file_type", .uint32(preset.rawValue)),
        ]
        let staysInPlace = source.isConverted && !preset.baseType.isQuantized
        var metadata = source.metadata.filter { !$0.key.hasPrefix("split.") }
        for change in changes + entries(statistics) {
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
        guard let statistics, !statistics.matrix.entries.isEmpty else { return [] }
        var entries: [(key: String, value: GGUFValue)] = [
            ("quantize.imatrix.file", .string(GGUFString(statistics.file)))
        ]
        if let dataset = statistics.matrix.datasets.first {
            entries.append(("quantize.imatrix.dataset", .string(GGUFString(dataset))))
        }
        entries.append(("quantize.imatrix.entries_count", .uint32(UInt32(clamping: statistics.matrix.entries.count))))
        let chunks = statistics.matrix.chunkCount
        if chunks > 0 { entries.append(("quantize.imatrix.chunks_count", .uint32(UInt32(clamping: chunks)))) }
        return entries
    }
}

extension SourceModel {
    /// Whether it is a checkpoint in another format than GGUF.
    var isConverted: Bool { !files.allSatisfy { $0.name.lowercased().hasSuffix(".gguf") } }
}
