import QuernFormats

/// The keys under `general.`: what the model is called and where it comes from. Their order is that of the reference
/// converter; `general.file_type` and `general.quantization_version` stand elsewhere.
struct GeneralKeys {
    /// The name of the checkpoint's folder.
    let folderName: String
    let config: JSONObject
    let generation: JSONObject
    let card: ModelCard
    let count: SizeLabel.Count

    /// - Parameter architecture: `general.architecture`.
    func keys(architecture: String) throws -> [(key: String, value: GGUFValue)] {
        var keys = KeyList()
        keys.add("general.architecture", architecture)
        keys.add("general.type", "model")
        try addSampling(to: &keys)
        addIdentity(to: &keys)
        addReferences(card.references("base_model", "base_models", "base_model_sources"), "base_model", to: &keys)
        addReferences(card.references("datasets", "dataset", "dataset_sources"), "dataset", to: &keys)
        keys.add("general.tags", card.texts("tags", "pipeline_tag"))
        keys.add("general.languages", card.texts("languages", "language"))
        return keys.entries
    }

    private func addSampling(to keys: inout KeyList) throws {
        keys.add("general.sampling.sequence", generation["sequence"]?.string)
        func integer(_ key: String, _ field: String) throws {
            guard let value = try ModelConfig.number(generation, field) else { return }
            guard let number = Int32(exactly: value) else {
                throw QuernError(.invalidInput, "'\(field)' has to be an integer", at: "generation_config.json")
            }
            keys.add("general.sampling.\(key)", .int32(number))
        }
        func float(_ key: String, _ fields: String...) throws {
            for field in fields {
                guard let value = try ModelConfig.number(generation, field) else { continue }
                return keys.add("general.sampling.\(key)", .float32(Float(value)))
            }
        }
        try integer("top_k", "top_k")
        try float("top_p", "top_p")
        try float("min_p", "min_p")
        try float("xtc_probability", "xtc_probability")
        try float("xtc_threshold", "xtc_threshold")
        try float("temp", "temperature")
        try integer("penalty_last_n", "penalty_last_n")
        try float("penalty_repeat", "penalty_repeat", "repetition_penalty")
        try integer("mirostat", "mirostat")
        try float("mirostat_tau", "mirostat_tau")
        try float("mirostat_eta", "mirostat_eta")
    }

    /// The card has the first word, then the name the configuration carries, then the folder's.
    private func addIdentity(to keys: inout KeyList) {
        var names: [ModelName] = []
        // A path is no name of a model.
        if let path = config["_name_or_path"]?.string, !path.isEmpty, path.count(where: { $0 == "/" }) <= 1 {
            names.append(ModelName(path, parameters: count.total))
        }
        names.append(ModelName(folderName, parameters: count.total))
        func guess(_ part: KeyPath<ModelName, String?>) -> String? { names.lazy.compactMap { $0[keyPath: part] }.first }
        let title = names.lazy.map { ModelName.title($0.full) }.first { !$0.isEmpty }

        keys.add("general.name", card.text("name", "model_name") ?? title ?? folderName)
        keys.add("general.author", card.text("author", "model_author", "model_creator"))
        keys.add("general.version", card.text("version", "model_version") ?? guess(\.version))
        keys.add(
            "general.organization",
            card.text("organization", "model_organization") ?? guess(\.organization).map(ModelName.title))
        keys.add("general.finetune", card.text("finetune", "model_finetune") ?? guess(\.finetune))
        keys.add("general.basename", card.text("basename", "model_basename", "model_type") ?? guess(\.basename))
        keys.add("general.description", card.text("description", "model_description"))
        keys.add(
            "general.size_label",
            card.text("size_label", "model_size_label") ?? guess(\.sizeLabel) ?? SizeLabel.text(count))
        keys.add("general.license", card.texts("license")?.joined(separator: ","))
        keys.add("general.license.name", card.text("license_name"))
        keys.add("general.license.link", card.text("license_link"))
        keys.add("general.source.url", card.text("url", "model_url"))
        keys.add("general.source.doi", card.text("doi", "model_doi"))
        keys.add("general.source.uuid", card.text("uuid", "model_uuid"))
        keys.add("general.source.repo_url", card.text("repo_url", "model_repo_url"))
    }

    /// Keys of models or data sets this one was made from.
    private func addReferences(_ references: [ModelCard.Reference]?, _ kind: String, to keys: inout KeyList) {
        guard let references else { return }
        keys.add("general.\(kind).count", .uint32(UInt32(references.count)))
        for (index, reference) in references.enumerated() {
            let fields = described(reference)
            for field in Self.referenceFields { keys.add("general.\(kind).\(index).\(field)", fields[field]) }
        }
    }

    private static let referenceFields = [
        "name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url",
    ]

    private func described(_ reference: ModelCard.Reference) -> [String: String] {
        switch reference {
        case .described(let fields):
            return fields
        case .named(let text):
            guard let scheme = ["http://", "https://", "ssh://"].first(where: text.hasPrefix) else {
                let name = ModelName(text, parameters: count.total)
                var fields = parts(of: name)
                if let owner = name.organization { fields["repo_url"] = "https://huggingface.co/\(owner)/\(name.full)" }
                return fields
            }
            let path = text.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
            var fields: [String: String] = [:]
            if scheme.hasPrefix("http"), path.count == 3, path[0] == "huggingface.co", !path[1].isEmpty,
                !path[2].isEmpty
            {
                fields = parts(of: ModelName("\(path[1])/\(path[2])", parameters: count.total))
            }
            fields["repo_url"] = text
            return fields
        }
    }

    private func parts(of name: ModelName) -> [String: String] {
        var fields = ["name": ModelName.title(name.full)]
        fields["organization"] = name.organization.map(ModelName.title)
        fields["version"] = name.version
        return fields
    }
}

/// Key-values in order, each key once.
struct KeyList {
    private(set) var entries: [(key: String, value: GGUFValue)] = []

    mutating func add(_ key: String, _ value: GGUFValue) { entries.append((key, value)) }

    mutating func add(_ key: String, _ text: String?) {
        if let text { add(key, .string(GGUFString(text))) }
    }

    mutating func add(_ key: String, _ texts: [String]?) {
        if let texts { add(key, .array(.string(texts.map { GGUFString($0) }))) }
    }

    /// Writes over an entry where it stands, or adds it at the end.
    mutating func set(_ key: String, _ value: GGUFValue) {
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value = value
        } else {
            add(key, value)
        }
    }
}
