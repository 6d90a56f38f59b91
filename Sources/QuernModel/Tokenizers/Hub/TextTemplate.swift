import QuernFormats

/// The special tokens that belong around a text.
struct TextTemplate: Sendable, Equatable {
    var prefix: [Int32] = []
    var suffix: [Int32] = []
}

extension Fields {
    /// What a `post_processor` puts around one text.
    func textTemplate(depth: Int = 0) throws -> TextTemplate {
        let type = try string("type")
        switch type {
        case "Sequence":
            guard depth < 16 else { throw fault("sequences nested too deep") }
            // What comes later goes around what came before.
            return try objects("processors").reduce(into: TextTemplate()) { template, step in
                let outer = try step.textTemplate(depth: depth + 1)
                template.prefix = outer.prefix + template.prefix
                template.suffix += outer.suffix
            }
        case "ByteLevel":
            return TextTemplate()
        case "RobertaProcessing", "BertProcessing":
            return TextTemplate(prefix: [try namedToken("cls")], suffix: [try namedToken("sep")])
        case "TemplateProcessing":
            return try template()
        default:
            throw fault("the post-processor \(type.quotedForMessage) is unknown", .unsupported)
        }
    }

    /// ["</s>", 2].
    private func namedToken(_ key: String) throws -> Int32 {
        guard let pair = try optionalArray(key), pair.count == 2,
            let id = pair[1].integer.flatMap({ Int32(exactly: $0) }),
            id >= 0
        else { throw fault("'\(key)' is no pair of a token and an id") }
        return id
    }

    private func template() throws -> TextTemplate {
        let special = try optionalObject("special_tokens")
        var template = TextTemplate()
        var isBehind = false
        for piece in try objects("single") {
            if try piece.optionalObject("Sequence") != nil {
                isBehind = true
            } else if let token = try piece.optionalObject("SpecialToken") {
                let name = try token.string("id")
                guard let entry = try special?.optionalObject(name), let values = try entry.optionalArray("ids") else {
                    throw token.fault("the token \(name.quotedForMessage) is not among 'special_tokens'")
                }
                for value in values {
                    guard let id = value.integer.flatMap({ Int32(exactly: $0) }), id >= 0 else {
                        throw entry.fault("an id is no integer from 0 on")
                    }
                    if isBehind { template.suffix.append(id) } else { template.prefix.append(id) }
                }
            } else {
                throw piece.fault("is neither a token nor a text")
            }
        }
        return template
    }
}
