//! Why a registry did not give an image: neither engine has a code for it, so their words are read.

use super::super::PullCause;

/// Each cause with words that tell it, in the order in which they are looked for: the words of a full disk or a broken
/// network come with those of the request that they broke.
const WORDS: [(PullCause, &[&str]); 5] = [
    (
        PullCause::RateLimited,
        &["toomanyrequests", "too many requests", "rate limit"],
    ),
    (
        PullCause::NoSpace,
        &["no space left on device", "disk quota exceeded"],
    ),
    (
        PullCause::NoNetwork,
        &[
            "dial tcp",
            "dial udp",
            "no such host",
            "connection refused",
            "connection reset",
            "network is unreachable",
            "no route to host",
            "i/o timeout",
            "tls handshake timeout",
            "deadline exceeded",
            "client.timeout",
            "request canceled while waiting",
            "server misbehaving",
            "name resolution",
            "eof",
        ],
    ),
    (
        PullCause::Denied,
        &[
            "denied",
            "unauthorized",
            "forbidden",
            "authentication required",
            "no basic auth credentials",
            "invalid username/password",
        ],
    ),
    (
        PullCause::Absent,
        &[
            "manifest unknown",
            "name unknown",
            "not found",
            "does not exist",
            "no such image",
        ],
    ),
];

/// What the engine's `message` about `image` tells. The image's own name is not taken for the engine's words.
pub(super) fn pull_cause(image: &str, message: &str) -> PullCause {
    let message = message.to_lowercase();
    let message = message.replace(&repository(image).to_lowercase(), "");
    let told = |(_, words): &&(PullCause, &[&str])| words.iter().any(|word| message.contains(word));
    WORDS
        .iter()
        .find(told)
        .map_or(PullCause::Other, |(cause, _)| *cause)
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or(image);
    match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker 20.10, Podman 4.3 and Docker Hub say it.
    #[test]
    fn the_words_of_both_engines_tell_why_there_is_no_image() {
        let cases = [
            (
                "initializing source docker://127.0.0.1:5999/a:latest: reading manifest latest in 127.0.0.1:5999/a: manifest unknown",
                PullCause::Absent,
            ),
            ("name unknown", PullCause::Absent),
            (
                "initializing source docker://127.0.0.1:5999/a:latest: reading manifest latest in 127.0.0.1:5999/a: unauthorized",
                PullCause::Denied,
            ),
            (
                "pull access denied for a, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                PullCause::Denied,
            ),
            (
                "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading",
                PullCause::RateLimited,
            ),
            (
                "pinging container registry 127.0.0.1:1: Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                PullCause::NoNetwork,
            ),
            (
                "Get \"https://r.example/v2/\": dial tcp: lookup r.example on 10.0.0.1:53: no such host",
                PullCause::NoNetwork,
            ),
            (
                "Get \"https://registry-1.docker.io/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                PullCause::NoNetwork,
            ),
            (
                "Get \"https://r.example/v2/\": net/http: TLS handshake timeout",
                PullCause::NoNetwork,
            ),
            (
                "failed to register layer: Error processing tar file(exit status 1): write /bin/busybox: no space left on device",
                PullCause::NoSpace,
            ),
            (
                "writing blob: storing blob to file \"/var/tmp/storage1/2\": write /var/tmp/storage1/2: no space left on device",
                PullCause::NoSpace,
            ),
            (
                "received unexpected HTTP status: 500 Internal Server Error",
                PullCause::Other,
            ),
        ];
        for (message, cause) in cases {
            assert_eq!(
                pull_cause("127.0.0.1:5999/a:latest", message),
                cause,
                "{message}"
            );
        }
    }

    #[test]
    fn an_images_own_name_is_no_cause() {
        for image in ["r.io/denied:1", "r.io/denied", "r.io/denied@sha256:00"] {
            let message = format!("reading manifest in {image}: connection refused");
            assert_eq!(pull_cause(image, &message), PullCause::NoNetwork);
            let message = format!("initializing source docker://{image}: status 500");
            assert_eq!(pull_cause(image, &message), PullCause::Other);
        }
        assert_eq!(repository("localhost:5000/a"), "localhost:5000/a");
    }
}
