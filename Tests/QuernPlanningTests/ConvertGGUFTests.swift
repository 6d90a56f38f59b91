import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// GGUF files as sources, whatever their architecture.
@Suite struct ConvertGGUFTests {
    private static let metadata: [(key: String, value: GGUFValue)] = [
        ("zebra.first", .bool(true)), ("general.architecture", "quagga".asValue), ("general.file_type", .uint32(15)),
        ("quagga.list", .array(.uint32([3, 1, 2]))), ("general.name", "Q".asValue),
    ]

    /// Writes a file whose tensor data are zeros.
    private static func write(
        _ name: String, in folder: TemporaryFolder, metadata: [(key: String, value: GGUFValue)],
        tensors: [(name: String, shape: [Int], type: ElementType)]
    ) throws -> String {
        var infos: [GGUFTensorInfo] = []
        var offset = 0
        for tensor in tensors {
            infos.append(
                GGUFTensorInfo(name: tensor.name, shape: tensor.shape, type: tensor.type, offset: UInt64(offset)))
            let bytes = try #require(tensor.type.bytes(elements: tensor.shape.reduce(1, *)))
            offset += (bytes + 31) / 32 * 32
        }
        let header = GGUFHeaderWriter.bytes(metadata: metadata, tensors: infos)
        return try folder.write(header + [UInt8](repeating: 0, count: offset), to: name)
    }

    @Test func anyArchitectureKeepsKeysAndTypes() throws {
        let folder = try TemporaryFolder()
        let path = try Self.write(
            "herd.gguf", in: folder, metadata: Self.metadata,
            tensors: [("norm", [256], .f32), ("blk.0.odd_name.weight", [256, 2], .q4_K), ("x", [4], .f16)])
        let model = try SourceModel.open(path: path)
        #expect(model.name == "herd")
        #expect(model.architecture == "quagga")
        #expect(model.metadata.map(\.key) == Self.metadata.map(\.key))
        #expect(model["quagga.list"] == .array(.uint32([3, 1, 2])))
        #expect(model.tensors.map(\.name) == ["norm", "blk.0.odd_name.weight", "x"])
        #expect(model.tensors.map(\.type) == [.f32, .q4_K, .f16])
        #expect(model.tensors.allSatisfy { $0.fixedType == nil && $0.extents.allSatisfy { $0.strides == nil } })
        let data = model.files[0].size - 1024 - 288 - 32
        #expect(
            model.tensors.map { $0.extents } == [
                [Extent(origin: .file(0), offset: data, length: 1024)],
                [Extent(origin: .file(0), offset: data + 1024, length: 288)],
                [Extent(origin: .file(0), offset: data + 1312, length: 8)],
            ])
    }

    @Test(arguments: [1, 2])
    func splitSetIsOneSource(opened: Int) throws {
        let folder = try TemporaryFolder()
        func split(_ number: UInt16) -> [(key: String, value: GGUFValue)] {
            [("split.no", .uint16(number)), ("split.count", .uint16(2)), ("split.tensors.count", .int32(2))]
        }
        var paths = [
            try Self.write(
                "herd-00001-of-00002.gguf", in: folder, metadata: Self.metadata + split(0),
                tensors: [("a", [32], .q8_0)])
        ]
        paths.append(
            try Self.write(
                "herd-00002-of-00002.gguf", in: folder, metadata: split(1), tensors: [("b", [32, 2], .f32)]))
        let model = try SourceModel.open(path: paths[opened - 1])
        #expect(model.name == "herd")
        #expect(model.metadata.map(\.key) == Self.metadata.map(\.key))
        #expect(model.files.map(\.name) == ["herd-00001-of-00002.gguf", "herd-00002-of-00002.gguf"])
        #expect(model.tensors.map { $0.extents[0].origin } == [.file(0), .file(1)])
    }

    @Test func architectureIsNeeded() throws {
        let folder = try TemporaryFolder()
        let path = try Self.write("m.gguf", in: folder, metadata: [("general.name", "M".asValue)], tensors: [])
        #expect { try SourceModel.open(path: path) } throws: { error in
            (error as? QuernError)?.message.contains("general.architecture") == true
        }
    }

    @Test func otherFilesAreNoSource() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("text", to: "notes.txt")
        #expect { try SourceModel.open(path: path) } throws: { ($0 as? QuernError)?.code == .unsupported }
        #expect { try SourceModel.open(path: folder.path("absent.gguf")) } throws: {
            ($0 as? QuernError)?.code == .notFound
        }
    }
}

extension String {
    fileprivate var asValue: GGUFValue { .string(GGUFString(self)) }
}
