import QuernFormats
import QuernJobs

extension Recipe.Target {
    /// A scheme by the name of its artifacts: `W4A16`, `W4A16_G32`, `W8A16_CHANNEL`; nil for anything else.
    /// - Parameter layers: with schemes of their own.
    public init?(schemeNamed name: String, layers: [Recipe.LayerRule] = []) {
        let upper = name.uppercased()
        for scheme in Scheme.names {
            if upper == scheme {
                self.init(compressedTensors: scheme, layers: layers)
                return
            }
            guard upper.hasPrefix(scheme + "_") else { continue }
            let suffix = upper.dropFirst(scheme.count + 1)
            if suffix == "CHANNEL" {
                self.init(compressedTensors: scheme, groupSize: 0, layers: layers)
                return
            }
            if suffix.hasPrefix("G"), let size = Int(suffix.dropFirst()) {
                self.init(compressedTensors: scheme, groupSize: size, layers: layers)
                return
            }
        }
        return nil
    }

    /// Names of all schemes, for completion.
    public static var schemeNames: [String] { Scheme.names }
}
