import QuernFormats
import QuernPlanning
import Testing

/// Which special tokens are added by themselves, and chat templates.
@Suite struct ConvertSpecialTokenTests {
    private static let bos = "<|begin_of_text|>"
    private static let eos = "<|end_of_text|>"

    private static func piece(_ name: String) -> [String: Any] {
        name.count == 1 ? ["Sequence": ["id": name, "type_id": 0]] : ["SpecialToken": ["id": name, "type_id": 0]]
    }

    private static func template(_ single: [String], _ pair: [String]) -> [String: Any] {
        ["type": "TemplateProcessing", "single": single.map(piece), "pair": pair.map(piece)]
    }

    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var single: [String] = []
        var pair: [String] = []
        /// Steps of a sequence before and after the template, by type.
        var before: [String] = []
        var after: [String] = []
        var settings: [String: Bool] = [:]
        /// The keys `add_…_token` in their order, without that.
        let adds: [String]
        /// Ids by kind.
        var ids = ["bos": 0, "eos": 1]
    }

    @Test(arguments: [
        Sample(testDescription: "nothing", adds: []),
        Sample(
            testDescription: "settings alone", settings: ["bos": true, "eos": false], adds: ["bos=true", "eos=false"]),
        Sample(testDescription: "bytes", before: ["ByteLevel"], adds: ["bos=false", "eos=false"]),
        Sample(
            testDescription: "the template wins over settings", single: [bos, "A"], settings: ["bos": false],
            adds: ["bos=true"]),
        Sample(
            testDescription: "the template wins over bytes", single: [bos, "A"], before: ["ByteLevel"],
            adds: ["bos=true", "eos=false"]),
        Sample(
            testDescription: "bytes after the template", single: [bos, "A"], after: ["ByteLevel"],
            adds: ["bos=true", "eos=false"]),
        Sample(testDescription: "both ends", single: [bos, "A", eos], adds: ["bos=true", "eos=true"]),
        Sample(testDescription: "another first token", single: ["!!", "A"], adds: ["bos=false"]),
        Sample(
            testDescription: "pair with BOS between", single: [bos, "A"], pair: [bos, "A", bos, "B"],
            adds: ["bos=true", "sep=false"]),
        Sample(
            testDescription: "pair with EOS between", single: [bos, "A"], pair: [bos, "A", eos, "B"],
            adds: ["bos=true", "sep=true"], ids: ["bos": 0, "eos": 1, "seperator": 1]),
        Sample(
            testDescription: "pair with nothing between", single: [bos, "A"], pair: ["A", "B"], adds: ["bos=true"]),
        Sample(
            testDescription: "another last token ends the text", single: ["A", "<|turn|>"], adds: ["eos=true"],
            ids: ["bos": 0, "eos": 2, "eot": 1]),
        Sample(testDescription: "roberta", before: ["RobertaProcessing"], adds: ["bos=true", "eos=true", "sep=true"]),
    ])
    func addingFollowsTheTemplate(sample: Sample) throws {
        let fixture = try ConvertFixture("llama")
        try fixture.edit("tokenizer.json") { json in
            var steps: [[String: Any]] = sample.before.map { ["type": $0] }
            if !sample.single.isEmpty { steps.append(Self.template(sample.single, sample.pair)) }
            steps += sample.after.map { ["type": $0] }
            json["post_processor"] = ["type": "Sequence", "processors": steps]
            var model = json["model"] as? [String: Any] ?? [:]
            var vocabulary = model["vocab"] as? [String: Any] ?? [:]
            vocabulary["!"] = nil
            model["vocab"] = vocabulary
            json["model"] = model
            let turn: [String: Any] = ["id": 2, "content": "<|turn|>", "special": true, "normalized": false]
            json["added_tokens"] = (json["added_tokens"] as? [[String: Any]] ?? []) + [turn]
        }
        try fixture.edit("tokenizer_config.json") { settings in
            for (kind, value) in sample.settings { settings["add_\(kind)_token"] = value }
        }
        let model = try fixture.open()
        let adds = model.metadata.filter { $0.key.hasPrefix("tokenizer.ggml.add_") }.map { key, value in
            "\(key.dropFirst("tokenizer.ggml.add_".count).dropLast("_token".count))=\(value == .bool(true))"
        }
        #expect(adds == sample.adds)
        let ids = model.metadata.filter { $0.key.hasSuffix("_token_id") }
        #expect(ids.count == sample.ids.count)
        for (kind, id) in sample.ids { #expect(model["tokenizer.ggml.\(kind)_token_id"] == .uint32(UInt32(id))) }
    }

    @Test func namesMayBeObjectsAndIdsFillTheRest() throws {
        let fixture = try ConvertFixture("llama")
        try fixture.edit("tokenizer_config.json") {
            $0["eos_token"] = ["content": Self.bos]
            $0["bos_token"] = nil
        }
        try fixture.edit("tokenizer.json") { $0["post_processor"] = nil }
        try fixture.edit("config.json") { $0["eos_token_id"] = [1, 2] }
        let keys = try fixture.open().metadata.filter { $0.key.hasSuffix("_token_id") }
        #expect(keys.map(\.key) == ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.bos_token_id"])
        #expect(keys.map(\.value) == [.uint32(0), .uint32(0)])
    }

    @Test func templatesComeFromThreePlaces() throws {
        let fixture = try ConvertFixture("qwen2")
        #expect(try fixture.open()["tokenizer.chat_template"] == nil)
        try fixture.write(#"{"chat_template": "json"}"#, to: "chat_template.json")
        #expect(try fixture.open()["tokenizer.chat_template"]?.text == "json")
        try fixture.write("jinja", to: "chat_template.jinja")
        #expect(try fixture.open()["tokenizer.chat_template"]?.text == "jinja")
        try fixture.edit("tokenizer_config.json") { $0["chat_template"] = "settings" }
        #expect(try fixture.open()["tokenizer.chat_template"]?.text == "settings")
    }

    @Test func templatesMayHaveNames() throws {
        let fixture = try ConvertFixture("qwen2")
        try fixture.edit("tokenizer_config.json") {
            $0["chat_template"] = [
                ["name": "default", "template": "plain"], ["name": "tool use", "template": "tools"],
                ["name": "rag", "template": "search"], ["name": "", "template": "nameless"],
            ]
        }
        let keys = try fixture.open().metadata.filter { $0.key.hasPrefix("tokenizer.chat_template") }
        #expect(
            keys.map(\.key) == [
                "tokenizer.chat_template.tool_use", "tokenizer.chat_template.rag", "tokenizer.chat_templates",
                "tokenizer.chat_template",
            ])
        #expect(keys[2].value == .array(.string(["tool_use", "rag"])))
        #expect(keys[3].value.text == "plain")
    }
}
