import Foundation
import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// A whole little job, planned by hand: a source of two matrices, cut into spans, encoded to two targets, of which one
/// is split into two files.
struct Pipeline {
    let items: [PlannedItem]
    let source: SourceFile
    /// Contents of the artifacts as they must come out, by name.
    let expected: [String: [UInt8]]
    /// Digests of the headers.
    let headers: [Digest]

    static let columns = 256
    static let rows = [40, 24]
    static let rowsPerSpan = 8
    static let names = ["blk.0.ffn_up.weight", "output.weight"]
    static let encodeItems = 8

    init(_ bench: Workbench, blobs: any BlobStore) async throws {
        let columns = Self.columns
        let stored = Self.rows.enumerated().map { index, rows in
            [Float].noise(rows * columns, seed: UInt64(100 + index)).stored(as: .f16, columns: columns)
        }
        source = try bench.source(stored.flatMap { $0 }, name: "model.gguf")
        var items = [
            PlannedItem(payload: .digest(DigestWork(file: source)), cost: 1, memory: 1, label: "digest")
        ]
        let types: [[ElementType]] = [[.q4_K, .q6_K], [.q8_0, .q8_0]]
        var ordinals: [[Int]] = []
        var offset: UInt64 = 0
        for (tensor, rows) in Self.rows.enumerated() {
            var mine: [Int] = []
            for first in stride(from: 0, to: rows, by: Self.rowsPerSpan) {
                let bytes = UInt64(Self.rowsPerSpan * columns * 2)
                let span = Span(
                    tensor: Self.names[tensor], extents: [Extent(origin: .file(0), offset: offset, length: bytes)],
                    sourceType: .f16, columns: columns, rows: Self.rowsPerSpan, firstRow: first,
                    outputs: types.map { EncodeOutput(type: $0[tensor]) })
                mine.append(items.count)
                items.append(
                    PlannedItem(
                        payload: .encode(EncodeWork(files: [source], spans: [span], encoder: "test-1")), cost: 1,
                        memory: 1, label: "encode"))
                offset += bytes
            }
            ordinals.append(mine)
        }

        // For each encode item and target, the place of its part.
        var partPlaces: [[(file: PlannedArtifact.File, offset: UInt64)]] = Array(repeating: [], count: items.count)
        var expected: [String: [UInt8]] = [:]
        var headers: [Digest] = []
        var assembled: [[Int]] = []
        for (target, name) in ["Q4_K_M", "Q8_0"].enumerated() {
            let groups = target == 0 ? [[0, 1]] : [[0], [1]]
            var mine: [Int] = []
            for (number, group) in groups.enumerated() {
                var metadata: [(key: String, value: GGUFValue)] = [("general.architecture", .string("llama"))]
                if groups.count > 1 {
                    metadata += [
                        ("split.no", .uint16(UInt16(number))), ("split.count", .uint16(UInt16(groups.count))),
                        ("split.tensors.count", .int32(2)),
                    ]
                }
                var infos: [GGUFTensorInfo] = []
                var data: [UInt8] = []
                var places: [(tensor: Int, offset: Int, bytes: [UInt8])] = []
                for tensor in group {
                    let type = types[target][tensor]
                    let bytes = ElementType.f16.values(stored[tensor]).stored(as: type, columns: columns)
                    infos.append(
                        GGUFTensorInfo(
                            name: Self.names[tensor], shape: [columns, Self.rows[tensor]], type: type,
                            offset: UInt64(data.count)))
                    places.append((tensor, data.count, bytes))
                    data += bytes + [UInt8](repeating: 0, count: -bytes.count & 31)
                }
                let header = GGUFHeaderWriter.bytes(metadata: metadata, tensors: infos)
                // Two blobs, as a large header has several.
                let pieces = [Array(header[..<50]), Array(header[50...])]
                var digests: [Digest] = []
                for piece in pieces { digests.append(try await blobs.put(piece)) }
                headers += digests
                let file = groups.count == 1 ? "m-\(name).gguf" : "m-\(name)-0000\(number + 1)-of-00002.gguf"
                expected[file] = header + data
                let placements = zip(infos, places).map { info, place in
                    TensorPlacement(
                        name: info.name, shape: info.shape, type: .element(info.type),
                        offset: UInt64(header.count + place.offset), bytes: UInt64(place.bytes.count),
                        parts: ordinals[place.tensor].map { PartReference(ordinal: $0, index: target) })
                }
                let planned = PlannedArtifact.File(name: file, bytes: UInt64(header.count + data.count))
                for part in partOffsets(in: placements) { partPlaces[part.ordinal].append((planned, part.offset)) }
                mine.append(items.count)
                items.append(
                    PlannedItem(
                        payload: .assemble(
                            AssembleWork(
                                target: name, file: file, size: UInt64(header.count + data.count), header: digests,
                                tensors: placements)),
                        cost: 1, memory: 1, dependencies: group.flatMap { ordinals[$0] }, label: "assemble"))
            }
            assembled.append(mine)
        }
        for (ordinal, places) in partPlaces.enumerated() { items[ordinal] = items[ordinal].placed(places) }
        items.append(
            PlannedItem(
                payload: .publish(
                    PublishWork(
                        recipe: #"{"name":"m","source":"model.gguf","targets":[{"gguf":"Q4_K_M"},{"gguf":"Q8_0"}]}"#,
                        encoder: "test-1", statistics: nil,
                        sources: [SourceReference(name: "model.gguf", ordinal: 0)],
                        artifacts: zip(["Q4_K_M", "Q8_0"], assembled).map {
                            ArtifactReference(target: $0, files: $1)
                        })),
                cost: 1, memory: 1, dependencies: [0] + assembled.flatMap { $0 }, label: "publish"))
        self.items = items
        self.expected = expected
        self.headers = headers
    }
}

/// Where the parts of tensors begin; all parts of a tensor are of one size.
private func partOffsets(in tensors: [TensorPlacement]) -> [(ordinal: Int, offset: UInt64)] {
    tensors.flatMap { tensor in
        tensor.parts.enumerated().map {
            ($1.ordinal, tensor.offset + tensor.bytes / UInt64(tensor.parts.count) * UInt64($0))
        }
    }
}

extension PlannedItem {
    /// An encode item of one span whose outputs know their places, one each.
    fileprivate func placed(_ places: [(file: PlannedArtifact.File, offset: UInt64)]) -> PlannedItem {
        guard case .encode(let work) = payload, let span = work.spans.first else { return self }
        let outputs = zip(span.outputs, places.indices).map {
            EncodeOutput(encoding: $0.encoding, places: [PartPlace(file: $1, offset: places[$1].offset)])
        }
        let placed = Span(
            tensor: span.tensor, extents: span.extents, sourceType: span.sourceType, columns: span.columns,
            rows: span.rows, firstRow: span.firstRow, outputs: outputs)
        return PlannedItem(
            payload: .encode(
                EncodeWork(
                    files: work.files, artifacts: places.map(\.file), spans: [placed], encoder: work.encoder)),
            cost: cost, memory: memory, dependencies: dependencies, label: label)
    }
}

/// The files of a folder with their contents; none where there is no such folder.
func contents(of folder: String) throws -> [String: [UInt8]] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return Dictionary(
        uniqueKeysWithValues: try names.map {
            ($0, [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))))
        })
}
