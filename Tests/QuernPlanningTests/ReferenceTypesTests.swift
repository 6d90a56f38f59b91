import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Every tensor of ten families gets the type that llama-quantize gives it, for every preset.
@Suite struct ReferenceTypesTests {
    @Test(arguments: ReferenceTypes.families)
    func typesWithoutImportance(family: String) throws {
        let source = try ReferenceTypes.source(family)
        let reference = try ReferenceTypes.read(family)
        #expect(reference.without.count == 24)
        for (name, expected) in reference.without {
            let plan = try TestSources.plan([Recipe.Target(gguf: name)], of: source)
            #expect(types(plan) == expected, "\(name)")
            #expect(plan.targets[0].tensors.map(\.name) == reference.tensors)
            #expect(plan.refusals.isEmpty, "\(name)")
        }
    }

    @Test(arguments: ReferenceTypes.families)
    func typesWithImportance(family: String) throws {
        let source = try ReferenceTypes.source(family)
        let reference = try ReferenceTypes.read(family)
        #expect(reference.with.count == 33)
        let importance = TestSources.importance(for: source)
        for (name, expected) in reference.with {
            let plan = try TestSources.plan([Recipe.Target(gguf: name)], of: source, importance: importance)
            #expect(types(plan) == expected, "\(name)")
            #expect(plan.refusals.isEmpty, "\(name)")
        }
    }

    /// Where the reference gives up for want of an importance matrix, the plan names the tensors that need it.
    @Test(arguments: ReferenceTypes.families)
    func refusalsForWantOfImportance(family: String) throws {
        let source = try ReferenceTypes.source(family)
        let reference = try ReferenceTypes.read(family)
        let refused = Set(reference.with.keys).subtracting(reference.without.keys)
        #expect(refused.count == 9)
        for name in reference.with.keys {
            let plan = try TestSources.plan([Recipe.Target(gguf: name)], of: source)
            let named = plan.refusals.filter { $0.reason.contains("importance matrix") }.compactMap(\.tensor)
            #expect(named.isEmpty == !refused.contains(name), "\(name): \(named)")
            #expect(!named.contains("token_embd.weight") && !named.contains("output.weight"))
        }
    }

    /// A checkpoint gives the very header that its converted file gives, for every preset but the plain ones, whose
    /// keys keep the converter's order.
    @Test(arguments: ReferenceTypes.families)
    func checkpointsGiveTheSameHeaders(family: String) throws {
        let converted = try ReferenceTypes.source(family)
        let checkpoint = try ConvertFixture(family).open()
        let importance = TestSources.importance(for: converted)
        for preset in Preset.allCases {
            func plan(_ source: SourceModel) throws -> Plan {
                try Planner.plan(
                    recipe: Recipe(source: "x", name: "model", targets: [.init(gguf: preset.name)], imatrix: "y"),
                    source: source, importance: importance)
            }
            let (fromFile, fromCheckpoint) = (try plan(converted), try plan(checkpoint))
            #expect(types(fromCheckpoint) == types(fromFile), "\(preset.name)")
            guard preset.baseType.isQuantized else { continue }
            #expect(
                fromCheckpoint.assembleWork.map(\.header) == fromFile.assembleWork.map(\.header), "\(preset.name)")
        }
    }

    private func types(_ plan: Plan) -> String {
        plan.targets[0].tensors.map(\.type.description).joined(separator: " ")
    }
}

/// What llama-quantize did with a small model.
private struct ReferenceTypes: Decodable {
    let tensors: [String]
    /// Types of the tensors in order, separated by spaces, by preset.
    let without: [String: String]
    let with: [String: String]

    enum CodingKeys: String, CodingKey {
        case tensors
        case without = "without_imatrix"
        case with = "with_imatrix"
    }

    static let families = [
        "deepseek_v3", "gemma2", "gemma3", "llama", "mistral", "mixtral", "phi3", "qwen2", "qwen3", "qwen3_moe",
    ]

    static func read(_ family: String) throws -> ReferenceTypes {
        let bytes = try Fixtures.bytes("presets/\(family).json")
        return try JSONDecoder().decode(ReferenceTypes.self, from: Data(bytes))
    }

    /// The family's model as far as its header tells.
    static func source(_ family: String) throws -> SourceModel {
        let file = try FileByteSource(path: Fixtures.path("presets/\(family).gguf"))
        let header = try GGUFHeader.read(from: file, requiringData: false)
        let tensors = header.tensors.map {
            SourceTensor(
                name: $0.name, shape: $0.shape, type: $0.type,
                extents: [Extent(origin: .file(0), offset: $0.offset, length: $0.bytes)])
        }
        return SourceModel(
            name: family, architecture: header["general.architecture"]?.text ?? "", metadata: header.metadata,
            tensors: tensors,
            files: [SourceFile(path: file.name, name: "\(family).gguf", size: file.size, modified: file.modified)],
            blobs: [:])
    }
}
