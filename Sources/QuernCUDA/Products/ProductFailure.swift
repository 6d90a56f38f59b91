import CCUDA
import QuernFormats

extension CUDAFailure {
    /// A call of cuBLASLt that failed.
    /// - Parameters:
    ///   - status: a `cublasStatus_t`.
    ///   - name: the library's, such as `CUBLAS_STATUS_ALLOC_FAILED`.
    ///   - text: the library's explanation.
    ///   - card: which one, in words.
    init(product call: String, status: Int, name: String, text: String, card: String) {
        let explanation = text.isEmpty ? "" : ", \(text)"
        let (kind, code, remedy) = Self.meaning(ofProduct: status)
        self.init(
            kind: kind, status: status,
            error: QuernError(
                code, "\(call) failed with \(name) (\(status))\(explanation)", at: card, remedy: remedy))
    }

    /// By the manual (cuBLAS, "cublasStatus_t"), ALLOC_FAILED comes from an allocation on the card, EXECUTION_FAILED
    /// from a program that the card could not run, INTERNAL_ERROR from a copy that failed. The last two come of what the
    /// driver said to the library, which is not handed on: most often that the card is lost. Taking it for lost when it
    /// is not costs a worker that card, the reverse a failure of every job on it.
    private static func meaning(ofProduct status: Int) -> (kind: Kind, code: QuernError.Code, remedy: String) {
        switch status {
        case QUERN_CUBLAS_ALLOC_FAILED:
            (.outOfMemory, .outOfMemory, "nvidia-smi shows who uses the card's memory. End that, or use fewer slots")
        case QUERN_CUBLAS_EXECUTION_FAILED, QUERN_CUBLAS_INTERNAL_ERROR:
            (
                .deviceLost, .io,
                "Look for Xid messages in the kernel's log, and at nvidia-smi; the card may need a reset. Start again, "
                    + "or use --forward cpu"
            )
        case QUERN_CUBLAS_NOT_INITIALIZED:
            (
                .other, .unsupported,
                "cuBLASLt may be newer than the driver, or the card's memory taken: nvidia-smi shows both"
            )
        case QUERN_CUBLAS_ARCH_MISMATCH, QUERN_CUBLAS_NOT_SUPPORTED:
            (.other, .unsupported, "Install another version of cuBLASLt, or use --forward cpu")
        default: (.other, .internalFault, "")
        }
    }
}
