import ArgumentParser
import Foundation
import QuernFormats
import QuernStore
import QuernWorker

struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Verify an output folder and sign all that is in it.",
        discussion: """
            Example: quern sign ./out --key publisher.pem

            The key stays where it is: sign what a coordinator's job has made after you have downloaded it. Whoever has \
            the public key checks the folder with quern verify ./out --key publisher.pub.pem, or with model_signing \
            verify key ./out --public_key publisher.pub.pem --signature ./out/model.sig.

            A pair of keys: openssl ecparam -genkey -name prime256v1 -noout -out publisher.pem
                            openssl ec -in publisher.pem -pubout -out publisher.pub.pem
            """)

    @Argument(help: "A folder with a manifest.json.", completion: .directory) var folder: String

    @Option(help: "The private key, as PEM: EC on P-256, P-384 or P-521, not encrypted.", completion: .file())
    var key: String

    @Option(help: "Where the signature goes; model.sig in the folder otherwise.", completion: .file())
    var signature: String?

    @Flag(help: "Print one JSON object per line on standard output.") var json = false

    func run() async throws {
        let key = try Self.readKey(key)
        let bar = ReadingBar(shows: !json)
        let report = try FolderSigner.sign(folder: folder, with: key, path: signature) { bar.show($0, of: $1) }
        bar.finish()
        try VerifyCommand.tell(report, json: json)
    }

    /// The key of a file; warns where others than its owner can read that.
    static func readKey(_ path: String) throws -> SigningKey {
        let key = try SigningKey.read(path: path)
        if key.isExposed {
            Console.error("quern: warning: \(path): others can read the private key. Close it: chmod 600 \(path)")
        }
        return key
    }
}
