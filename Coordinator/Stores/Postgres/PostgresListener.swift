import CLibPQ
import Foundation
import Synchronization

/// Hears of changes from other coordinators and tells them of ours, on a thread and a connection of its own, so that
/// no transaction that matters carries a NOTIFY. Tells at most four times a second.
final class PostgresListener: Sendable {
    private let bell: ListenerBell

    init(url: String, wakers: WakeUps) {
        bell = ListenerBell()
        let thread = Thread { [bell] in
            Listening(url: url, bell: bell, wakers: wakers).run()
        }
        thread.name = "quern-postgres-listener"
        thread.start()
    }

    deinit { bell.close() }

    func signal() { bell.ring() }
}

/// A pipe that ends a `poll`, and why it was ended.
private final class ListenerBell: Sendable {
    private struct State {
        var isRung = false
        var isClosed = false
    }
    private let state = Mutex(State())
    let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        precondition(made == 0, "no file descriptors left")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func ring() {
        let isFirst = state.withLock { state in
            defer { state.isRung = true }
            return !state.isRung
        }
        if isFirst { push() }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        push()
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// - Returns: whether it was rung since the last time.
    func takeRing() -> Bool {
        var drain = [UInt8](repeating: 0, count: 64)
        while read(readEnd, &drain, drain.count) > 0 {}
        return state.withLock { state in
            defer { state.isRung = false }
            return state.isRung
        }
    }

    private func push() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    private func close(_ descriptor: Int32) { _ = Foundation.close(descriptor) }
}

private final class Listening {
    private let url: String
    private let bell: ListenerBell
    private let wakers: WakeUps
    private var link: PostgresLink?
    /// Something has changed here that others have not been told.
    private var owesNotice = false
    private var lastNotice = ContinuousClock.now - .seconds(1)

    private static let channel = "quern_jobs"
    private static let shortestInterval = Duration.milliseconds(250)
    private static let reconnectInterval = Duration.seconds(1)

    init(url: String, bell: ListenerBell, wakers: WakeUps) {
        self.url = url
        self.bell = bell
        self.wakers = wakers
    }

    func run() {
        while !bell.isClosed {
            if link == nil { connect() }
            wait()
            if bell.takeRing() { owesNotice = true }
            hear()
            tell()
        }
    }

    private func connect() {
        guard let fresh = try? PostgresLink(url: url), (try? fresh.script("LISTEN \(Self.channel)")) != nil else {
            return
        }
        link = fresh
        // Whatever was said in the meantime was not heard.
        wakers.signal()
    }

    private func wait() {
        var descriptors = [pollfd(fd: bell.readEnd, events: Int16(POLLIN), revents: 0)]
        if let link {
            descriptors.append(pollfd(fd: PQsocket(link.handle.pointer), events: Int16(POLLIN), revents: 0))
        }
        var timeout: Int32 = -1
        if link == nil {
            timeout = Int32(Self.reconnectInterval.milliseconds)
        } else if owesNotice {
            let rest = Self.shortestInterval - (ContinuousClock.now - lastNotice)
            timeout = Int32(max(rest.milliseconds + 1, 0))
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout)
    }

    private func hear() {
        guard let link else { return }
        let pointer = link.handle.pointer
        guard PQconsumeInput(pointer) == 1 else {
            self.link = nil
            return
        }
        var isNews = false
        while let notice = PQnotifies(pointer) {
            if notice.pointee.be_pid != PQbackendPID(pointer) { isNews = true }
            PQfreemem(notice)
        }
        if isNews { wakers.signal() }
    }

    private func tell() {
        guard owesNotice, let link, ContinuousClock.now - lastNotice >= Self.shortestInterval else { return }
        lastNotice = ContinuousClock.now
        do {
            try link.script("NOTIFY \(Self.channel)")
            owesNotice = false
        } catch {
            self.link = nil
        }
    }
}
