import Foundation
import QuernFormats

/// How much memory work in progress may take together.
enum WorkMemory {
    /// The flag or setting, or half of what the machine has: few items are in work at a time, so this is a ceiling that
    /// is rarely met.
    /// - Throws: `QuernError` `.usage`.
    static func resolve(_ settings: Settings, flag: String?) throws -> Int64 {
        guard let text = settings.value(.memory, flag: flag) else {
            return Int64(clamping: ProcessInfo.processInfo.physicalMemory / 2)
        }
        return Int64(clamping: try ByteCount.parse(text))
    }
}
