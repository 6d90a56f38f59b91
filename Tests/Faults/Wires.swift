import Foundation
import Synchronization
import TestSupport

/// All that lies between workers, coordinators and the database, and what can go wrong with it.
final class Wires: Sendable {
    enum Edge: String, CaseIterable, Sendable {
        case worker = "worker–coordinator"
        case database = "coordinator–database"
    }

    enum Fault: String, CaseIterable, Sendable {
        /// Connections end, and new ones are not taken.
        case cut
        /// Nothing gets through, and nobody is told: packets are dropped where there are namespaces.
        case silence
        case reset
        /// Two seconds more for every exchange.
        case delay
        /// Three packets of ten.
        case loss
        /// Three requests of ten are delivered twice.
        case duplicates
        /// Of three requests of ten, the answer is lost.
        case unanswered
    }

    /// Between workers and coordinators, one for each of these.
    private let outer: [TCPRelay]
    private let inner: [HTTPRelay]
    private let database: TCPRelay?
    private let namespaces: Namespaces?
    private let share: ShareOfRequests

    /// What happens to some of the requests.
    private final class ShareOfRequests: Sendable {
        private let state = Mutex((delivery: Delivery.once, generator: SeededGenerator(seed: 0)))

        func set(_ delivery: Delivery, seed: UInt64) {
            state.withLock { $0 = (delivery, SeededGenerator(seed: seed)) }
        }

        func next() -> Delivery {
            state.withLock { state in
                Int.random(in: 0..<10, using: &state.generator) < 3 ? state.delivery : .once
            }
        }
    }

    /// - Parameters:
    ///   - settings: of a cluster that is to use these wires; changed to do so.
    ///   - server: the database's, where it is one.
    init(for settings: inout Cluster.Settings, server: PostgreSQLServer?, namespaces: Namespaces?) async throws {
        self.namespaces = namespaces
        if namespaces != nil {
            settings.host = Namespaces.coordinatorAddress
            settings.coordinatorLauncher = Namespaces.launcher(Namespaces.coordinators)
            settings.workerLauncher = Namespaces.launcher(Namespaces.workers)
            settings.coordinatorOptions += [
                "--allow-remote-without-tokens", "--source-root", Fixtures.sample,
            ]
        }
        let share = ShareOfRequests()
        self.share = share
        var (inner, outer): ([HTTPRelay], [TCPRelay]) = ([], [])
        for url in settings.urls {
            let relay = try await HTTPRelay(to: url) { _ in share.next() }
            inner.append(relay)
            outer.append(try await TCPRelay(to: .port("127.0.0.1", relay.port)))
        }
        (self.inner, self.outer) = (inner, outer)
        let here = namespaces == nil ? "127.0.0.1" : Namespaces.here.workers
        settings.workerURLs = outer.map { "http://\(here):\($0.port)" }
        guard let server else {
            database = nil
            return
        }
        let relay = try await TCPRelay(to: .socket(path: server.socket))
        database = relay
        let host = namespaces == nil ? "127.0.0.1" : Namespaces.here.coordinators
        let name = settings.database.dropFirst("postgres:///".count).prefix { $0 != "?" }
        settings.database = "postgres://quern@\(host):\(relay.port)/\(name)?sslmode=disable"
    }

    /// The faults that these wires can have.
    var possible: [(Edge, Fault)] {
        Edge.allCases.flatMap { edge in Fault.allCases.map { (edge, $0) } }.filter { edge, fault in
            switch fault {
            case .loss where namespaces == nil: false
            case .duplicates where edge == .database, .unanswered where edge == .database: false
            default: edge == .worker || database != nil
            }
        }
    }

    func begin(_ fault: Fault, on edge: Edge, seed: UInt64) throws {
        let relays = edge == .worker ? outer : [database].compactMap(\.self)
        switch fault {
        case .cut: for relay in relays { relay.set(.cut) }
        case .silence where namespaces != nil: try drop(100, edge)
        case .silence: for relay in relays { relay.set(.silent) }
        case .reset: for relay in relays { relay.reset() }
        case .delay: for relay in relays { relay.set(.slow(.seconds(1))) }
        case .loss: try drop(30, edge)
        case .duplicates: share.set(.twice, seed: seed)
        case .unanswered: share.set(.unanswered, seed: seed)
        }
    }

    private func drop(_ percent: Int, _ edge: Edge) throws {
        if edge == .worker {
            try namespaces?.dropForWorkers(percent: percent)
        } else if let database {
            try namespaces?.dropForCoordinators(percent: percent, port: database.port)
        }
    }

    func heal() throws {
        for relay in outer + [database].compactMap(\.self) { relay.set(.open) }
        share.set(.once, seed: 0)
        try namespaces?.heal()
    }
}
