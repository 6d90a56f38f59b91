import QuernFormats
import TestSupport
import Testing

struct CheckpointTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A shard with one-element F32 tensors of these names.
    static func shard(_ names: String...) -> [UInt8] {
        let tensors = names.enumerated().map {
            #""\#($0.element)":{"dtype":"F32","shape":[1],"data_offsets":[\#(4 * $0.offset),\#(4 * $0.offset + 4)]}"#
        }
        return ByteBuilder.safetensors("{\(tensors.joined(separator: ","))}", data: 4 * names.count).bytes
    }

    static func index(_ map: KeyValuePairs<String, String>) -> String {
        let entries = map.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        return #"{"metadata":{"total_size":8},"weight_map":{\#(entries)}}"#
    }

    private func open(_ path: String? = nil) throws -> Checkpoint { try Checkpoint.open(path: path ?? folder.path) }

    @Test func oneFile() throws {
        try folder.write(#"{"model_type":"llama","hidden_size":64}"#, to: "here/tiny/config.json")
        try folder.write(Self.shard("a", "b"), to: "here/tiny/model.safetensors")
        try folder.write("{{ x }}", to: "here/tiny/chat_template.jinja")
        let checkpoint = try open(folder.path("here/tiny/"))
        #expect(checkpoint.name == "tiny")
        #expect(checkpoint.config["hidden_size"]?.integer == 64)
        #expect(checkpoint.shards.map { $0.header.tensors.map(\.name) } == [["a", "b"]])
        #expect(checkpoint.shards[0].file.name == folder.path("here/tiny/model.safetensors"))
        #expect(try checkpoint.text("chat_template.jinja") == "{{ x }}")
        #expect(try checkpoint.bytes("chat_template.jinja") == Array("{{ x }}".utf8))
        #expect(try checkpoint.json("config.json")?.keys == ["model_type", "hidden_size"])
        #expect(
            try checkpoint.json("tokenizer.json") == nil && checkpoint.text("x") == nil && checkpoint.bytes("x") == nil)
    }

    @Test func shardsInTheOrderOfTheirNames() throws {
        try folder.write("{}", to: "config.json")
        try folder.write(
            Self.index(["z": "model-2.safetensors", "a": "model-1.safetensors", "b": "model-2.safetensors"]),
            to: "model.safetensors.index.json")
        try folder.write(Self.shard("a"), to: "model-1.safetensors")
        try folder.write(Self.shard("z", "b"), to: "model-2.safetensors")
        #expect(try open().shards.map { $0.header.tensors.map(\.name) } == [["a"], ["z", "b"]])
    }

    @Test(
        arguments: [
            (["a": "1.safetensors", "b": "1.safetensors"], "tensor 'b'", "lacks it"),
            (["a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"], "tensor 'c'", "lacks it"),
            (["a": "2.safetensors", "b": "1.safetensors"], "tensor", "says it is in"),
            (["a": "1.safetensors", "b": "3.safetensors"], "quern-test", "'3.safetensors', which is not there"),
            (["a": "1.safetensors", "b": "../../etc/passwd"], "quern-test", "not a plain name"),
            (["a": "1.safetensors", "b": "/etc/passwd"], "quern-test", "not a plain name"),
            (["a": ".."], "quern-test", "not a plain name"),
            (["a": ""], "quern-test", "not a plain name"), (["a": "x\\u0000y"], "quern-test", "not a plain name"),
            (["a": "sub"], "sub", "not a regular file"), (["a": "2.safetensors"], "tensor 'b'", "does not name it"),
        ] as [(KeyValuePairs<String, String>, String, String)])
    func indexAgainstShards(map: KeyValuePairs<String, String>, location: String, message: String) throws {
        try folder.write("{}", to: "config.json")
        try folder.write(Self.index(map), to: "model.safetensors.index.json")
        try folder.write(Self.shard("a"), to: "1.safetensors")
        try folder.write(Self.shard("b"), to: "2.safetensors")
        try folder.write("", to: "sub/file")
        let error = try #require(quernError { try open() })
        #expect(error.location.contains(location) && error.message.contains(message), "\(error)")
    }

    @Test func filesThatTheIndexLeavesOutAreNoShards() throws {
        try folder.write("{}", to: "config.json")
        try folder.write(Self.index(["a": "1.safetensors"]), to: "model.safetensors.index.json")
        try folder.write(Self.shard("a"), to: "1.safetensors")
        try folder.write("no safetensors", to: "2.safetensors")
        #expect(try open().shards.count == 1)
    }

    @Test func tensorsThatTheIndexLeavesOut() throws {
        try folder.write("{}", to: "config.json")
        try folder.write(Self.index(["a": "1.safetensors"]), to: "model.safetensors.index.json")
        try folder.write(Self.shard("a", "stowaway"), to: "1.safetensors")
        let error = try #require(quernError { try open() })
        #expect(error.location.hasSuffix("tensor 'stowaway'") && error.message.contains("does not name it"))
    }

    @Test(arguments: [
        ("{}", "weight_map"), (#"{"weight_map":{}}"#, "weight_map"), (#"{"weight_map":{"a":1}}"#, "an integer"),
        (#"{"weight_map":{"a":"x","a":"y"}}"#, "duplicate key 'a'"), ("[]", "an array"), ("{", "end of the text"),
    ])
    func brokenIndex(text: String, message: String) throws {
        try folder.write("{}", to: "config.json")
        try folder.write(text, to: "model.safetensors.index.json")
        let error = try #require(quernError { try open() })
        #expect(error.location.contains("model.safetensors.index.json") && error.message.contains(message), "\(error)")
    }

    @Test func anIndexBesideAFileItDoesNotName() throws {
        try folder.write("{}", to: "config.json")
        try folder.write(Self.index(["a": "1.safetensors"]), to: "model.safetensors.index.json")
        try folder.write(Self.shard("a"), to: "1.safetensors")
        try folder.write(Self.shard("a"), to: "model.safetensors")
        #expect(quernError { try open() }?.message.contains("has both") == true)
    }

    @Test(
        arguments: [
            ([], QuernError.Code.notFound, "no config.json"),
            (["config.json"], .notFound, "there is no model.safetensors"),
            (["config.json", "pytorch_model.bin"], .unsupported, "pickles"),
            (["config.json", "model-00001-of-00002.safetensors"], .notFound, "there are safetensors files"),
        ] as [([String], QuernError.Code, String)])
    func whatIsMissing(files: [String], code: QuernError.Code, message: String) throws {
        for file in files { try folder.write("{}", to: file) }
        let error = try #require(quernError { try open() })
        #expect(error.code == code && error.message.contains(message), "\(error)")
    }

    @Test func noSuchFolder() throws {
        #expect(quernError { try open(folder.path("none")) }?.code == .notFound)
        let file = try folder.write("", to: "file")
        #expect(quernError { try open(file) }?.message == "not a folder")
    }

    @Test(arguments: ["config.json", "model.safetensors"])
    func linksOutOfTheFolderAreRefused(link: String) throws {
        try folder.write("{}", to: "outside/config.json")
        try folder.write(Self.shard("a"), to: "outside/model.safetensors")
        for file in ["config.json", "model.safetensors"] where file != link {
            try folder.write(file == "config.json" ? Array("{}".utf8) : Self.shard("a"), to: "inside/\(file)")
        }
        try folder.link("inside/\(link)", to: "../outside/\(link)")
        let error = try #require(quernError { try open(folder.path("inside")) })
        #expect(error.message == "a symbolic link that leads out of the folder")
        #expect(error.location == folder.path("inside/\(link)"))
    }

    @Test func linksWithinTheFolderAreFollowed() throws {
        try folder.write("{}", to: "real/config.json")
        try folder.write(Self.shard("a"), to: "real/weights.safetensors")
        try folder.link("real/model.safetensors", to: "weights.safetensors")
        try folder.link("alias", to: "real")
        #expect(try open(folder.path("alias")).shards.count == 1)
    }

    @Test func aSnapshotInAHuggingFaceCache() throws {
        let root = "models--org--tiny-model"
        try folder.write("{}", to: "\(root)/blobs/c0")
        try folder.write(Self.shard("a"), to: "\(root)/blobs/ab")
        try folder.write("secret", to: "models--org--other/blobs/ab")
        try folder.link("\(root)/snapshots/123/config.json", to: "../../blobs/c0")
        try folder.link("\(root)/snapshots/123/model.safetensors", to: "../../blobs/ab")
        try folder.link("\(root)/snapshots/123/README.md", to: "../../../models--org--other/blobs/ab")
        try folder.link("\(root)/snapshots/123/gone", to: "../../blobs/none")
        let checkpoint = try open(folder.path("\(root)/snapshots/123"))
        #expect(checkpoint.name == "tiny-model" && checkpoint.shards.count == 1)
        #expect(
            quernError { try checkpoint.text("README.md") }?.message == "a symbolic link that leads out of the folder")
        #expect(quernError { try checkpoint.text("gone") }?.code == .notFound)
        #expect(quernError { try checkpoint.text("../../blobs/c0") }?.message.contains("not a plain name") == true)
    }

    @Test func textMustBeUTF8() throws {
        try folder.write("{}", to: "config.json")
        try folder.write(Self.shard("a"), to: "model.safetensors")
        try folder.write([0xFF, 0xFE] as [UInt8], to: "template")
        #expect(quernError { try open().text("template") }?.message == "no valid UTF-8")
    }
}
