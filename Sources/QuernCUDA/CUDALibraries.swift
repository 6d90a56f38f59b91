import CCUDA
import Foundation
import QuernFormats

/// Where NVIDIA's libraries are looked for: first in the folders of `QUERN_CUDA_LIBRARIES`, then wherever the loader
/// looks, then where CUDA's installers and container runtimes put them.
package struct CUDALibraries: Sendable {
    /// Those that the user named. A library that lies there is taken, or its failure told: no other is tried.
    let folders: [String]
    private let looksElsewhere: Bool

    private static let usualFolders = ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64"]

    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let folders = environment["QUERN_CUDA_LIBRARIES"]?.split(separator: ":").map(String.init) ?? []
        self.init(folders: folders, looksElsewhere: true)
    }

    /// - Parameter looksElsewhere: whether the system's places are searched behind the folders.
    package init(folders: [String], looksElsewhere: Bool = false) {
        self.folders = folders
        self.looksElsewhere = looksElsewhere
    }

    /// A library that was opened, and where it lay.
    struct Opened<Functions> {
        let functions: UnsafePointer<Functions>
        let place: String
    }

    /// Why none was.
    enum Obstacle: Error {
        case missing
        /// There is one, and it cannot be used.
        case refused(String)
    }

    typealias Opener<Functions> = (
        _ library: UnsafePointer<CChar>?, _ place: UnsafeMutablePointer<CChar>?,
        _ reason: UnsafeMutablePointer<CChar>?, _ capacity: Int
    ) -> UnsafePointer<Functions>?

    /// Opens the first of several names that is found.
    /// - Parameter names: those of one library, the best first.
    func open<Functions>(
        _ names: [String], with opener: Opener<Functions>
    ) throws(Obstacle) -> Opened<Functions> {
        for path in Self.paths(names, in: folders) where FileManager.default.fileExists(atPath: path) {
            return try Self.open(path, with: opener)
        }
        guard looksElsewhere else { throw .missing }
        var refusal: Obstacle?
        for name in names {
            do throws(Obstacle) { return try Self.open(name, with: opener) } catch {
                if case .refused(let reason) = error, !reason.contains("No such file or directory") { refusal = error }
            }
        }
        for path in Self.paths(names, in: Self.usualFolders) where FileManager.default.fileExists(atPath: path) {
            do throws(Obstacle) { return try Self.open(path, with: opener) } catch { refusal = error }
        }
        throw refusal ?? .missing
    }

    private static func paths(_ names: [String], in folders: [String]) -> [String] {
        folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
    }

    private static func open<Functions>(
        _ library: String, with opener: Opener<Functions>
    ) throws(Obstacle) -> Opened<Functions> {
        // NVRTC opens its built-in functions beside itself, and a link lies beside nothing.
        let isPath = library.contains("/")
        let resolved = isPath ? URL(fileURLWithPath: library).resolvingSymlinksInPath().path : library
        var (place, reason) = ([CChar](repeating: 0, count: 1024), [CChar](repeating: 0, count: 1024))
        guard let functions = opener(resolved, &place, &reason, place.count) else {
            throw .refused(text(reason))
        }
        return Opened(functions: functions, place: text(place))
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
