import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// Every single change to an output folder is found, and named.
@Suite struct VerifierTests {
    private let bench: Workbench
    private let pipeline: Pipeline

    init() async throws {
        bench = try Workbench()
        pipeline = try await Pipeline(bench, blobs: bench.blobs)
        try await bench.worker(MemoryService(pipeline.items)).run()
    }

    private func edit(_ name: String, _ change: (inout Data) throws -> Void) throws {
        let url = URL(fileURLWithPath: "\(bench.output)/\(name)")
        var data = try Data(contentsOf: url)
        try change(&data)
        try data.write(to: url)
    }

    private func editManifest(_ from: String, _ to: String) throws {
        try edit(Manifest.fileName) { data in
            let text = String(decoding: data, as: UTF8.self)
            try #require(text.contains(from))
            data = Data(text.replacingOccurrences(of: from, with: to).utf8)
        }
    }

    private func findings() throws -> [VerificationReport.Finding] {
        try Verifier.verify(folder: bench.output).findings
    }

    @Test func untouchedFolderPasses() throws {
        let total = pipeline.expected.values.reduce(0) { $0 + $1.count }
        let report = try Verifier.verify(folder: bench.output)
        #expect(report.findings.isEmpty)
        #expect(report.bytes == UInt64(total))
    }

    @Test func everyFlippedBitIsFound() throws {
        let name = "m-Q4_K_M.gguf"
        let size = try #require(pipeline.expected[name]?.count)
        for bit in stride(from: 0, to: size * 8, by: size / 2 - 7) {
            try edit(name) { $0[bit / 8] ^= 1 << (bit % 8) }
            let found = try findings()
            #expect(found.contains { $0.file == name && $0.tensor == nil && $0.what == "sha256" }, "bit \(bit)")
            try edit(name) { $0[bit / 8] ^= 1 << (bit % 8) }
        }
        #expect(try findings().isEmpty)
    }

    @Test func damagedTensorIsNamed() throws {
        try edit("m-Q8_0-00002-of-00002.gguf") { $0[$0.count - 40] ^= 1 }
        #expect(
            try findings().map { [$0.file, $0.tensor ?? "-", $0.what] } == [
                ["m-Q8_0-00002-of-00002.gguf", "-", "sha256"],
                ["m-Q8_0-00002-of-00002.gguf", "output.weight", "sha256"],
            ])
    }

    @Test func truncationIsFound() throws {
        try edit("m-Q4_K_M.gguf") { $0 = $0.dropLast(1) }
        let found = try findings()
        #expect(found.contains { $0.what == "size" })
        #expect(found.contains { $0.what == "sha256" })
    }

    @Test func missingFileIsFound() throws {
        try FileManager.default.removeItem(atPath: "\(bench.output)/m-Q8_0-00001-of-00002.gguf")
        let found = try findings()
        #expect(found.map(\.file) == ["m-Q8_0-00001-of-00002.gguf"])
        #expect(found.map(\.found) == ["missing"])
    }

    @Test func swappedFilesOfASplitSetAreFound() throws {
        let (first, second) = ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")
        try editManifest(first, "x")
        try editManifest(second, first)
        try editManifest("\"x\"", "\"\(second)\"")
        let found = try findings()
        #expect(found.contains { $0.what == "split.no" })
        #expect(found.contains { $0.what == "number in the name" })
    }

    @Test(arguments: [
        ("\"output.weight\"", "\"other.weight\"", "tensor"), ("\"Q6_K\"", "\"Q5_K\"", "type"),
        ("            40\n", "            41\n", "shape"),
    ]) func changedDirectoryIsFound(from: String, to: String, what: String) throws {
        try editManifest(from, to)
        #expect(try findings().contains { $0.what == what && $0.tensor != nil })
    }

    @Test(arguments: ["../m-Q4_K_M.gguf", "/etc/passwd", "a/../../b"])
    func manifestThatPointsOutsideIsFound(name: String) throws {
        try editManifest("\"m-Q4_K_M.gguf\"", "\"\(name)\"")
        #expect(try findings().contains { $0.file == name && $0.what == "file" })
    }

    @Test func fileThatIsListedTwiceIsFound() throws {
        try editManifest("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")
        #expect(try findings().contains { $0.what == "entries of the manifest" })
    }

    @Test func folderWithoutManifestIsNotVerified() throws {
        try FileManager.default.removeItem(atPath: "\(bench.output)/manifest.json")
        let error = #expect(throws: QuernError.self) { try findings() }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: ["", "{", "[]", "{\"format_version\": \"1\"}", "{\"format_version\": 1}", "\u{0}"])
    func brokenManifestIsInvalidInput(text: String) throws {
        try edit(Manifest.fileName) { $0 = Data(text.utf8) }
        let error = #expect(throws: QuernError.self) { try findings() }
        #expect(error?.code == .invalidInput)
    }

    @Test func newerManifestIsUnsupported() throws {
        try editManifest("\"format_version\" : 1", "\"format_version\" : 2")
        let error = #expect(throws: QuernError.self) { try findings() }
        #expect(error?.code == .unsupported)
    }
}
