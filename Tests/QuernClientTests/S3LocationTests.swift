import QuernClient
import QuernFormats
import Testing

/// From what a user writes to where requests go, and as whom.
@Suite struct S3LocationTests {
    private func location(_ url: String, _ environment: [String: String] = [:]) throws -> S3Location {
        let parsed = try S3URL(url)
        return try parsed.location(settings(environment, profile: parsed.profile))
    }

    private func settings(
        _ environment: [String: String], profile: String? = nil, files: [String: String] = [:]
    ) -> AWSSettings {
        AWSSettings(environment: environment.merging(["HOME": "/home/u"]) { $1 }, profile: profile) { files[$0] }
    }

    @Test(arguments: [
        ("s3://models", "", "models.s3.eu-west-1.amazonaws.com"),
        ("s3://models/", "", "models.s3.eu-west-1.amazonaws.com"),
        ("s3://models/quern/blobs", "quern/blobs/", "models.s3.eu-west-1.amazonaws.com"),
        ("s3://models/a%20b/", "a%20b/", "models.s3.eu-west-1.amazonaws.com"),
        ("s3://my.models/x", "x/", "s3.eu-west-1.amazonaws.com"),
        ("s3://models/x?region=cn-north-1", "x/", "models.s3.cn-north-1.amazonaws.com.cn"),
        ("s3://models/x?style=path", "x/", "s3.eu-west-1.amazonaws.com"),
        ("s3://models/x?endpoint=http://minio:9000", "x/", "minio:9000"),
        ("s3://models/x?endpoint=http%3A%2F%2Fminio:9000/&style=virtual", "x/", "models.minio:9000"),
        ("s3://models/x?endpoint=https://store.example.com:443", "x/", "store.example.com"),
        ("s3://models/x?endpoint=http://[::1]:9000", "x/", "[::1]:9000"),
    ])
    func places(url: String, prefix: String, host: String) throws {
        let location = try location(url, ["AWS_REGION": "eu-west-1"])
        #expect(location.prefix == prefix)
        #expect(location.host == host)
    }

    @Test(arguments: [
        "models", "s3:/models", "s3://", "s3:///x", "s3://Models/x", "s3://mo/x", "s3://-models/x", "s3://mod_els/x",
        "s3://models//x", "s3://models/x//", "s3://models/../x", "s3://models/./x", "s3://models/x?style=other",
        "s3://models/x?color=red", "s3://models/x?region", "s3://models/x?endpoint=minio:9000",
        "s3://models/x?endpoint=ftp://minio", "s3://models/x?endpoint=http://minio/path",
        "s3://models/x?endpoint=http://user@minio", "s3://user@models/x", "s3://models:9000/x", "s3://mo..dels/x",
    ])
    func wrongURLs(url: String) {
        let error = #expect(throws: QuernError.self) { try location(url, ["AWS_REGION": "eu-west-1"]) }
        #expect(error?.code == .usage)
    }

    @Test func regionIsNeededAtAmazonOnly() throws {
        let error = #expect(throws: QuernError.self) { try location("s3://models") }
        #expect(error?.code == .usage)
        #expect(error?.remedy.contains("AWS_REGION") == true)
        #expect(try location("s3://models", ["AWS_DEFAULT_REGION": "sa-east-1"]).region == "sa-east-1")
        #expect(try location("s3://models", ["AWS_DEFAULT_REGION": "x", "AWS_REGION": "y"]).region == "y")
        #expect(try location("s3://models", ["AWS_REGION": "", "AWS_DEFAULT_REGION": "x"]).region == "x")
        #expect(try location("s3://models?region=z", ["AWS_REGION": "y"]).region == "z")
        #expect(try location("s3://models", ["AWS_ENDPOINT_URL": "http://minio:9000"]).region == "us-east-1")
    }

    @Test func endpointsOfS3ComeBeforeThoseOfAll() throws {
        let both = ["AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_S3": "http://one:2"]
        #expect(try location("s3://models", both).host == "one:2")
        #expect(try location("s3://models?endpoint=http://three:3", both).host == "three:3")
    }

    /// Those that are known without asking anybody.
    private func keys(_ settings: AWSSettings) throws -> S3Credentials {
        guard case .fixed(let credentials) = try settings.credentialSource() else {
            throw QuernError(.notFound, "they have to be fetched")
        }
        return credentials
    }

    private static let files = [
        "/home/u/.aws/credentials": """
        # mine
        [default]
        aws_access_key_id = AKDEFAULT
        aws_secret_access_key=secret/of+default=
        [ work ]
        aws_access_key_id=AKWORK
        aws_secret_access_key = worksecret
        aws_session_token = token==
        """,
        "/home/u/.aws/config": """
        [default]
        region = us-west-1
        [profile work]
        region = eu-north-1
        s3 =
          addressing_style = path
          region = not-this
        endpoint_url = http://minio:9000
        [profile elsewhere]
        aws_access_key_id = AKELSE
        aws_secret_access_key = elsesecret
        [work]
        region = not-this-either
        """,
    ]

    @Test func credentialsComeFromTheEnvironmentFirst() throws {
        let environment = ["AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": ""]
        let credentials = try keys(settings(environment, files: Self.files))
        #expect(
            credentials == S3Credentials(accessKey: "AKENV", secretKey: "s", source: "AWS_ACCESS_KEY_ID"))
        let asked = try keys(settings(environment, profile: "work", files: Self.files))
        #expect(asked.accessKey == "AKWORK")
    }

    @Test func profiles() throws {
        let plain = settings([:], files: Self.files)
        #expect(try keys(plain).accessKey == "AKDEFAULT")
        #expect(try keys(plain).secretKey == "secret/of+default=")
        #expect(plain.region == "us-west-1")
        #expect(plain.endpoint == nil)
        let work = settings(["AWS_PROFILE": "work"], files: Self.files)
        #expect(
            try keys(work)
                == S3Credentials(
                    accessKey: "AKWORK", secretKey: "worksecret", sessionToken: "token==", source: "profile 'work'"))
        #expect(work.region == "eu-north-1")
        #expect(work.endpoint == "http://minio:9000")
        let elsewhere = settings([:], profile: "elsewhere", files: Self.files)
        #expect(try keys(elsewhere).accessKey == "AKELSE")
        #expect(elsewhere.region == nil)
    }

    @Test func filesMayLieElsewhere() throws {
        let environment = ["AWS_SHARED_CREDENTIALS_FILE": "/etc/keys", "AWS_CONFIG_FILE": "/etc/config"]
        let files = [
            "/etc/keys": "[default]\r\naws_access_key_id = A\r\naws_secret_access_key = B\r\n",
            "/etc/config": "[default]\nregion=r",
        ]
        let settings = settings(environment, files: files)
        #expect(try keys(settings).secretKey == "B")
        #expect(settings.region == "r")
    }

    @Test func noCredentialsSayWhereToPutThem() {
        let error = #expect(throws: QuernError.self) {
            try settings(["AWS_PROFILE": "none"], files: Self.files).credentialSource()
        }
        #expect(error?.code == .unauthorized)
        #expect(error?.description.contains("/home/u/.aws/credentials") == true)
        #expect(error?.description.contains("AWS_ACCESS_KEY_ID") == true)
    }
}
