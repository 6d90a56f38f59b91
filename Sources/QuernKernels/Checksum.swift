import CQuernKernels

extension Kernels {
    /// A checksum against accidents, many times as fast as a cryptographic hash: CRC-32C (RFC 3720, appendix B.4).
    /// - Parameter preceding: the checksum of the bytes before these; pieces one after the other give what the whole
    ///   gives.
    public static func crc32c(
        _ bytes: UnsafeRawBufferPointer, after preceding: UInt32 = 0, with set: InstructionSet = .best
    ) -> UInt32 {
        guard let base = bytes.baseAddress else { return preceding }
        return quern_crc32c(set.rawValue, base.assumingMemoryBound(to: UInt8.self), bytes.count, preceding)
    }
}
