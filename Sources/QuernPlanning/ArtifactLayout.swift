import QuernFormats
import QuernJobs

/// A GGUF artifact to the byte: its files, their headers, and where every tensor lies.
struct ArtifactLayout: Sendable {
    struct File: Sendable {
        let name: String
        let size: UInt64
        /// Metadata and tensor directory, padded to where tensor data begin.
        let header: [UInt8]
        /// Where in the header the value of the open key stands, if it is there.
        let openValue: Int?
        let tensors: [Placement]
    }

    /// A tensor by its index in the artifact's order, and its place from the start of the file.
    struct Placement: Sendable, Equatable {
        let tensor: Int
        let offset: UInt64
    }

    let files: [File]
    /// What tensors are padded to.
    let alignment: UInt64

    /// - Parameters:
    ///   - stem: the file name without `.gguf`.
    ///   - openKey: a key whose value is to be written later.
    ///   - tensors: in the order of the artifact.
    ///   - types: theirs.
    ///   - limits: where to begin another file; a tensor that is larger than `maxBytes` has one to itself.
    ///   - sourceFiles: for each tensor the source file that holds it, ascending, to be kept apart; nil where the limits
    ///     decide.
    init(
        stem: String, metadata: [(key: String, value: GGUFValue)], openKey: String? = nil, tensors: [PlannedTensor],
        types: [ElementType], limits: Recipe.SplitLimits?, sourceFiles: [Int]? = nil
    ) throws {
        let alignment = Self.alignment(metadata)
        self.alignment = alignment
        let groups =
            sourceFiles.map(Self.runs)
            // As llama-gguf-split cuts: sizes count padded tensor bytes only.
            ?? (limits ?? Recipe.SplitLimits()).runs(of: tensors.map { Self.pad($0.bytes, to: alignment) })
        guard let count = UInt16(exactly: groups.count) else {
            throw QuernError(
                .usage, "the split limits ask for \(groups.count) files, and a set has at most \(UInt16.max)",
                remedy: "Raise max_size or max_tensors")
        }
        // Files after the first hold nothing but what is needed to read them.
        let shared = metadata.filter { $0.key == Self.alignmentKey }
        files = groups.enumerated().map { number, group in
            var entries = number == 0 ? metadata : shared
            var name = "\(stem).gguf"
            if count > 1 {
                // llama-gguf-split has the count of files last, llama-quantize in the middle.
                let split: [(key: String, value: GGUFValue)] = [
                    ("split.no", .uint16(UInt16(number))),
                    ("split.tensors.count", .int32(Int32(clamping: tensors.count))),
                    ("split.count", .uint16(count)),
                ]
                entries += sourceFiles == nil ? split : [split[0], split[2], split[1]]
                name = GGUFSplitName(prefix: stem, number: number + 1, count: groups.count).fileName
            }
            return Self.file(
                name: name, metadata: entries, openKey: openKey, tensors: tensors, types: types, group: group,
                alignment: alignment)
        }
    }

    private static func file(
        name: String, metadata: [(key: String, value: GGUFValue)], openKey: String?, tensors: [PlannedTensor],
        types: [ElementType], group: Range<Int>, alignment: UInt64
    ) -> File {
        var offset: UInt64 = 0
        var placements: [Placement] = []
        var directory: [GGUFTensorInfo] = []
        for index in group {
            let tensor = tensors[index]
            placements.append(Placement(tensor: index, offset: offset))
            directory.append(
                GGUFTensorInfo(name: tensor.name, shape: tensor.shape, type: types[index], offset: offset))
            offset += pad(tensor.bytes, to: alignment)
        }
        let header = GGUFHeaderWriter.bytes(metadata: metadata, tensors: directory, alignment: Int(alignment))
        let start = UInt64(header.count)
        return File(
            name: name, size: start + offset, header: header,
            openValue: openKey.flatMap { GGUFHeaderWriter.valueOffset(of: $0, in: metadata) },
            tensors: placements.map { Placement(tensor: $0.tensor, offset: start + $0.offset) })
    }

    /// Runs of equal numbers.
    private static func runs(_ files: [Int]) -> [Range<Int>] {
        var groups: [Range<Int>] = []
        var start = 0
        for index in files.indices.dropFirst() where files[index] != files[index - 1] {
            groups.append(start..<index)
            start = index
        }
        groups.append(start..<files.count)
        return groups
    }

    private static let alignmentKey = "general.alignment"

    private static func alignment(_ metadata: [(key: String, value: GGUFValue)]) -> UInt64 {
        guard case .uint32(let value)? = metadata.first(where: { $0.key == alignmentKey })?.value, value >= 8,
            value & (value - 1) == 0
        else { return UInt64(GGUFHeader.defaultAlignment) }
        return UInt64(value)
    }

    static func pad(_ bytes: UInt64, to alignment: UInt64) -> UInt64 {
        (bytes + alignment - 1) / alignment * alignment
    }
}
