import Foundation
import QuernFormats

/// NVIDIA's driver and cuBLASLt, simulated: a folder with libraries of their names, whose cards run kernels and products
/// on the host. What variables do is said in `Tests/SimulatedCUDA/settings.hpp`.
public final class SimulatedCards: Sendable {
    private let folder: TemporaryFolder

    /// The folder of the library, to be looked in.
    public var path: String { folder.path }

    /// - Parameter settings: names without `QUERN_SIMULATED_`. Each set of cards in a process has its own.
    public init(_ settings: [String: String] = [:]) throws {
        folder = try TemporaryFolder()
        // A copy: the loader takes two links to one file for the same library.
        try FileManager.default.copyItem(atPath: Self.build("release/libSimulatedCUDA.so"), toPath: library)
        // A link, for the opposite reason: products are computed by the cards of that driver.
        try folder.link("libcublasLt.so.12", to: library)
        for (name, value) in settings { try set(name, value) }
    }

    private var library: String { folder.path("libcuda.so.1") }

    /// Changes a setting of a driver that is open in this process, and counts its calls anew.
    public func set(_ name: String, _ value: String) throws {
        typealias Setter = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
        guard let handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), let symbol = dlsym(handle, "simulated_cuda_set")
        else { throw QuernError(.notFound, dlerror().map { String(cString: $0) } ?? "", at: library) }
        unsafeBitCast(symbol, to: Setter.self)(name, value)
    }

    /// Where tests keep compiled programs, so that one need not wait for what another has compiled.
    public static var programs: String { build("test-cache/quern/cuda") }

    /// The environment of a program that is to find these cards, and the compiler.
    public func environment(_ settings: [String: String] = [:]) throws -> [String: String] {
        let named = settings.map { ("QUERN_SIMULATED_\($0)", $1) }
        return Dictionary(uniqueKeysWithValues: named).merging([
            "QUERN_CUDA_LIBRARIES": "\(path):\(try Self.compilerFolder())",
            "XDG_CACHE_HOME": Self.build("test-cache"),
        ]) { $1 }
    }

    /// The folder of NVRTC.
    /// - Parameter cuda: its major version, 12 or 13.
    /// - Throws: `QuernError` where it is not installed.
    public static func compilerFolder(cuda: Int = 12) throws -> String {
        let libraries = build("test-python/lib")
        let files = FileManager.default.enumerator(atPath: libraries)?.lazy.compactMap { $0 as? String }
        guard let found = files?.first(where: { $0.hasSuffix("/libnvrtc.so.\(cuda)") }) else {
            throw QuernError(
                .notFound, "NVRTC is needed for these tests and is not installed", at: libraries,
                remedy: "Run Scripts/prerequisites test")
        }
        return (libraries + "/" + found as NSString).deletingLastPathComponent
    }

    private static func build(_ path: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/" + path).path
    }
}
