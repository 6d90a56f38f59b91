import CCUDA

/// A compiled program on a card.
package final class CUDAModule: @unchecked Sendable {
    package let context: CUDAContext
    private let handle: quern_cuda_module

    /// Loads a program. The driver compiles PTX for its card, which takes it seconds.
    package init(_ context: CUDAContext, _ image: CUDAImage) throws(CUDAFailure) {
        // PTX is a text, which ends with a zero.
        let bytes = image.bytes + [0]
        handle = try context.make("cuModuleLoadData") { functions, module in
            bytes.withUnsafeBytes { functions.pointee.cuModuleLoadData(module, $0.baseAddress) }
        }
        self.context = context
    }

    deinit { context.discard { $0.pointee.cuModuleUnload(handle) } }

    /// - Parameter name: of an `extern "C" __global__` function.
    package func function(_ name: String) throws(CUDAFailure) -> CUDAFunction {
        let handle: quern_cuda_function = try context.make("cuModuleGetFunction of \(name)") {
            $0.pointee.cuModuleGetFunction($1, self.handle, name)
        }
        return CUDAFunction(name: name, module: self, handle: handle)
    }

    /// Sets a variable of the program.
    /// - Parameters:
    ///   - name: of an `extern "C"` variable on the card.
    ///   - bytes: as many as it has.
    package func set(_ name: String, to bytes: UnsafeRawBufferPointer) throws(CUDAFailure) {
        var address: quern_cuda_address = 0
        var count = 0
        try context.call("cuModuleGetGlobal_v2 of \(name)") {
            $0.pointee.cuModuleGetGlobal_v2(&address, &count, handle, name)
        }
        precondition(count == bytes.count, "\(name) has another size")
        let stream = try CUDAStream(context)
        try context.call("cuMemcpyHtoDAsync_v2") {
            $0.pointee.cuMemcpyHtoDAsync_v2(address, bytes.baseAddress, bytes.count, stream.handle)
        }
        try stream.synchronize()
    }
}

/// A kernel of a program. It keeps the program loaded.
package struct CUDAFunction: @unchecked Sendable {
    package let name: String
    private let module: CUDAModule
    let handle: quern_cuda_function

    fileprivate init(name: String, module: CUDAModule, handle: quern_cuda_function) {
        (self.name, self.module, self.handle) = (name, module, handle)
    }

    /// What a kernel takes of a card.
    package struct Usage: Sendable {
        /// Threads that a block can have.
        package let maximumThreads: Int
        /// Of a thread.
        package let registers: Int
        /// Bytes that a thread has in the card's memory, because its registers do not hold them.
        package let localBytes: Int
        /// Bytes that a block's threads share.
        package let sharedBytes: Int
    }

    package func usage() throws(CUDAFailure) -> Usage {
        func attribute(_ number: Int) throws(CUDAFailure) -> Int {
            var value: Int32 = 0
            try module.context.call("cuFuncGetAttribute of \(name)") {
                $0.pointee.cuFuncGetAttribute(&value, Int32(number), handle)
            }
            return Int(value)
        }
        return Usage(
            maximumThreads: try attribute(QUERN_CUDA_FUNCTION_MAX_THREADS),
            registers: try attribute(QUERN_CUDA_FUNCTION_REGISTERS),
            localBytes: try attribute(QUERN_CUDA_FUNCTION_LOCAL_BYTES),
            sharedBytes: try attribute(QUERN_CUDA_FUNCTION_SHARED_BYTES))
    }
}
