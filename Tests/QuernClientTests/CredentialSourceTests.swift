import QuernClient
import QuernFormats
import Testing

/// Which of the places that may hold credentials is taken.
@Suite struct CredentialSourceTests {
    private static let files = [
        "/home/u/.aws/credentials": """
        [default]
        aws_access_key_id = AKDEFAULT
        aws_secret_access_key = s
        [base]
        aws_access_key_id = AKBASE
        aws_secret_access_key = s
        """,
        "/home/u/.aws/config": """
        [profile empty]
        region = eu-north-1
        [profile role]
        role_arn = arn:aws:iam::1:role/a
        source_profile = base
        [profile chain]
        role_arn = arn:aws:iam::1:role/b
        source_profile = role
        [profile own]
        role_arn = arn:aws:iam::1:role/c
        source_profile = own
        aws_access_key_id = AKOWN
        aws_secret_access_key = s
        [profile ring]
        role_arn = arn:aws:iam::1:role/d
        source_profile = gnir
        [profile gnir]
        role_arn = arn:aws:iam::1:role/e
        source_profile = ring
        [profile lost]
        role_arn = arn:aws:iam::1:role/f
        source_profile = nowhere
        [profile poor]
        role_arn = arn:aws:iam::1:role/f
        source_profile = empty
        [profile both]
        role_arn = arn:aws:iam::1:role/g
        source_profile = base
        credential_source = Environment
        [profile neither]
        role_arn = arn:aws:iam::1:role/g
        [profile environment]
        role_arn = arn:aws:iam::1:role/h
        credential_source = Environment
        [profile machine]
        role_arn = arn:aws:iam::1:role/i
        credential_source = Ec2InstanceMetadata
        [profile task]
        role_arn = arn:aws:iam::1:role/j
        credential_source = EcsContainer
        [profile second]
        role_arn = arn:aws:iam::1:role/k
        source_profile = base
        mfa_serial = arn:aws:iam::1:mfa/u
        [profile long]
        role_arn = arn:aws:iam::1:role/k
        source_profile = base
        duration_seconds = 60
        [profile pod]
        role_arn = arn:aws:iam::1:role/l
        web_identity_token_file = /var/token
        [profile signon]
        sso_session = company
        """,
    ]

    private static let keys = ["AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s"]
    private static let identity = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/w"]
    private static let agent = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials"]
    private static let noFiles = ["HOME": "/nowhere"]

    private func source(_ environment: [String: String], _ profile: String? = nil) throws -> AWSCredentialSource {
        let environment = ["HOME": "/home/u"].merging(environment) { $1 }
        return try AWSSettings(environment: environment, profile: profile) { Self.files[$0] }.credentialSource()
    }

    private func kind(_ source: AWSCredentialSource) -> String {
        switch source {
        case .fixed(let credentials): credentials.accessKey
        case .webIdentity: "identity"
        case .role: "role"
        case .container: "container"
        case .instance: "instance"
        }
    }

    private static func merged(_ environments: [String: String]...) -> [String: String] {
        environments.reduce(into: [:]) { $0.merge($1) { $1 } }
    }

    @Test(
        arguments: [
            (merged(keys, identity, agent), nil, "AKENV"),
            (merged(keys, ["AWS_PROFILE": "role"]), nil, "AKENV"),
            (merged(keys, identity), "base", "AKBASE"),
            (merged(identity, agent, ["AWS_PROFILE": "role"]), nil, "role"),
            (merged(identity, agent), nil, "identity"),
            (merged(identity, ["AWS_PROFILE": "base"]), nil, "identity"),
            (agent, nil, "AKDEFAULT"),
            (agent, "pod", "identity"), (agent, "chain", "role"), (agent, "own", "role"),
            (merged(noFiles, agent), nil, "container"),
            (agent, "empty", "container"), ([:], "empty", "instance"), (noFiles, nil, "instance"),
            (keys, "environment", "role"), ([:], "machine", "role"), (agent, "task", "role"),
        ] as [([String: String], String?, String)])
    func theFirstPlaceIsTaken(environment: [String: String], profile: String?, expected: String) throws {
        #expect(kind(try source(environment, profile)) == expected)
    }

    @Test(
        arguments: [
            ([:], "ring", .usage, "in a circle"), ([:], "lost", .usage, "no profile 'nowhere'"),
            ([:], "poor", .usage, "without credentials"), ([:], "both", .usage, "either source_profile or"),
            ([:], "neither", .usage, "either source_profile or"), ([:], "environment", .usage, "there are none in it"),
            ([:], "task", .usage, "EcsContainer"), ([:], "second", .usage, "second factor"),
            ([:], "long", .usage, "duration_seconds"), ([:], "signon", .unauthorized, "sso_session"),
            ([:], "none", .unauthorized, "no profile 'none'"),
            (["AWS_EC2_METADATA_DISABLED": "true"], "machine", .usage, "AWS_EC2_METADATA_DISABLED"),
            (["AWS_WEB_IDENTITY_TOKEN_FILE": "/token"], nil, .usage, "Set AWS_ROLE_ARN"),
            (merged(noFiles, ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "metadata"]), nil, .usage, "no address"),
            (merged(noFiles, ["AWS_METADATA_SERVICE_TIMEOUT": "0"]), nil, .usage, "between 1 and 60"),
            (merged(identity, ["AWS_REGION": "a/b"]), nil, .usage, "is no region"),
            (merged(identity, ["AWS_ENDPOINT_URL_STS": "sts"]), nil, .usage, "no address of a token service"),
        ] as [([String: String], String?, QuernError.Code, String)])
    func whatMakesNoSenseIsSaid(
        environment: [String: String], profile: String?, code: QuernError.Code, words: String
    ) throws {
        let error = #expect(throws: QuernError.self) { try source(environment, profile) }
        #expect(error?.code == code)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("http://169.254.170.2/x", true), ("http://169.254.170.23/v1/credentials", true),
        ("http://[fd00:ec2::23]/v1", true), ("http://127.0.0.1:81/x", true), ("http://127.9.9.9/x", true),
        ("http://[::1]:81/x", true), ("http://localhost/x", true), ("https://anywhere.example/x", true),
        ("http://anywhere.example/x", false), ("http://169.254.169.254/x", false), ("http://10.0.0.1/x", false),
        ("http://127.1/x", false), ("http://2130706433/x", false), ("http://localhost.example/x", false),
        ("http://u@127.0.0.1/x", false), ("ftp://127.0.0.1/x", false), ("/x", false),
    ])
    func agentsAreNear(url: String, isAllowed: Bool) throws {
        let environment = Self.merged(Self.noFiles, ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
        if isAllowed {
            #expect(kind(try source(environment)) == "container")
        } else {
            let error = #expect(throws: QuernError.self) { try source(environment) }
            #expect(error?.code == .usage && error?.location == url)
        }
    }

    @Test func allPlacesAreNamed() {
        let error = #expect(throws: QuernError.self) {
            try source(["HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "TRUE"])
        }
        #expect(error?.code == .unauthorized)
        let places = [
            "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile 'default'", "/nowhere/.aws/credentials",
            "/nowhere/.aws/config", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_EC2_METADATA_DISABLED",
        ]
        for place in places { #expect(error?.message.contains(place) == true, "\(place)") }
    }
}
