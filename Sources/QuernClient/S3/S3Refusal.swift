import Foundation
import NIOCore
import QuernFormats

/// A response that is no success, and what it means.
struct S3Refusal {
    /// S3's own name of the error; empty where the response has no body, as to HEAD.
    let code: String
    let error: QuernError

    /// - Parameter isReading: whether nothing is ever written there.
    init(
        _ response: S3Response, of request: S3Request, location: S3Location, credentials: S3Credentials,
        isReading: Bool = false
    ) {
        let text = String(decoding: response.body.readableBytesView.prefix(1 << 16), as: UTF8.self)
        code = Self.element("Code", of: text) ?? ""
        let said = [code, Self.element("Message", of: text) ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
        let answer =
            "\(request.method) was answered with HTTP status \(response.status)\(said.isEmpty ? "" : ", \(said)")"
        let place = location.description
        let region = response.headers["x-amz-bucket-region"] ?? Self.element("Region", of: text)
        let isElsewhere = [301, 307, 400].contains(response.status) && region != nil && region != location.region
        error =
            switch (response.status, code) {
            case (_, "RequestTimeTooSkewed"):
                QuernError(.unauthorized, "the clock of this machine is wrong (\(answer))", at: place, remedy: "Set it")
            case (_, "ExpiredToken"):
                QuernError(
                    .unauthorized, "the credentials from \(credentials.source) have expired", at: place,
                    remedy: "Get new ones and start again")
            case (_, "SignatureDoesNotMatch"), (_, "InvalidAccessKeyId"):
                QuernError(
                    .unauthorized, "the credentials from \(credentials.source) are not valid (\(answer))", at: place,
                    remedy: "Check access key, secret key and session token: they belong together")
            case _ where isElsewhere:
                QuernError(
                    .usage, "the bucket lies in region \(region ?? ""), not in \(location.region)", at: place,
                    remedy: "Set AWS_REGION=\(region ?? "")")
            case (401, _), (403, _):
                QuernError(
                    .unauthorized, "the credentials from \(credentials.source) do not allow it (\(answer))", at: place,
                    remedy: isReading
                        ? "Allow s3:GetObject there, and s3:ListBucket on the bucket"
                        : "Allow s3:GetObject, s3:PutObject and s3:DeleteObject there, and s3:ListBucket on the bucket; for "
                            + "artifacts also s3:AbortMultipartUpload, and s3:ListBucketMultipartUploads on the bucket")
            case (412, _):
                QuernError(.conflict, "the object is not the one that was meant (\(answer))", at: place)
            case (404, _):
                QuernError(
                    .notFound, "there is no bucket '\(location.bucket)' at \(location.server)", at: place,
                    remedy: "Create it, or check its name and the endpoint")
            case (507, _), (_, "QuotaExceeded"), (_, "XMinioStorageFull"):
                QuernError(
                    .outOfSpace, "the bucket takes no more (\(answer))", at: place, remedy: "Free some space in it")
            case (408, _), (429, _), (500, _), (502, _), (503, _), (504, _), (_, "RequestTimeout"), (_, "BadDigest"),
                (_, "XAmzContentSHA256Mismatch"), (_, "XAmzContentChecksumMismatch"):
                // A body that arrived damaged may arrive whole the next time.
                QuernError(.unavailable, "S3 is busy or failing: \(answer)", at: place, remedy: "Try again later")
            default:
                QuernError(
                    .io, answer, at: place, remedy: "Check that \(location.scheme)://\(location.server) speaks S3")
            }
    }

    /// The text of the first element of that name, which holds no other.
    static func element(_ name: String, of text: some StringProtocol) -> String? {
        guard let start = text.range(of: "<\(name)>"),
            let end = text.range(of: "</\(name)>", range: start.upperBound..<text.endIndex)
        else { return nil }
        let content = text[start.upperBound..<end.lowerBound]
        return content.isEmpty || content.contains("<") ? nil : String(content)
    }
}
