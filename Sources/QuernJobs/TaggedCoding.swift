import QuernFormats
import QuernStore

// Values of which there are several kinds travel as objects with one key, the kind: {"encode": {…}}.

extension WorkPayload {
    public init(from decoder: any Decoder) throws {
        let (stage, container) = try decoder.onlyKey(Stage.self)
        switch stage {
        case .digest: self = .digest(try container.decode(DigestWork.self, forKey: stage))
        case .tokenize: self = .tokenize(try container.decode(TokenizeWork.self, forKey: stage))
        case .calibrate: self = .calibrate(try container.decode(CalibrateWork.self, forKey: stage))
        case .merge: self = .merge(try container.decode(MergeWork.self, forKey: stage))
        case .scan: self = .scan(try container.decode(ScanWork.self, forKey: stage))
        case .balance: self = .balance(try container.decode(BalanceWork.self, forKey: stage))
        case .factor: self = .factor(try container.decode(FactorWork.self, forKey: stage))
        case .measure: self = .measure(try container.decode(MeasureWork.self, forKey: stage))
        case .collect: self = .collect(try container.decode(CollectWork.self, forKey: stage))
        case .encode: self = .encode(try container.decode(EncodeWork.self, forKey: stage))
        case .assemble: self = .assemble(try container.decode(AssembleWork.self, forKey: stage))
        case .evaluate: self = .evaluate(try container.decode(EvaluateWork.self, forKey: stage))
        case .publish: self = .publish(try container.decode(PublishWork.self, forKey: stage))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Stage.self)
        switch self {
        case .digest(let work): try container.encode(work, forKey: .digest)
        case .tokenize(let work): try container.encode(work, forKey: .tokenize)
        case .calibrate(let work): try container.encode(work, forKey: .calibrate)
        case .merge(let work): try container.encode(work, forKey: .merge)
        case .scan(let work): try container.encode(work, forKey: .scan)
        case .balance(let work): try container.encode(work, forKey: .balance)
        case .factor(let work): try container.encode(work, forKey: .factor)
        case .measure(let work): try container.encode(work, forKey: .measure)
        case .collect(let work): try container.encode(work, forKey: .collect)
        case .encode(let work): try container.encode(work, forKey: .encode)
        case .assemble(let work): try container.encode(work, forKey: .assemble)
        case .evaluate(let work): try container.encode(work, forKey: .evaluate)
        case .publish(let work): try container.encode(work, forKey: .publish)
        }
    }
}

extension WorkResult {
    public init(from decoder: any Decoder) throws {
        let (stage, container) = try decoder.onlyKey(Stage.self)
        switch stage {
        case .digest: self = .digest(try container.decode(DigestResult.self, forKey: stage))
        case .tokenize: self = .tokenize(try container.decode(TokenizeResult.self, forKey: stage))
        case .calibrate: self = .calibrate(try container.decode(CalibrateResult.self, forKey: stage))
        case .merge: self = .merge(try container.decode(MergeResult.self, forKey: stage))
        case .scan: self = .scan(try container.decode(ScanResult.self, forKey: stage))
        case .balance: self = .balance(try container.decode(BalanceResult.self, forKey: stage))
        case .factor: self = .factor(try container.decode(FactorResult.self, forKey: stage))
        case .measure: self = .measure(try container.decode(MeasureResult.self, forKey: stage))
        case .collect: self = .collect(try container.decode(CollectResult.self, forKey: stage))
        case .encode: self = .encode(try container.decode(EncodeResult.self, forKey: stage))
        case .assemble: self = .assemble(try container.decode(AssembleResult.self, forKey: stage))
        case .evaluate: self = .evaluate(try container.decode(EvaluateResult.self, forKey: stage))
        case .publish: self = .publish(try container.decode(PublishResult.self, forKey: stage))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Stage.self)
        switch self {
        case .digest(let result): try container.encode(result, forKey: .digest)
        case .tokenize(let result): try container.encode(result, forKey: .tokenize)
        case .calibrate(let result): try container.encode(result, forKey: .calibrate)
        case .merge(let result): try container.encode(result, forKey: .merge)
        case .scan(let result): try container.encode(result, forKey: .scan)
        case .balance(let result): try container.encode(result, forKey: .balance)
        case .factor(let result): try container.encode(result, forKey: .factor)
        case .measure(let result): try container.encode(result, forKey: .measure)
        case .collect(let result): try container.encode(result, forKey: .collect)
        case .encode(let result): try container.encode(result, forKey: .encode)
        case .assemble(let result): try container.encode(result, forKey: .assemble)
        case .evaluate(let result): try container.encode(result, forKey: .evaluate)
        case .publish(let result): try container.encode(result, forKey: .publish)
        }
    }
}

extension Stage: CodingKey {}

extension PartEncoding: Codable {
    private enum Kind: String, CodingKey {
        case blocks, component
    }

    private struct Component: Codable {
        let name: WeightComponent
        let of: QuantizedWeight
    }

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .blocks: self = .blocks(try container.decode(ElementType.self, forKey: kind))
        case .component:
            let component = try container.decode(Component.self, forKey: kind)
            self = .component(component.name, component.of)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .blocks(let type): try container.encode(type, forKey: .blocks)
        case .component(let name, let weight):
            try container.encode(Component(name: name, of: weight), forKey: .component)
        }
    }
}

extension Importance.Vectors {
    private enum Kind: String, CodingKey {
        case blob, merged
    }

    private struct Merged: Codable {
        let item: Int
        let tensor: String
    }

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .blob: self = .blob(try container.decode(Digest.self, forKey: kind))
        case .merged:
            let merged = try container.decode(Merged.self, forKey: kind)
            self = .merged(item: merged.item, tensor: merged.tensor)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .blob(let digest): try container.encode(digest, forKey: .blob)
        case .merged(let item, let tensor):
            try container.encode(Merged(item: item, tensor: tensor), forKey: .merged)
        }
    }
}
