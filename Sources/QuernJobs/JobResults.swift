import Foundation
import QuernFormats

/// `report.json`: what a job has measured. Unlike the manifest it hangs on the machines that measured: products of
/// matrices differ in their last bits from one processor to another.
public struct JobResults: Sendable, Codable, Equatable {
    public static let fileName = "report.json"

    /// Every target against the source; nil where the recipe asks for none.
    public var evaluation: EvaluationSummary?
    /// How often calibration reached each expert, layer by layer; empty without calibration or without experts.
    public var coverage: [ExpertCoverage]

    /// How types were chosen by what they cost; nil where they were not.
    public var choice: TypeChoice?

    /// What is wrong with the text that was calibrated on, if anything.
    public var warnings: [String]

    public init(
        evaluation: EvaluationSummary? = nil, coverage: [ExpertCoverage] = [], choice: TypeChoice? = nil,
        warnings: [String] = []
    ) {
        self.evaluation = evaluation
        self.coverage = coverage
        self.choice = choice
        self.warnings = warnings
    }

    /// Files of before there were warnings have none.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        evaluation = try values.decodeIfPresent(EvaluationSummary.self, forKey: .evaluation)
        coverage = try values.decode([ExpertCoverage].self, forKey: .coverage)
        choice = try values.decodeIfPresent(TypeChoice.self, forKey: .choice)
        warnings = try values.decodeIfPresent([String].self, forKey: .warnings) ?? []
    }

    public var isEmpty: Bool { evaluation == nil && coverage.isEmpty && choice == nil && warnings.isEmpty }

    /// The bytes of `report.json`.
    public func json() throws -> [UInt8] { try JSONFile.bytes(self) }

    /// - Throws: `.invalidInput` where `json` is something else.
    public static func parse(_ json: [UInt8]) throws -> JobResults {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(JobResults.self, from: Data(json))
        } catch let error as DecodingError {
            throw QuernError(
                .invalidInput, error.explanation, at: fileName, remedy: "Remove the damaged file, or make it again")
        }
    }
}

/// Tokens that reached each expert of a layer.
public struct ExpertCoverage: Sendable, Codable, Equatable {
    public let layer: Int
    /// By expert.
    public let tokens: [Int]
    public init(layer: Int, tokens: [Int]) {
        self.layer = layer
        self.tokens = tokens
    }
}
