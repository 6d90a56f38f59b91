import CCUDA
import QuernFormats

/// NVIDIA's library for products of matrices, cuBLASLt, as it is on this machine. No card is needed to open it.
///
/// Its functions may be called by several threads at a time.
package final class CUDAProducts: @unchecked Sendable {
    let functions: UnsafePointer<quern_cublaslt>
    /// `12.9.3`. NVIDIA promises the same bits from each run on cards of one kind, and not from one version to the next.
    package let version: String
    /// The file of its library.
    package let place: String

    /// Opens the library.
    /// - Parameter driver: what the driver can do; nil without one. A library of the same major version is preferred,
    ///   then one that is older: a newer one does not run.
    /// - Throws: `QuernError` `.unsupported` where there is none that can be used.
    package init(
        _ libraries: CUDALibraries = CUDALibraries(), driver: CUDAVersion? = nil
    ) throws(QuernError) {
        do throws(CUDALibraries.Obstacle) {
            let library = try libraries.open(Self.names(for: driver?.major), with: quern_cuda_open_cublaslt)
            (functions, place) = (library.functions, library.place)
        } catch {
            throw Self.error(for: error)
        }
        let number = functions.pointee.cublasLtGetVersion()
        version = "\(number / 10000).\(number / 100 % 100).\(number % 100)"
    }

    /// Names of the library, the best first. Those of later major versions are not among them: what their functions are
    /// given may be laid out otherwise.
    package static func names(for driver: Int?) -> [String] {
        let known = driver ?? 13 >= 13 ? [13, 12] : [12, 13]
        return known.map { "libcublasLt.so.\($0)" }
    }

    private static let installation =
        "Install it with the CUDA toolkit, or from PyPI (pip install nvidia-cublas-cu12), and name its folder in "
        + "QUERN_CUDA_LIBRARIES"

    private static func error(for obstacle: CUDALibraries.Obstacle) -> QuernError {
        switch obstacle {
        case .missing:
            QuernError(.unsupported, "there is no cuBLASLt (libcublasLt.so)", remedy: installation)
        case .refused(let reason):
            QuernError(
                .unsupported, "cuBLASLt cannot be used: \(reason)", at: "libcublasLt.so", remedy: installation)
        }
    }

    /// - Parameters:
    ///   - status: what `call` gave, and not 0.
    ///   - card: which one, in words.
    func failure(of call: String, _ status: Int32, on card: String) -> CUDAFailure {
        let name = functions.pointee.cublasLtGetStatusName(status).map { String(cString: $0) }
        let text = functions.pointee.cublasLtGetStatusString(status).map { String(cString: $0) }
        return CUDAFailure(
            product: call, status: Int(status), name: name ?? "an error without a name", text: text ?? "", card: card)
    }
}
