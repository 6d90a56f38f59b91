import CDNNL
import CQuernKernels
import QuernFormats
import QuernKernels
import Synchronization

/// Forward passes on the processor: products of matrices by oneDNN, each on the calling thread.
package final class MatrixEngine: ForwardEngine {
    package enum Precision: Sendable, CaseIterable {
        /// IEEE single precision.
        case single
        /// Operands as the sum of two BF16 numbers, of which the product of the low halves is left out: about 2^-17 of
        /// each term, at the rate of BF16.
        case splitBF16
    }

    let precision: Precision
    let steps: quern_forward_kernels
    /// For packed weights.
    let buffers = BufferPool()
    /// For rows whose columns are multiplied with each other, and for these products.
    let gramBuffers = BufferPool()
    let gramWorkspaces = WorkspacePool()
    private let products = Mutex<[Key: Product]>([:])

    /// - Parameter precision: nil for what is fastest here: split operands where the processor has tiles for BF16, single
    ///   precision otherwise.
    /// - Throws: `QuernError` `.unsupported` where oneDNN is not there, or the precision is not.
    package init(precision: Precision? = nil) throws {
        if let obstacle = Self.obstacle { throw obstacle }
        self.precision = precision ?? (quern_dnnl_has_tiles() ? .splitBF16 : .single)
        guard self.precision == .single || quern_dnnl_has_bf16() else {
            throw QuernError(.unsupported, "the processor does not multiply BF16", at: "forward pass")
        }
        steps = try quern_forward_kernels.best()
    }

    /// Why no model can be computed on this machine; nil where it can.
    package static var obstacle: QuernError? {
        quern_dnnl_load().map { reason in
            QuernError(
                .unsupported, String(cString: reason), at: "forward pass",
                remedy: "Install it (Debian, Ubuntu: apt-get install libdnnl2)")
        }
    }

    /// Whether processors like this one can be asked for BF16.
    package static var hasBF16: Bool { quern_dnnl_load() == nil && quern_dnnl_has_bf16() }

    package func allocate(_ count: Int) -> any ValueBuffer { FloatBuffer(count) }

    package func vector(_ values: [Float]) -> any ValueBuffer {
        let buffer = FloatBuffer(values.count)
        buffer.base.update(from: values, count: values.count)
        return buffer
    }

    package func matrix(outputs: Int, inputs: Int, areBF16: Bool) throws -> any WeightMatrix {
        try PackedMatrix(outputs: outputs, inputs: inputs, areBF16: areBF16, engine: self)
    }

    package func makeLane() -> any ForwardLane { ProcessorLane(self) }

    struct Key: Hashable {
        let isBF16: Bool
        let rows: Int
        let outputs: Int
        let inputs: Int
        let adds: Bool
    }

    /// Made once for each shape, then shared.
    final class Product: @unchecked Sendable {
        let handle: OpaquePointer
        let weightBytes: Int
        let scratchBytes: Int

        init(_ key: Key) throws {
            guard
                let handle = quern_product_create(key.isBF16, key.rows, key.outputs, key.inputs, key.adds)
            else { throw MatrixEngine.failure(key.rows, key.outputs, key.inputs) }
            self.handle = handle
            weightBytes = quern_product_weight_bytes(handle)
            scratchBytes = quern_product_scratch_bytes(handle)
        }

        deinit { quern_product_destroy(handle) }
    }

    func product(_ key: Key) throws -> Product {
        if let product = products.withLock({ $0[key] }) { return product }
        let made = try Product(key)
        return products.withLock { products in
            if let product = products[key] { return product }
            products[key] = made
            return made
        }
    }

    /// c = a·b, or a·bᵀ: in single precision, for operands that are used once.
    /// - Parameters:
    ///   - a: [rows, inner].
    ///   - b: [inner, columns], or [columns, inner] where it is transposed.
    func multiply(
        _ a: Rows, _ b: Rows, transposed: Bool, into c: Rows, rows: Int, columns: Int, inner: Int
    ) throws {
        let done = quern_dnnl_multiply(
            transposed, rows, columns, inner, a.base, a.stride, b.base, b.stride, c.base, c.stride)
        guard done else { throw Self.failure(rows, columns, inner) }
    }

    static func failure(_ rows: Int, _ outputs: Int, _ inputs: Int) -> QuernError {
        QuernError(
            .internalFault, "oneDNN cannot multiply \(rows) rows of \(inputs) with \(outputs) outputs",
            at: "forward pass")
    }
}
