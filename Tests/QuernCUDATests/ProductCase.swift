import QuernCUDA

/// A product with operands of small integers, whose sums are exact in any order, in memory where nothing else may change.
struct ProductCase {
    let shape: ProductShape
    let a: [Float]
    let b: [Float]
    /// What C has before.
    let c: [Float]

    init(_ shape: ProductShape, seed: UInt64 = 1) {
        var state = seed
        func integers(_ count: Int) -> [Float] {
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Float(Int(state >> 33) % 17 - 8)
            }
        }
        self.shape = shape
        let (heightOfA, widthOfA) = shape.transposesA ? (shape.inner, shape.rows) : (shape.rows, shape.inner)
        let (heightOfB, widthOfB) = shape.transposesB ? (shape.columns, shape.inner) : (shape.inner, shape.columns)
        a = integers(Self.extent(shape.a, heightOfA, widthOfA, shape.batchCount))
        b = integers(Self.extent(shape.b, heightOfB, widthOfB, shape.batchCount))
        // Of what is not added to, nothing may be read.
        let before = integers(Self.extent(shape.c, shape.rows, shape.columns, shape.batchCount))
        c = shape.adds ? before : before.map { _ in .nan }
    }

    /// - Parameters:
    ///   - a, b: operands of a shape that does not add, as they are to lie.
    init(_ shape: ProductShape, a: [Float], b: [Float]) {
        (self.shape, self.a, self.b) = (shape, a, b)
        c = [Float](repeating: .nan, count: shape.rows * shape.c.row)
    }

    /// Elements from the first of the first matrix to the last of the last.
    private static func extent(_ strides: ProductShape.Strides, _ height: Int, _ width: Int, _ batchCount: Int) -> Int {
        (batchCount - 1) * strides.batch + (height - 1) * strides.row + width
    }

    /// What C has afterwards, by a plain loop.
    var expected: [Float] {
        var result = c
        for batch in 0..<shape.batchCount {
            for row in 0..<shape.rows {
                for column in 0..<shape.columns {
                    var sum: Float = 0
                    for i in 0..<shape.inner {
                        let (rowOfA, columnOfA) = shape.transposesA ? (i, row) : (row, i)
                        let (rowOfB, columnOfB) = shape.transposesB ? (column, i) : (i, column)
                        sum +=
                            a[batch * shape.a.batch + rowOfA * shape.a.row + columnOfA]
                            * b[batch * shape.b.batch + rowOfB * shape.b.row + columnOfB]
                    }
                    let index = batch * shape.c.batch + row * shape.c.row + column
                    result[index] = shape.adds ? c[index] + sum : sum
                }
            }
        }
        return result
    }

    /// Operands as they lie in memory.
    func bytes(_ values: [Float]) -> [UInt8] {
        values.flatMap { value in
            switch shape.operand {
            case .float: withUnsafeBytes(of: value.bitPattern) { Array($0) }
            case .bfloat16: withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { Array($0) }
            }
        }
    }

    /// C afterwards, by a card: copies, product and read-back one behind the other in a stream, and nobody waits between.
    func run(_ products: CardProducts, on stream: CUDAStream) throws -> [Float] {
        let product = try products.product(shape)
        let context = products.context
        let operands = [bytes(a), bytes(b), c.withUnsafeBytes { Array($0) }]
        let memory = try operands.map { try DeviceMemory(context, count: $0.count) }
        let staged = try operands.map { try PinnedMemory(context, count: $0.count) }
        let workspace = try DeviceMemory(context, count: max(1, product.workspaceCount))
        for ((bytes, staged), memory) in zip(zip(operands, staged), memory) {
            staged.bytes.copyBytes(from: bytes)
            try stream.copy(UnsafeRawBufferPointer(staged.bytes), to: memory)
        }
        try stream.multiply(
            product, a: memory[0].address, b: memory[1].address, c: memory[2].address, workspace: workspace)
        try stream.copy(memory[2], to: staged[2].bytes)
        // Memory that is freed is waited for.
        try withExtendedLifetime((memory, workspace)) { try stream.synchronize() }
        return withExtendedLifetime(staged) { Array(staged[2].bytes.bindMemory(to: Float.self)) }
    }
}

/// Whether the bits are the same, those that are no numbers with them.
func isSame(_ a: [Float], _ b: [Float]) -> Bool { a.map(\.bitPattern) == b.map(\.bitPattern) }
