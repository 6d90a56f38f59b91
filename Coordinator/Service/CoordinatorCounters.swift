import Synchronization

/// What this coordinator process has done, for `/metrics`. All counters but `claimsWaiting` only grow.
struct CoordinatorCounters: Sendable {
    var submissions = 0
    var sessionsOpened = 0
    var sessionsClosed = 0
    var heartbeats = 0
    var claimCalls = 0
    /// Claims that wait for work now.
    var claimsWaiting = 0
    var itemsClaimed = 0
    var completions = 0
    var failures = 0
    var releases = 0
    /// Calls refused because the lease was lost.
    var conflicts = 0
    var leasesReaped = 0
    var cacheKeysAsked = 0
    var cacheKeysFound = 0
    var blobBytesReceived = 0
    var blobBytesSent = 0
    var blobsSentDirectly = 0
    var blobBytesReceivedDirectly = 0
    var artifactBytesSent = 0
    var blobsCondemned = 0
    var blobsRemoved = 0
    var itemsMoved = 0

    /// Name without prefix, help text and value, in the order in which they are shown.
    var all: [(name: String, help: String, value: Int)] {
        [
            ("submissions_total", "Jobs submitted.", submissions),
            ("sessions_opened_total", "Worker sessions opened.", sessionsOpened),
            ("sessions_closed_total", "Worker sessions closed by the worker.", sessionsClosed),
            ("heartbeats_total", "Heartbeats of worker sessions.", heartbeats),
            ("claim_calls_total", "Calls for work.", claimCalls),
            ("items_claimed_total", "Work items handed out.", itemsClaimed),
            ("items_completed_total", "Completions accepted.", completions),
            ("items_failed_total", "Failures reported.", failures),
            ("items_released_total", "Work items given back.", releases),
            ("lease_conflicts_total", "Calls refused because the lease was lost.", conflicts),
            ("leases_reaped_total", "Leases taken from dead sessions or overdue items.", leasesReaped),
            ("cache_keys_asked_total", "Input hashes looked up.", cacheKeysAsked),
            ("cache_keys_found_total", "Input hashes found.", cacheKeysFound),
            ("blob_received_bytes_total", "Bytes of blobs uploaded through the coordinator.", blobBytesReceived),
            ("blob_sent_bytes_total", "Bytes of blobs downloaded through the coordinator.", blobBytesSent),
            (
                "blob_received_direct_bytes_total", "Bytes of blobs uploaded past the coordinator.",
                blobBytesReceivedDirectly
            ),
            ("blobs_sent_direct_total", "Downloads of blobs that were sent to where they lie.", blobsSentDirectly),
            ("artifact_sent_bytes_total", "Bytes of artifacts downloaded.", artifactBytesSent),
            ("blobs_condemned_total", "Blobs found to be needed by nothing.", blobsCondemned),
            ("blobs_removed_total", "Blobs removed because nothing needed them for long.", blobsRemoved),
            ("items_moved_total", "Work items of ended jobs moved to history.", itemsMoved),
        ]
    }
}
