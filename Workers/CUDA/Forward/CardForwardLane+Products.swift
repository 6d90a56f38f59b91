import QuernCUDA
import QuernFormats
import QuernKernels
import QuernModel

/// Products with weights, and of operands that are used once.
extension CardForwardLane {
    func pack(_ matrix: any WeightMatrix, _ rows: Range<Int>, _ values: UnsafeMutablePointer<Float>) throws {
        let matrix: CardMatrix = try own(matrix)
        let count = rows.count * matrix.inputs
        let offset = UInt64(rows.lowerBound * matrix.inputs * Self.halfBytes)
        let high = matrix.high.base.cardAddress + offset
        guard let low = matrix.low else {
            // They travel as what they are, which is half the bytes.
            let numbers = UnsafeMutableRawBufferPointer(
                rebasing: try stagedNumbers(count * Self.halfBytes).bytes[..<(count * Self.halfBytes)])
            guard Kernels.packBrainFloats(UnsafeBufferPointer(start: values, count: count), into: numbers) else {
                throw QuernError(.internalFault, "a weight of BF16 is no such number", at: "forward pass")
            }
            return try put(UnsafeRawBufferPointer(numbers), at: high)
        }
        let place = try take(.weights, count)
        try put(values, count: count, at: place)
        try split(place, count: count, high: high, low: low.base.cardAddress + offset)
    }

    /// Bytes of a BF16 number.
    private static let halfBytes = 2

    private func split(_ values: UnsafeMutablePointer<Float>, count: Int, high: UInt64, low: UInt64) throws {
        try launch(.split, columns: count) {
            $0.append(values.cardAddress)
            $0.append(UInt64(count))
            $0.append(UInt64(1))
            $0.append(high)
            $0.append(low)
        }
    }

    func multiply(
        _ input: UnsafeMutablePointer<Float>, by matrix: any WeightMatrix, rows: Int,
        into result: UnsafeMutablePointer<Float>
    ) throws {
        guard rows > 0 else { return }
        let matrix: CardMatrix = try own(matrix)
        hold(matrix)
        let count = rows * matrix.inputs
        let high = try take(.high, (count + 1) / 2), low = try take(.low, (count + 1) / 2)
        try split(input, count: count, high: high.cardAddress, low: low.cardAddress)
        func product(_ input: UnsafeMutablePointer<Float>, _ weights: CardValues, adds: Bool) throws {
            try multiply(
                ProductShape(
                    rows: rows, columns: matrix.outputs, inner: matrix.inputs, operand: .bfloat16, adds: adds,
                    alignment: Self.alignment(of: result.cardAddress)),
                a: input.cardAddress, b: weights.base.cardAddress, c: result.cardAddress)
        }
        // The small products first: sums lose the least that way.
        try product(low, matrix.high, adds: false)
        if let rest = matrix.low { try product(high, rest, adds: true) }
        try product(high, matrix.high, adds: true)
    }

    func multiply(
        _ a: Rows, _ b: Rows, transposed: Bool, into c: Rows, rows: Int, columns: Int, inner: Int
    ) throws {
        try multiply(
            Batch(a, 0), Batch(b, 0), transposed: transposed, into: Batch(c, 0), count: 1, rows: rows, columns: columns,
            inner: inner)
    }

    /// The first of matrices that lie `step` values apart.
    struct Batch {
        let rows: Rows
        let step: Int

        init(_ rows: Rows, _ step: Int) { (self.rows, self.step) = (rows, step) }

        var strides: ProductShape.Strides { ProductShape.Strides(row: rows.stride, batch: step) }
        var address: UInt64 { rows.base.cardAddress }
    }

    /// As many products in single precision, side by side.
    func multiply(
        _ a: Batch, _ b: Batch, transposed: Bool, into c: Batch, count: Int, rows: Int, columns: Int, inner: Int
    ) throws {
        guard rows > 0 else { return }
        try multiply(
            ProductShape(
                rows: rows, columns: columns, inner: inner, operand: .float, transposesB: transposed,
                batchCount: count, a: a.strides, b: b.strides, c: c.strides,
                alignment: Self.alignment(of: a.address | b.address | c.address)),
            a: a.address, b: b.address, c: c.address)
    }

    /// The largest power of two up to 16 that divides all addresses: no algorithm asks for more.
    static func alignment(of addresses: UInt64) -> Int { 1 << min(4, addresses.trailingZeroBitCount) }
}
