import QuernFormats
import QuernKernels

/// How the rows of a weight become numbers under scales.
package struct WeightRounding: Sendable {
    package let format: WeightFormat
    /// The type that the weights came in, and most scales are stored in.
    package let source: SafetensorsType
    package let columns: Int
    /// Of NVFP4.
    package let globalScale: Float?
    /// How scales are searched; nil where the usual ones are taken and values go to the nearest number.
    package let search: Search?

    package struct Search: Sendable {
        /// A value for each column; nil where all matter alike.
        package let importance: [Float]?
        package let feedback: SharedFeedback?

        package init(importance: [Float]? = nil, feedback: Feedback? = nil) {
            (self.importance, self.feedback) = (importance, feedback.map(SharedFeedback.init))
        }
    }

    package init(
        _ format: WeightFormat, source: SafetensorsType, columns: Int, globalScale: Float? = nil, search: Search? = nil
    ) {
        (self.format, self.source, self.columns) = (format, source, columns)
        (self.globalScale, self.search) = (globalScale, search)
    }

    /// Bytes of what a component has for so many rows.
    package func bytes(of component: WeightComponent, rows: Int) -> Int {
        WeightStorage(format).bytes(of: component, rows: rows, columns: columns, source: source) ?? 0
    }
}

/// Memory for what rows become.
package final class RoundedWeights {
    private let rounding: WeightRounding
    /// For each of the format's `rowComponents`.
    package let memory: [WeightComponent: UnsafeMutableRawBufferPointer]

    package init(_ rounding: WeightRounding, rows: Int) {
        self.rounding = rounding
        memory = Dictionary(
            uniqueKeysWithValues: rounding.format.rowComponents.map {
                let count = rounding.bytes(of: $0, rows: rows)
                return ($0, UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64))
            })
    }

    deinit { for memory in memory.values { memory.deallocate() } }

    /// In the order of the format's `rowComponents`.
    package var bytes: [[UInt8]] { rounding.format.rowComponents.map { memory[$0].map { Array($0) } ?? [] } }
}

/// What rounds weights to numbers as loaders of safetensors store them: the processor, or cards. All give the same bytes,
/// and the same sums of what is lost.
package protocol WeightEngine: Sendable {
    /// Rounds whole rows. Calls may come from several threads.
    /// - Parameters:
    ///   - rows: finite values; a multiple of the format's `rowMultiple` of them or, where scales are searched, of
    ///     `Kernels.fittedRows`, or the last of the matrix.
    ///   - original: what they were before they were rounded to the type that they are stored from; often the same.
    ///   - outputs: memory for each of the format's `rowComponents`.
    ///   - error: what was lost of the rows before; what is lost of `original` is added, row by row. It is no longer finite
    ///     where a scale or a value is beyond the type that stores it.
    func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError, _ scratch: Scratch
    ) throws

    /// Factors a matrix in its place, as `Kernels.factor` does.
    func factor(_ strips: UnsafeMutableBufferPointer<Float>, count: Int) -> Bool
}

extension ProcessorEngine: WeightEngine {
    package func round(
        _ rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding, original: UnsafeBufferPointer<Float>,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], error: inout EncodingError, _ scratch: Scratch
    ) throws {
        let count = rows.count / rounding.columns
        let step = rounding.search == nil ? max(count, 1) : Kernels.fittedRows
        for first in stride(from: 0, to: count, by: step) {
            let end = min(first + step, count)
            let values = first * rounding.columns..<end * rounding.columns
            let parts = Dictionary(
                uniqueKeysWithValues: outputs.map { component, memory in
                    let start = rounding.bytes(of: component, rows: first)
                    let bytes = start..<rounding.bytes(of: component, rows: end)
                    return (component, UnsafeMutableRawBufferPointer(rebasing: memory[bytes]))
                })
            try Self.numbers(of: UnsafeBufferPointer(rebasing: rows[values]), by: rounding, into: parts, scratch)
            let decoded = try Self.values(of: parts, by: rounding, count: values.count, scratch)
            error = Kernels.error(
                original: UnsafeBufferPointer(rebasing: original[values]), decoded: UnsafeBufferPointer(decoded),
                columns: rounding.columns, after: error)
        }
    }

    /// - Parameter rows: at most `Kernels.fittedRows` where scales are searched.
    static func numbers(
        of rows: UnsafeBufferPointer<Float>, by rounding: WeightRounding,
        into outputs: [WeightComponent: UnsafeMutableRawBufferPointer], _ scratch: Scratch
    ) throws {
        guard let search = rounding.search else {
            Kernels.quantize(
                rounding.format, source: rounding.source, rows: rows, columns: rounding.columns,
                globalScale: rounding.globalScale, into: outputs)
            return
        }
        let room = Kernels.fittingScratch(
            rounding.format, source: rounding.source, columns: rounding.columns, globalScale: rounding.globalScale)
        Kernels.fit(
            rounding.format, source: rounding.source, rows: rows, columns: rounding.columns,
            globalScale: rounding.globalScale, importance: search.importance, feedback: search.feedback?.value,
            scratch: try scratch.working.floats(room), into: outputs)
    }

    /// The values that loaders compute, in memory that the next call takes again, and where `rows` may have been before.
    static func values(
        of numbers: [WeightComponent: UnsafeMutableRawBufferPointer], by rounding: WeightRounding, count: Int,
        _ scratch: Scratch
    ) throws -> UnsafeMutableBufferPointer<Float> {
        let decoded = try scratch.decoded.floats(count)
        Kernels.dequantize(
            rounding.format, source: rounding.source, components: numbers.mapValues { UnsafeRawBufferPointer($0) },
            columns: rounding.columns, globalScale: rounding.globalScale, into: decoded)
        return decoded
    }

    package func factor(_ strips: UnsafeMutableBufferPointer<Float>, count: Int) -> Bool {
        Kernels.factor(strips, count: count)
    }
}
