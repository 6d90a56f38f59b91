import Foundation
import QuernFormats
import QuernKernels
import QuernModel
import QuernStore
import TestSupport
import Testing

/// Any bytes of the values of a quantized matrix can be read, wherever rows, blocks and words of zero points end.
@Suite struct DequantizedSourceTests {
    static let formats =
        ([
            .packed(bits: 4, group: 32, isSymmetric: true), .packed(bits: 4, group: 32, isSymmetric: false),
            .packed(bits: 8, group: 32, isSymmetric: false), .packed(bits: 4, group: nil, isSymmetric: true), .integer,
            .float, .floatBlocks, .nvfp4, .mxfp4,
        ] as [WeightFormat]).map { WeightStorage($0) } + [
            WeightStorage(.packed(bits: 4, group: 32, isSymmetric: false), layout: .awq),
            WeightStorage(.packed(bits: 4, group: 32, isSymmetric: true), layout: .gptq),
            WeightStorage(.packed(bits: 8, group: nil, isSymmetric: true), layout: .gptq),
            WeightStorage(.nf4, layout: .bitsandbytes), WeightStorage(.absmax8, layout: .bitsandbytes),
        ]

    private struct Stored {
        let folder: TemporaryFolder
        let files: SourceFiles
        let matrix: QuantizedMatrix
        let values: [Float]
    }

    /// A matrix of random weights, its components one after the other in a file.
    private func stored(
        _ storage: WeightStorage, rows: Int, columns: Int, values type: SafetensorsType = .f32
    ) throws -> Stored {
        var random = SeededGenerator(seed: UInt64(rows * columns))
        let weights = (0..<rows * columns).map { _ in Float.random(in: -2...2, using: &random) }
        let (numbers, source) = (storage.numbers, storage.scaleType(source: .f32))
        let global: Float? = numbers == .nvfp4 ? 300 : nil
        let rounded = ReferenceWeights.quantize(
            numbers, source: source, rows: weights, columns: columns, globalScale: global)
        var components = Kernels.stored(storage, rounded, rows: rows, columns: columns, offset: 0.5)
        let values = ReferenceWeights.dequantize(
            numbers, source: source,
            components: Kernels.numbers(storage, components, rows: rows, columns: columns, offset: 0.5), rows: rows,
            columns: columns, globalScale: global)
        components[.shape] = [rows, columns].flatMap { QuantizedCheckpoint.bytes(UInt64($0), 8) }
        components[.globalScale] = global.map { QuantizedCheckpoint.bytes($0.bitPattern, 4) }
        let folder = try TemporaryFolder()
        var (bytes, parts): ([UInt8], [QuantizedMatrix.Part]) = ([1, 2, 3], [])
        for component in storage.readComponents {
            parts.append(.init(component, file: 0, offset: UInt64(bytes.count)))
            bytes += components[component] ?? []
        }
        let file = try FileByteSource(path: folder.write(bytes, to: "weights"))
        let files = SourceFiles([
            SourceFile(path: file.name, name: "weights", size: file.size, modified: file.modified)
        ])
        let matrix = try QuantizedMatrix(
            layer: "x", storage: storage, scaleType: source, rows: rows, columns: columns, valueType: type,
            offset: storage.numbers == .nf4 ? 0.5 : 0, parts: parts)
        return Stored(folder: folder, files: files, matrix: matrix, values: values)
    }

    @Test(arguments: formats, [(131, 96), (300, 32), (3, 70_016), (304, 128), (8, 70_016), (264, 192)])
    func anyPartCanBeRead(format: WeightStorage, shape: (rows: Int, columns: Int)) throws {
        guard format.fits(rows: shape.rows, columns: shape.columns) else { return }
        let stored = try stored(format, rows: shape.rows, columns: shape.columns)
        let source = try DequantizedSource(stored.matrix, files: stored.files)
        let expected = stored.values.flatMap { QuantizedCheckpoint.bytes($0.bitPattern, 4) }
        #expect(try source.bytes(at: 0, count: expected.count) == expected)
        var random = SeededGenerator(seed: 3)
        for index in 0..<60 {
            let start = Int.random(in: 0..<expected.count, using: &random)
            let most = index % 2 == 0 ? 9 * shape.columns : 300 * shape.columns
            let count = Int.random(in: 0...min(most, expected.count - start), using: &random)
            #expect(
                try source.bytes(at: UInt64(start), count: count) == Array(expected[start..<start + count]),
                "\(count) bytes at \(start)")
        }
        for row in 0..<shape.rows {
            let start = 4 * row * shape.columns
            #expect(
                try source.bytes(at: UInt64(start), count: 4 * shape.columns)
                    == Array(expected[start..<start + 4 * shape.columns]), "row \(row)")
        }
        #expect(throws: QuernError.self) { try source.bytes(at: UInt64(expected.count) - 3, count: 4) }
    }

    @Test func valuesMayBeRounded() throws {
        let stored = try stored(
            WeightStorage(.packed(bits: 8, group: 32, isSymmetric: true)), rows: 5, columns: 64, values: .f16)
        let source = try DequantizedSource(stored.matrix, files: stored.files)
        let expected = stored.values.flatMap { QuantizedCheckpoint.bytes(Float16($0).bitPattern, 2) }
        #expect(try source.bytes(at: 0, count: expected.count) == expected)
        #expect(try source.bytes(at: 131, count: 200) == Array(expected[131..<331]))
    }

    /// A work item may have been made for other files.
    @Test(arguments: formats) func partsBeyondTheFileAreRefused(format: WeightStorage) throws {
        let stored = try stored(format, rows: 8, columns: 64)
        for offset: UInt64 in [4000, .max - 3] {
            var parts = stored.matrix.parts
            let last = parts.removeLast()
            parts.append(QuantizedMatrix.Part(last.component, file: last.file, offset: offset))
            let moved = try QuantizedMatrix(
                layer: "x", storage: format, scaleType: .f32, rows: 8, columns: 64, parts: parts)
            let error = try #require(throws: QuernError.self) {
                try DequantizedSource(moved, files: stored.files)
            }
            #expect(error.message.contains("beyond the end"))
        }
    }

    @Test(arguments: formats) func matricesTravel(format: WeightStorage) throws {
        let matrix = try stored(format, rows: 8, columns: 64, values: .bf16).matrix
        let extent = Extent(origin: .weights(matrix), offset: 3, length: 5)
        let bytes = try JSONEncoder().encode(extent)
        #expect(try JSONDecoder().decode(Extent.self, from: bytes) == extent)
        // What no matrix can be is refused on arrival.
        let text = String(decoding: bytes, as: UTF8.self)
        for (right, wrong) in [
            ("\"rows\":8", "\"rows\":0"), ("\"rows\":8", "\"rows\":4611686018427387904"),
            ("\"scaleType\":\"F", "\"scaleType\":\"U"), ("\"valueType\":\"BF16\"", "\"valueType\":\"I8\""),
            ("\"\(format.readComponents.last?.rawValue ?? "")\"", "\"weight_global_scale\""),
        ] {
            #expect(throws: (any Error).self, "\(wrong)") {
                try JSONDecoder().decode(Extent.self, from: Data(text.replacing(right, with: wrong).utf8))
            }
        }
    }
}
