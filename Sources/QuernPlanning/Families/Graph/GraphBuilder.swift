import QuernFormats

/// Builds the graph of one model: reads keys, finds tensors, and checks that their shapes fit together.
final class GraphBuilder {
    let model: SourceModel
    let architecture: Architecture
    let hiddenSize: Int
    let layerCount: Int
    private let keys: [String: GGUFValue]
    private let tensors: [String: SourceTensor]
    private var used: Set<String> = []

    init(model: SourceModel, architecture: Architecture) throws {
        self.model = model
        self.architecture = architecture
        keys = Dictionary(model.metadata.map { ($0.key, $0.value) }, uniquingKeysWith: { _, last in last })
        tensors = Dictionary(model.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let keyReader = GraphKeys(architecture: architecture.name, values: keys)
        hiddenSize = try keyReader.size("embedding_length")
        let blocks = try keyReader.size("block_count")
        // Layers that predict further tokens are no part of the model proper.
        let extra = try keyReader.count("nextn_predict_layers") ?? 0
        guard extra < blocks, blocks <= 65_536 else {
            throw GraphKeys.fault("\(blocks) blocks, of which \(extra) predict further tokens", "block_count")
        }
        layerCount = blocks - extra
    }

    var metadata: GraphKeys { GraphKeys(architecture: architecture.name, values: keys) }

    func graph() throws -> DecoderGraph {
        if let windows = model.hints.windows, windows.count != layerCount {
            throw GraphKeys.fault("\(windows.count) windows of attention for \(layerCount) layers", "config.json")
        }
        let embedding = try embedding()
        let layers = try (0..<layerCount).map { index in
            DecoderLayer(
                index: index, attention: try attention(index), feedForward: try feedForward(index),
                attentionNorms: try norms(architecture.attentionNorms, layer: index),
                feedForwardNorms: try norms(architecture.feedForwardNorms, layer: index),
                residualScale: try scale("residual_scale") ?? 1)
        }
        let head = try head(vocabulary: embedding.vocabulary)
        try checkUnused()
        return DecoderGraph(
            architecture: architecture.name, hiddenSize: hiddenSize, vocabularySize: embedding.vocabulary,
            embedding: embedding.embedding, layers: layers, head: head)
    }

    private func embedding() throws -> (embedding: DecoderGraph.Embedding, vocabulary: Int) {
        let name = "token_embd.weight"
        guard let tensor = tensors[name], tensor.shape.count == 2, tensor.columns == hiddenSize else {
            throw GraphKeys.fault("there is no matrix of \(hiddenSize) columns", "tensor '\(name)'")
        }
        used.insert(name)
        let scale = architecture.scalesEmbeddings ? Float(hiddenSize).squareRoot() : 1
        return (
            DecoderGraph.Embedding(tensor: name, scale: try self.scale("embedding_scale") ?? scale), tensor.rows
        )
    }

    private func head(vocabulary: Int) throws -> DecoderGraph.Head {
        let weight = has("output.weight") ? "output" : "token_embd"
        let linear = try linear([(weight, vocabulary)], inputs: hiddenSize)
        return DecoderGraph.Head(
            norm: try norm("output_norm", width: hiddenSize), linear: linear,
            input: LinearInput(tensors: ["\(weight).weight"], channels: hiddenSize, layer: nil),
            scale: try scale("logit_scale").map { 1 / $0 } ?? 1,
            softCap: try scale("final_logit_softcapping"))
    }

    private func norms(_ names: Architecture.BlockNorms, layer: Int) throws -> DecoderLayer.NormPair {
        DecoderLayer.NormPair(
            before: try names.before.map { try norm("blk.\(layer).\($0)", width: hiddenSize) },
            after: try names.after.map { try norm("blk.\(layer).\($0)", width: hiddenSize) })
    }

    /// A factor that is as good as not there where it is 0.
    func scale(_ key: String) throws -> Float? {
        guard let value = try metadata.number(key), value != 0 else { return nil }
        return Float(value)
    }

    /// Whoever computes without a tensor that the file has computes something else.
    private func checkUnused() throws {
        for tensor in model.tensors where !used.contains(tensor.name) {
            if let block = tensor.name.prefixMatch(of: /blk\.(\d+)\./), let number = Int(block.1), number >= layerCount
            {
                continue
            }
            // Files of old converters carry frequencies that nobody reads.
            if tensor.name.hasSuffix("rot_embd.weight") || tensor.name.hasSuffix("rope_freqs.weight") { continue }
            throw QuernError(
                .unsupported,
                "the forward pass of '\(architecture.name)' knows no such tensor",
                at: "tensor \(tensor.name.quotedForMessage)",
                remedy: "The file is of a newer kind of this architecture: encoding works, calibration does not")
        }
    }
}

extension GraphBuilder {
    func has(_ name: String) -> Bool { tensors[name] != nil }

    func shape(_ name: String) -> [Int]? { tensors[name]?.shape }

    /// Takes a tensor that has to be there in this shape (innermost first).
    func take(_ name: String, shape: [Int]) throws -> String {
        guard let tensor = tensors[name] else {
            throw GraphKeys.fault("the model lacks it", "tensor '\(name)'")
        }
        // Dimensions of 1 at the end come and go between writers.
        guard Self.trimmed(tensor.shape) == Self.trimmed(shape) else {
            throw GraphKeys.fault("its shape is \(tensor.shape), not \(shape)", "tensor '\(name)'")
        }
        used.insert(name)
        return name
    }

    func takeIfThere(_ name: String, shape: [Int]) throws -> String? { has(name) ? try take(name, shape: shape) : nil }

    /// Weights, with their biases where there are any.
    /// - Parameter parts: names without `.weight`, and how many outputs each has.
    func linear(_ parts: [(name: String, outputs: Int)], inputs: Int, matrices: Int = 1) throws -> Linear {
        Linear(
            parts: try parts.map { name, outputs in
                Linear.Part(
                    weight: try take("\(name).weight", shape: [inputs, outputs, matrices]),
                    bias: try takeIfThere("\(name).bias", shape: [outputs, matrices]), outputs: outputs)
            }, inputs: inputs, matrices: matrices)
    }

    func norm(_ name: String, width: Int) throws -> Norm {
        let key =
            architecture.norm == .rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"
        guard let epsilon = try metadata.number(key), epsilon >= 0 else {
            throw GraphKeys.fault("it is missing or negative", "key '\(architecture.name).\(key)'")
        }
        return Norm(
            kind: architecture.norm, weight: try take("\(name).weight", shape: [width]),
            bias: try takeIfThere("\(name).bias", shape: [width]), epsilon: Float(epsilon))
    }

    private static func trimmed(_ shape: [Int]) -> ArraySlice<Int> {
        var shape = shape[...]
        while shape.count > 1, shape.last == 1 { shape.removeLast() }
        return shape
    }
}
