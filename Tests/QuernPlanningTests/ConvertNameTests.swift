import QuernFormats
import QuernPlanning
import Testing

/// What names of models and model cards tell.
@Suite struct ConvertNameTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let id: String
        let parameters: Int
        var organization: String?
        var basename: String?
        var finetune: String?
        var version: String?
        var size: String?
        var testDescription: String { id }
    }

    @Test(arguments: [
        Sample(id: "checkpoint", parameters: 1_246_480),
        Sample(
            id: "Llama-3.1-8B-Instruct", parameters: 8_030_261_248, basename: "Llama-3.1", finetune: "Instruct",
            size: "8B"),
        Sample(
            id: "mistralai/Mistral-7B-Instruct-v0.2", parameters: 7_241_732_096, organization: "mistralai",
            basename: "Mistral", finetune: "Instruct", version: "v0.2", size: "7B"),
        Sample(id: "Qwen2.5-0.5B", parameters: 494_032_768, basename: "Qwen2.5", size: "0.5B"),
        Sample(id: "qwen2.5-0_5b-chat", parameters: 494_032_768, basename: "qwen2.5", finetune: "chat", size: "0.5B"),
        // 128K is a context length where the model has billions of parameters.
        Sample(
            id: "Phi-3-mini-128k-instruct", parameters: 3_821_079_552, basename: "Phi-3", finetune: "128k-instruct",
            size: "mini"),
        Sample(id: "Mixtral-8x7B-v0.1", parameters: 46_702_792_704, basename: "Mixtral", version: "v0.1", size: "8x7B"),
        Sample(id: "bloom-7b1", parameters: 7_069_016_064, basename: "bloom", size: "7.1B"),
        Sample(id: "a model with spaces", parameters: 1),
        Sample(id: "./here", parameters: 1),
    ])
    func partsAreFound(sample: Sample) {
        let name = ModelName(sample.id, parameters: sample.parameters)
        #expect(name.organization == sample.organization)
        #expect(name.basename == sample.basename)
        #expect(name.finetune == sample.finetune)
        #expect(name.version == sample.version)
        #expect(name.sizeLabel == sample.size)
    }

    @Test(arguments: [
        ("checkpoint", "Checkpoint"), ("tiny-llama", "Tiny Llama"), ("Llama-3.1-8b-it", "Llama 3.1 8b It"),
        ("foo-v0.2-bar", "Foo v0.2 Bar"), ("qwen2.5vl-NASA", "Qwen2.5Vl NASA"), ("", ""),
    ])
    func titles(id: String, title: String) {
        #expect(ModelName.title(id) == title)
    }

    @Test(arguments: [
        (1_246_480, "1.2M"), (854_016, "854K"), (1_000_000, "1000K"), (1_000_001, "1.0M"), (8_030_261_248, "8.0B"),
        (70_553_706_496, "71B"), (9_400, "9.4K"), (9_500, "10K"), (0, "0.00K"), (2_000_000_000_000, "2.0T"),
    ])
    func sizes(parameters: Int, label: String) {
        #expect(SizeLabel.rounded(parameters) == label)
    }

    @Test func cardComesBeforeTheFolder() throws {
        let fixture = try ConvertFixture("llama", name: "Someone-1.2M-Chat-v2")
        try fixture.write(
            """
            ---
            license: other
            license_name: free
            tags: [a, "b c"]
            pipeline_tag: text-generation
            language:
            - en
            - no
            base_model: org/Base-7B-v0.1
            datasets: https://huggingface.co/org/data
            model_creator: Someone
            ---
            # Someone
            """, to: "README.md")
        let model = try fixture.open()
        let general = model.metadata.filter { $0.key.hasPrefix("general.") && !$0.key.contains("sampling") }
        #expect(
            general.map { "\($0.key)=\($0.value.text ?? $0.value.strings?.map(\.text).joined(separator: "|") ?? "")" }
                == [
                    "general.architecture=llama", "general.type=model", "general.name=Someone 1.2M Chat v2",
                    "general.author=Someone", "general.version=v2", "general.finetune=Chat",
                    "general.basename=Someone", "general.size_label=1.2M", "general.license=other",
                    "general.license.name=free", "general.base_model.count=", "general.base_model.0.name=Base 7B v0.1",
                    "general.base_model.0.version=v0.1", "general.base_model.0.organization=Org",
                    "general.base_model.0.repo_url=https://huggingface.co/org/Base-7B-v0.1", "general.dataset.count=",
                    "general.dataset.0.name=Data", "general.dataset.0.organization=Org",
                    "general.dataset.0.repo_url=https://huggingface.co/org/data",
                    "general.tags=a|b c|text-generation", "general.languages=en|no", "general.file_type=",
                    "general.quantization_version=",
                ])
    }

    @Test(arguments: [
        "", "---\n", "---\n{a: [\n---\n", "---\n- 1\n---\n", "---\nlicense: &a mit\nb: *a\n---\n",
        "# No front matter\n",
    ])
    func brokenCardsAreNoHindrance(card: String) throws {
        let fixture = try ConvertFixture("mistral")
        try fixture.write(card, to: "README.md")
        try fixture.write("{", to: "generation_config.json")
        #expect(try fixture.open().metadata.map(\.key) == ConvertFixture("mistral").open().metadata.map(\.key))
    }
}
