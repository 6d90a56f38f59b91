/// A version of CUDA: the one that a driver can do, or that of a compiler.
package struct CUDAVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

    /// - Parameter number: as `cuDriverGetVersion` gives it: 12090 for 12.9.
    init(number: Int) { self.init(number / 1000, number % 1000 / 10) }

    package static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    package var description: String { "\(major).\(minor)" }
}

/// What a card can do, by NVIDIA's count: 9.0 for an H100.
package struct ComputeCapability: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

    /// - Parameter number: as names of architectures have it: 90 for `sm_90`, 100 for `sm_100`.
    init(number: Int) { self.init(number / 10, number % 10) }

    var number: Int { major * 10 + minor }

    package static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    package var description: String { "\(major).\(minor)" }
}
