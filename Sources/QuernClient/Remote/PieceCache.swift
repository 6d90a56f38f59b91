import Foundation
import NIOCore
import QuernFormats
import Synchronization

/// What is fetched of remote files: several pieces at a time and some ahead of whoever reads, in bounded memory; what
/// was read goes to the spool.
final class PieceCache: Sendable {
    /// Blocks that are asked for at once.
    static let pieceBlocks = 16
    /// Blocks that are fetched ahead of a reader, as far as there is memory.
    private static let aheadBlocks = 8 * pieceBlocks

    private struct State {
        /// By file, none of which overlap.
        var pieces: [String: [Piece]] = [:]
        var bytes = 0
    }

    let spool: BlockSpool
    private let memory: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - spool: bytes of the spool.
    ///   - memory: bytes that are fetched ahead at most, over all files. What readers wait for comes on top.
    init(spool: Int, memory: Int) {
        self.spool = BlockSpool(bytes: spool)
        self.memory = memory
    }

    /// The piece that holds a block, on its way at least. Fetches ahead in what is expected to be read.
    /// - Parameter last: the last block that is wanted now.
    func piece(holding block: Int, through last: Int, of file: RemoteFile) -> Piece {
        state.withLock { state in
            let piece: Piece
            if let known = state.pieces[file.key]?.first(where: { $0.blocks.contains(block) }) {
                piece = known
            } else {
                let expected = file.expected.first { $0.contains(block) }
                let end = max(last + 1, expected?.upperBound ?? 0)
                piece = start(run(from: block, to: end, of: file, state), of: file, &state)
            }
            guard !piece.isDone else { return piece }
            piece.isDone = true
            fetchAhead(after: piece.blocks.upperBound, of: file, &state)
            return piece
        }
    }

    /// Fetches what begins with a block, where there is memory for it.
    func prefetch(_ blocks: Range<Int>, of file: RemoteFile) {
        state.withLock { state in
            guard let first = blocks.first(where: { !isThere($0, of: file, state) }) else { return }
            _ = startAhead(run(from: first, to: blocks.upperBound, of: file, state), of: file, &state)
        }
    }

    /// Puts a piece that has arrived where it takes no memory.
    func settle(_ piece: Piece, _ bytes: ByteBuffer) {
        guard piece.claimKeeping() else { return }
        let isKept = bytes.withUnsafeReadableBytes { bytes in
            piece.blocks.allSatisfy { block in
                let start = (block - piece.blocks.lowerBound) * BlockSpool.blockBytes
                let end = min(start + BlockSpool.blockBytes, bytes.count)
                return spool.keep(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), of: piece.file, block)
            }
        }
        // Else it stays in memory until others need that.
        if isKept { state.withLock { Self.remove(piece, &$0) } }
    }

    /// What a reader that goes has fetched ahead may make room.
    func abandon(_ owner: ObjectIdentifier, _ file: String) {
        state.withLock { state in
            for piece in state.pieces[file] ?? [] where piece.owner == owner { piece.isDone = true }
        }
    }

    private func fetchAhead(after first: Int, of file: RemoteFile, _ state: inout State) {
        var left = Self.aheadBlocks
        for range in file.expected where range.upperBound > first {
            var block = max(range.lowerBound, first)
            let end = min(range.upperBound, block + left)
            left -= end - block
            while block < end {
                if isThere(block, of: file, state) {
                    block += 1
                    continue
                }
                let run = run(from: block, to: end, of: file, state)
                guard startAhead(run, of: file, &state) else { return }
                block = run.upperBound
            }
            if left <= 0 { return }
        }
    }

    private func isThere(_ block: Int, of file: RemoteFile, _ state: State) -> Bool {
        state.pieces[file.key]?.contains { $0.blocks.contains(block) } == true || spool.contains(file.key, block)
    }

    /// Blocks that are not there yet, of which the first is none, up to a whole piece.
    private func run(from first: Int, to end: Int, of file: RemoteFile, _ state: State) -> Range<Int> {
        // No piece of a block or two is left over.
        let limit = end - first <= Self.pieceBlocks + 2 ? end : first + Self.pieceBlocks
        let most = min(limit, file.blocks)
        var last = first + 1
        while last < most, !isThere(last, of: file, state) { last += 1 }
        return first..<last
    }

    private func startAhead(_ blocks: Range<Int>, of file: RemoteFile, _ state: inout State) -> Bool {
        let size = file.bytes(of: blocks).count
        makeRoom(size, &state)
        guard state.bytes + size <= memory else { return false }
        _ = start(blocks, of: file, &state)
        return true
    }

    private func start(_ blocks: Range<Int>, of file: RemoteFile, _ state: inout State) -> Piece {
        let range = file.bytes(of: blocks)
        makeRoom(range.count, &state)
        let piece = Piece(file: file.key, blocks: blocks, owner: ObjectIdentifier(file), size: range.count)
        state.pieces[file.key, default: []].append(piece)
        state.bytes += piece.size
        let fetch = file.fetch
        Task.detached { [self] in
            do {
                piece.finish(.success(try await fetch(range)))
            } catch {
                // Those who wait are told; whoever comes later tries again.
                self.state.withLock { Self.remove(piece, &$0) }
                piece.finish(.failure(error))
            }
        }
        return piece
    }

    /// Lets go of pieces that have been read, as far as needed.
    private func makeRoom(_ size: Int, _ state: inout State) {
        guard state.bytes + size > memory else { return }
        for piece in state.pieces.values.joined() where piece.isDone && piece.hasArrived {
            Self.remove(piece, &state)
            if state.bytes + size <= memory { return }
        }
    }

    private static func remove(_ piece: Piece, _ state: inout State) {
        guard let index = state.pieces[piece.file]?.firstIndex(where: { $0 === piece }) else { return }
        state.pieces[piece.file]?.remove(at: index)
        if state.pieces[piece.file]?.isEmpty == true { state.pieces[piece.file] = nil }
        state.bytes -= piece.size
    }
}
