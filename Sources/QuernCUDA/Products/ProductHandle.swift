import CCUDA

/// What cuBLASLt keeps for a card: by its manual, a handle of its own for each, made and used with its context current.
final class ProductHandle: @unchecked Sendable {
    let library: CUDAProducts
    let context: CUDAContext
    let pointer: quern_cublaslt_handle

    init(_ library: CUDAProducts, _ context: CUDAContext) throws(CUDAFailure) {
        var made: quern_cublaslt_handle?
        let functions = library.functions
        let status = try context.status { _ in functions.pointee.cublasLtCreate(&made) }
        guard status == 0, let made else {
            throw library.failure(
                of: "cublasLtCreate", status == 0 ? Int32(QUERN_CUBLAS_NOT_INITIALIZED) : status,
                on: context.device.label)
        }
        (self.library, self.context, pointer) = (library, context, made)
    }

    deinit { context.discard { _ in library.functions.pointee.cublasLtDestroy(pointer) } }

    /// Makes a call of the library with the context current.
    func call(_ name: String, _ body: (UnsafePointer<quern_cublaslt>) -> Int32) throws(CUDAFailure) {
        let status = try context.status { _ in body(library.functions) }
        guard status == 0 else { throw failure(of: name, status) }
    }

    func failure(of call: String, _ status: Int32) -> CUDAFailure {
        library.failure(of: call, status, on: context.device.label)
    }
}
