import Synchronization

/// The products that one card computes, each of them made when its shape comes for the first time. For several threads
/// at a time.
package final class CardProducts: Sendable {
    package let context: CUDAContext
    /// Bytes that each product may need for intermediate results: how much memory a stream has to have for them.
    package let workspaceLimit: Int
    private let handle: ProductHandle
    private let made = Mutex<[ProductShape: MatrixProduct]>([:])

    /// What NVIDIA recommends for its H100, and more than what it does for earlier cards: 32 MiB (cuBLAS,
    /// "cublasSetWorkspace").
    package static let usualWorkspaceLimit = 32 << 20

    /// - Parameter workspaceLimit: bytes, 0 or more; with fewer, products may be slower.
    package init(
        _ library: CUDAProducts, _ context: CUDAContext, workspaceLimit: Int = CardProducts.usualWorkspaceLimit
    ) throws(CUDAFailure) {
        precondition(workspaceLimit >= 0)
        handle = try ProductHandle(library, context)
        (self.context, self.workspaceLimit) = (context, workspaceLimit)
    }

    /// The product of a shape: the same one each time.
    /// - Throws: `.other` with the shape, where the library has no algorithm for it.
    package func product(_ shape: ProductShape) throws(CUDAFailure) -> MatrixProduct {
        if let known = made.withLock({ $0[shape] }) { return known }
        // Not below the lock: the library takes its time to choose. The first of several that are made is kept.
        let product = try MatrixProduct(handle, shape, workspaceLimit: workspaceLimit)
        return made.withLock { made in
            let kept = made[shape] ?? product
            made[shape] = kept
            return kept
        }
    }
}
