import QuernFormats
import QuernJobs

extension Recipe.Target {
    /// A scheme, with the size of its groups and the method: `W4A16`, `W4A16_G32`, `W8A16_CHANNEL_GPTQ`; nil for anything
    /// else.
    public init?(schemeNamed name: String) {
        for method in Recipe.Method.allCases where name.uppercased().hasSuffix(method.suffix) {
            guard let target = Self.scheme(String(name.dropLast(method.suffix.count)), method) else { continue }
            self = target
            return
        }
        return nil
    }

    private static func scheme(_ name: String, _ method: Recipe.Method) -> Recipe.Target? {
        let upper = name.uppercased()
        for scheme in Scheme.names {
            if upper == scheme {
                return Recipe.Target(compressedTensors: scheme, method: method)
            }
            guard upper.hasPrefix(scheme + "_") else { continue }
            let suffix = upper.dropFirst(scheme.count + 1)
            if suffix == "CHANNEL" {
                return Recipe.Target(compressedTensors: scheme, groupSize: 0, method: method)
            }
            if suffix.hasPrefix("G"), let size = Int(suffix.dropFirst()) {
                return Recipe.Target(compressedTensors: scheme, groupSize: size, method: method)
            }
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
