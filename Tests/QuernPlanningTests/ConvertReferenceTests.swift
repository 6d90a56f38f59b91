import Foundation
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
        // The converter goes by name where files go by element type; the artifact's order is another matter.
        #expect(model.tensors.map(\.name).sorted() == reference.tensors.map(\.name).sorted())
        for expected in reference.tensors {
            let tensor = try #require(model.tensors.first { $0.name == expected.name })
            #expect(tensor.shape == expected.shape, "\(tensor.name)")
            #expect((tensor.fixedType ?? tensor.type) == expected.type, "\(tensor.name)")
        }
    }

    /// Whatever is moved, picked, stacked or transposed: all tensors have the bytes they should have.
    @Test(arguments: ConvertFixture.families)
    func valuesAreTheReferences(family: String) throws {
        let fixture = try ConvertFixture(family)
        try fixture.fillShards()
        let model = try fixture.open()
        let digests = try JSONDecoder().decode(
            [String: [String: String]].self, from: Data(try Fixtures.bytes("checkpoints/digests.json")))
        let expected = try #require(digests[family])
        let stored = model.tensors.filter { !$0.name.hasPrefix("rope_") }
        #expect(Set(stored.map(\.name)) == Set(expected.keys))
        for tensor in stored {
            let bytes = try model.bytes(of: tensor.name)
            #expect(Digest(of: bytes).hex.prefix(16) == expected[tensor.name] ?? "", "\(tensor.name)")
        }
    }

    @Test(arguments: ConvertFixture.families)
    func onlyNormsOfGemmaAreStoredLessOne(family: String) throws {
        for tensor in try ConvertFixture(family).open().tensors {
            let isLess = family.hasPrefix("gemma") && tensor.name.hasSuffix("norm.weight")
            #expect(tensor.addend == (isLess ? 1 : nil), "\(tensor.name)")
        }
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
