import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// What the reference converter wrote for the same checkpoints.
@Suite struct ConvertReferenceTests {
    private static func reference(_ family: String) throws -> GGUFHeader {
        let file = try FileByteSource(path: Fixtures.path("checkpoints/\(family)/reference-header.gguf"))
        return try GGUFHeader.read(from: file, requiringData: false)
    }

    @Test(arguments: ConvertFixture.families)
    func metadataIsTheReferences(family: String) throws {
        let model = try ConvertFixture(family).open()
        let reference = try Self.reference(family)
        #expect(model.metadata.map(\.key) == reference.metadata.map(\.key))
        for (key, value) in reference.metadata {
            #expect(model[key] == value, "\(key)")
        }
    }

    @Test(arguments: ConvertFixture.families)
    func tensorsAreTheReferences(family: String) throws {
        let model = try ConvertFixture(family).open()
        let reference = try Self.reference(family)
        #expect(model.tensors.map(\.name) == reference.tensors.map(\.name))
        for (tensor, expected) in zip(model.tensors, reference.tensors) {
            #expect(tensor.shape == expected.shape, "\(tensor.name)")
            #expect((tensor.fixedType ?? tensor.type) == expected.type, "\(tensor.name)")
        }
    }

    @Test(arguments: ConvertFixture.families)
    func extentsHoldTheValues(family: String) throws {
        let model = try ConvertFixture(family).open()
        for tensor in model.tensors {
            #expect(tensor.extents.count == 1)
            let extent = try #require(tensor.extents.first)
            #expect(extent.length == UInt64(try #require(tensor.type.bytes(elements: tensor.elements))))
            switch extent.origin {
            case .file(let index): #expect(extent.offset + extent.length <= model.files[index].size)
            case .blob(let digest): #expect(model.blobs[digest]?.count == Int(extent.length))
            }
        }
    }

    @Test(arguments: zip(ConvertFixture.families, [true, true, false, false]))
    func onlyQueriesAndKeysAreInterleaved(family: String, interleaves: Bool) throws {
        let model = try ConvertFixture(family).open()
        for tensor in model.tensors {
            let moved = interleaves && (tensor.name.contains("attn_q.") || tensor.name.contains("attn_k."))
            let width = tensor.shape.count > 1 ? 2 * tensor.columns : 2
            #expect(
                tensor.extents.map(\.strides) == [moved ? .interleavedHalves(rowBytes: width, size: 32) : nil],
                "\(tensor.name)")
        }
    }

    /// The rows of a real tensor, moved as its extents say, are those of the reference's file.
    @Test func interleavedRowsAreTheReferences() throws {
        let fixture = try ConvertFixture("llama")
        let model = try fixture.open()
        let tensor = try #require(model.tensor("blk.0.attn_k.weight"))
        let extent = try #require(tensor.extents.first)
        try fixture.fill(extent.offset, with: try Fixtures.bytes("checkpoints/llama/k_proj.bf16"))

        let moved = try fixture.open().bytes(of: "blk.0.attn_k.weight")
        #expect(Digest(of: moved).hex == "3b2f2c4b7206508056f93db775fc059587a2dc7e02bc1f15569e4b10663a65f0")
    }

    @Test func ropeFactorsAreTheReferences() throws {
        let model = try ConvertFixture("llama").open()
        let tensor = try #require(model.tensor("rope_freqs.weight"))
        guard case .blob(let digest)? = tensor.extents.first?.origin else {
            Issue.record("rope_freqs.weight is no computed tensor")
            return
        }
        #expect(digest.hex == "801c429d33c4ea1d796c24336e1df5fc2479ffcad06b9f8e0e26138196de9a1b")
        #expect(model.blobs[digest].map { Digest(of: $0) } == digest)
    }

    @Test func filesAreTheShards() throws {
        let model = try ConvertFixture("qwen3").open()
        #expect(model.files.map(\.name) == (1...3).map { "model-0000\($0)-of-00003.safetensors" })
        #expect(model.files.allSatisfy { $0.path.hasPrefix("/") })
        #expect(model.name == "checkpoint")
        #expect(model.architecture == "qwen3")
    }
}
