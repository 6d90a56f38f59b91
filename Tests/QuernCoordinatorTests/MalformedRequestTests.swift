import Foundation
import QuernCoordinator
import QuernJobs
import Testing

/// Requests that are no HTTP, byte by byte: each is answered with a problem document, and its connection ends.
@Suite struct MalformedRequestTests {
    /// A request of each kind, and a few words of the answer.
    private static let cases: [(request: String, words: String)] = [
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", "chunk size"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Transfer-Encoding: chunked\r\n\r\n\(F16)F\r\nabc", "chunk size"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n", "strict"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "ended"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Transfer-Encoding: gzip\r\n\r\nabc", "no valid HTTP"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Content-Length: 100\r\n\r\nabc", "ended"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Content-Length: -1\r\n\r\nabc", "content-length"),
        ("POST /v1/sessions HTTP/1.1\r\n\(json)Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "content-length"),
        (
            "PUT /v1/blobs/\(String(repeating: "0", count: 64)) HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na",
            "ended"
        ),
        ("BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "method"),
        ("GET /v1/jobs/\u{1} HTTP/1.1\r\nHost: x\r\n\r\n", "no valid HTTP"),
        ("GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", "version"),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\nX y: z\r\n\r\n", "header"),
        ("GET /\(String(repeating: "a", count: 40_000)) HTTP/1.1\r\nHost: x\r\n\r\n", "header bytes"),
    ]
    private static let json = "Host: x\r\nContent-Type: application/json\r\n"
    private static let F16 = String(repeating: "F", count: 16)

    @Test(arguments: cases.indices)
    func areAnsweredWithAProblem(_ index: Int) async throws {
        let (request, words) = Self.cases[index]
        let rig = try await ServiceRig.make()
        let server = try CoordinatorServer(coordinator: rig.coordinator, listen: "127.0.0.1:0")
        try await rig.serve(with: server) { port in
            let connection = try RawConnection(port: port)
            connection.send(request)
            connection.finish()
            let answer = try await connection.answer()
            #expect(answer.head.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.head.lowercased().contains("connection: close"))
            #expect(answer.head.lowercased().contains("content-type: application/problem+json"))
            #expect(answer.head.lowercased().contains("content-length: \(answer.body.utf8.count)"))
            let problem = try JSONDecoder().decode(Problem.self, from: Data(answer.body.utf8))
            #expect(problem.code == .usage)
            #expect(problem.status == 400)
            #expect(problem.detail.hasPrefix("the request is no valid HTTP: "))
            #expect(problem.detail.contains(words), "\(problem.detail)")
        }
    }
}

extension RawConnection {
    /// All that comes until the other side closes the connection.
    fileprivate func answer() async throws -> (head: String, body: String) {
        var text = ""
        while case let piece = await receive(), !piece.isEmpty { text += piece }
        let end = try #require(text.range(of: "\r\n\r\n"))
        return (String(text[..<end.lowerBound]), String(text[end.upperBound...]))
    }
}
