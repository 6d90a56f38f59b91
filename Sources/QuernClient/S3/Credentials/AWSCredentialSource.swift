import Foundation
import QuernFormats

/// Where credentials come from: chosen once, from variables and files alone.
package indirect enum AWSCredentialSource: Sendable, Hashable {
    /// They are known.
    case fixed(S3Credentials)
    /// A token of another authority, shown to the Security Token Service: what EKS gives to pods.
    case webIdentity(WebIdentity)
    /// A role that is assumed by whoever has other credentials.
    case role(AssumedRole)
    /// The agent of ECS, or of EKS Pod Identity.
    case container(ContainerAgent)
    /// The metadata service of a machine of EC2.
    case instance(InstanceMetadata)
}

extension AWSSettings {
    /// The first place that is set to hold credentials, in the order of botocore, which the AWS command line is built
    /// on: variables, a role of the profile, web identity, keys in the profile's files, the container's agent, the
    /// machine's metadata service. A profile that the caller named comes before the variables.
    /// - Throws: `.unauthorized` where there is none, with all places that were looked at; `.usage` where what is set
    ///   there makes no sense.
    package func credentialSource() throws -> AWSCredentialSource {
        if !isAsked, let keys = keysInVariables { return .fixed(keys) }
        let values = profiles.profile(profile)
        if values == nil, isAsked || environment["AWS_PROFILE"] != nil {
            throw QuernError(
                .unauthorized, "there are no credentials for S3, because there is no profile '\(profile)'",
                at: "\(profiles.secretsPath) and \(profiles.configurationPath)",
                remedy: "Write it to one of these files, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        if let values, values["role_arn"] != nil, values["web_identity_token_file"] == nil {
            return .role(try role(of: profile, below: []))
        }
        if let identity = try webIdentity(values ?? [:], variables: !isAsked) { return .webIdentity(identity) }
        if let keys = keys(in: profile) { return .fixed(keys) }
        try refuseForeign(profile)
        if let agent = try ContainerAgent(environment: environment) { return .container(agent) }
        let looked = placesBeforeMetadata
        guard let metadata = try InstanceMetadata(environment: environment, looked: looked) else {
            throw Self.none(looked + ["the metadata service, which AWS_EC2_METADATA_DISABLED switches off"])
        }
        return .instance(metadata)
    }

    /// - Parameter looked: for people.
    static func none(_ looked: [String]) -> QuernError {
        QuernError(
            .unauthorized, "there are no credentials for S3; looked at \(looked.joined(separator: "; "))",
            remedy: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to a profile")
    }

    /// What is looked at before the metadata service.
    private var placesBeforeMetadata: [String] {
        (isAsked ? [] : ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"])
            + ["profile '\(profile)' in \(profiles.secretsPath) and \(profiles.configurationPath)"]
            + ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    }

    private var keysInVariables: S3Credentials? {
        guard let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            return nil
        }
        return S3Credentials(
            accessKey: access, secretKey: secret, sessionToken: environment["AWS_SESSION_TOKEN"],
            source: "AWS_ACCESS_KEY_ID")
    }

    private func keys(in profile: String) -> S3Credentials? {
        for values in [profiles.secrets(of: profile), profiles.configuration(of: profile)] {
            if let access = values?["aws_access_key_id"], let secret = values?["aws_secret_access_key"] {
                return S3Credentials(
                    accessKey: access, secretKey: secret, sessionToken: values?["aws_session_token"],
                    source: "profile '\(profile)'")
            }
        }
        return nil
    }

    /// - Throws: `.unauthorized` where the AWS command line would ask somebody that this program does not know.
    private func refuseForeign(_ profile: String) throws {
        let values = profiles.profile(profile) ?? [:]
        let foreign = ["sso_session", "sso_start_url", "login_session", "credential_process"]
        guard let name = foreign.first(where: { values[$0] != nil }) else { return }
        throw QuernError(
            .unauthorized, "credentials by \(name) are not supported", at: "profile '\(profile)'",
            remedy: "Let `aws configure export-credentials --profile \(profile) --format env` set variables")
    }

    /// - Parameter variables: whether variables count, before the profile.
    private func webIdentity(_ values: [String: String], variables: Bool) throws -> WebIdentity? {
        func value(_ variable: String, _ setting: String) -> String? {
            (variables ? environment[variable] : nil) ?? values[setting]
        }
        guard let file = value("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else { return nil }
        guard let role = value("AWS_ROLE_ARN", "role_arn") else {
            throw QuernError(
                .usage, "a web identity without a role", at: file, remedy: "Set AWS_ROLE_ARN to the role's ARN")
        }
        return WebIdentity(
            tokenFile: file, role: role, session: value("AWS_ROLE_SESSION_NAME", "role_session_name") ?? "quern",
            service: try tokenService())
    }

    private func tokenService() throws -> SecurityTokenService {
        try SecurityTokenService(endpoint: endpoint(of: "STS"), region: region)
    }

    // MARK: Roles

    /// - Parameter above: the profiles that led here, in their order.
    private func role(of name: String, below above: [String]) throws -> AssumedRole {
        let place = "profile '\(name)'"
        func wrong(_ message: String, _ remedy: String) -> QuernError {
            QuernError(.usage, message, at: place, remedy: remedy)
        }
        let values = profiles.profile(name) ?? [:]
        guard let arn = values["role_arn"] else { throw wrong("no role_arn", "Name the role") }
        guard values["mfa_serial"] == nil else {
            throw wrong("a role that asks for a second factor cannot be assumed by a program", "Take another profile")
        }
        let duration = values["duration_seconds"]
        guard duration.map({ Int($0).map { (900...43_200).contains($0) } ?? false }) ?? true else {
            throw wrong("duration_seconds is not between 900 and 43200", "Correct it")
        }
        let base: AWSCredentialSource
        switch (values["source_profile"], values["credential_source"]) {
        case (let source?, nil): base = try self.source(of: source, below: above + [name])
        case (nil, "Environment"):
            guard let keys = keysInVariables else {
                throw wrong(
                    "credential_source is Environment, and there are none in it",
                    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            }
            base = .fixed(keys)
        case (nil, "EcsContainer"):
            guard let agent = try ContainerAgent(environment: environment) else {
                throw wrong(
                    "credential_source is EcsContainer, and this is none",
                    "Set AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI")
            }
            base = .container(agent)
        case (nil, "Ec2InstanceMetadata"):
            guard let metadata = try InstanceMetadata(environment: environment, looked: [place]) else {
                throw wrong(
                    "credential_source is Ec2InstanceMetadata, which AWS_EC2_METADATA_DISABLED switches off",
                    "Unset that variable")
            }
            base = .instance(metadata)
        default:
            throw wrong(
                "a role needs either source_profile or credential_source",
                "Say which credentials may assume it; credential_source is Environment, Ec2InstanceMetadata or "
                    + "EcsContainer")
        }
        return AssumedRole(
            arn: arn, session: values["role_session_name"] ?? "quern", externalID: values["external_id"],
            seconds: duration.flatMap { Int($0) }, source: base, service: try tokenService(), place: place)
    }

    /// Of a profile that others assume roles with.
    private func source(of name: String, below above: [String]) throws -> AWSCredentialSource {
        guard let values = profiles.profile(name) else {
            throw QuernError(
                .usage, "there is no profile '\(name)', which source_profile names",
                at: "profile '\(above.last ?? name)'", remedy: "Write it to \(profiles.secretsPath)")
        }
        if let keys = keys(in: name) { return .fixed(keys) }
        if let identity = try webIdentity(values, variables: false) { return .webIdentity(identity) }
        guard values["role_arn"] != nil else {
            try refuseForeign(name)
            throw QuernError(
                .usage, "it is a source_profile without credentials", at: "profile '\(name)'",
                remedy: "Write aws_access_key_id and aws_secret_access_key to it")
        }
        guard !above.contains(name) else {
            throw QuernError(
                .usage, "roles are assumed in a circle", at: "profile '\(name)'",
                remedy: "Let one source_profile have keys")
        }
        return .role(try role(of: name, below: above))
    }
}
