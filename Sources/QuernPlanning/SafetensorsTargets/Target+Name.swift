import QuernFormats
import QuernJobs

extension Recipe.Target {
    /// A scheme, with the size of its groups and the method: `W4A16`, `W4A16_G32`, `W8A16_CHANNEL_GPTQ`; nil for anything
    /// else.
    /// - Parameter layers: with schemes of their own.
    public init?(schemeNamed name: String, layers: [Recipe.LayerRule] = []) {
        for method in Recipe.Method.allCases where name.uppercased().hasSuffix(method.suffix) {
            guard let (scheme, groupSize) = Self.scheme(String(name.dropLast(method.suffix.count))) else { continue }
            self.init(compressedTensors: scheme, groupSize: groupSize, method: method, layers: layers)
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
