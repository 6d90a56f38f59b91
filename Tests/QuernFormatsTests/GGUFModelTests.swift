import QuernFormats
import TestSupport
import Testing

struct GGUFModelTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A file with F32 tensors of eight elements, whose bytes are all `fill`.
    private func write(
        _ name: String, metadata: [(key: String, value: GGUFValue)], tensors: [String], fill: UInt8 = 0
    ) throws {
        let infos = tensors.enumerated().map {
            GGUFTensorInfo(name: $0.element, shape: [8], type: .f32, offset: UInt64(32 * $0.offset))
        }
        let header = GGUFHeaderWriter.bytes(metadata: metadata, tensors: infos)
        try folder.write(header + [UInt8](repeating: fill, count: 32 * tensors.count), to: name)
    }

    private func split(_ number: Int, of count: Int, tensors: Int) -> [(key: String, value: GGUFValue)] {
        [
            ("split.no", .uint16(UInt16(number))), ("split.count", .uint16(UInt16(count))),
            ("split.tensors.count", .int32(Int32(tensors))),
        ]
    }

    private func writeSet() throws {
        try write(
            "m-00001-of-00003.gguf",
            metadata: [("general.architecture", .string("llama"))] + split(0, of: 3, tensors: 3),
            tensors: [])
        try write("m-00002-of-00003.gguf", metadata: split(1, of: 3, tensors: 3), tensors: ["a", "b"], fill: 2)
        try write("m-00003-of-00003.gguf", metadata: split(2, of: 3, tensors: 3), tensors: ["c"], fill: 3)
    }

    @Test func oneFile() throws {
        try write("tiny-Q8_0.gguf", metadata: [("k", .uint8(1))], tensors: ["a"])
        let model = try GGUFModel.open(path: folder.path("tiny-Q8_0.gguf"))
        #expect(model.name == "tiny-Q8_0" && model.files.count == 1)
        #expect(model["k"] == .uint8(1) && model["j"] == nil && model.tensors.map(\.name) == ["a"])
    }

    @Test(arguments: 1...3)
    func anyFileOpensTheSet(number: Int) throws {
        try writeSet()
        let model = try GGUFModel.open(path: folder.path("m-0000\(number)-of-00003.gguf"))
        #expect(
            model.name == "m" && model.files.map(\.name) == (1...3).map { folder.path("m-0000\($0)-of-00003.gguf") })
        #expect(model.metadata.map(\.key) == ["general.architecture"])
        #expect(model.tensors.map(\.name) == ["a", "b", "c"] && model.tensors.map(\.file) == [1, 1, 2])
        for (tensor, fill) in zip(model.tensors, [2, 2, 3] as [UInt8]) {
            let bytes = try model.files[tensor.file].bytes(at: tensor.offset, count: Int(tensor.bytes))
            #expect(bytes == [UInt8](repeating: fill, count: 32))
        }
    }

    @Test func aMissingFile() throws {
        try writeSet()
        let set = try GGUFModelTests()
        try set.folder.write(
            try FileByteSource(path: folder.path("m-00001-of-00003.gguf")).all, to: "m-00001-of-00003.gguf")
        let error = try #require(quernError { try GGUFModel.open(path: set.folder.path("m-00001-of-00003.gguf")) })
        #expect(error.code == .notFound && error.location.hasSuffix("m-00002-of-00003.gguf"))
    }

    @Test(arguments: [
        ("split.no", GGUFValue.uint16(0)), ("split.no", .uint16(2)), ("split.no", .string("1")),
        ("split.count", .uint16(2)),
        ("split.tensors.count", .int32(4)), ("split.tensors.count", .int32(-3)),
    ])
    func filesThatDoNotBelongTogether(key: String, value: GGUFValue) throws {
        try writeSet()
        let wrong = split(1, of: 3, tensors: 3).map { $0.key == key ? (key: key, value: value) : $0 }
        try write("m-00002-of-00003.gguf", metadata: wrong, tensors: ["a", "b"])
        let error = try #require(quernError { try GGUFModel.open(path: folder.path("m-00001-of-00003.gguf")) })
        #expect(error.location.hasSuffix("m-00002-of-00003.gguf: \(key)"), "\(error)")
        #expect(error.message.hasPrefix("\(value), but the files of the set say"))
    }

    @Test func aFileOfASetWithoutItsKeys() throws {
        try writeSet()
        try write("m-00003-of-00003.gguf", metadata: [], tensors: ["c"])
        let error = try #require(quernError { try GGUFModel.open(path: folder.path("m-00001-of-00003.gguf")) })
        #expect(error.message == "is missing" && error.location.hasSuffix("m-00003-of-00003.gguf: split.no"))
    }

    @Test func oneTensorInTwoFiles() throws {
        try writeSet()
        try write("m-00003-of-00003.gguf", metadata: split(2, of: 3, tensors: 3), tensors: ["a"])
        let error = try #require(quernError { try GGUFModel.open(path: folder.path("m-00001-of-00003.gguf")) })
        #expect(error.location.hasSuffix("m-00003-of-00003.gguf: tensor 'a'"))
    }

    @Test(arguments: ["renamed.gguf", "m-00002-of-00004.gguf"])
    func aRenamedFileOfASet(name: String) throws {
        try write(name, metadata: split(1, of: 3, tensors: 1), tensors: ["a"])
        let error = try #require(quernError { try GGUFModel.open(path: folder.path(name)) })
        #expect(error.message.contains("one of 3 files of a split set"))
    }

    @Test(arguments: [GGUFValue.uint16(0), .uint32(4097), .int32(-1), .string("3")])
    func wrongCounts(count: GGUFValue) throws {
        try write("m.gguf", metadata: [("split.count", count)], tensors: [])
        let error = try #require(quernError { try GGUFModel.open(path: folder.path("m.gguf")) })
        #expect(error.location.hasSuffix("m.gguf: split.count"))
    }

    @Test(arguments: [
        ("m-00001-of-00003.gguf", GGUFSplitName?.some(GGUFSplitName(prefix: "m", number: 1, count: 3))),
        ("a-b-00012-of-99999.gguf", GGUFSplitName(prefix: "a-b", number: 12, count: 99_999)),
        ("é-00001-of-00001.gguf", GGUFSplitName(prefix: "é", number: 1, count: 1)),
        ("m-00000-of-00003.gguf", nil), ("m-00004-of-00003.gguf", nil), ("m-00001-of-00000.gguf", nil),
        ("-00001-of-00003.gguf", nil),
        ("m-0001-of-0003.gguf", nil), ("m-00001-of-0000x.gguf", nil), ("m-00001_of-00003.gguf", nil), ("m.gguf", nil),
    ])
    func splitNames(fileName: String, expected: GGUFSplitName?) {
        #expect(GGUFSplitName(fileName: fileName) == expected)
        if let expected { #expect(expected.fileName == fileName) }
    }

    @Test func allNamesOfASet() {
        let names = GGUFSplitName(prefix: "m", number: 2, count: 2).all.map(\.fileName)
        #expect(names == ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"])
    }
}

extension ByteSource {
    fileprivate var all: [UInt8] {
        get throws { try bytes(at: 0, count: Int(size)) }
    }
}
