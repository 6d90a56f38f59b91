import Synchronization

// What the driver in C calls, which libFuzzer calls: its functions have names that no library may have.

private let chosen = Mutex<FuzzTarget?>(nil)

/// - Returns: 0 where there is no such target.
@_cdecl("quern_fuzz_choose")
public func chooseFuzzTarget(_ name: UnsafePointer<CChar>) -> Int32 {
    let name = String(cString: name)
    let target = FuzzTarget.all.first { $0.name == name }
    chosen.withLock { $0 = target }
    return target == nil ? 0 : 1
}

/// Ends the process where the target does what none may.
@_cdecl("quern_fuzz_check")
public func checkFuzzTarget(_ bytes: UnsafePointer<UInt8>?, _ count: Int) {
    guard let target = chosen.withLock({ $0 }) else { return }
    do {
        try target.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        fatalError("\(target.name): \(error)")
    }
}
