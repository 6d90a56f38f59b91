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

    func run() throws {
        let tokenizer = try Tokenizer.open(path: source)
        if jsonl { return try tokenizeLines(with: tokenizer) }
        let ids = try tokenizer.encode(utf8: [UInt8](FileHandle.standardInput.readDataToEndOfFile()))
        Console.line(json ? Self.array(ids) : ids.map(String.init).joined(separator: " "))
    }

    private func tokenizeLines(with tokenizer: Tokenizer) throws {
        var number = 0
        var output = ""
        while let line = readLine() {
            number += 1
            do {
                guard let text = try JSONValue.parse(Array(line.utf8)).object?["text"]?.string else {
                    throw QuernError(.invalidInput, "no object with a string 'text'")
                }
                output += "{\"ids\": \(Self.array(try tokenizer.encode(text)))}\n"
            } catch let error as QuernError {
                throw error.located(in: "standard input, line \(number)")
            }
            if output.utf8.count > 1 << 16 {
                FileHandle.standardOutput.write(Data(output.utf8))
                output = ""
            }
        }
        FileHandle.standardOutput.write(Data(output.utf8))
    }

    private static func array(_ ids: [Int32]) -> String {
        "[" + ids.map(String.init).joined(separator: ", ") + "]"
    }
}
