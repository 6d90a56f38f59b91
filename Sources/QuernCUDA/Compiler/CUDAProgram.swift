/// The source of a program for cards.
package struct CUDAProgram: Sendable {
    /// A text that the source, or another header, includes by this name.
    package struct Header: Sendable {
        package let name: String
        package let text: String

        package init(name: String, text: String) { (self.name, self.text) = (name, text) }
    }

    /// What messages of the compiler call it: `kernels.cu`.
    package let name: String
    package let source: String
    package let headers: [Header]
    /// For the compiler, beside the architecture.
    package let options: [String]

    /// C++20 whose arithmetic is that of the processor, to the bit: IEEE single precision with denormals, exact
    /// divisions and roots, and no sum that is fused with a product. What is not marked otherwise is device code.
    package static let exactArithmetic = [
        "--std=c++20", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false",
        "--device-as-default-execution-space",
    ]

    package init(
        name: String, source: String, headers: [Header] = [], options: [String] = CUDAProgram.exactArithmetic
    ) {
        (self.name, self.source, self.headers, self.options) = (name, source, headers, options)
    }
}

/// A program as a driver loads it.
package struct CUDAImage: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// For one architecture.
        case cubin
        /// For any card from one architecture on: the driver compiles it.
        case ptx
    }

    package let kind: Kind
    package let bytes: [UInt8]

    package init(kind: Kind, bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }
}
