import Foundation
import QuernClient
import QuernFormats
import Testing

@Suite struct WebTests {
    @Test(arguments: [
        ("https://Host.example", "host.example"), ("https://host.example:443/x", "host.example"),
        ("http://host.example:443", "host.example:443"), ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://[::1]:8080/x?y", "[::1]:8080"),
    ])
    func names(_ url: String, _ name: String) { #expect(WebOrigin(url)?.name == name) }

    @Test(arguments: ["host.example", "ftp://host", "https://", "https://user@host", "", "/path", "file:///etc/passwd"])
    func noOrigin(_ url: String) { #expect(WebOrigin(url) == nil) }

    @Test func secretsAreForOneOrigin() {
        #expect(WebOrigin("https://h") == WebOrigin("https://H:443/x"))
        for other in ["http://h", "https://h:444", "https://h.evil", "https://evil.h"] {
            #expect(WebOrigin("https://h") != WebOrigin(other))
        }
    }

    @Test(arguments: [
        ("http://169.254.169.254", true), ("http://169.254.0.1:80", true), ("http://2852039166", true),
        ("http://0xa9fea9fe", true), ("http://169.16689662", true), ("http://[fe80::1]", true),
        ("http://[::ffff:169.254.169.254]", true), ("http://[fd00:ec2::254]", true),
        ("http://127.0.0.1", false), ("http://10.0.0.1", false), ("http://169.253.1.1", false),
        ("http://[::1]", false), ("http://[2001:db8::1]", false), ("http://169.254.example", false),
    ])
    func linkLocal(_ url: String, _ expected: Bool) { #expect(WebOrigin(url)?.isLinkLocal == expected) }

    private static let now = Date(timeIntervalSince1970: 784_111_777)  // Sun, 06 Nov 1994 08:49:37 GMT

    @Test(
        arguments: [
            ([:], nil), (["retry-after": "7"], 7), (["retry-after": " 0 "], 0),
            (["retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"], 30),
            (["retry-after": "Sun, 06 Nov 1994 08:49:07 GMT"], 0),
            (["retry-after": "soon"], nil), (["retry-after": "-1"], nil),
            (["ratelimit": "\"api\";r=0;t=57"], 57), (["ratelimit": "\"api\";r=3;t=57"], nil),
            (["ratelimit": "\"pages\";r=1;t=5, \"resolvers\"; r=0; t=9"], 9),
            (["ratelimit": "\"api\";r=0;t=57", "retry-after": "3"], 3),
        ] as [([String: String], Int?)])
    func waits(_ headers: [String: String], _ seconds: Int?) {
        #expect(ServerWait.asked(headers, now: Self.now) == seconds.map { .seconds($0) })
    }

    private static let aws = ["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/none"]

    @Test(
        arguments: [
            ("hf://acme/m@v1/x.gguf", [:], ["huggingface.co"], []),
            ("hf://acme/m", ["HF_ENDPOINT": "http://127.0.0.1:8080/"], ["127.0.0.1:8080"], []),
            (
                "s3://models/x?region=eu-west-1", [:],
                ["s3.eu-west-1.amazonaws.com", "models.s3.eu-west-1.amazonaws.com"], []
            ),
            (
                "s3://models/x", ["AWS_ENDPOINT_URL_S3": "http://minio:9000"], ["minio:9000", "models.minio:9000"], []
            ),
            (
                "s3://models?endpoint=http://169.254.169.254&profile=root", ["AWS_REGION": "x"],
                ["169.254.169.254", "models.169.254.169.254"], ["endpoint", "profile"]
            ),
        ] as [(String, [String: String], [String], [String])])
    func hosts(_ url: String, _ environment: [String: String], _ names: [String], _ choices: [String]) throws {
        let sources = RemoteSources(environment: environment.merging(Self.aws) { $1 }) { 0 }
        #expect(try sources.host(of: url) == RemoteHost(names: names, choices: choices))
    }

    /// What would lead to another host than the one that is checked.
    @Test(arguments: [
        "s3://models/x?region=evil.example/", "s3://models/x?region=a@evil.example", "s3://models/x?region=e%2Fx",
        "s3://models/x?region=evil.example%23", "s3://models/x?endpoint=http://a@b", "s3://models/x?endpoint=file:///x",
    ])
    func noHost(_ url: String) {
        let sources = RemoteSources(environment: Self.aws) { 0 }
        let error = #expect(throws: QuernError.self) { try sources.host(of: url) }
        #expect(error?.code == .usage)
    }

    @Test(arguments: ["https://host/m.gguf", "gs://b/x", "file:///etc/passwd", "http://169.254.169.254/"])
    func otherPlaces(_ url: String) {
        let sources = RemoteSources(environment: Self.aws) { 0 }
        #expect(throws: QuernError.self) { try sources.host(of: url) }
        let error = #expect(throws: QuernError.self) { try sources.folder(url) }
        #expect(error?.code == .unsupported)
    }
}
