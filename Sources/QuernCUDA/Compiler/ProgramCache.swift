import Crypto
import Foundation
import Logging
import QuernFormats
import Synchronization

/// Compiled programs on disk, so that a card is ready at once the next time. What goes in decides about the name of a
/// file; a digest in the file, whether it is whole.
package final class ProgramCache: Sendable {
    private let folder: String?
    private let logger: Logger
    private let hasComplained = Mutex(false)

    /// - Parameter folder: made when needed; nil to keep nothing.
    package init(folder: String?, logger: Logger) { (self.folder, self.logger) = (folder, logger) }

    /// `$XDG_CACHE_HOME/quern/cuda`, or `~/.cache/quern/cuda`; nil where there is no home.
    package static func usualFolder(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String? {
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/quern/cuda" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return home + "/.cache/quern/cuda"
    }

    /// The image of a program for a card: the one that is kept, or a new one.
    /// - Parameter compiler: where there is none, an image of whichever version is kept will do: all of them compute the
    ///   same.
    /// - Throws: what `compiler` throws if nothing is kept; what compiling throws.
    package func image(
        of program: CUDAProgram, for card: ComputeCapability, compiler: Result<CUDACompiler, QuernError>
    ) throws(QuernError) -> CUDAImage {
        let key = Self.key(of: program, for: card)
        let usable: CUDACompiler
        switch compiler {
        case .success(let found): usable = found
        case .failure(let error):
            guard let image = newest(key) else { throw error }
            return image
        }
        let name = "\(key)-\(usable.version).image"
        if let image = read(name) { return image }
        let image = try usable.compile(program, for: card)
        write(image, to: name)
        return image
    }

    /// A digest of all that a compiler is given.
    private static func key(of program: CUDAProgram, for card: ComputeCapability) -> String {
        var hash = SHA256()
        func add(_ text: String) {
            // Lengths, so that texts cannot run into each other.
            hash.update(data: Array("\(text.utf8.count):".utf8))
            hash.update(data: Array(text.utf8))
        }
        for text in ["\(card)", program.name, program.source] { add(text) }
        for header in program.headers { for text in [header.name, header.text] { add(text) } }
        // No header is called like an option.
        for option in program.options { add(option) }
        return hex(hash.finalize())
    }

    private static func hex(_ digest: SHA256.Digest) -> String {
        digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    // MARK: Files

    /// A line that says what follows, and the image.
    private static func header(_ image: CUDAImage) -> [UInt8] {
        Array("quern-cuda 1 \(image.kind.rawValue) \(hex(SHA256.hash(data: image.bytes)))\n".utf8)
    }

    private func read(_ name: String) -> CUDAImage? {
        guard let folder, let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return nil }
        let line = data.prefix(100).prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 4, let kind = CUDAImage.Kind(rawValue: String(words[2])) else { return nil }
        let image = CUDAImage(kind: kind, bytes: Array(data.dropFirst(line.count + 1)))
        // Anything else is damaged, or of a later time.
        return data.starts(with: Self.header(image)) ? image : nil
    }

    private func newest(_ key: String) -> CUDAImage? {
        guard let folder, let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
        let versions = names.compactMap { name -> CUDAVersion? in
            guard name.hasPrefix(key + "-"), name.hasSuffix(".image") else { return nil }
            let numbers = name.dropFirst(key.count + 1).dropLast(".image".count).split(separator: ".").compactMap {
                Int($0)
            }
            return numbers.count == 2 ? CUDAVersion(numbers[0], numbers[1]) : nil
        }
        return versions.sorted(by: >).lazy.compactMap { self.read("\(key)-\($0).image") }.first
    }

    /// Several processes may write one at a time: each writes a file of its own, and the last to be done has the name.
    private func write(_ image: CUDAImage, to name: String) {
        guard let folder else { return }
        let temporary = "\(folder)/.\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try Data(Self.header(image) + image.bytes).write(to: URL(fileURLWithPath: temporary))
            guard rename(temporary, "\(folder)/\(name)") == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        } catch {
            unlink(temporary)
            let complains = hasComplained.withLock { complained in
                defer { complained = true }
                return !complained
            }
            if complains { logger.warning("compiled programs are not kept: \(folder): \(error.localizedDescription)") }
        }
    }
}
