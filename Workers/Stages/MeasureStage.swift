import Foundation
import QuernFormats
import QuernJobs
import QuernKernels
import QuernModel
import QuernPlanning
import QuernStore

/// Finds out what it costs to have each tensor of a layer in one type or scheme or another.
///
/// Of each tensor one type, the probe, is measured: how far the model's predictions move with this one tensor in it. What
/// the others would do follows from tr(ΔHΔᵀ), what the rounding of some rows does to the outputs of the layer: divergence
/// grows with it in proportion (measured on trained models: within a few percent over types of 2 to 6 bits). The same goes
/// for schemes.
struct MeasureStage {
    let work: MeasureWork
    let context: StageContext

    /// Rows of a tensor of which the effects of all types are compared.
    private static let sampledRows = 128

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else {
            throw StageContext.missing(work.tokens, at: "measuring")
        }
        let key = try Digest.costsKey(work, in: context)
        if let known = try context.known(key) {
            let bytes = try known.flatMap { try context.blobs.get($0, context.control) }
            let result = try JSONDecoder().decode(MeasureResult.self, from: Data(bytes))
            return StageOutcome { Completion(result: .measure(result)) }
        }
        let files = SourceFiles(work.files)
        let findings = Findings(context)
        let vectors = try MergedVectors(work.tensors.map(\.span), context: context)
        let model = try work.model.open()
        let named = Dictionary(model.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var shares: [[Double]] = []
        var variations: [Sensitivity.Variation] = []
        for tensor in work.tensors {
            guard let source = named[tensor.span.tensor], tensor.span.outputs.indices.contains(tensor.probe) else {
                throw QuernError(.internalFault, "the work item asks about no tensor", at: tensor.span.tensor)
            }
            let coder = try TensorCoder(
                tensor, span: try vectors.resolve(tensor.span), files: files, findings: findings, context: context)
            try vectors.healing {
                try context.scratch.withScratch { scratch in
                    shares.append(try coder.losses(rows: Self.sampledRows, scratch))
                    guard work.isProbed else { return }
                    let (type, bytes) = try coder.encoded(output: tensor.probe, scratch)
                    variations.append(Sensitivity.Variation(of: source, type: type, bytes: bytes))
                }
            }
        }
        try files.checkUnchanged()
        let divergences =
            try work.isProbed
            ? divergences(of: variations, in: model, text) : work.tensors.map { _ in 1 }
        try work.model.checkUnchanged()
        let result = MeasureResult(
            tensors: zip(work.tensors, zip(shares, divergences)).map { Self.costs($0, $1.0, $1.1) },
            losses: zip(work.tensors, shares).map { $1[$0.probe] })
        guard context.lookUp != nil else { return StageOutcome { Completion(result: .measure(result)) } }
        let pieces = try context.blobs.pieces(of: Array(try JSONEncoder().encode(result)))
        return StageOutcome { [context] in
            try context.blobs.commit(pieces.writers, context.control)
            return Completion(result: .measure(result), cache: context.entries(for: pieces, under: key))
        }
    }

    private func divergences(
        of variations: [Sensitivity.Variation], in model: SourceModel, _ text: TokenizeResult
    ) throws -> [Double] {
        let chunks = try TokenChunks(
            blob: context.blobs.get(text.tokens, context.control), chunkTokens: work.chunkTokens,
            chunks: work.firstChunk..<min(text.chunks, work.firstChunk + work.maximumChunks)
        ).chunks
        return try context.engine.withForwardEngine(on: work.forward ?? .cpu) { engine in
            let sensitivity = try Sensitivity(model: model, threads: context.threads, engine: engine)
            return try sensitivity.divergences(of: variations, layer: work.layer, chunks: chunks) { fraction in
                try context.control.check()
                context.control.fraction = fraction
            }
        }
    }

    private static func costs(_ tensor: MeasureWork.Tensor, _ losses: [Double], _ divergence: Double) -> TensorCosts {
        let span = tensor.span
        let probed = losses[tensor.probe]
        let types = zip(span.outputs, losses).compactMap { output, loss -> TensorCosts.TypeCost? in
            guard let type = output.encoding.type, let bytes = output.encoding.bytes(rows: 1, columns: span.columns)
            else { return nil }
            // What nothing ever reads costs nothing in any type.
            let share = probed > 0 ? loss / probed : 0
            return TensorCosts.TypeCost(
                type: type, bytes: UInt64(bytes) * UInt64(span.rows), divergence: max(0, divergence) * share)
        }
        let schemes = zip(tensor.schemes, losses[span.outputs.count...]).map { scheme, loss in
            TensorCosts.SchemeCost(
                scheme: scheme.name, divergence: max(0, divergence) * (probed > 0 ? loss / probed : 0))
        }
        return TensorCosts(
            tensor: span.tensor, probe: span.outputs[tensor.probe].encoding.type ?? .f32,
            divergence: max(0, divergence),
            types: types.sorted { ($0.bytes, $0.type.rawValue) < ($1.bytes, $1.type.rawValue) },
            schemes: schemes.isEmpty ? nil : schemes)
    }
}

