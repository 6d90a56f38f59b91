import QuernFormats

/// An object of a tokenizer file, and where it stands there.
struct Fields {
    let object: JSONObject
    let place: String

    init(_ object: JSONObject, at place: String) {
        self.object = object
        self.place = place
    }

    func fault(_ message: String, _ code: QuernError.Code = .invalidInput) -> QuernError {
        QuernError(code, message, at: place.isEmpty ? "" : "'\(place)'")
    }

    private func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

    /// A member that is not null.
    private func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    private func mismatch(_ key: String, _ value: JSONValue, _ wanted: String) -> QuernError {
        QuernError(.invalidInput, "\(value.kind), \(wanted) should be there", at: "'\(path(key))'")
    }

    func optionalString(_ key: String) throws -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else { throw mismatch(key, value, "a string") }
        return text
    }

    func string(_ key: String) throws -> String {
        guard let text = try optionalString(key) else { throw fault("'\(key)' is missing") }
        return text
    }

    func bool(_ key: String, default standard: Bool) throws -> Bool {
        guard let value = value(key) else { return standard }
        guard let bool = value.bool else { throw mismatch(key, value, "a boolean") }
        return bool
    }

    func optionalInteger(_ key: String) throws -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.integer, let integer = Int(exactly: number) else {
            throw mismatch(key, value, "an integer")
        }
        return integer
    }

    func optionalObject(_ key: String) throws -> Fields? {
        guard let value = value(key) else { return nil }
        guard let object = value.object else { throw mismatch(key, value, "an object") }
        return Fields(object, at: path(key))
    }

    func optionalArray(_ key: String) throws -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard let array = value.array else { throw mismatch(key, value, "an array") }
        return array
    }

    /// The objects of an array.
    func objects(_ key: String) throws -> [Fields] {
        try (optionalArray(key) ?? []).enumerated().map { index, value in
            guard let object = value.object else { throw mismatch("\(key)[\(index)]", value, "an object") }
            return Fields(object, at: "\(path(key))[\(index)]")
        }
    }

    /// The one character of a string.
    func character(_ key: String) throws -> UInt32 {
        let text = try string(key)
        let scalars = text.unicodeScalars
        guard let first = scalars.first, scalars.count == 1 else {
            throw fault("'\(key)' is \(text.quotedForMessage), one character should be there")
        }
        return first.value
    }

    /// What `pattern` is in tokenizer files: {"String": …} or {"Regex": …}.
    func pattern() throws -> ReplaceNormalizer.Pattern {
        guard let pattern = try optionalObject("pattern") else { throw fault("'pattern' is missing") }
        if let text = try pattern.optionalString("String"), !text.isEmpty { return .text(Array(text.utf8)) }
        do {
            return .regex(try Regex(pattern.optionalString("Regex") ?? pattern.string("String")))
        } catch let error as QuernError where error.location.isEmpty {
            throw error.located(in: "'\(pattern.place)'")
        }
    }
}
