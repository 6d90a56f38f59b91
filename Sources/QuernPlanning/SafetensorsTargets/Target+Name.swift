import QuernFormats
import QuernJobs

extension Recipe.Target {
    /// A scheme, with the size of its groups and the method: `W4A16`, `W4A16_G32`, `W8A16_CHANNEL_GPTQ`, each also with a
    /// size of the artifact: `W4A16_GPTQ:bpw:5`; nil for anything else.
    /// - Parameter layers: with schemes of their own.
    public init?(schemeNamed text: String, layers: [Recipe.LayerRule] = []) {
        let name = text.prefix { $0 != ":" }
        let goal = text[name.endIndex...]
        guard goal.isEmpty || [":size:", ":bpw:"].contains(where: goal.lowercased().hasPrefix) else { return nil }
        for method in Recipe.Method.allCases where name.uppercased().hasSuffix(method.suffix) {
            guard let (scheme, groupSize) = Self.scheme(String(name.dropLast(method.suffix.count))) else { continue }
            self.init(compressedTensors: scheme + goal, groupSize: groupSize, method: method, layers: layers)
            return
        }
        return nil
    }

    private static func scheme(_ name: String) -> (name: String, groupSize: Int?)? {
        let upper = name.uppercased()
        for scheme in Scheme.names {
            if upper == scheme { return (scheme, nil) }
            guard upper.hasPrefix(scheme + "_") else { continue }
            let suffix = upper.dropFirst(scheme.count + 1)
            if suffix == "CHANNEL" { return (scheme, 0) }
            if suffix.hasPrefix("G"), let size = Int(suffix.dropFirst()) { return (scheme, size) }
        }
        return nil
    }

    /// Names of all schemes, for completion.
    public static var schemeNames: [String] { Scheme.names }
}

extension Recipe.Method {
    /// What it adds to the name of a scheme.
    var suffix: String { self == .nearest ? "" : "_" + rawValue.uppercased().replacing("+", with: "_") }
}

extension Recipe.CompressedTensorsTarget {
    /// The size for which schemes of layers are chosen; nil where the target says all.
    /// - Throws: `QuernError` `.usage` for what is no size.
    var sizeGoal: SizeGoal? {
        get throws {
            guard let goal else { return nil }
            guard let size = try SizeGoal(goal), !size.isOfPreset else {
                throw QuernError(
                    .usage, "'\(goal)' is no size", at: fullName,
                    remedy: "Write \(fullName):size:5GB or \(fullName):bpw:5")
            }
            return size
        }
    }

    /// With the method.
    var fullName: String { name + method.suffix }

    /// As the artifact is called.
    var artifactName: String { get throws { try sizeGoal.map { "\(name)-\($0.name)" } ?? name } }
}
