import Foundation
import QuernFormats

/// Which hub is meant, and the token for it: from the variables and files that huggingface_hub has them from.
package struct HubSettings: Sendable {
    package static let usualEndpoint = "https://huggingface.co"

    /// Without a slash at the end.
    package let endpoint: String
    package let token: String?
    /// Where the token was found, for people.
    package let tokenPlace: String

    /// - Parameters:
    ///   - environment: variables that are empty count as missing.
    ///   - read: the text of a file; nil where there is none.
    /// - Throws: `.usage` where `HF_ENDPOINT` is no address.
    package init(
        environment: [String: String],
        read: (String) -> String? = { try? String(contentsOfFile: $0, encoding: .utf8) }
    ) throws(QuernError) {
        let environment = environment.filter { !$0.value.isEmpty }
        var endpoint = environment["HF_ENDPOINT"] ?? Self.usualEndpoint
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard WebOrigin(endpoint) != nil, !endpoint.contains("?"), !endpoint.contains("#") else {
            throw QuernError(
                .usage, "'\(endpoint)' is no address of a hub", at: "HF_ENDPOINT",
                remedy: "Give it as https://HOST, or unset it")
        }
        self.endpoint = endpoint

        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let token = environment[name].flatMap(Self.cleaned) {
                (self.token, tokenPlace) = (token, name)
                return
            }
        }
        let home = environment["HOME"] ?? NSHomeDirectory()
        let cache = environment["XDG_CACHE_HOME"] ?? home + "/.cache"
        func expanded(_ path: String) -> String { path.hasPrefix("~/") ? home + path.dropFirst() : path }
        let folder = expanded(environment["HF_HOME"] ?? cache + "/huggingface")
        let path = expanded(environment["HF_TOKEN_PATH"] ?? folder + "/token")
        let switchedOff = ["1", "ON", "YES", "TRUE"].contains(
            environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"]?.uppercased() ?? "")
        token = switchedOff ? nil : read(path).flatMap(Self.cleaned)
        tokenPlace = path
    }

    /// One that would not fit a header is none.
    private static func cleaned(_ text: String) -> String? {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7e).contains($0) } ? token : nil
    }
}
