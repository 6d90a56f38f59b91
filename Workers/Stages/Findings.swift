import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore

/// What other items of the job have found out for the weights of an item's spans.
struct Findings {
    /// What one layer's weights are rounded by.
    struct Found {
        /// Nil where no scale hangs on magnitudes.
        let magnitudes: ScanResult?
        /// Blobs that, joined, are the factor; nil where no errors are fed back.
        let factor: [Digest]?
    }

    private let context: StageContext
    /// The factor that was read last: the spans of a layer follow each other.
    private let last = Mutexed<(factor: [Digest], feedback: Feedback)?>(nil)
    /// The balance vectors that were asked for, by their blobs.
    private let vectors = Mutexed<[Digest: [Float]]>([:])

    init(_ context: StageContext) { self.context = context }

    /// The blob that a balance item made.
    /// - Throws: `.invalidInput` where its result is missing.
    func vector(of item: Int) throws -> Digest {
        guard case .balance(let result)? = context.inputs[item] else { throw Self.missing(item) }
        return result.vector
    }

    /// What the channels of an input are divided by.
    /// - Throws: as `vector(of:)`; `LostBlobs` where it is gone, `.invalidInput` where it is none of so many channels.
    func balance(of item: Int, channels: Int) throws -> [Float] {
        let digest = try vector(of: item)
        if let known = vectors.mutate({ $0[digest] }), known.count == channels { return known }
        let made = try BalanceVector(bytes: context.blobs.get(digest, context.control), channels: channels).values
        vectors.mutate { $0[digest] = made }
        return made
    }

    /// - Throws: `.invalidInput` where a result is missing.
    func found(for rounding: QuantizedWeight.Rounding) throws -> Found {
        Found(
            magnitudes: try rounding.magnitudes.map { item in
                guard case .scan(let result)? = context.inputs[item] else { throw Self.missing(item) }
                return result
            },
            factor: try rounding.factor.map(factor))
    }

    /// The blobs that a factor item made.
    /// - Throws: `.invalidInput` where its result is missing.
    func factor(of item: Int) throws -> [Digest] {
        guard case .factor(let result)? = context.inputs[item] else { throw Self.missing(item) }
        return result.factor
    }

    /// - Throws: `LostBlobs` where the factor is gone, `.invalidInput` where it is not of so many columns.
    func feedback(_ factor: [Digest], columns: Int) throws -> Feedback {
        if let last = last.mutate({ $0 }), last.factor == factor { return last.feedback }
        // Never two at a time.
        last.mutate { $0 = nil }
        let pieces = try factor.map { try context.blobs.get($0, context.control) }
        let bytes = pieces.count == 1 ? pieces[0] : Array(pieces.joined())
        let feedback = try Feedback(bytes: bytes, columns: columns)
        last.mutate { $0 = (factor, feedback) }
        return feedback
    }

    private static func missing(_ item: Int) -> QuernError {
        StageContext.missing(item, at: "weights")
    }
}
