import Foundation
import Logging
import QuernCUDA
import QuernFormats
import Synchronization
import TestSupport
import Testing

/// Compiled programs on disk.
@Suite struct ProgramCacheTests {
    private let folder: TemporaryFolder
    private let card = ComputeCapability(9, 0)
    private let missing = Result<CUDACompiler, QuernError>.failure(QuernError(.unsupported, "no compiler"))

    init() throws { folder = try TemporaryFolder() }

    private func cache(_ log: LogLines = LogLines()) -> ProgramCache {
        ProgramCache(folder: folder.path("quern/cuda"), logger: log.logger)
    }

    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path("quern/cuda"))
    }

    private func compile(_ program: CUDAProgram = CompilerTests.program) throws -> CUDAImage {
        try cache().image(of: program, for: card, compiler: .success(CompilerTests.compiler()))
    }

    @Test func servesTheSecondTime() throws {
        let image = try compile()
        let name = try #require(try files().first)
        #expect(try files().count == 1)
        // What is served is what lies there: another image under that name, whole by its digest.
        let other = try CompilerTests.compiler().compile(CompilerTests.program, for: ComputeCapability(8, 0))
        #expect(other != image)
        let elsewhere = try TemporaryFolder()
        _ = try ProgramCache(folder: elsewhere.path, logger: LogLines().logger).image(
            of: CompilerTests.program, for: ComputeCapability(8, 0), compiler: .success(CompilerTests.compiler()))
        let entry = try #require(FileManager.default.contentsOfDirectory(atPath: elsewhere.path).first)
        try FileManager.default.removeItem(atPath: folder.path("quern/cuda/\(name)"))
        try FileManager.default.copyItem(
            atPath: elsewhere.path(entry), toPath: folder.path("quern/cuda/\(name)"))
        #expect(try compile() == other)
    }

    @Test func servesWithoutACompiler() throws {
        let image = try compile()
        #expect(try cache().image(of: CompilerTests.program, for: card, compiler: missing) == image)
        // But not another card, or another program.
        for (program, card) in [
            (CompilerTests.program, ComputeCapability(8, 0)), (CUDAProgram(name: "other.cu", source: ""), card),
        ] {
            let error = #expect(throws: QuernError.self) {
                try cache().image(of: program, for: card, compiler: missing)
            }
            #expect(error?.message == "no compiler")
        }
    }

    enum Damage: CaseIterable { case flip, cut, empty, longer, other }

    @Test(arguments: Damage.allCases)
    func damagedFileIsCompiledAgain(damage: Damage) throws {
        let image = try compile()
        let path = folder.path("quern/cuda/" + (try #require(try files().first)))
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        var bytes = whole
        switch damage {
        case .flip: bytes[bytes.count / 2] ^= 1
        case .cut: bytes.removeLast()
        case .empty: bytes = Data()
        case .longer: bytes.append(0)
        case .other: bytes.replaceSubrange(0..<5, with: Data("query".utf8))
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(throws: QuernError.self) {
            try cache().image(of: CompilerTests.program, for: card, compiler: missing)
        }
        #expect(try compile() == image)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
        #expect(try files().count == 1)
    }

    /// Whatever the compiler is given decides about the entry.
    @Test func everythingCounts() throws {
        let program = CompilerTests.program
        let header = program.headers[0]
        let variants = [
            program,
            CUDAProgram(name: "b.cu", source: program.source, headers: program.headers, options: program.options),
            CUDAProgram(
                name: program.name, source: program.source + "\n", headers: program.headers, options: program.options),
            CUDAProgram(
                name: program.name, source: program.source,
                headers: [.init(name: header.name, text: header.text + "\n")], options: program.options),
            CUDAProgram(
                name: program.name, source: program.source, headers: program.headers,
                options: program.options + ["-DX=1"]),
        ]
        for variant in variants { _ = try compile(variant) }
        #expect(try files().count == variants.count)
    }

    @Test func unwritableFolderIsToldOnce() throws {
        try folder.write("a file", to: "quern")
        let log = LogLines()
        let cache = cache(log)
        for _ in 0..<2 {
            let image = try cache.image(
                of: CompilerTests.program, for: card, compiler: .success(CompilerTests.compiler()))
            #expect(image.kind == .cubin)
        }
        #expect(log.lines.count == 1 && log.lines[0].contains("not kept: \(folder.path("quern/cuda")): "))
    }

    @Test(arguments: [
        (["XDG_CACHE_HOME": "/x", "HOME": "/h"], "/x/quern/cuda"), (["HOME": "/h"], "/h/.cache/quern/cuda"),
        (["XDG_CACHE_HOME": "relative", "HOME": "/h"], "/h/.cache/quern/cuda"), ([:], nil),
    ])
    func usualFolder(environment: [String: String], folder: String?) {
        #expect(ProgramCache.usualFolder(environment) == folder)
    }
}

/// What is logged.
private final class LogLines: Sendable {
    private let written = Mutex<[String]>([])

    var lines: [String] { written.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.written.withLock { $0.append("\(event.message)") } }
    }
}
