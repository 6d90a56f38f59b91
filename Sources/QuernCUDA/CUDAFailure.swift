import QuernFormats

/// A call of the driver, or of a library beside it, that failed.
package struct CUDAFailure: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// The card has not enough memory left: what was to be done there is done elsewhere, and the card goes on.
        case outOfMemory
        /// The card, or the process's hold of it, is gone: every later call on it fails as well.
        case deviceLost
        /// Neither: a call that the driver does not take.
        case other
    }

    package let kind: Kind
    /// The driver's number for it (`CUresult`), or the library's.
    package let status: Int
    /// What to tell the user: the call, the driver's name for the failure, the card, and what to do.
    package let error: QuernError

    /// - Parameter error: what `init(call:status:name:text:card:)` would tell, in a library's words.
    init(kind: Kind, status: Int, error: QuernError) {
        (self.kind, self.status, self.error) = (kind, status, error)
    }

    /// - Parameters:
    ///   - name: the driver's, such as `CUDA_ERROR_OUT_OF_MEMORY`.
    ///   - text: the driver's explanation.
    ///   - card: which one, in words; nil before there is one.
    init(call: String, status: Int, name: String, text: String, card: String?) {
        kind = Self.kind(of: status)
        self.status = status
        let explanation = text.isEmpty ? "" : ", \(text)"
        error = QuernError(
            Self.code(of: status, kind), "\(call) failed with \(name) (\(status))\(explanation)", at: card ?? "CUDA",
            remedy: Self.remedy(for: status, kind))
    }

    /// What counts as lost are errors after which, by the driver's manual, "any further CUDA work will return the same
    /// error" until the process ends, and those of a card that is not there, or not to be had, any more.
    static func kind(of status: Int) -> Kind {
        switch status {
        case 2: .outOfMemory
        // DEVICE_UNAVAILABLE, NO_DEVICE, INVALID_DEVICE; uncorrectable errors of memory and NVLink, CONTAINED;
        // ILLEGAL_ADDRESS, LAUNCH_TIMEOUT, CONTEXT_IS_DESTROYED, ASSERT; faults of a running kernel; UNKNOWN.
        case 46, 100, 101, 214, 220, 226, 700, 702, 709, 710, 714...719, 721, 911, 999: .deviceLost
        default: .other
        }
    }

    private static func code(of status: Int, _ kind: Kind) -> QuernError.Code {
        switch kind {
        case .outOfMemory: .outOfMemory
        case .deviceLost: .io
        case .other: [200, 209, 222, 803, 804].contains(status) ? .unsupported : .internalFault
        }
    }

    private static func remedy(for status: Int, _ kind: Kind) -> String {
        switch (kind, status) {
        case (.outOfMemory, _):
            "nvidia-smi shows who uses the card's memory. End that, or use fewer slots"
        case (_, 46):
            "Another process may have the card for itself: nvidia-smi shows compute mode and processes"
        case (_, 100), (_, 101):
            "nvidia-smi shows the cards that the driver has"
        case (.deviceLost, _):
            "Look for Xid messages in the kernel's log, and at nvidia-smi; the card may need a reset. Start again, or leave "
                + "cards alone (--device cpu --forward cpu)"
        case (_, 200), (_, 209), (_, 222):
            "The driver is older than the compiler: update it, or use an NVRTC of its CUDA version"
        case (_, 803), (_, 804):
            "The driver's library and its kernel module are of different versions: restart the machine, or the container"
        default: ""
        }
    }
}