extension Digest {
    /// The name under which costs are found again: by whoever asks for the very same of the same model and statistics.
    fileprivate static func costsKey(_ work: MeasureWork, in context: StageContext) throws -> Digest {
        try .key(
            "quern-costs \(EncoderVersion.refined)",
            of: [work] + context.inputs.sorted { $0.key < $1.key }.map { $0.value as any Encodable })
    }
}

/// Rows of a tensor, encoded to the types that are compared.
private struct TensorCoder {
    let tensor: MeasureWork.Tensor
    let span: Span
    let reader: SpanReader
    /// Of the item: tensors and types that share a factor follow each other.
    let findings: Findings
    let context: StageContext

    init(
        _ tensor: MeasureWork.Tensor, span: Span, files: SourceFiles, findings: Findings, context: StageContext
    ) throws {
        self.tensor = tensor
        self.span = span
        self.findings = findings
        self.context = context
        reader = try span.reader(of: files, in: context)
    }

    private func encoder(_ output: EncodeOutput) throws -> BlockEncoder {
        guard let type = output.encoding.type else {
            throw QuernError(.internalFault, "only types of GGUF are measured", at: span.tensor)
        }
        return try BlockEncoder(
            output, of: type, on: context.engine, span: span, rescaler: Rescaler([], columns: span.columns, findings),
            findings: findings
        ) { try $0.read(for: span, context.blobs, context.control) }
    }

    /// The tensor in the type of an output.
    func encoded(output: Int, _ scratch: Scratch) throws -> (type: ElementType, bytes: [UInt8]) {
        var encoder = try encoder(span.outputs[output])
        var bytes = [UInt8](repeating: 0, count: encoder.rowBytes * span.rows)
        var row = 0
        var error: EncodingError?
        try reader.decode(0..<span.rows, of: span, scratch) { values in
            try context.control.check()
            let count = values.count / span.columns
            try bytes.withUnsafeMutableBytes { bytes in
                try encoder.encode(
                    values, firstRow: span.firstRow + row, scratch,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: bytes[row * encoder.rowBytes..<(row + count) * encoder.rowBytes]), error: &error)
            }
            row += count
        }
        return (encoder.type, bytes)
    }

    /// tr(ΔHΔᵀ) of some rows, for each output and then each scheme; Σδ² where nobody knows what the tensor reads.
    func losses(rows: Int, _ scratch: Scratch) throws -> [Double] {
        guard !tensor.inputs.isEmpty else {
            let ranges = RowSample.ranges(of: span.rows, most: rows)
            return try losses(of: samples(ranges, scratch), gram: nil, scratch)
        }
        var sums = [Double](repeating: 0, count: span.outputs.count + tensor.schemes.count)
        for input in tensor.inputs {
            let statistics = try input.reference.statistics(in: context)
            guard let matrices = statistics.gram, statistics.channels == span.columns else {
                throw QuernError(.invalidInput, "the statistics have no Gram matrix of it", at: span.tensor)
            }
            let count = Double(max(statistics.counts.first ?? 1, 1))
            let gram = matrices.layout.blocks.enumerated().map { index, columns in
                (columns: columns, values: matrices.square(block: index).map { Float($0 / count) })
            }
            let ranges = RowSample.ranges(of: input.rows, most: max(32, rows / tensor.inputs.count))
                .map { input.firstRow + $0.lowerBound..<input.firstRow + $0.upperBound }
            let samples = try samples(ranges, scratch)
            let importance = statistics.squares.map { Float($0 / count) }
            let all =
                try losses(of: samples, gram: gram, scratch)
                + tensor.schemes.map { scheme in
                    try context.control.check()
                    let rows = SchemeRows(scheme, of: input, columns: span.columns, findings: findings)
                    return try rows.loss(of: samples.flatMap(\.values), importance: importance, gram: gram, scratch)
                }
            for (index, loss) in all.enumerated() { sums[index] += loss }
        }
        return sums
    }

    /// Runs of rows, each with the place of its first in the tensor.
    private func samples(_ ranges: [Range<Int>], _ scratch: Scratch) throws -> [(first: Int, values: [Float])] {
        try ranges.map { range in
            var values: [Float] = []
            try reader.decode(range, of: span, scratch) { values.append(contentsOf: $0) }
            return (span.firstRow + range.lowerBound, values)
        }
    }

    private func losses(
        of samples: [(first: Int, values: [Float])], gram: [(columns: Range<Int>, values: [Float])]?, _ scratch: Scratch
    ) throws -> [Double] {
        try span.outputs.map { output in
            try context.control.check()
            var encoder = try encoder(output)
            var differences: [Float] = []
            var error: EncodingError?
            for sample in samples {
                let encoded = try scratch.encoded.bytes(sample.values.count / span.columns * encoder.rowBytes)
                try sample.values.withUnsafeBufferPointer {
                    try encoder.encode($0, firstRow: sample.first, scratch, into: encoded, error: &error)
                }
                let decoded = try scratch.decoded.floats(sample.values.count)
                Kernels.decode(encoder.type, bytes: UnsafeRawBufferPointer(encoded), into: decoded)
                differences += zip(decoded, sample.values).map { $0 - $1 }
            }
            guard let gram else { return differences.reduce(0) { $0 + Double($1) * Double($1) } }
            return try differences.withUnsafeBufferPointer {
                try RowSample.squares($0, columns: span.columns, gram: gram, scratch)
            }
        }
    }
}
