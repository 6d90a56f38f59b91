import QuernStore

// Values of which there are several kinds travel as objects with one key, the kind: {"encode": {…}}.

extension WorkPayload {
    public init(from decoder: any Decoder) throws {
        let (stage, container) = try decoder.onlyKey(Stage.self)
        switch stage {
        case .digest: self = .digest(try container.decode(DigestWork.self, forKey: stage))
        case .encode: self = .encode(try container.decode(EncodeWork.self, forKey: stage))
        case .assemble: self = .assemble(try container.decode(AssembleWork.self, forKey: stage))
        case .publish: self = .publish(try container.decode(PublishWork.self, forKey: stage))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Stage.self)
        switch self {
        case .digest(let work): try container.encode(work, forKey: .digest)
        case .encode(let work): try container.encode(work, forKey: .encode)
        case .assemble(let work): try container.encode(work, forKey: .assemble)
        case .publish(let work): try container.encode(work, forKey: .publish)
        }
    }
}

extension WorkResult {
    public init(from decoder: any Decoder) throws {
        let (stage, container) = try decoder.onlyKey(Stage.self)
        switch stage {
        case .digest: self = .digest(try container.decode(DigestResult.self, forKey: stage))
        case .encode: self = .encode(try container.decode(EncodeResult.self, forKey: stage))
        case .assemble: self = .assemble(try container.decode(AssembleResult.self, forKey: stage))
        case .publish: self = .publish(try container.decode(PublishResult.self, forKey: stage))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Stage.self)
        switch self {
        case .digest(let result): try container.encode(result, forKey: .digest)
        case .encode(let result): try container.encode(result, forKey: .encode)
        case .assemble(let result): try container.encode(result, forKey: .assemble)
        case .publish(let result): try container.encode(result, forKey: .publish)
        }
    }
}

extension Stage: CodingKey {}
