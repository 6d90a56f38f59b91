import QuernCUDA
import QuernFormats
import QuernKernels
import QuernModel

/// Forward passes on a card: products by cuBLASLt, of operands in two BF16 halves, summed in single precision; all steps
/// between them by Quern's own kernels, which give the processor's bits.
final class CardForwardEngine: ForwardEngine {
    let context: CUDAContext
    let products: CardProducts
    let pool: CardMemoryPool
    let arithmetic: String
    private let kernels: [ForwardKernel: CUDAFunction]

    /// - Parameter program: `DeviceProgram.forward`, loaded.
    init(_ context: CUDAContext, _ products: CardProducts, version: String, program: Card.Loaded) {
        self.context = context
        self.products = products
        pool = CardMemoryPool(context)
        kernels = Dictionary(
            uniqueKeysWithValues: ForwardKernel.allCases.compactMap { kernel in
                program.functions[kernel.rawValue].map { (kernel, $0) }
            })
        let device = context.device
        // Of one version, NVIDIA promises the same bits on cards of one architecture with as many multiprocessors
        // (cuBLAS, "Results Reproducibility").
        arithmetic =
            "BF16 halves, cuBLASLt \(version) for \(device.capability) with \(device.multiprocessors) multiprocessors"
    }

    func function(_ kernel: ForwardKernel) -> CUDAFunction {
        guard let function = kernels[kernel] else { preconditionFailure("the program has no \(kernel.rawValue)") }
        return function
    }

    func allocate(_ count: Int) throws -> any ValueBuffer { try pool.take(count) }

    func vector(_ values: [Float]) throws -> any ValueBuffer {
        let buffer = try pool.take(values.count)
        let stream = try CUDAStream(context)
        try values.withUnsafeBytes { try stream.copy($0, to: buffer.memory) }
        try stream.synchronize()
        return buffer
    }

    func matrix(outputs: Int, inputs: Int, areBF16: Bool) throws -> any WeightMatrix {
        try CardMatrix(outputs: outputs, inputs: inputs, areBF16: areBF16, pool: pool)
    }

    func makeLane() throws -> any ForwardLane { try CardForwardLane(self) }
}
