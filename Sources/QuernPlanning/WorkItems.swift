import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// A target that can be made: its files, to the byte.
struct PlannedTarget {
    let target: String
    let files: [PlannedFile]
}

/// A file of an artifact: its first bytes, and what comes after them.
struct PlannedFile {
    let name: String
    let size: UInt64
    let header: [UInt8]
    /// Where in the header the number of chunks of a calibration belongs.
    var openValue: Int?
    /// In ascending order of offset.
    var tensors: [Placed] = []

    struct Placed {
        let name: String
        /// In the order of the artifact's format.
        let shape: [Int]
        let type: TensorType
        /// As `TensorPlacement.weights`.
        var weights: Int?
        let bytes: UInt64
        let offset: UInt64
        /// Which of the plan's encodings makes it, and in which form; nil where there is nothing to make.
        let encoding: (tensor: Int, output: EncodeOutput)?
    }
}

/// All work items of a plan and the blobs they refer to.
struct WorkItems {
    private(set) var items: [PlannedItem] = []
    private(set) var blobs: [Digest: [UInt8]] = [:]

    /// What one worker needs beside the tensors it holds: buffers for reading, for small blobs, for messages.
    private static let buffers: Int64 = 8 << 20

    /// - Parameters:
    ///   - encodings: one for every tensor, in the order of the artifacts.
    ///   - findings: what comes between calibration and encoding.
    ///   - collect: ordinal of the one that knows what tensors cost; nil where nobody asks.
    ///   - evaluation: makes the items of an evaluation of artifacts, the first with the ordinal given; nil for none.
    ///   - recipe: as resolved, without a path.
    ///   - choice: how types were chosen, for the report.
    init(
        files: [SourceFile], calibration: CalibrationItems?, findings: [PlannedItem], collect: Int?,
        evaluation: (([EvaluateWork.Candidate], Int) throws -> EvaluationItems)?, targets: [PlannedTarget],
        encodings: [TensorEncodings],
        cutter: SpanCutter, recipe: Recipe, statistics: Digest?, choice: TypeChoice?
    ) throws {
        var encodings = encodings
        for target in targets {
            for file in target.files {
                let artifact = PlannedArtifact.File(name: file.name, bytes: file.size)
                for placed in file.tensors {
                    guard let encoding = placed.encoding else { continue }
                    encodings[encoding.tensor].add(
                        TensorEncodings.Place(file: artifact, offset: placed.offset), of: encoding.output)
                }
            }
        }
        var sources: [SourceReference] = []
        // Without targets there is nothing to say about the source, and nothing to encode.
        for file in targets.isEmpty ? [] : files {
            sources.append(SourceReference(name: file.name, ordinal: items.count))
            items.append(
                PlannedItem(
                    payload: .digest(DigestWork(file: file)),
                    cost: file.knownDigest == nil ? Int64(clamping: max(file.size, 1)) : 1,
                    memory: Self.buffers, label: "hash \(file.name)"))
        }
        items += calibration?.items ?? []
        items += findings
        let encode = try EncodeItems(
            targets.isEmpty ? [] : encodings, files: files, cutter: cutter, firstOrdinal: items.count)
        items += encode.items
        var artifacts: [ArtifactReference] = []
        for target in targets {
            var ordinals: [Int] = []
            for file in target.files {
                ordinals.append(items.count)
                items.append(
                    assemble(file, of: target.target, merged: calibration?.merged, encodings: encodings, encode: encode)
                )
            }
            artifacts.append(ArtifactReference(target: target.target, files: ordinals))
        }
        let judged = try evaluation?(
            artifacts.map { EvaluateWork.Candidate(target: $0.target, files: $0.files) }, items.count)
        items += judged?.items ?? []
        let work = PublishWork(
            recipe: try Self.json(recipe), encoder: (recipe.encoder ?? .reference).version, statistics: statistics,
            merged: calibration?.merged, costs: collect, sources: sources, artifacts: artifacts,
            evaluation: judged?.reference, choice: choice)
        items.append(
            PlannedItem(
                payload: .publish(work), cost: 1, memory: Self.buffers + (judged?.reference.memory ?? 0),
                dependencies: sources.map(\.ordinal) + (calibration.map { [$0.merged] } ?? [])
                    + (collect.map { [$0] } ?? []) + artifacts.flatMap(\.files) + (judged?.reference.groups ?? []),
                label: "manifest"))
    }

    private mutating func assemble(
        _ file: PlannedFile, of target: String, merged: Int?, encodings: [TensorEncodings],
        encode: EncodeItems
    ) -> PlannedItem {
        let header = stride(from: 0, to: file.header.count, by: maximumBlobBytes).map { start in
            let bytes = Array(file.header[start..<min(start + maximumBlobBytes, file.header.count)])
            let digest = Digest(of: bytes)
            blobs[digest] = bytes
            return digest
        }
        var needed: Set<Int> = []
        let placements = file.tensors.map { placed in
            let parts =
                placed.encoding.flatMap { tensor, output in
                    encodings[tensor].index(of: output).map { encode.parts[tensor][$0] }
                } ?? []
            let lines = placed.encoding.flatMap { tensor, output in
                output.encoding.lines(columns: encodings[tensor].tensor.columns)
            }
            for part in parts { needed.insert(part.ordinal) }
            return TensorPlacement(
                name: placed.name, shape: placed.shape, type: placed.type, weights: placed.weights,
                offset: placed.offset, bytes: placed.bytes, lines: lines, parts: parts)
        }
        var patches: [HeaderPatch] = []
        if let merged, let offset = file.openValue {
            patches.append(HeaderPatch(offset: UInt64(offset), item: merged))
            needed.insert(merged)
        }
        let work = AssembleWork(
            target: target, file: file.name, size: file.size, header: header, patches: patches,
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
