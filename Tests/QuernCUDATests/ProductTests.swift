import QuernCUDA
import QuernFormats
import TestSupport
import Testing

/// Products of matrices on a card.
@Suite struct ProductTests {
    typealias Strides = ProductShape.Strides

    struct Variant: CustomTestStringConvertible {
        let operand: ProductShape.Operand
        let transposesA, transposesB, adds: Bool
        var testDescription: String { "\(operand) \(transposesA) \(transposesB) \(adds)" }
    }

    /// Every combination of what is said by a flag.
    static let variants: [Variant] = ProductShape.Operand.allCases.flatMap { operand in
        (0..<8).map { bits in
            Variant(
                operand: operand, transposesA: bits & 1 != 0, transposesB: bits & 2 != 0, adds: bits & 4 != 0)
        }
    }

    private func shape(
        _ variant: Variant, _ rows: Int, _ columns: Int, _ inner: Int, batchCount: Int = 1, a: Strides? = nil,
        b: Strides? = nil, c: Strides? = nil
    ) -> ProductShape {
        ProductShape(
            rows: rows, columns: columns, inner: inner, operand: variant.operand, transposesA: variant.transposesA,
            transposesB: variant.transposesB, adds: variant.adds, batchCount: batchCount, a: a, b: b, c: c)
    }

    private func check(_ shape: ProductShape, _ sourceLocation: SourceLocation = #_sourceLocation) throws {
        let rig = try Rig()
        let asked = ProductCase(shape)
        let result = try asked.run(try rig.products(), on: rig.stream)
        #expect(isSame(result, asked.expected), "\(shape)", sourceLocation: sourceLocation)
    }

    @Test(arguments: variants) func dense(variant: Variant) throws {
        try check(shape(variant, 3, 5, 7))
        try check(shape(variant, 1, 1, 1))
        // A sum that is divided.
        try check(shape(variant, 6, 4, 130))
    }

    /// Rows that lie apart: what is between them stays.
    @Test(arguments: variants) func wideRows(variant: Variant) throws {
        try check(shape(variant, 3, 5, 4, a: Strides(row: 9), b: Strides(row: 11), c: Strides(row: 8)))
    }

    @Test(arguments: variants) func batches(variant: Variant) throws {
        try check(shape(variant, 3, 2, 5, batchCount: 4))
        // With gaps between them.
        try check(
            shape(
                variant, 3, 2, 5, batchCount: 4, a: Strides(row: 6, batch: 40), b: Strides(row: 7, batch: 50),
                c: Strides(row: 3, batch: 12)))
    }

    /// One B for all, and one A.
    @Test(arguments: variants) func sharedOperands(variant: Variant) throws {
        try check(shape(variant, 3, 2, 5, batchCount: 4, b: Strides(row: 6, batch: 0)))
        try check(shape(variant, 3, 2, 5, batchCount: 4, a: Strides(row: 6, batch: 0)))
    }

    /// Heads of attention, side by side in each row of all three.
    @Test(arguments: variants) func interleavedHeads(variant: Variant) throws {
        let heads = 3, width = 4, tokens = 6
        let row = heads * width
        // Scores: A and B are [tokens, width] of each head, C is [tokens, tokens] of each.
        if !variant.transposesA && variant.transposesB {
            try check(
                shape(
                    variant, tokens, tokens, width, batchCount: heads, a: Strides(row: row, batch: width),
                    b: Strides(row: row, batch: width)))
        }
        // What they are weights of: C is [tokens, width] of each head.
        try check(
            shape(variant, tokens, width, tokens, batchCount: heads, c: Strides(row: row, batch: width)))
    }

    /// XᵀX of the rows of X, added up in two steps.
    @Test func gramMatrix() throws {
        let rig = try Rig()
        let products = try rig.products()
        let x: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
        let memory = try DeviceMemory(rig.context, count: 32), gram = try DeviceMemory(rig.context, count: 16)
        let workspace = try DeviceMemory(rig.context, count: 64)
        try x.withUnsafeBytes { try rig.stream.copy($0, to: memory) }
        for step in 0..<2 {
            let product = try products.product(
                ProductShape(
                    rows: 2, columns: 2, inner: 2, operand: .float, transposesA: true, transposesB: false,
                    adds: step > 0))
            let address = memory.address + UInt64(step * 16)
            try rig.stream.multiply(product, a: address, b: address, c: gram.address, workspace: workspace)
        }
        var result = [Float](repeating: 0, count: 4)
        try result.withUnsafeMutableBytes { try rig.stream.copy(gram, to: $0) }
        try rig.stream.synchronize()
        #expect(result == [84, 100, 100, 120])
    }

