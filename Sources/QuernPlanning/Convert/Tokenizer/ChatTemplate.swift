import QuernFormats

/// The keys of chat templates, which say how the turns of a conversation become one text.
enum ChatTemplate {
    /// - Parameters:
    ///   - settings: tokenizer_config.json, whose `chat_template` is a text, or a list of texts with names.
    ///   - file: the text of chat_template.jinja, which counts where the settings have none.
    ///   - json: chat_template.json, likewise.
    static func keys(settings: JSONObject?, file: String?, json: JSONObject?) -> [(key: String, value: GGUFValue)] {
        let value = settings?["chat_template"] ?? file.map(JSONValue.string) ?? json?["chat_template"]
        switch value {
        case .string(let text):
            return [("tokenizer.chat_template", .string(GGUFString(text)))]
        case .array(let choices):
            return named(choices)
        default:
            return []
        }
    }

    /// The one called "default" is the template; the others get keys with their names.
    private static func named(_ choices: [JSONValue]) -> [(key: String, value: GGUFValue)] {
        var keys: [(key: String, value: GGUFValue)] = []
        var names: [GGUFString] = []
        var standard: String?
        for choice in choices {
            guard let name = choice.object?["name"]?.string.map(plain), !name.isEmpty,
                let text = choice.object?["template"]?.string
            else { continue }
            if name == "default" {
                standard = text
            } else if !names.contains(GGUFString(name)) {
                names.append(GGUFString(name))
                keys.append(("tokenizer.chat_template.\(name)", .string(GGUFString(text))))
            }
        }
        if !names.isEmpty { keys.append(("tokenizer.chat_templates", .array(.string(names)))) }
        if let standard { keys.append(("tokenizer.chat_template", .string(GGUFString(standard)))) }
        return keys
    }

    /// A name that can be part of a key: ASCII letters and digits, anything else an underscore.
    private static func plain(_ name: String) -> String {
        String(
            name.unicodeScalars.map {
                $0.isASCII && $0.properties.isAlphabetic || ("0"..."9").contains($0) ? Character($0) : "_"
            })
    }
}
