import Foundation
import QuernClient
import QuernFormats
import TestSupport
import Testing

/// What the services that give out credentials are asked, and what becomes of their answers.
@Suite struct CredentialServiceTests {
    private func credentials(
        _ environment: [String: String], profile: String? = nil, configuration: String = ""
    ) async throws -> S3Credentials {
        let settings = AWSSettings(
            environment: ["HOME": "/home/u"].merging(environment) { $1 }, profile: profile
        ) { $0 == "/home/u/.aws/config" ? configuration : nil }
        return try await AWSCredentials.of(try settings.credentialSource()).current()
    }

    private func isInAnHour(_ date: Date?) -> Bool {
        date.map { (3500...3600).contains($0.timeIntervalSinceNow) } ?? false
    }

    // MARK: Token service

    private func pod(_ server: CredentialServer, _ folder: TemporaryFolder, role: String, token: String) throws
        -> [String: String]
    {
        let file = folder.path("token")
        try token.write(toFile: file, atomically: true, encoding: .utf8)
        return [
            "AWS_ENDPOINT_URL_STS": server.endpoint, "AWS_WEB_IDENTITY_TOKEN_FILE": file,
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/\(role)", "AWS_ROLE_SESSION_NAME": "grind",
        ]
    }

    @Test func aWebIdentity() async throws {
        let (server, folder) = (try await CredentialServer(), try TemporaryFolder())
        let given = try await credentials(try pod(server, folder, role: "open", token: "pod\n"))
        #expect(given.accessKey == "ASIA1" && given.secretKey == "secret/1" && given.sessionToken == "token1==")
        #expect(isInAnHour(given.expires))
        let request = try #require(try server.requests().first)
        #expect(
            request.fields == [
                "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "grind",
                "RoleArn": "arn:aws:iam::123456789012:role/open", "WebIdentityToken": "pod",
            ])
        #expect(request.headers["authorization"] == nil)
    }

    @Test(
        arguments: [
            ("open", "other", .unauthorized, ["AssumeRoleWithWebIdentity: AccessDenied: Said so"]),
            ("denied", "pod", .unauthorized, ["AccessDenied"]), ("expired", "pod", .unauthorized, ["ExpiredToken"]),
            ("busy", "pod", .unavailable, ["503"]), ("broken", "pod", .unavailable, ["holds no credentials"]),
            ("open", " ", .unauthorized, ["AWS_WEB_IDENTITY_TOKEN_FILE"]),
        ] as [(String, String, QuernError.Code, [String])])
    func aTokenServiceThatRefuses(role: String, token: String, code: QuernError.Code, words: [String]) async throws {
        let (server, folder) = (try await CredentialServer(), try TemporaryFolder())
        let error = await #expect(throws: QuernError.self) {
            try await credentials(try pod(server, folder, role: role, token: token))
        }
        #expect(error?.code == code)
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
    }

    @Test func rolesOfRoles() async throws {
        let server = try await CredentialServer()
        let configuration = """
            [profile base]
            aws_access_key_id = AKBASE
            aws_secret_access_key = s
            [profile one]
            role_arn = arn:aws:iam::1:role/open
            source_profile = base
            [profile two]
            role_arn = arn:aws:iam::2:role/open
            source_profile = one
            external_id = ours
            duration_seconds = 900
            role_session_name = grind
            """
        let given = try await credentials(
            ["AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "eu-west-1"], profile: "two",
            configuration: configuration)
        #expect(given.accessKey == "ASIA2" && given.source == "the role of profile 'two'")
        let requests = try server.requests()
        #expect(requests.count == 2)
        #expect(requests.first?.fields["RoleArn"] == "arn:aws:iam::1:role/open")
        #expect(requests.first?.headers["authorization"]?.contains("Credential=AKBASE/") == true)
        #expect(requests.first?.headers["authorization"]?.contains("/eu-west-1/sts/aws4_request") == true)
        #expect(
            requests.last?.fields == [
                "Action": "AssumeRole", "Version": "2011-06-15", "RoleSessionName": "grind", "ExternalId": "ours",
                "DurationSeconds": "900", "RoleArn": "arn:aws:iam::2:role/open",
            ])
        #expect(requests.last?.headers["x-amz-security-token"] == "token1==")
        #expect(requests.last?.headers["authorization"]?.contains("Credential=ASIA1/") == true)
    }

    // MARK: Containers

    @Test func anAgentWithATokenInAFile() async throws {
        let (server, folder) = (try await CredentialServer(), try TemporaryFolder())
        try "right\n".write(toFile: folder.path("token"), atomically: true, encoding: .utf8)
        let given = try await credentials([
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/container/token",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": folder.path("token"),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong",
        ])
        #expect(given.accessKey == "ASIA1" && given.sessionToken == "token1==" && isInAnHour(given.expires))
    }

    @Test(
        arguments: [
            ("open", "any", nil, []), ("token", "right", nil, []),
            ("token", "", .unauthorized, ["403", "AccessDenied: Said so"]), ("token", "wrong", .unauthorized, ["403"]),
            ("refused", "right", .unauthorized, ["403"]), ("open", "a\r\nHost: b", .unauthorized, ["plain characters"]),
            ("timeless", "", .unavailable, ["'soon'"]),
        ] as [(String, String, QuernError.Code?, [String])])
    func agentsOfContainers(place: String, token: String, code: QuernError.Code?, words: [String]) async throws {
        let server = try await CredentialServer()
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.endpoint + "/container/\(place)",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        ]
        guard let code else {
            #expect(try await credentials(environment).accessKey == "ASIA1")
            return
        }
        let error = await #expect(throws: QuernError.self) { try await credentials(environment) }
        #expect(error?.code == code)
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
        if !token.isEmpty { #expect(error?.description.contains(token) == false) }
    }

    // MARK: Metadata service

    @Test func theMetadataService() async throws {
        let server = try await CredentialServer()
        let given = try await credentials(["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.endpoint + "/open/"])
        #expect(given.accessKey == "ASIA1" && given.sessionToken == "token1==" && isInAnHour(given.expires))
        let folder = "/open/latest/meta-data/iam/security-credentials/"
        #expect(
            try server.requests().map { "\($0.method) \($0.path)" }
                == ["PUT /open/latest/api/token", "GET \(folder)", "GET \(folder)quern-role"])
    }

    @Test(
        arguments: [
            ("none", .unauthorized, ["AWS_ACCESS_KEY_ID", "profile 'default'", "this machine has no role"]),
            ("first", .unauthorized, ["looked at", "HTTP status 403"]),
            ("silent", .unauthorized, ["looked at", "cannot be reached"]),
            ("failing", .unauthorized, ["AssumeRoleUnauthorizedAccess: Said so"]),
        ] as [(String, QuernError.Code, [String])])
    func machinesWithoutCredentials(kind: String, code: QuernError.Code, words: [String]) async throws {
        let server = try await CredentialServer()
        let error = await #expect(throws: QuernError.self) {
            try await credentials(["AWS_EC2_METADATA_SERVICE_ENDPOINT": "\(server.endpoint)/\(kind)"])
        }
        #expect(error?.code == code)
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
        // Never without a token, which is what version 1 would do.
        #expect(
            try server.requests().allSatisfy { $0.method == "PUT" || $0.headers["x-aws-ec2-metadata-token"] != nil })
    }
}
