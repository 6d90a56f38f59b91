import HTTPTypes
import Hummingbird
import QuernFormats
import QuernJobs

/// All that a coordinator answers over HTTP. `Schemas/openapi.yaml` describes every route, and a test holds the two
/// together.
public struct CoordinatorRoutes: Sendable {
    public typealias Context = CoordinatorContext

    let coordinator: Coordinator
    let access: AccessControl
    let leases: LeaseAccess
    private let rates: RequestRates
    let uploads = Gate(width: 16)
    let downloads = Gate(width: 16)
    let confirmations = Gate(width: 16)

    public init(coordinator: Coordinator, limits: RequestLimits = RequestLimits()) {
        self.coordinator = coordinator
        rates = RequestRates(limits)
        access = AccessControl(store: coordinator.store)
        leases = LeaseAccess(store: coordinator.store, blobs: coordinator.blobs)
    }

    /// The routes as the OpenAPI document lists them.
    public func documentedRoutes() -> [(method: String, path: String)] {
        let router = Router(context: Context.self)
        addRoutes(to: router)
        return router.routes.map { ($0.method.rawValue, $0.path.description) }
    }

    /// A router that answers everything: known routes, known paths with another method (405), the rest (404).
    public func makeRouter() -> Router<Context> {
        let router = Router(context: Context.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: AccessLogMiddleware())
        router.add(middleware: ProblemMiddleware())
        router.add(middleware: SameOriginMiddleware())
        router.add(middleware: AccessMiddleware(access: access, leases: leases, rates: rates))
        router.add(middleware: BodySizeMiddleware())
        addRoutes(to: router)
        refuseOtherMethods(on: router)
        return router
    }

    private func addRoutes(to router: Router<Context>) {
        addOperationRoutes(to: router)
        addJobRoutes(to: router.group("v1/jobs"))
        addArtifactRoutes(to: router.group("v1/jobs/{id}"))
        addBlobRoutes(to: router.group("v1/blobs"))
        addWorkerRoutes(to: router.group("v1"))
    }

    /// All that the server's parser lets through (https://www.iana.org/assignments/http-methods and a few others).
    private static let methods = """
        GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY MKCALENDAR \
        MKCOL MOVE M-SEARCH NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK \
        UNLOCK UNSUBSCRIBE
        """.split(separator: " ").compactMap { HTTPRequest.Method(String($0)) }

    private func refuseOtherMethods(on router: Router<Context>) {
        for (path, routes) in Dictionary(grouping: router.routes, by: { $0.path.description }) {
            var known = Set(routes.map(\.method))
            if known.contains(.get) { known.insert(.head) }
            let allow = known.map(\.rawValue).sorted().joined(separator: ", ")
            for method in Self.methods where !known.contains(method) {
                router.on(RouterPath(path), method: method) { request, _ -> Response in
                    throw HTTPProblem(
                        error: QuernError(
                            .usage, "\(method.rawValue) is not possible here", at: request.uri.path,
                            remedy: "Possible: \(allow)"),
                        status: 405, headers: [.allow: allow])
                }
            }
        }
    }
}

extension RequestContext {
    /// A segment of the path, decoded.
    func segment(_ name: String) throws -> String {
        guard let text = try parameters.require(name).removingPercentEncoding,
            (1...255).contains(text.unicodeScalars.count)
        else {
            throw QuernError(.usage, "the path cannot be read", at: name)
        }
        return text
    }

    func jobID() throws -> JobID { JobID(rawValue: try segment("id")) }
}

extension Request {
    /// A number among the query's parameters.
    /// - Throws: 400 where it is none.
    func number(_ name: String) throws -> Int? {
        guard let text = uri.queryParameters[name[...]] else { return nil }
        guard let number = Int(text) else {
            throw QuernError(.usage, "'\(text)' is no whole number", at: name)
        }
        return number
    }
}
