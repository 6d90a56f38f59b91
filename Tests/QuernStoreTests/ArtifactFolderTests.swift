import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

@Suite struct ArtifactFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func fileAppearsWhenItIsWhole() throws {
        let artifacts = ArtifactFolder(root: folder.path, subfolder: "job")
        let file = try artifacts.begin("model.gguf", size: 10)
        try [UInt8]([1, 2]).withUnsafeBytes { try file.write(at: 8, $0) }
        #expect(!FileManager.default.fileExists(atPath: folder.path("job/model.gguf")))
        try file.sync()
        try file.publish()
        #expect(files(below: folder.path) == ["job/model.gguf"])
        #expect(
            FileManager.default.contents(atPath: folder.path("job/model.gguf")) == Data([0, 0, 0, 0, 0, 0, 0, 0, 1, 2]))
    }

    @Test func fileThatIsDroppedLeavesNothing() throws {
        do { _ = try ArtifactFolder(root: folder.path).begin("model.gguf", size: 10) }
        #expect(files(below: folder.path).isEmpty)
    }

    @Test func newFileReplacesTheOld() throws {
        let artifacts = ArtifactFolder(root: folder.path)
        try artifacts.write([1], as: "sub/a.json")
        try artifacts.write([2, 3], as: "sub/a.json")
        #expect(FileManager.default.contents(atPath: folder.path("sub/a.json")) == Data([2, 3]))
    }

    @Test(arguments: ["", "/etc/passwd", "../a", "a/../../b", "a//b", ".", "..", "a/.", "a\0b", "a/"])
    func namesThatLeaveTheFolderAreRefused(name: String) {
        let error = #expect(throws: QuernError.self) {
            _ = try ArtifactFolder(root: folder.path).begin(name, size: 1)
        }
        #expect(error?.code == .invalidInput)
    }

    @Test func writesBeyondTheSizeAreRefused() throws {
        let file = try ArtifactFolder(root: folder.path).begin("a", size: 4)
        for offset in [UInt64(3), 4, .max] {
            #expect(throws: QuernError.self) { try [UInt8]([1, 2]).withUnsafeBytes { try file.write(at: offset, $0) } }
        }
    }

    @Test func impossibleSizeIsOutOfSpace() throws {
        let error = #expect(throws: QuernError.self) {
            _ = try ArtifactFolder(root: folder.path).begin("a", size: 1 << 60)
        }
        #expect(error?.code == .outOfSpace)
        #expect(files(below: folder.path).isEmpty)
    }

    @Test func stalePartialsAreRemovedAndNothingElse() throws {
        for name in ["a.gguf", "a.gguf.partial-0123456789abcdef", "b.partial-x"] { try folder.write([1], to: name) }
        let artifacts = ArtifactFolder(root: folder.path)
        artifacts.removePartials(olderThan: 3600)
        artifacts.removePartials(of: ["another"])
        #expect(files(below: folder.path).count == 3)
        artifacts.removePartials(olderThan: 0)
        #expect(files(below: folder.path) == ["a.gguf", "b.partial-x"])
        try folder.write([1], to: "a.gguf.partial-0123456789abcdef")
        artifacts.removePartials(of: ["a.gguf"])
        #expect(files(below: folder.path) == ["a.gguf", "b.partial-x"])
    }
}
