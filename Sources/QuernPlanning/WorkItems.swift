import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// A target that can be made: its layout, and for each tensor of the artifact's order its encoding.
struct PlannedTarget {
    let target: String
    let layout: ArtifactLayout
    let tensors: [PlannedTensor]
    let outputs: [EncodeOutput]
}

/// All work items of a plan and the blobs they refer to.
struct WorkItems {
    private(set) var items: [PlannedItem] = []
    private(set) var blobs: [Digest: [UInt8]] = [:]

    /// What one worker needs beside the tensors it holds: buffers for reading, for small blobs, for messages.
    private static let buffers: Int64 = 8 << 20

    /// - Parameters:
    ///   - encodings: one for every tensor, in the order of the artifacts.
    ///   - evaluation: makes the items of an evaluation of artifacts, the first with the ordinal given; nil for none.
    ///   - recipe: as resolved, without a path.
    init(
        source: SourceModel, calibration: CalibrationItems?,
        evaluation: (([EvaluateWork.Candidate], Int) throws -> EvaluationItems)?, targets: [PlannedTarget],
        encodings: [TensorEncodings],
        cutter: SpanCutter, recipe: Recipe, statistics: Digest?
    ) throws {
        var encodings = encodings
        for target in targets {
            for file in target.layout.files {
                let artifact = PlannedArtifact.File(name: file.name, bytes: file.size)
                for placement in file.tensors {
                    encodings[placement.tensor].add(
                        TensorEncodings.Place(file: artifact, offset: placement.offset),
                        of: target.outputs[placement.tensor])
                }
            }
        }
        var sources: [SourceReference] = []
        // Without targets there is nothing to say about the source, and nothing to encode.
        for file in targets.isEmpty ? [] : source.files {
            sources.append(SourceReference(name: file.name, ordinal: items.count))
            items.append(
                PlannedItem(
                    payload: .digest(DigestWork(file: file)), cost: Int64(clamping: max(file.size, 1)),
                    memory: Self.buffers, label: "hash \(file.name)"))
        }
        items += calibration?.items ?? []
        let encode = try EncodeItems(
            targets.isEmpty ? [] : encodings, files: source.files, cutter: cutter, firstOrdinal: items.count)
        items += encode.items
        var artifacts: [ArtifactReference] = []
        for target in targets {
            var ordinals: [Int] = []
            for file in target.layout.files {
                ordinals.append(items.count)
                items.append(
                    assemble(file, of: target, merged: calibration?.merged, encodings: encodings, encode: encode))
            }
            artifacts.append(ArtifactReference(target: target.target, files: ordinals))
        }
        let judged = try evaluation?(
            artifacts.map { EvaluateWork.Candidate(target: $0.target, files: $0.files) }, items.count)
        items += judged?.items ?? []
        let work = PublishWork(
            recipe: try Self.json(recipe), encoder: EncoderVersion.reference, statistics: statistics,
            merged: calibration?.merged, sources: sources, artifacts: artifacts,
            evaluation: judged?.reference)
        items.append(
            PlannedItem(
                payload: .publish(work), cost: 1, memory: Self.buffers + (judged?.reference.memory ?? 0),
                dependencies: sources.map(\.ordinal) + (calibration.map { [$0.merged] } ?? [])
                    + artifacts.flatMap(\.files) + (judged?.reference.groups ?? []), label: "manifest"))
    }

    private mutating func assemble(
        _ file: ArtifactLayout.File, of target: PlannedTarget, merged: Int?, encodings: [TensorEncodings],
        encode: EncodeItems
    ) -> PlannedItem {
        let header = stride(from: 0, to: file.header.count, by: maximumBlobBytes).map { start in
            let bytes = Array(file.header[start..<min(start + maximumBlobBytes, file.header.count)])
            let digest = Digest(of: bytes)
            blobs[digest] = bytes
            return digest
        }
        var needed: Set<Int> = []
        let placements = file.tensors.map { placement in
            let tensor = target.tensors[placement.tensor]
            let output = encodings[placement.tensor].index(of: target.outputs[placement.tensor])
            let parts = output.map { encode.parts[placement.tensor][$0] } ?? []
            for part in parts { needed.insert(part.ordinal) }
            return TensorPlacement(
                name: tensor.name, shape: tensor.shape, type: tensor.type, offset: placement.offset,
                bytes: tensor.bytes, parts: parts)
        }
        var patches: [HeaderPatch] = []
        if let merged, let offset = file.openValue {
            patches.append(HeaderPatch(offset: UInt64(offset), item: merged))
            needed.insert(merged)
        }
        let work = AssembleWork(
            target: target.target, file: file.name, size: file.size, header: header, patches: patches,
            tensors: placements)
        let largestHeader = min(file.header.count, maximumBlobBytes)
        return PlannedItem(
            payload: .assemble(work), cost: Int64(clamping: file.size),
            memory: Self.buffers + 2 * Int64(max(encode.largestPart, largestHeader)), dependencies: needed.sorted(),
            label: "assemble \(file.name)")
    }

    private static func json(_ recipe: Recipe) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(recipe), as: UTF8.self)
    }
}
