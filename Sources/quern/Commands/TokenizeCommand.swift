import ArgumentParser
import Foundation
import QuernFormats
import QuernModel

struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Print the token ids of the text on standard input.",
        discussion: """
            Example: quern tokenize ./Llama-3.1-8B-Instruct < text.txt
            Example: quern tokenize model.gguf --jsonl < texts.jsonl > ids.jsonl

            No special tokens are added; those that stand in the text are recognized. A checkpoint folder needs \
            tokenizer.json or tokenizer.model only.
            """)

    @Argument(help: "A checkpoint folder or a .gguf.", completion: .file()) var source: String
    @Flag(help: "Read lines {\"text\": …} and print lines {\"ids\": […]}.") var jsonl = false
    @Flag(help: "Print one JSON array.") var json = false

    private static func standardInput() throws -> [UInt8] {
        do {
            return [UInt8](try FileHandle.standardInput.readToEnd() ?? Data())
        } catch {
            throw QuernError(.io, "it cannot be read", at: "standard input", remedy: "Give a text")
        }
    }

    func run() throws {
        let tokenizer = try Tokenizer.open(path: source)
        if jsonl { return try tokenizeLines(with: tokenizer) }
        let ids = try tokenizer.encode(utf8: try Self.standardInput())
        var output = IDOutput()
        if json { output.appendArray(ids) } else { output.append(ids, separator: " ") }
        output.append("\n")
        output.flush()
    }

    private func tokenizeLines(with tokenizer: Tokenizer) throws {
        var number = 0
        var output = IDOutput()
        defer { output.flush() }
        while let line = readLine() {
            number += 1
            do {
                guard let text = try JSONValue.parse(Array(line.utf8)).object?["text"]?.string else {
                    throw QuernError(.invalidInput, "no object with a string 'text'")
                }
                let ids = try tokenizer.encode(text)
                output.append("{\"ids\": ")
                output.appendArray(ids)
                output.append("}\n")
            } catch let error as QuernError {
                throw error.located(in: "standard input, line \(number)")
            }
            if output.isLarge { output.flush() }
        }
    }
}

/// Numbers on their way to standard output. A text of a hundred megabytes has tens of millions.
private struct IDOutput {
    private var bytes: [UInt8] = []

    var isLarge: Bool { bytes.count > 1 << 16 }

    mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func appendArray(_ ids: [Int32]) {
        append("[")
        append(ids, separator: ", ")
        append("]")
    }

    mutating func append(_ ids: [Int32], separator: StaticString) {
        for (index, id) in ids.enumerated() {
            if index > 0 { append(separator) }
            let start = bytes.count
            var rest = id.magnitude
            repeat {
                bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            } while rest > 0
            bytes[start...].reverse()
        }
    }

    mutating func flush() {
        FileHandle.standardOutput.write(Data(bytes))
        bytes.removeAll(keepingCapacity: true)
    }
}
