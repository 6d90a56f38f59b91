import NIOCore
import QuernFormats

/// What the hub, or the storage that it sent to, answered in the end.
struct HubAnswer: Sendable {
    let status: Int
    /// By lower-case name.
    let headers: [String: String]
    let body: ByteBuffer
    /// Who answered.
    let origin: WebOrigin
    /// Where the hub sent to; nil where it answered itself.
    let location: String?
    /// What the hub said of the file when it sent elsewhere, by lower-case name.
    let told: [String: String]
}

/// An answer that is no success, and what it means.
struct HubRefusal {
    let error: QuernError

    /// - Parameters:
    ///   - url: what was asked for.
    ///   - isHub: whether the hub itself answered, and not a storage that it sent to.
    init(_ answer: HubAnswer, of url: HubURL, settings: HubSettings, isHub: Bool) {
        let code = answer.headers["x-error-code"] ?? ""
        let said = (answer.headers["x-error-message"] ?? "").prefix(300)
        let status = "HTTP status \(answer.status)\(said.isEmpty ? "" : ": \(said)")"
        let place = url.text
        let page = "\(settings.endpoint)/\(url.repository)"
        func unavailable(_ who: String) -> QuernError {
            QuernError(
                .unavailable, "\(who) at \(answer.origin.name) answered with \(status)", at: place,
                remedy: ServerWait.asked(answer.headers).map { "Try again in \($0.components.seconds) s" }
                    ?? "Try again later")
        }
        guard isHub else {
            error = unavailable("the storage of the hub")
            return
        }
        error =
            switch (answer.status, code) {
            case (401, "GatedRepo"), (403, "GatedRepo"):
                QuernError(
                    .unauthorized, "access to this model has to be asked for", at: place,
                    remedy: settings.token == nil
                        ? "Accept its conditions at \(page), then set HF_TOKEN to a token of that account"
                        : "Accept its conditions at \(page) with the account whose token is in \(settings.tokenPlace)")
            case (401, _) where settings.token != nil && code != "RepoNotFound":
                QuernError(
                    .unauthorized, "the hub refuses the token from \(settings.tokenPlace) (\(status))", at: place,
                    remedy: "Make a new one at \(settings.endpoint)/settings/tokens")
            case (401, _):
                QuernError(
                    .unauthorized, "there is no such model, or one that is not for everybody", at: place,
                    remedy: settings.token == nil
                        ? "Check the name; for a private or gated model set HF_TOKEN"
                        : "Check the name, and that the account whose token is in \(settings.tokenPlace) may read it")
            case (403, _):
                QuernError(
                    .unauthorized, "the hub does not allow it (\(status))", at: place,
                    remedy: settings.token == nil
                        ? "Set HF_TOKEN" : "Let the token from \(settings.tokenPlace) read this model")
            case (404, "RepoNotFound"):
                QuernError(
                    .notFound, "there is no such model", at: place,
                    remedy: "Check the name; a private model needs HF_TOKEN")
            case (404, "RevisionNotFound"):
                QuernError(
                    .notFound, "the model has no revision '\(url.revision)'", at: place,
                    remedy: "Look for its branches, tags and commits at \(page)/tree/main")
            case (404, _):
                QuernError(
                    .notFound, "there is no such file or folder in the model", at: place,
                    remedy: "Look for it at \(page)/tree/\(url.encodedRevision)")
            case (416, _): RangeAnswer.changed("it is shorter", at: place)
            case (408, _), (429, _), (500..., _): unavailable("the hub")
            default:
                QuernError(
                    .io, "\(answer.origin.name) answered with \(status)", at: place,
                    remedy: "Check that HF_ENDPOINT is the address of a hub")
            }
    }
}
