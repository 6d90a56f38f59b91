import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore

/// Models made up for a test.
enum TestSources {
    struct Tensor {
        let name: String
        let shape: [Int]
        var type: ElementType = .bf16
        /// Rows go from halves to neighbours in groups of so many; nil leaves them.
        var interleaved: Int?
        var fixedType: ElementType?
        /// The tensor's bytes are spread over so many extents, each in a file of its own.
        var pieces = 1
    }

    static func model(
        _ tensors: [Tensor], architecture: String = "llama", metadata: [(key: String, value: GGUFValue)] = [],
        name: String = "made-up", fileSuffix: String = "gguf"
    ) -> SourceModel {
        let pieces = tensors.map(\.pieces).max() ?? 1
        var ends = Array(repeating: UInt64(64), count: pieces)
        let sources = tensors.map { tensor in
            let bytes = UInt64(tensor.type.bytes(elements: tensor.shape.reduce(1, *)) ?? 0)
            let extents = (0..<tensor.pieces).map { piece in
                let length = bytes / UInt64(tensor.pieces)
                defer { ends[piece] += length }
                let rowBytes = tensor.type.bytes(elements: tensor.shape.count > 1 ? tensor.shape[0] : 1) ?? 0
                return Extent(
                    origin: .file(piece), offset: ends[piece], length: length,
                    strides: tensor.interleaved.map { .interleavedHalves(rowBytes: rowBytes, size: $0) })
            }
            return SourceTensor(
                name: tensor.name, shape: tensor.shape, type: tensor.type, extents: extents,
                fixedType: tensor.fixedType)
        }
        let files = ends.enumerated().map { index, end in
            SourceFile(
                path: "/models/\(name)-\(index).\(fileSuffix)", name: "\(name)-\(index).\(fileSuffix)", size: end,
                modified: 7)
        }
        let base: [(key: String, value: GGUFValue)] = [("general.architecture", .string(architecture))]
        return SourceModel(
            name: name, architecture: architecture, metadata: base + metadata, tensors: sources, files: files,
            blobs: [:])
    }

    /// A dense llama: every matrix is square but the embeddings.
    static func llama(
        blocks: Int, width: Int = 256, heads: UInt32 = 8, keyValueHeads: UInt32 = 2, type: ElementType = .bf16,
        tied: Bool = false, metadata: [(key: String, value: GGUFValue)] = [], fileSuffix: String = "gguf"
    ) -> SourceModel {
        var tensors = [
            Tensor(name: "token_embd.weight", shape: [width, 512], type: type),
            Tensor(name: "output_norm.weight", shape: [width], type: .f32),
        ]
        if !tied { tensors.append(Tensor(name: "output.weight", shape: [width, 512], type: type)) }
        for block in 0..<blocks {
            tensors.append(Tensor(name: "blk.\(block).attn_norm.weight", shape: [width], type: .f32))
            for part in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"] {
                tensors.append(Tensor(name: "blk.\(block).\(part).weight", shape: [width, width], type: type))
            }
        }
        return model(
            tensors,
            metadata: [
                ("llama.block_count", .uint32(UInt32(blocks))), ("llama.attention.head_count", .uint32(heads)),
                ("llama.attention.head_count_kv", .uint32(keyValueHeads)), ("general.file_type", .uint32(32)),
                ("general.quantization_version", .uint32(2)), ("tokenizer.ggml.model", .string("gpt2")),
            ] + metadata, fileSuffix: fileSuffix)
    }

    /// An importance matrix with an entry for every tensor of at least two dimensions.
    static func importance(for source: SourceModel, leavingOut left: Set<String> = []) -> ImportanceMatrix {
        var entries: [String: ImportanceMatrix.Entry] = [:]
        for tensor in source.tensors where tensor.shape.count > 1 && !left.contains(tensor.name) {
            let matrices = tensor.shape.count > 2 ? tensor.shape[2] : 1
            let values = (0..<(tensor.shape[0] * matrices)).map { Float($0 % 7 + 1) }
            entries[tensor.name] = ImportanceMatrix.Entry(values: values, matrices: matrices)
        }
        return ImportanceMatrix(entries: entries, datasets: ["calibration.txt", "other.txt"], chunkCount: 12)
    }

    static func plan(
        _ targets: [Recipe.Target], of source: SourceModel, importance: ImportanceMatrix? = nil,
        split: Recipe.SplitLimits? = nil, allowRequantize: Bool = false
    ) throws -> Plan {
        let recipe = Recipe(
            source: "/models/\(source.name)", targets: targets,
            imatrix: importance == nil ? nil : "/statistics/llama.imatrix", split: split,
            allowRequantize: allowRequantize)
        return try Planner.plan(recipe: recipe, source: source, importance: importance)
    }
}

extension Plan {
    /// Types of the first target's tensors by name.
    var types: [String: ElementType] {
        Dictionary(
            uniqueKeysWithValues: targets[0].tensors.compactMap { tensor in
                tensor.type.element.map { (tensor.name, $0) }
            })
    }

    var encodeWork: [EncodeWork] {
        items.compactMap { if case .encode(let work) = $0.payload { work } else { nil } }
    }

    var assembleWork: [AssembleWork] {
        items.compactMap { if case .assemble(let work) = $0.payload { work } else { nil } }
    }

    var publishWork: PublishWork? {
        if case .publish(let work)? = items.last?.payload { work } else { nil }
    }
}
