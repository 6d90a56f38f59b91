import Foundation
import NIOCore
import QuernFormats
import QuernJobs
import QuernStore

extension CoordinatorClient {
    /// Downloads a file of a job's output to `path`, checks it against its sha256 and only then gives it its name.
    /// What an earlier try left in `path.part` is kept and continued; a file that is there and right is left alone.
    /// - Parameters:
    ///   - name: as `artifacts(of:)` gives it.
    ///   - progress: called with the bytes that are there and the bytes in all.
    /// - Throws: `.notFound` where the job has no such file or it is not written yet, `.corrupted` where the bytes
    ///   that came are not the file's, `.unavailable` where the connection breaks five times with no byte between.
    public func download(
        job id: JobID, name: String, to path: String,
        progress: @Sendable (_ received: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) async throws {
        guard let file = try await artifacts(of: id).first(where: { $0.name == name }) else {
            throw QuernError(.notFound, "the job makes no file of this name", at: "\(id)/\(name)")
        }
        try await download(file, of: id, to: path, progress: progress)
    }

    /// Downloads all files of a job's output into `folder`, the manifest last.
    /// - Throws: as `download(job:name:to:progress:)`.
    public func download(
        job id: JobID, toFolder folder: String,
        progress: @Sendable (_ name: String, _ received: UInt64, _ total: UInt64) -> Void = { _, _, _ in }
    ) async throws {
        let files = try await artifacts(of: id)
        let manifest = files.filter { $0.target == nil }
        for file in files.filter({ $0.target != nil }) + manifest {
            guard isSafeRelativePath(file.name) else {
                throw QuernError(.invalidInput, "the coordinator names a file outside the folder", at: file.name)
            }
            try await download(file, of: id, to: "\(folder)/\(file.name)") { progress(file.name, $0, $1) }
        }
    }

    private func download(
        _ file: OutputFile, of id: JobID, to path: String, progress: @Sendable (UInt64, UInt64) -> Void
    ) async throws {
        guard let digest = file.sha256, let size = file.bytes else {
            throw QuernError(
                .notFound, "the file is not written yet", at: "\(id)/\(file.name)",
                remedy: "Wait for the job with `quern watch \(id)`")
        }
        if try await clientThreads.run({ try PartialFile.matches(path, size: size, digest: digest) }) {
            progress(size, size)
            return
        }
        let partial = try await clientThreads.run { try PartialFile(for: path, size: size) }
        var barren = 0
        while partial.received < size {
            let before = partial.received
            do {
                try await transfer(file.name, of: id, digest: digest, into: partial) { progress($0, size) }
                guard partial.received == size else {
                    throw QuernError(.unavailable, "the connection ended early", at: "\(url): \(file.name)")
                }
            } catch let error as QuernError where error.code == .unavailable {
                barren = partial.received > before ? 0 : barren + 1
                guard barren < 5 else { throw error }
                try await Task.sleep(for: .seconds(1))
            }
        }
        try await clientThreads.run { try partial.finish(digest: digest) }
    }

    private func transfer(
        _ name: String, of id: JobID, digest: Digest, into partial: PartialFile, progress: (UInt64) -> Void
    ) async throws {
        let start = partial.received
        var headers: [(String, String)] = []
        if start > 0 {
            headers = [("Range", "bytes=\(start)-"), ("If-Range", "\"\(digest.hex)\"")]
        }
        let escaped = name.split(separator: "/").map { pathSegment(String($0)) }.joined(separator: "/")
        let response = try await transport.response(
            .get, "\(path(of: id))/artifacts/\(escaped)", headers: headers)
        try await transport.check(response)
        if response.status != .partialContent, start > 0 {
            try await clientThreads.run { try partial.restart() }
        }
        do {
            for try await buffer in response.body {
                let bytes = Array(buffer.readableBytesView)
                try await clientThreads.run { try partial.append(bytes) }
                progress(partial.received)
            }
        } catch {
            throw transport.unreachable(error)
        }
    }
}

/// Whether `name` stays within the folder it is joined to: components that are neither empty nor dots.
func isSafeRelativePath(_ name: String) -> Bool {
    !name.isEmpty && !name.utf8.contains(0)
        && name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            ![
                "", ".", "..",
            ].contains($0)
        }
}
