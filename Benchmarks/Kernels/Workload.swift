import Foundation
import QuernFormats
import QuernKernels

/// Rows to encode: normally distributed, like the weights of a trained layer. The same in each run.
struct Workload {
    let columns: Int
    let values: [Float]
    let importance: [Float]

    init(rows: Int, columns: Int) {
        self.columns = columns
        var state: UInt64 = 1
        func uniform() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) * 0x1p-24
        }
        values = (0..<rows * columns).map { _ in (uniform() + uniform() + uniform() + uniform() - 2) * 0.03 }
        importance = (0..<columns).map { _ in uniform() + 0.01 }
    }

    /// Millions of weights per second that a plain copy moves.
    func copyRate() -> Double {
        var target = [Float](repeating: 0, count: values.count)
        return values.withUnsafeBytes { source in
            target.withUnsafeMutableBytes { target in rate { target.copyMemory(from: source) } }
        }
    }

    func measure(_ type: ElementType, with set: InstructionSet) -> Measurement {
        var bytes = [UInt8](repeating: 0, count: values.count / type.blockSize * type.blockBytes)
        var decoded = [Float](repeating: 0, count: values.count)
        return values.withUnsafeBufferPointer { values in
            importance.withUnsafeBufferPointer { importance in
                bytes.withUnsafeMutableBytes { bytes in
                    decoded.withUnsafeMutableBufferPointer { decoded in
                        func encoding(_ importance: UnsafeBufferPointer<Float>?) -> Double {
                            rate {
                                Kernels.encode(
                                    type, rows: values, columns: columns, importance: importance, into: bytes,
                                    with: set)
                            }
                        }
                        return Measurement(
                            name: type.description, set: set, plain: encoding(nil),
                            weighted: type.usesImportance ? encoding(importance) : nil,
                            decode: rate {
                                Kernels.decode(type, bytes: UnsafeRawBufferPointer(bytes), into: decoded, with: set)
                            })
                    }
                }
            }
        }
    }

    func measureComparison(with set: InstructionSet) -> Comparison {
        let decoded = values.map { $0 * 1.01 }
        return values.withUnsafeBufferPointer { values in
            decoded.withUnsafeBufferPointer { decoded in
                Comparison(
                    set: set,
                    error: rate {
                        _ = Kernels.error(original: values, decoded: decoded, columns: columns, with: set)
                    },
                    firstNonFinite: rate { _ = Kernels.firstNonFinite(in: values, with: set) })
            }
        }
    }

    /// Millions of weights per second of processor time: the best of several runs.
    func rate(_ work: () -> Void) -> Double {
        work()
        var best = Double.infinity, total = 0.0
        while total < 0.2 {
            let start = processorTime()
            work()
            let seconds = processorTime() - start
            best = min(best, seconds)
            total += max(seconds, 1e-6)
        }
        return Double(values.count) / best / 1e6
    }

    /// Seconds that this thread has had a processor for: others on the machine do not count.
    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
