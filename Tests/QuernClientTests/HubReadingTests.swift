import Foundation
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Models on a hub, one that does all that a hub may do.
@Suite struct HubReadingTests {
    private let folder: TemporaryFolder
    private let hub: HubServer
    /// Bytes of a large file, all different from their neighbours.
    private let large: [UInt8]

    init() async throws {
        folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: 1)
        large = (0..<5_000_000).flatMap { _ in withUnsafeBytes(of: generator.next() as UInt64) { Array($0.prefix(4)) } }
        try folder.write(large, to: "m/large.safetensors")
        try folder.write("{\"a\": 1}", to: "m/config.json")
        try folder.write(Array(repeating: 7, count: 700_000) as [UInt8], to: "m/with space+%.txt")
        try folder.write("", to: "m/empty.txt")
        try folder.write("x", to: "m/sub/part/x.txt")
        try folder.write("y", to: "m/sub/y.txt")
        for index in 0..<7 { try folder.write("\(index)", to: "m/other\(index)") }
        hub = try await HubServer(root: folder.path)
    }

    private func sources(
        token: String? = HubServer.token, cache: Int = 1 << 30, memory: Int = 64 << 20, attempts: Int = 4
    ) -> RemoteSources {
        var patience = HubClient.patience
        patience.attempts = attempts
        patience.pause = .milliseconds(5)
        var environment = hub.environment
        environment["HF_TOKEN"] = token
        return RemoteSources(environment: environment, cache: { cache }, memory: memory, patience: patience)
    }

    /// Off the cooperative pool, as all reading.
    private func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result(catching: work)) }
        }
    }

    private static let organizations = ["open", "private", "flaky", "expiring", "limited", "changed"]

    @Test(arguments: organizations.dropLast())
    func foldersAreAsTheyAre(organization: String) async throws {
        let sources = sources(attempts: 10)
        let large = large
        try await blocking {
            let folder = try sources.folder("hf://\(organization)/m")
            #expect(folder.name == "m")
            #expect(
                try folder.names()
                    == ["config.json", "empty.txt", "large.safetensors"] + (0..<7).map { "other\($0)" }
                    + ["with space+%.txt"])
            let file = try #require(try folder.open("large.safetensors"))
            #expect(file.version == "sha256:" + Digest(of: large).hex)
            #expect(file.name == "hf://\(organization)/m@\(String(repeating: "a", count: 40))/large.safetensors")
            #expect(try file.bytes(at: 0, count: large.count) == large)
            let text = try #require(try folder.open("with space+%.txt"))
            #expect(try text.bytes(at: 699_999, count: 1) == [7])
            #expect(try folder.open("empty.txt")?.bytes(at: 0, count: 0) == [])
            #expect(try folder.open("none") == nil)
            for name in ["../m/config.json", "sub/y.txt", "", ".."] {
                #expect(throws: QuernError.self) { try folder.open(name) }
            }
        }
        let requests = try hub.requests()
        #expect(requests.contains { $0.place == "storage" })
        #expect(requests.allSatisfy { $0.authorized == ($0.place == "hub") })
        #expect(requests.allSatisfy { !$0.path.contains("/resolve/") || $0.range != nil })
    }

    @Test func partsOfAModel() async throws {
        let sources = sources()
        try await blocking {
            let folder = try sources.folder("hf://open/m@refs/pr/1/sub")
            #expect(folder.name == "sub")
            #expect(try folder.names() == ["y.txt"])
            #expect(try folder.open("y.txt")?.bytes(at: 0, count: 1) == Array("y".utf8))
            let file = try sources.file("hf://open/m@v1/large.safetensors")
            #expect(file.name.hasPrefix("hf://open/m@bbbb"))
            #expect(try sources.isFolder("hf://open/m/sub"))
            #expect(try !sources.isFolder("hf://open/m/large.safetensors"))
        }
    }

    /// Pieces of all sizes, forwards and back, in caches from none to more than enough.
    @Test(arguments: [(0, 0), (0, 9 << 20), (1 << 20, 9 << 20), (1 << 30, 64 << 20)])
    func anyPiece(cache: Int, memory: Int) async throws {
        let sources = sources(cache: cache, memory: memory)
        let large = large
        try await blocking {
            let file = try sources.file("hf://open/m/large.safetensors")
            file.willRead(3_000_000..<UInt64(large.count), soon: false)
            var generator = SeededGenerator(seed: UInt64(cache + memory))
            for _ in 0..<60 {
                let start = Int.random(in: 0..<large.count, using: &generator)
                let count = min(
                    Int.random(in: 1...[10, 1000, 3_000_000][start % 3], using: &generator), large.count - start)
                let bytes = try file.bytes(at: UInt64(start), count: count)
                #expect(bytes == Array(large[start..<start + count]))
            }
            #expect(throws: QuernError.self) { try file.bytes(at: UInt64(large.count), count: 1) }
        }
    }

    /// Nothing is fetched twice, nothing that nobody wants, and in few requests.
    @Test func fetchesWhatIsWantedOnce() async throws {
        let sources = sources()
        let wanted: Range<UInt64> = 2_000_000..<18_000_000
        try await blocking {
            for _ in 0..<2 {
                let file = try sources.file("hf://open/m/large.safetensors")
                file.willRead(wanted, soon: false)
                for start in stride(from: wanted.lowerBound, to: wanted.upperBound, by: 100_000) {
                    _ = try file.bytes(at: start, count: 100_000)
                }
            }
        }
        let ranges = try hub.requests().filter { $0.place == "storage" }.compactMap { request in
            request.range?.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
        }
        let block = 256 << 10
        let fetched = ranges.reduce(0) { $0 + $1[1] - $1[0] + 1 }
        #expect(fetched <= wanted.count + 2 * block && fetched >= wanted.count)
        #expect(ranges.count <= 5)
    }

    @Test func fetchesAhead() async throws {
        let sources = sources(attempts: 1)
        let first = try await blocking {
            let file = try sources.file("hf://crowd/m/large.safetensors")
            file.willRead(0..<file.size, soon: false)
            return try file.bytes(at: 0, count: 4)
        }
        #expect(first == Array(large[..<4]))
    }

    @Test func theHubIsAskedForALocationOnce() async throws {
        let sources = sources(cache: 0, memory: 0)
        try await blocking {
            let file = try sources.file("hf://open/m/large.safetensors")
            for start in stride(from: UInt64(0), to: 10_000_000, by: 1_000_000) {
                _ = try file.bytes(at: start, count: 9)
            }
        }
        let requests = try hub.requests()
        #expect(requests.count { $0.path.contains("/resolve/") } == 1)
        #expect(requests.count { $0.place == "storage" } == 10)
    }

    @Test func aBranchIsLookedUpOnce() async throws {
        let sources = sources()
        let (first, second) = try await blocking {
            (try sources.pinned("hf://moving/m"), try sources.pinned("hf://moving/m"))
        }
        #expect(first != second)
        #expect(sources.isPinned(first, of: "hf://moving/m"))
        let (same, name) = try await blocking {
            (try sources.pinned(first), try sources.folder(first).open("config.json")?.name)
        }
        #expect(same == first)
        #expect(name == first + "/config.json")
        #expect(try hub.requests().count { $0.path.contains("/revision/") } == 2)
    }

    /// Of the URL, the token, the error and words in it.
    private static let errors: [(url: String, token: String?, code: QuernError.Code, words: [String])] = [
        ("hf://private/m", nil, .unauthorized, ["hf://private/m", "set HF_TOKEN"]),
        ("hf://private/m", "hf_wrong", .unauthorized, ["the token from HF_TOKEN", "Invalid credentials"]),
        ("hf://gated/m", nil, .unauthorized, ["/gated/m", "Accept its conditions", "set HF_TOKEN"]),
        ("hf://gated/m", HubServer.token, .unauthorized, ["Accept its conditions", "HF_TOKEN"]),
        ("hf://forbidden/m", HubServer.token, .unauthorized, ["does not allow it", "HF_TOKEN"]),
        ("hf://open/none", nil, .unauthorized, ["no such model", "HF_TOKEN"]),
        ("hf://open/none", HubServer.token, .notFound, ["no such model"]),
        ("hf://open/m@v2", nil, .notFound, ["no revision 'v2'"]),
        ("hf://open/m/nothing", nil, .notFound, ["no such file or folder"]),
        ("hf://open/m/none.safetensors", nil, .notFound, ["no such file"]),
        ("hf://open/m/sub/none.gguf", nil, .notFound, ["no such file"]),
        ("hf://closed/m", nil, .unavailable, ["HTTP status 429: too many requests", "Try again in 3600 s"]),
        ("hf://busy/m", nil, .unavailable, ["HTTP status 503", "Try again"]),
        ("hf://short/m/large.safetensors", nil, .unavailable, ["broke off"]),
        ("hf://shifted/m/large.safetensors", nil, .unavailable, ["asked for bytes 0-", "got", "as bytes 1-"]),
        ("hf://whole/m/large.safetensors", nil, .unsupported, ["does not send parts of files"]),
        ("hf://grown/m/large.safetensors", nil, .conflict, ["has changed", "20000001 bytes in place of 20000000"]),
        ("hf://changed/m/large.safetensors", nil, .conflict, ["has changed", "ETag is 0000"]),
        ("hf://circle/m/large.safetensors", nil, .io, ["in circles"]),
        ("hf://astray/m/large.safetensors", nil, .io, ["not to be trusted"]),
    ]

    @Test(arguments: errors)
    func saysWhatIsWrong(url: String, token: String?, code: QuernError.Code, words: [String]) async throws {
        let sources = sources(token: token)
        let error = await #expect(throws: QuernError.self) {
            try await blocking {
                if try sources.isFolder(url) {
                    _ = try sources.folder(url)
                } else {
                    _ = try sources.file(url).bytes(at: 0, count: 1000)
                }
            }
        }
        #expect(error?.code == code)
        let text = try #require(error).description
        for word in words { #expect(text.contains(word), "\(text)") }
        #expect(!text.contains("hf_right") && !text.contains("hf_wrong") && !text.contains("sig="))
    }

    @Test func aHubThatIsNotThere() async throws {
        let sources = RemoteSources(
            environment: ["HF_ENDPOINT": "http://127.0.0.1:\(try freePort())", "HF_HOME": "/none"], cache: { 0 },
            memory: 0,
            patience: {
                var patience = HubClient.patience; patience.attempts = 1; return patience
            }())
        let error = await #expect(throws: QuernError.self) {
            try await blocking { _ = try sources.pinned("hf://open/m") }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("Connection refused") == true)
    }
}
