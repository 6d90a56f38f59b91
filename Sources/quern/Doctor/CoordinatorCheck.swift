import Foundation
import QuernClient
import QuernFormats
import QuernJobs

/// Whether the coordinator that is set answers, and takes the token.
struct CoordinatorCheck: DoctorCheck {
    let address: CoordinatorAddress
    let settings: Settings

    func findings() async -> [Finding] {
        guard let url = address.url(settings) else {
            return [Finding("coordinator", "none is set")]
        }
        do {
            let (token, authorities) = try address.resolve(settings, url: url)
            let client = try CoordinatorClient(url: url, token: token, authorities: authorities)
            let rights = try await Self.rights(client)
            let access = token == nil ? "answers, and asks for no token" : "answers, and takes the token (\(rights))"
            return [Finding("coordinator", "\(url) \(access)", ["url": .text(url), "token": .flag(token != nil)])]
        } catch {
            let error = error as? QuernError ?? QuernError(.internalFault, "\(error)", at: url)
            return [Finding("coordinator", error, isWanted: true)]
        }
    }

    /// What the token is good for. Tokens of workers may do nothing but work, and those of users anything but that.
    private static func rights(_ client: CoordinatorClient) async throws -> String {
        do {
            _ = try await client.jobs(limit: 1)
            return "for jobs"
        } catch let refusal as QuernError where refusal.code == .unauthorized {
            do {
                // Of a session that there is not: whoever may ask is told that.
                _ = try await client.heartbeat(SessionID(rawValue: UUID().uuidString), HeartbeatReport(leases: []))
            } catch let error as QuernError where error.code == .unauthorized {
                throw refusal
            } catch let error as QuernError where error.code != .unavailable {
                return "for work"
            }
            return "for work"
        }
    }
}
