import CCUDA
import QuernFormats

/// NVIDIA's driver as it is on this machine, opened and started.
///
/// Its calls may be made by several threads at a time.
package final class CUDADriver: @unchecked Sendable {
    let functions: UnsafePointer<quern_cuda_driver>
    /// The latest CUDA that the driver can do.
    package let version: CUDAVersion
    /// The file of its library.
    package let place: String

    /// What Quern asks for at the least, and the driver that brought it.
    static let oldestVersion = CUDAVersion(12, 0)
    private static let oldestDriver = "525"

    private static let opened = Result { () throws(QuernError) in try CUDADriver(CUDALibraries()) }

    /// The driver of this process, which is looked for once.
    /// - Throws: as `init` does, each time the same.
    package static func shared() throws(QuernError) -> CUDADriver { try opened.get() }

    /// - Throws: `QuernError` `.unsupported` where there is none, or one that is too old; `.notFound` where it has no
    ///   cards.
    package init(_ libraries: CUDALibraries) throws(QuernError) {
        do throws(CUDALibraries.Obstacle) {
            let library = try libraries.open(["libcuda.so.1"], with: quern_cuda_open_driver)
            (functions, place) = (library.functions, library.place)
        } catch {
            throw Self.error(for: error)
        }
        var number: Int32 = 0
        let asked = functions.pointee.cuDriverGetVersion(&number)
        version = CUDAVersion(number: Int(number))
        guard asked == 0 else { throw failure(of: "cuDriverGetVersion", asked, on: nil).error }
        guard version >= Self.oldestVersion else {
            throw QuernError(
                .unsupported,
                "the NVIDIA driver is too old: it can do CUDA \(version), and Quern needs \(Self.oldestVersion)",
                at: place,
                remedy: "Install driver \(Self.oldestDriver) or newer")
        }
        let started = functions.pointee.cuInit(0)
        if started == Self.noDevice {
            throw QuernError(
                .notFound, "the NVIDIA driver finds no card (CUDA_ERROR_NO_DEVICE)", at: place,
                remedy: "See what nvidia-smi lists, and whether CUDA_VISIBLE_DEVICES hides cards. "
                    + "Containers need to be given them: docker run --gpus all")
        }
        guard started == 0 else { throw failure(of: "cuInit", started, on: nil).error }
    }

    private static let noDevice: Int32 = 100

    private static func error(for obstacle: CUDALibraries.Obstacle) -> QuernError {
        switch obstacle {
        case .missing:
            QuernError(
                .unsupported, "there is no NVIDIA driver (libcuda.so.1)",
                remedy: "Install driver \(oldestDriver) or newer, or name its folder in QUERN_CUDA_LIBRARIES. "
                    + "Containers need to be given the cards: docker run --gpus all")
        case .refused(let reason):
            QuernError(
                .unsupported, "the NVIDIA driver cannot be used: \(reason)", at: "libcuda.so.1",
                remedy: "Install driver \(oldestDriver) or newer")
        }
    }

    /// - Parameter status: what `call` gave, and not 0.
    func failure(of call: String, _ status: Int32, on card: String?) -> CUDAFailure {
        var (name, text): (UnsafePointer<CChar>?, UnsafePointer<CChar>?)
        _ = functions.pointee.cuGetErrorName(status, &name)
        _ = functions.pointee.cuGetErrorString(status, &text)
        return CUDAFailure(
            call: call, status: Int(status), name: name.map { String(cString: $0) } ?? "an error without a name",
            text: text.map { String(cString: $0) } ?? "", card: card)
    }

    /// Makes a call that needs no context.
    func call(
        _ name: String, on card: String? = nil, _ body: (UnsafePointer<quern_cuda_driver>) -> Int32
    ) throws(CUDAFailure) {
        let status = body(functions)
        guard status == 0 else { throw failure(of: name, status, on: card) }
    }
}
