import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// Encodes one span to several types, chunk by chunk: a chunk is read and decoded once for all of them.
struct SpanEncoder {
    let span: Span
    let reader: SpanReader
    let outputs: [EncodeOutput]
    let blobs: BlobAccess
    let control: WorkControl
    let findings: Findings
    let engine: any ComputeEngine
    let makeWriter: (EncodeOutput) throws -> PartWriter

    /// An output on its way.
    private struct Making {
        /// Its place among the outputs of the span.
        let index: Int
        let isCopy: Bool
        let writer: PartWriter
        var encoder: BlockEncoder
        let rescaler: Rescaler
        /// Summed row by row; 0 where rows are taken over as they are.
        var error: EncodingError? = EncodingError()
    }

    /// - Parameter advance: is told the source bytes of each chunk that is done.
    /// - Returns: the parts and their unsaved bytes, in the order of `outputs`.
    /// - Throws: `.invalidInput` naming tensor, row and column where a value to be quantized is not finite.
    func run(_ scratch: Scratch, advance: (Int) throws -> Void) throws -> [(Part, PartWriter)] {
        guard !outputs.isEmpty else { return [] }
        var (makings, weights) = try begin()
        let rowBytes = reader.count / span.rows
        // Rows that can only be encoded together stay together.
        let multiple = (weights.map(\.encoder.rowMultiple) + makings.map(\.encoder.rowMultiple)).max() ?? 1
        let rowsPerChunk = max(1, engine.chunkElements / span.columns / multiple) * multiple
        let encodes = !weights.isEmpty || makings.contains { !$0.isCopy }
        let quantizes = !weights.isEmpty || makings.contains { !$0.isCopy && $0.encoder.type.isQuantized }

        for first in stride(from: 0, to: span.rows, by: rowsPerChunk) {
            let rows = min(rowsPerChunk, span.rows - first)
            let source = try scratch.source.bytes(rows * rowBytes)
            try reader.read(at: first * rowBytes, into: source)
            let stored = UnsafeRawBufferPointer(source)
            var values = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
            if encodes {
                values = try scratch.values.floats(rows * span.columns)
                Kernels.decode(span.sourceType, bytes: stored, adding: span.addend, into: values)
                if quantizes { try checkFinite(UnsafeBufferPointer(values), firstRow: first) }
            }
            for index in makings.indices {
                if makings[index].isCopy {
                    try makings[index].writer.append(stored)
                } else {
                    let rescaled = try rescaled(values, firstRow: first, makings[index].rescaler, scratch)
                    try encode(rescaled, firstRow: first, &makings[index], scratch)
                }
            }
            for index in weights.indices {
                let rescaled = try rescaled(values, firstRow: first, weights[index].rescaler, scratch)
                do { try weights[index].encoder.encode(rescaled, scratch) } catch let error as QuernError {
                    throw error.located(in: span.tensor)
                }
            }
            try advance(rows * rowBytes)
        }
        var made = try makings.map { making in
            let (digest, bytes) = try making.writer.finish()
            let part = Part(
                digest: digest, bytes: bytes, squaredError: (making.error?.squaredError ?? 0).clamped,
                squaredNorm: (making.error?.squaredNorm ?? 0).clamped)
            return (output: making.index, part: part, writer: making.writer)
        }
        for index in weights.indices { made += try weights[index].encoder.finish() }
        return made.sorted { $0.output < $1.output }.map { ($0.part, $0.writer) }
    }

    /// Rows as an output has them.
    private func rescaled(
        _ values: UnsafeMutableBufferPointer<Float>, firstRow: Int, _ rescaler: Rescaler, _ scratch: Scratch
    ) throws -> UnsafeBufferPointer<Float> {
        guard !rescaler.isEmpty else { return UnsafeBufferPointer(values) }
        let rescaled = try scratch.rescaled.floats(values.count)
        _ = rescaled.update(fromContentsOf: values)
        rescaler.apply(to: rescaled, columns: span.columns, firstRow: span.firstRow + firstRow)
        // Numbers beyond a type's range.
        try checkFinite(UnsafeBufferPointer(rescaled), firstRow: firstRow)
        return UnsafeBufferPointer(rescaled)
    }

