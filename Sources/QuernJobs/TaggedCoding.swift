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

extension Extent.Origin {
    private enum Kind: String, CodingKey {
        case file, blob
    }

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .file: self = .file(try container.decode(Int.self, forKey: kind))
        case .blob: self = .blob(try container.decode(Digest.self, forKey: kind))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .file(let index): try container.encode(index, forKey: .file)
        case .blob(let digest): try container.encode(digest, forKey: .blob)
        }
    }
}

extension RowOrder {
    private enum Kind: String, CodingKey {
        case asStored, interleaveHalves
    }

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .asStored:
            self = .asStored
        case .interleaveHalves:
            self = .interleaveHalves(size: try container.decode(Int.self, forKey: kind))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .asStored: try container.encode(true, forKey: .asStored)
        case .interleaveHalves(let size): try container.encode(size, forKey: .interleaveHalves)
        }
    }
}

extension Decoder {
    /// The one key of an object that is named by what it holds.
    fileprivate func onlyKey<Key: CodingKey>(_ type: Key.Type) throws -> (Key, KeyedDecodingContainer<Key>) {
        let container = try container(keyedBy: type)
        guard container.allKeys.count == 1, let key = container.allKeys.first else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: codingPath, debugDescription: "exactly one kind of value belongs here"))
        }
        return (key, container)
    }
}
