import CCUDA

/// Something that is described to cuBLASLt: an operation, the layout of a matrix, or what an algorithm may take. It lies
/// in memory of the host, and is not changed once a product has it.
final class ProductDescriptor: @unchecked Sendable {
    typealias Setter = @convention(c) (OpaquePointer?, Int32, UnsafeRawPointer?, Int) -> Int32
    typealias Destroyer = @convention(c) (OpaquePointer?) -> Int32

    let pointer: OpaquePointer
    private let handle: ProductHandle
    private let name: String
    private let setter: Setter
    private let destroyer: Destroyer

    /// - Parameter name: what its functions' names begin with.
    private init(
        _ handle: ProductHandle, _ name: String, _ setter: Setter?, _ destroyer: Destroyer?,
        _ create: (UnsafePointer<quern_cublaslt>, inout OpaquePointer?) -> Int32
    ) throws(CUDAFailure) {
        var made: OpaquePointer?
        try handle.call("\(name)Create") { create($0, &made) }
        guard let made, let setter, let destroyer else {
            throw handle.failure(of: "\(name)Create", Int32(QUERN_CUBLAS_ALLOC_FAILED))
        }
        (pointer, self.handle, self.name, self.setter, self.destroyer) = (made, handle, name, setter, destroyer)
    }

    deinit { _ = destroyer(pointer) }

    /// - Parameter value: of the type that the attribute has.
    func set<Value: BitwiseCopyable>(_ attribute: Int, to value: Value) throws(CUDAFailure) {
        try handle.call("\(name)SetAttribute") { _ in
            withUnsafeBytes(of: value) { setter(pointer, Int32(attribute), $0.baseAddress, $0.count) }
        }
    }

    /// A product that is summed in F32.
    static func operation(_ handle: ProductHandle) throws(CUDAFailure) -> ProductDescriptor {
        let functions = handle.library.functions.pointee
        return try ProductDescriptor(
            handle, "cublasLtMatmulDesc", functions.cublasLtMatmulDescSetAttribute,
            functions.cublasLtMatmulDescDestroy
        ) {
            $0.pointee.cublasLtMatmulDescCreate(&$1, Int32(QUERN_CUBLAS_COMPUTE_FLOAT), Int32(QUERN_CUBLAS_FLOAT))
        }
    }

    /// A matrix by column, or the transpose of one by row.
    static func layout(
        _ handle: ProductHandle, type: Int, rows: Int, columns: Int, strides: ProductShape.Strides, batchCount: Int
    ) throws(CUDAFailure) -> ProductDescriptor {
        let functions = handle.library.functions.pointee
        let layout = try ProductDescriptor(
            handle, "cublasLtMatrixLayout", functions.cublasLtMatrixLayoutSetAttribute,
            functions.cublasLtMatrixLayoutDestroy
        ) {
            $0.pointee.cublasLtMatrixLayoutCreate(
                &$1, Int32(type), UInt64(rows), UInt64(columns), Int64(strides.row))
        }
        if batchCount > 1 {
            try layout.set(QUERN_CUBLASLT_BATCH_COUNT, to: Int32(batchCount))
            try layout.set(QUERN_CUBLASLT_BATCH_STRIDE, to: Int64(strides.batch))
        }
        return layout
    }

    static func preference(_ handle: ProductHandle) throws(CUDAFailure) -> ProductDescriptor {
        let functions = handle.library.functions.pointee
        return try ProductDescriptor(
            handle, "cublasLtMatmulPreference", functions.cublasLtMatmulPreferenceSetAttribute,
            functions.cublasLtMatmulPreferenceDestroy
        ) { $0.pointee.cublasLtMatmulPreferenceCreate(&$1) }
    }
}
