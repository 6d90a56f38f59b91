import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// Scores of the sample checkpoint, however its text is divided.
@Suite struct EvaluatorTests {
    private static let chunks: [[Int32]] = (0..<5).map { chunk in (0..<24).map { Int32(($0 * 37 + chunk * 101) % 2000) }
    }

    private func evaluator(threads: Int) throws -> Evaluator {
        let model = try SourceModel.open(path: Fixtures.sample)
        return try Evaluator(reference: model, candidates: [model], threads: threads)
    }

    @Test(arguments: [[5], [1, 4], [2, 2, 1], [1, 1, 1, 1, 1]])
    func doNotDependOnTheDivision(groups: [Int]) throws {
        let whole = try evaluator(threads: 1).scores(of: Self.chunks) { _ in }
        let evaluator = try evaluator(threads: groups.count)
        var joined = PositionScores(candidates: 1)
        var start = 0
        for count in groups {
            joined.append(try evaluator.scores(of: Array(Self.chunks[start..<start + count])) { _ in })
            start += count
        }
        #expect(joined == whole)
        #expect(whole.losses.count == 5 * 11)
        #expect(whole.candidates[0].losses == whole.losses)
        #expect(whole.candidates[0].divergences.allSatisfy { $0 == 0 })
        #expect(whole.candidates[0].layers.map(\.count) == [4, 4, 4, 4, 4])
        #expect(whole.candidates[0].layers.joined().allSatisfy { $0.error == 0 && $0.norm > 0 })
    }

    @Test func progressEndsAtOneAndNeverGoesBack() throws {
        var last = 0.0
        _ = try evaluator(threads: 2).scores(of: Self.chunks) { share in
            #expect(share >= last - 1e-9 && share <= 1 + 1e-9)
            last = share
        }
        #expect(abs(last - 1) < 1e-9)
        struct Stop: Error {}
        #expect(throws: Stop.self) { try evaluator(threads: 2).scores(of: Self.chunks) { _ in throw Stop() } }
    }

    @Test func scoresSurviveTheirBytes() throws {
        let scores = try evaluator(threads: 2).scores(of: Self.chunks) { _ in }
        let bytes = scores.bytes(chunks: 5)
        let read = try PositionScores.parse(bytes)
        #expect(read.scores == scores && read.chunks == 5)
        for count in [0, 3, 4, 19, 20, bytes.count / 2, bytes.count - 1] {
            #expect(throws: QuernError.self) { try PositionScores.parse(Array(bytes.prefix(count))) }
        }
        #expect(throws: QuernError.self) { try PositionScores.parse(bytes + [0]) }
        // Counts that promise more than there is.
        for place in stride(from: 4, to: 20, by: 4) {
            var damaged = bytes
            damaged.replaceSubrange(place..<place + 4, with: [255, 255, 255, 255])
            #expect(throws: QuernError.self) { try PositionScores.parse(damaged) }
        }
    }
}
