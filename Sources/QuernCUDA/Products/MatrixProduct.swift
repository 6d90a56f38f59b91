import CCUDA

/// A product of matrices of one shape, as a card computes it: described to cuBLASLt, with the algorithm that the library
/// holds for the fastest. Streams of its card may use it at the same time.
///
/// The library's matrices are by column, and a matrix by row is the transpose of one by column, with the same strides.
/// So Cᵀ = Bᵀ · Aᵀ is asked for: the library's first matrix is our B, its rows are our columns, and nothing is moved.
/// Weights, whose rows are outputs, make of it a transposed first and an untransposed second matrix, for which the
/// library has most kernels. An attribute would have it take matrices by row, but with that it can do less (cuBLAS,
/// "cublasLtMatmul", notes to the tables of types).
///
/// The same operands give the same bits each time. NVIDIA promises that for one version of the library on cards of one
/// kind, with several streams only where each has memory of its own for intermediate results (cuBLAS, "Results
/// Reproducibility"): `multiply` is given that. Sums that are divided among threads are put together in a fixed order,
/// too ("GEMM Algorithms Numerical Behavior"); to be sure of it, only algorithms are let in that keep the parts in F32
/// and add them in a step of their own. An algorithm is asked for once, so that it stays the same. Another number of rows,
/// or another alignment, may have another algorithm, and other last bits.
package final class MatrixProduct: @unchecked Sendable {
    package let shape: ProductShape
    /// Bytes of memory that it needs for intermediate results. May be 0.
    package let workspaceCount: Int
    let handle: ProductHandle
    private let operation: ProductDescriptor
    private let a: ProductDescriptor
    private let b: ProductDescriptor
    private let c: ProductDescriptor
    private let algorithm: quern_cublaslt_algorithm

    /// - Parameter workspaceLimit: bytes that it may need.
    /// - Throws: `.other` with the shape, where the library has no algorithm for it.
    init(_ handle: ProductHandle, _ shape: ProductShape, workspaceLimit: Int) throws(CUDAFailure) {
        func layout(
            _ type: Int, _ rows: Int, _ columns: Int, _ transposed: Bool, _ strides: ProductShape.Strides
        ) throws(CUDAFailure) -> ProductDescriptor {
            // What lies as [rows, columns] by row is [columns, rows] by column.
            let (height, width) = transposed ? (columns, rows) : (rows, columns)
            return try .layout(
                handle, type: type, rows: width, columns: height, strides: strides, batchCount: shape.batchCount)
        }
        let type = shape.operand == .float ? QUERN_CUBLAS_FLOAT : QUERN_CUBLAS_BFLOAT16
        a = try layout(type, shape.rows, shape.inner, shape.transposesA, shape.a)
        b = try layout(type, shape.inner, shape.columns, shape.transposesB, shape.b)
        c = try layout(QUERN_CUBLAS_FLOAT, shape.rows, shape.columns, false, shape.c)
        operation = try .operation(handle)
        for (attribute, transposed) in [
            (QUERN_CUBLASLT_TRANSPOSE_A, shape.transposesB), (QUERN_CUBLASLT_TRANSPOSE_B, shape.transposesA),
        ] {
            try operation.set(
                attribute, to: Int32(transposed ? QUERN_CUBLAS_TRANSPOSED : QUERN_CUBLAS_AS_IT_LIES))
        }
        let preference = try Self.preference(handle, shape, workspaceLimit: workspaceLimit)
        var choice = quern_cublaslt_choice()
        var count: Int32 = 0
        let call = "cublasLtMatmulAlgoGetHeuristic for \(shape)"
        try handle.call(call) { [a, b, c, operation] in
            $0.pointee.cublasLtMatmulAlgoGetHeuristic(
                handle.pointer, operation.pointer, b.pointer, a.pointer, c.pointer, c.pointer, preference.pointer, 1,
                &choice, &count)
        }
        guard count > 0 else { throw handle.failure(of: call, Int32(QUERN_CUBLAS_NOT_SUPPORTED)) }
        guard choice.state == 0 else { throw handle.failure(of: call, choice.state) }
        (self.handle, self.shape) = (handle, shape)
        (algorithm, workspaceCount) = (choice.algorithm, choice.workspace_bytes)
    }

    private static func preference(
        _ handle: ProductHandle, _ shape: ProductShape, workspaceLimit: Int
    ) throws(CUDAFailure) -> ProductDescriptor {
        let preference = try ProductDescriptor.preference(handle)
        try preference.set(QUERN_CUBLASLT_WORKSPACE_BYTES, to: UInt64(workspaceLimit))
        try preference.set(QUERN_CUBLASLT_REDUCTIONS, to: UInt32(QUERN_CUBLASLT_REDUCED_APART))
        for attribute in [
            QUERN_CUBLASLT_ALIGNMENT_A, QUERN_CUBLASLT_ALIGNMENT_B, QUERN_CUBLASLT_ALIGNMENT_C,
            QUERN_CUBLASLT_ALIGNMENT_D,
        ] {
            try preference.set(attribute, to: UInt32(shape.alignment))
        }
        return preference
    }

    /// Enqueues the product.
    func enqueue(
        on stream: CUDAStream, a: UInt64, b: UInt64, c: UInt64, workspace: DeviceMemory
    ) throws(CUDAFailure) {
        let (one, factor): (Float, Float) = (1, shape.adds ? 1 : 0)
        let result = UnsafeMutableRawPointer(bitPattern: UInt(c))
        try handle.call("cublasLtMatmul for \(shape)") { functions in
            withUnsafePointer(to: one) { alpha in
                withUnsafePointer(to: factor) { beta in
                    withUnsafePointer(to: algorithm) { algorithm in
                        functions.pointee.cublasLtMatmul(
                            handle.pointer, operation.pointer, alpha, UnsafeRawPointer(bitPattern: UInt(b)),
                            self.b.pointer, UnsafeRawPointer(bitPattern: UInt(a)), self.a.pointer, beta, result,
                            self.c.pointer, result, self.c.pointer, algorithm,
                            UnsafeMutableRawPointer(bitPattern: UInt(workspace.address)), workspaceCount,
                            stream.handle)
                    }
                }
            }
        }
    }
}

extension CUDAStream {
    /// Computes C = A · B, or adds it to C. What is wrong with its run is told by a later call.
    /// - Parameters:
    ///   - a, b, c: addresses on the card of the first elements, multiples of the shape's alignment.
    ///   - workspace: at least `product.workspaceCount` bytes, which nothing else uses until this is done: each stream
    ///     needs its own.
    package func multiply(
        _ product: MatrixProduct, a: UInt64, b: UInt64, c: UInt64, workspace: DeviceMemory
    ) throws(CUDAFailure) {
        precondition(product.handle.context === context && workspace.context === context, "another card's product")
        precondition(workspace.count >= product.workspaceCount, "the product needs more workspace")
        precondition((a | b | c) % UInt64(product.shape.alignment) == 0, "the matrices are not aligned")
        try product.enqueue(on: self, a: a, b: b, c: c, workspace: workspace)
    }
}
