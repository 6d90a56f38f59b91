import CQuernKernels
import QuernFormats

/// How rounding errors of a layer's inputs are made good by inputs that are rounded after them: what GPTQ takes from the
/// Gram matrix H = XᵀX (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
/// Transformers", 2022).
///
/// Of every block of H along the diagonal the factors of H = V D Vᵀ, V upper triangular with ones on its diagonal, the
/// inputs in descending order of their Σx², or units of neighbours in that order. Rounding input j where
/// w_j + Σ V_kj (w_k − ŵ_k), k < j, is nearest to a number is the same as GPTQ's updates by the Cholesky factor of H⁻¹,
/// without the inverse.
public struct Feedback: Sendable, Equatable {
    public struct Block: Sendable, Equatable {
        /// The first of its inputs.
        public let first: Int
        /// The order in which they are rounded: numbers below the count of inputs, each once.
        public let order: [UInt32]
        /// For each panel of up to `panelColumns` inputs in that order, rows 0 ..< its end of V: [end, width].
        public let panels: [Float]
        /// D, in that order: how much of an input the earlier ones do not explain.
        public let variances: [Float]
    }

    public let blocks: [Block]

    public static let panelColumns = Int(quern_feedback_panel)

    public init(blocks: [Block]) { self.blocks = blocks }

    /// Values that the panels of a block have.
    static func panelValues(_ count: Int) -> Int {
        let (whole, rest) = (count / panelColumns, count % panelColumns)
        return panelColumns * panelColumns * (whole * (whole + 1) / 2) + count * rest
    }
}

extension Feedback {
    /// Finds Cholesky's factor U of a symmetric matrix UᵀU in its place, as `Kernels.factor` does.
    public typealias Factoring = (_ strips: UnsafeMutableBufferPointer<Float>, _ count: Int) -> Bool
}

extension Kernels {
    /// Cholesky's factor U of a symmetric matrix UᵀU, in its place: the upper triangle; the rest has no meaning
    /// afterwards. The bits are the same on every instruction set.
    /// - Parameters:
    ///   - strips: for each strip of columns, `WeightKernel.strip` wide, the rows above its end; all of the last strip,
    ///     too: zero in columns and rows from `count` on.
    ///   - count: of rows.
    /// - Returns: whether the matrix is positive definite.
    public static func factor(
        _ strips: UnsafeMutableBufferPointer<Float>, count: Int, with set: InstructionSet = .best
    ) -> Bool {
        quern_factor(set.rawValue, strips.baseAddress, count) == count
    }
}

extension Feedback.Block {
    /// How much is added to the diagonal, as a share of its mean: as GPTQ does.
    public static let usualDamping = 0.01

    /// Factors a block of H. Equal matrices give equal bits on every instruction set, and on devices.
    /// - Parameters:
    ///   - gram: its upper triangle, row by row; zero rows belong to inputs that are never used.
    ///   - count: of its rows.
    ///   - divisors: what the inputs are divided by beforehand, above 0; nil for nothing.
    ///   - first: its first input.
    ///   - unit: neighbours that follow each other in the order, so that they can share a scale that is found when the
    ///     first of them comes up; a divisor of `count`.
    ///   - run: neighbours within a unit that follow each other as they are, so that they can be rounded together; a
    ///     divisor of `unit`.
    ///   - factoring: what factors it.
    /// - Throws: `QuernError` `.invalidInput` where the matrix is not that of any inputs.
    public init(
        gram: ArraySlice<Double>, count: Int, dividedBy divisors: [Float]? = nil, first: Int, unit: Int = 1,
        run: Int = 1, factoring: Feedback.Factoring = { Kernels.factor($0, count: $1) }
    ) throws(QuernError) {
        precondition(gram.count == count * (count + 1) / 2 && count % unit == 0, "a square matrix of whole units")
        precondition(unit % run == 0, "units of whole runs")
        let inverse = divisors.map { $0.map { 1 / Double($0) } } ?? [Double](repeating: 1, count: count)
        var place = gram.startIndex
        let diagonal = (0..<count).map { row in
            defer { place += count - row }
            return gram[place] * inverse[row] * inverse[row]
        }
        let fault = QuernError(.invalidInput, "the Gram matrix from input \(first) on is not positive definite")
        guard diagonal.allSatisfy({ $0 >= 0 && $0.isFinite }) else { throw fault }
        let order = Self.order(diagonal, unit: unit, run: run)
        let mean = diagonal.reduce(0, +) / Double(max(count, 1))
        // Where nothing was seen, nothing is fed back.
        var damping = mean > 0 ? mean * Self.usualDamping : 1
        // Rounding may leave a matrix without a factor that in truth has one.
        for _ in 0..<3 {
            if let strips = FactorStrips(gram, inverse, order, damping: damping, factoring: factoring) {
                self.init(
                    first: first, order: order.map(UInt32.init), panels: strips.panels, variances: strips.variances)
                return
            }
            damping *= 10
        }
        throw fault
    }

    private static func order(_ diagonal: [Double], unit: Int, run: Int) -> [Int] {
        /// Where pieces of `size` begin, those with the largest sums first.
        func descending(_ range: Range<Int>, by size: Int) -> [Int] {
            let pieces = stride(from: range.lowerBound, to: range.upperBound, by: size).map { first in
                (first: first, sum: diagonal[first..<first + size].reduce(0, +))
            }
            return pieces.sorted { $0.sum != $1.sum ? $0.sum > $1.sum : $0.first < $1.first }.map(\.first)
        }
        return descending(diagonal.indices, by: unit).flatMap { first in
            descending(first..<first + unit, by: run).flatMap { Array($0..<$0 + run) }
        }
    }
}

extension Feedback {
    /// Little-endian: for each block its first input and their count, the order, then in single precision the variances
    /// and the panels.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blocks.reduce(0) { $0 + 8 + 4 * (2 * $1.order.count + $1.panels.count) })
        for block in blocks {
            bytes.append(littleEndian: [UInt32(block.first), UInt32(block.order.count)] + block.order)
            bytes.append(littleEndian: block.variances, \.bitPattern)
            bytes.append(littleEndian: block.panels, \.bitPattern)
        }
        return bytes
    }

    /// - Parameter columns: of the weights that it is for.
    /// - Throws: `QuernError` `.invalidInput` where the bytes are not the factor of such inputs.
    public init(bytes: [UInt8], columns: Int) throws(QuernError) {
        let fault = QuernError(.invalidInput, "it is not the factor of a Gram matrix of \(columns) inputs")
        var blocks: [Block] = []
        var place = 0
        var first = 0
        while first < columns {
            guard let head = Self.words(bytes, place, 2), head[0] == UInt32(first) else { throw fault }
            let count = Int(head[1])
            guard count > 0, count <= columns - first, let order = Self.words(bytes, place + 8, count),
                Set(order).count == count, order.allSatisfy({ $0 < UInt32(count) }),
                let variances = bytes.littleEndianFloats(at: place + 8 + 4 * count, count),
                let panels = bytes.littleEndianFloats(at: place + 8 + 8 * count, Self.panelValues(count))
            else { throw fault }
            blocks.append(Block(first: first, order: order, panels: panels, variances: variances))
            place += 8 + 4 * (2 * count + panels.count)
            first += count
        }
        guard place == bytes.count else { throw fault }
        self.init(blocks: blocks)
    }

    private static func words(_ bytes: [UInt8], _ place: Int, _ count: Int) -> [UInt32]? {
        guard count <= (bytes.count - place) / 4 else { return nil }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map {
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 4 * $0, as: UInt32.self))
            }
        }
    }
}
