import Foundation
import QuernClient
import QuernStore
import Testing

/// Signatures against those that the Amazon S3 API reference publishes, and against those of botocore 1.44.5.
@Suite struct S3SignerTests {
    private static let time = S3Time(Date(timeIntervalSince1970: 1_369_353_600))
    private static let host = "examplebucket.s3.amazonaws.com"
    private static let otherHost = "bucket.s3.example.com"

    private func credentials(token: Bool = false) -> S3Credentials {
        S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            sessionToken: token ? "IQoJb3JpZ2luX2VjE//EXAMPLE+token==" : nil, source: "test")
    }

    private func authorization(_ request: S3Request, region: String, token: Bool = false) -> String {
        S3Signer(credentials: credentials(token: token), region: region).headers(for: request, at: Self.time)
            .first { $0.name == "Authorization" }?.value ?? ""
    }

    private func signature(_ request: S3Request, region: String, token: Bool = false) -> Substring {
        authorization(request, region: region, token: token).suffix(64)
    }

    @Test(arguments: [
        (1_369_353_600.0, "20130524T000000Z"), (0.0, "19700101T000000Z"), (1_709_210_096.9, "20240229T123456Z"),
    ])
    func times(seconds: Double, text: String) {
        #expect(S3Time(Date(timeIntervalSince1970: seconds)).text == text)
    }

    // MARK: Published

    @Test func publishedGetWithRange() {
        let request = S3Request(
            method: "GET", host: Self.host, path: "/test.txt", headers: [("Range", "bytes=0-9")])
        let names = "host;range;x-amz-content-sha256;x-amz-date"
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        #expect(
            authorization(request, region: "us-east-1")
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders=\(names),Signature=\(signature)")
    }

    @Test func publishedPut() {
        let request = S3Request(
            method: "PUT", host: Self.host, path: "/test$file.text",
            headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payload: .sha256(Digest(of: Array("Welcome to Amazon S3.".utf8))))
        #expect(
            signature(request, region: "us-east-1")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func publishedLifecycle() {
        let request = S3Request(method: "GET", host: Self.host, path: "/", query: [("lifecycle", "")])
        #expect(
            signature(request, region: "us-east-1")
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func publishedList() {
        let request = S3Request(method: "GET", host: Self.host, path: "/", query: [("prefix", "J"), ("max-keys", "2")])
        #expect(
            signature(request, region: "us-east-1")
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func publishedPresignedGet() {
        let request = S3Request(method: "GET", host: Self.host, path: "/test.txt", payload: .unsigned)
        let url = S3Signer(credentials: credentials(), region: "us-east-1")
            .presignedURL(for: request, at: Self.time, validFor: 86400)
        #expect(
            url
                == "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    }

    // MARK: botocore

    private static let keys: [(key: String, signature: String)] = [
        ("a b", "54bfd8b615ebbd7876495ff1d7e48fe01dc3bc0500f093b33df5b6a2b2fa6c1e"),
        ("a+b=c&d", "4da33f150e877e4b1e19adea03ac31e163171b0f22526eccb70f2e4aec89c185"),
        ("sha256/ab/cd/~tilde_-.x", "6c027defcbf0669c6e7e7f4a10e281601f101117c048d6c0a0837a336f01bbdf"),
        ("caf\u{e9}/\u{65e5}\u{672c}/\u{1f600}", "0eee25f3cbb738d69082752bdb570b40cf04e1dc080cc79722badec90a9ceb9e"),
        ("100%25", "0ec91d5b0c674f066f9195a23d4c740979d35048c987b472983f44e9c26b335a"),
        ("q?u#e;s,t:i@o$n!", "55bce9d165342c2c058642b370c4e72ce6d7bb98abfe04f6136de3ac565ddd69"),
        ("(paren)*'\"", "446b309d57dea8fb3845ca6a61da5605be1b2c377fad95722357c5d427b619cb"),
        ("double//slash", "27ed0c4f730bc49fa8a17c50d69df30df7997824b914ff0fb29d1fc85c0d6285"),
        ("trailing/", "b838ba15c06b62889e236819f7d5072563cc4d76577668d61639777af4fb6fd0"),
        ("back\\slash^`{|}<>[]", "331cfbe290cd4ee758c7cc34c015a7670d72da101ce7e3082e5e248e0592b444"),
        ("tab\tnewline\n", "580a698ab0baff5931d401c4e1eafa19b4d15182c2b7b168fb5755d253cb0ee2"),
        // Equal to é above for people, another key for S3.
        ("e\u{301}", "9e3b00f684342bba5a05aaaec6944983df01402c8afde2927c68fad95694193e"),
    ]

    @Test(arguments: keys) func oddKeys(key: String, expected: String) {
        let request = S3Request(method: "GET", host: Self.otherHost, path: "/" + key)
        #expect(signature(request, region: "eu-central-1") == expected)
    }

    private static let queries: [(query: [[String]], signature: String)] = [
        (
            [["prefix", "a b"], ["delimiter", "/"]], "bcf7a4f4fe7636917bfd9f825226df9aaeac558b072640585d56d274c4ad20bd"
        ),
        ([["uploads", ""]], "5351f6c0743e44fda9d9012f75e02e5b512f7e159917c388db9e3e5347d9addf"),
        ([["b", "2"], ["a", ""], ["B", "1"]], "5965139553b5fc4adea8c7d3988f1ba9c36925154c138bc58b79fe2c4084cf99"),
        (
            [["prefix", "\u{fc}/\u{65e5}"], ["marker", "a+b=c&d"]],
            "c00c03ad11b9ed174e320d821c985452d8d6077724581f6b5af6cd37fb17da35"
        ),
        (
            [["a-b", "1"], ["a.b", "2"], ["a_b", "3"], ["a~b", "4"], ["ab", "5"]],
            "4ece5cc801b6fe473677b8304305037e3a866ac57395f18bf28387f1e1046a1b"
        ),
    ]

    @Test(arguments: queries) func oddQueries(query: [[String]], expected: String) {
        let request = S3Request(
            method: "GET", host: Self.otherHost, path: "/", query: query.map { (name: $0[0], value: $0[1]) })
        #expect(signature(request, region: "us-west-2") == expected)
    }

    @Test func checksumAndSessionTokenAreSigned() {
        let request = S3Request(
            method: "PUT", scheme: "http", host: "127.0.0.1:9000", path: "/sha256/x",
            headers: [
                ("x-amz-checksum-sha256", "DSLNzBDm0Enb4a9RI9UIc/38Gk9YMG5Yy2JBvpRyAU0="),
                ("Content-Type", "application/octet-stream"),
            ], payload: .sha256(Digest(of: Array("some bytes".utf8))))
        #expect(
            signature(request, region: "ap-southeast-2", token: true)
                == "302c9b031f29bc7170fdf6ffccac9b756ad3962dc35e94ff90df634e250cc4eb")
    }

    @Test func spacesInHeadersAreFolded() {
        let request = S3Request(
            method: "PUT", host: "127.0.0.1:9000", path: "/sha256/x",
            headers: [("X-Amz-Meta-Note", "  two   spaces  ")],
            payload: .sha256(Digest(of: Array("some bytes".utf8))))
        #expect(
            signature(request, region: "ap-southeast-2")
                == "a5c16b00372aecc6f233ca9ffef267c0068aa9d603aa6362b4ef1ff2de07335b")
    }

    @Test func presignedPutWithChecksumAndToken() {
        let request = S3Request(
            method: "PUT", host: Self.otherHost, path: "/a b/\u{fc}",
            headers: [("x-amz-checksum-sha256", "DSLNzBDm0Enb4a9RI9UIc/38Gk9YMG5Yy2JBvpRyAU0=")], payload: .unsigned)
        let url = S3Signer(credentials: credentials(token: true), region: "eu-central-1")
            .presignedURL(for: request, at: Self.time, validFor: 3600)
        #expect(url.hasPrefix("https://bucket.s3.example.com/a%20b/%C3%BC?X-Amz-Algorithm="))
        #expect(url.contains("&X-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2F%2FEXAMPLE%2Btoken%3D%3D&"))
        #expect(url.contains("&X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256&"))
        #expect(
            url.hasSuffix("&X-Amz-Signature=1d16d8aaf61ca65a2d75fb0925414ef306c2a940e1291c8c371fc9038155f8bb"))
    }

    @Test func presignedGetKeepsOtherQueries() {
        let request = S3Request(
            method: "GET", host: Self.otherHost, path: "/sha256/x",
            query: [("response-content-type", "text/plain; charset=utf-8"), ("versionId", "")], payload: .unsigned)
        let url = S3Signer(credentials: credentials(), region: "eu-central-1")
            .presignedURL(for: request, at: Self.time, validFor: 60)
        #expect(url.contains("response-content-type=text%2Fplain%3B%20charset%3Dutf-8&versionId=&"))
        #expect(
            url.hasSuffix("&X-Amz-Signature=7d7d8db9946c6a42af339b1f76611beb9443722ad3bc81e3e9b6315a6cec0d91"))
    }
}