    private func begin() throws -> ([Making], [(encoder: WeightEncoder, rescaler: Rescaler)]) {
        var makings: [Making] = []
        var weights: [(encoder: WeightEncoder, rescaler: Rescaler)] = []
        for (index, output) in outputs.enumerated() {
            switch output.encoding {
            case .blocks(let type): makings.append(try begin(output, of: type, index))
            case .component(let component, let weight):
                let known = weights.firstIndex {
                    $0.encoder.weight == weight && $0.rescaler.rescalings == output.rescalings
                }
                let place = known ?? weights.count
                if place == weights.count {
                    let rescaler = try Rescaler(output.rescalings, columns: span.columns, findings)
                    let aid = try aid(of: weight, output, rescaler)
                    weights.append((try WeightEncoder(weight, columns: span.columns, aid: aid, on: engine), rescaler))
                }
                try weights[place].encoder.add(component, output: index, try makeWriter(output), of: span)
            }
        }
        return (makings, weights)
    }

    private func aid(
        of weight: QuantizedWeight, _ output: EncodeOutput, _ rescaler: Rescaler
    ) throws -> WeightEncoder.Aid {
        let found = try findings.found(for: weight.rounding)
        var aid = WeightEncoder.Aid(magnitudes: found.magnitudes)
        aid.feedback = try found.factor.map { try findings.feedback($0, columns: span.columns) }
        aid.importance = try output.weights(span).map { importance in
            let matrix = importance.matrix(of: span.firstRow)
            let first = matrix * span.columns
            var vector = Array(try vectors(importance)[first..<first + span.columns])
            rescaler.divide(&vector, columns: span.columns, first: matrix, matrix: importance.matrix)
            return vector
        }
        return aid
    }

    private func begin(_ output: EncodeOutput, of type: ElementType, _ index: Int) throws -> Making {
        let rescaler = try Rescaler(output.rescalings, columns: span.columns, findings)
        return Making(
            index: index, isCopy: output.isCopy(span), writer: try makeWriter(output),
            encoder: try BlockEncoder(
                output, of: type, on: engine, span: span, rescaler: rescaler, findings: findings, vectors: vectors),
            rescaler: rescaler)
    }

    private func vectors(_ importance: Importance) throws -> [Float] { try importance.read(for: span, blobs, control) }

    /// Encodes a chunk, appends it to the part and adds up what was lost.
    private func encode(
        _ values: UnsafeBufferPointer<Float>, firstRow: Int, _ making: inout Making, _ scratch: Scratch
    ) throws {
        let rows = values.count / span.columns
        let encoded = try scratch.encoded.bytes(rows * making.encoder.rowBytes)
        try making.encoder.encode(
            values, firstRow: span.firstRow + firstRow, scratch, into: encoded, error: &making.error)
        try making.writer.append(UnsafeRawBufferPointer(encoded))
    }

    private func checkFinite(_ values: UnsafeBufferPointer<Float>, firstRow: Int) throws {
        guard let index = Kernels.firstNonFinite(in: values) else { return }
        let row = span.firstRow + firstRow + index / span.columns
        throw QuernError(
            .invalidInput,
            "the value \(values[index]) at row \(row), column \(index % span.columns) cannot be quantized",
            at: span.tensor, remedy: "The checkpoint is damaged there: download or export it again")
    }
}

extension Double {
    /// Itself, or the largest finite number of its sign: sums over values beyond a type's range travel as JSON, which
    /// has no infinity.
    var clamped: Double {
        isNaN ? .greatestFiniteMagnitude : min(max(self, -.greatestFiniteMagnitude), .greatestFiniteMagnitude)
    }
}