    /// Sums of numbers that are not exact have the same bits each time: their parts are added in one order.
    @Test func sameBitsEachTime() throws {
        let rig = try Rig()
        let products = try rig.products()
        let shape = ProductShape(rows: 4, columns: 4, inner: 200, operand: .float)
        #expect(try products.product(shape).workspaceCount > 0)
        let values = (0..<800).map { (index: Int) -> Float in
            let sign: Float = index % 3 == 0 ? -1000 : 1
            return sign / Float(index + 3)
        }
        let asked = ProductCase(shape, a: values, b: values.reversed())
        let first = try asked.run(products, on: rig.stream)
        for _ in 0..<5 { #expect(isSame(try asked.run(products, on: rig.stream), first)) }
        for (value, exact) in zip(first, asked.expected) { #expect(abs(value - exact) < Float(1e-2) * abs(exact)) }
    }

    @Test func withoutWorkspace() throws {
        let rig = try Rig()
        let products = try rig.products(workspaceLimit: 0)
        let asked = ProductCase(ProductShape(rows: 4, columns: 4, inner: 200, operand: .bfloat16))
        #expect(try products.product(asked.shape).workspaceCount == 0)
        #expect(isSame(try asked.run(products, on: rig.stream), asked.expected))
    }

    /// Addresses in the middle of memory, as far as they are aligned.
    @Test func alignment() throws {
        let rig = try Rig()
        let products = try rig.products()
        let memory = try DeviceMemory(rig.context, count: 1024), workspace = try DeviceMemory(rig.context, count: 64)
        for alignment in [4, 16, 64] {
            let product = try products.product(
                ProductShape(rows: 1, columns: 1, inner: 1, operand: .float, alignment: alignment))
            let ones: [Float] = [2, 3]
            let addresses = (1...3).map { memory.address + UInt64($0 * alignment) }
            for (index, one) in ones.enumerated() {
                try withUnsafeBytes(of: one) { try rig.stream.copy($0, to: memory, at: (index + 1) * alignment) }
            }
            try rig.stream.multiply(
                product, a: addresses[0], b: addresses[1], c: addresses[2], workspace: workspace)
            var result: Float = 0
            try withUnsafeMutableBytes(of: &result) { try rig.stream.copy(memory, at: 3 * alignment, to: $0) }
            #expect(result == 6)
        }
    }

    /// Nothing is computed before somebody waits, and all of it in the order in which it was given.
    @Test func productsAreLate() throws {
        let rig = try Rig()
        let product = try rig.products().product(ProductShape(rows: 1, columns: 1, inner: 1, operand: .float))
        let memory = try (0..<3).map { _ in try DeviceMemory(rig.context, count: 4) }
        let pinned = try PinnedMemory(rig.context, count: 4), result = try PinnedMemory(rig.context, count: 4)
        let workspace = try DeviceMemory(rig.context, count: 64)
        pinned.bytes.storeBytes(of: 3, as: Float.self)
        result.bytes.storeBytes(of: -1, as: Float.self)
        for memory in memory[..<2] { try rig.stream.copy(UnsafeRawBufferPointer(pinned.bytes), to: memory) }
        try rig.stream.multiply(
            product, a: memory[0].address, b: memory[1].address, c: memory[2].address, workspace: workspace)
        // C is the next A.
        try rig.stream.multiply(
            product, a: memory[2].address, b: memory[1].address, c: memory[0].address, workspace: workspace)
        try rig.stream.copy(memory[0], to: result.bytes)
        // Memory that is freed is waited for.
        try withExtendedLifetime((memory, workspace, result)) {
            #expect(result.bytes.load(as: Float.self) == -1)
            pinned.bytes.storeBytes(of: 5, as: Float.self)
            try rig.stream.synchronize()
            #expect(result.bytes.load(as: Float.self) == 125)
        }
    }

    @Test func eachShapeIsMadeOnce() throws {
        let rig = try Rig()
        let products = try rig.products()
        let shape = ProductShape(rows: 2, columns: 3, inner: 4, operand: .float)
        let product = try products.product(shape)
        try rig.cards.set("FAILURES", "cublasLtMatmulAlgoGetHeuristic:1:15")
        #expect(try products.product(ProductShape(rows: 2, columns: 3, inner: 4, operand: .float)) === product)
        #expect(
            failure { _ = try products.product(ProductShape(rows: 2, columns: 3, inner: 4, operand: .bfloat16)) } != nil
        )
    }

    /// Several threads, each with a stream on both cards, with the same shapes and with others.
    @Test func threadsShareProducts() async throws {
        let cards = try SimulatedCards(["CARDS": "2"])
        let libraries = CUDALibraries(folders: [cards.path])
        let driver = try CUDADriver(libraries), library = try CUDAProducts(libraries, driver: driver.version)
        let contexts = try driver.devices().map { try CUDAContext(driver, $0) }
        let products = try contexts.map { try CardProducts(library, $0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    let streams = try contexts.map { try CUDAStream($0) }
                    for turn in 0..<30 {
                        let shape = ProductShape(
                            rows: 1 + turn % 5, columns: 3, inner: 70 + turn % 3,
                            operand: turn % 2 == 0 ? .float : .bfloat16, transposesB: turn % 4 < 2)
                        let asked = ProductCase(shape, seed: UInt64(thread * 100 + turn))
                        let card = (thread + turn) % 2
                        guard isSame(try asked.run(products[card], on: streams[card]), asked.expected) else {
                            return false
                        }
                    }
                    return true
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        for context in contexts { #expect(try context.memory().free == context.device.memory) }
    }

    @Test func description() {
        #expect(
            "\(ProductShape(rows: 5, columns: 8, inner: 64, operand: .bfloat16))"
                == "F32 [5, 8] = BF16 [5, 64] · [8, 64]ᵀ, rows 64, 64, 8 apart")
        #expect(
            "\(ProductShape(rows: 5, columns: 8, inner: 64, operand: .float, transposesA: true, transposesB: false, adds: true, batchCount: 3))"
                == "F32 [5, 8] += F32 [64, 5]ᵀ · [64, 8], rows 5, 8, 8 apart, 3 times 320, 512, 40 apart")
    }
}
