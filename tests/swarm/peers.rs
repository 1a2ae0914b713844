//! What an operator may write after `--peer`, and how a mistake is named.

use codling::swarm::{PeerFault, parse_peer};

const ID: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
const RSA_ID: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

#[test]
fn every_documented_form_is_read_and_written_in_the_new_spelling() {
    for (text, shown) in [
        (
            "/ip4/192.0.2.7/tcp/1235/p2p/ID",
            "/ip4/192.0.2.7/tcp/1235/p2p/ID",
        ),
        (
            " /ip4/192.0.2.7/tcp/1235/p2p/ID\n",
            "/ip4/192.0.2.7/tcp/1235/p2p/ID",
        ),
        (
            "/ip4/192.0.2.7/tcp/1235/ipfs/ID",
            "/ip4/192.0.2.7/tcp/1235/p2p/ID",
        ),
        (
            "/ip6/2001:db8::7/tcp/1/p2p/ID/",
            "/ip6/2001:db8::7/tcp/1/p2p/ID",
        ),
        (
            "/dns4/edge-7.example/tcp/65535/p2p/ID",
            "/dns4/edge-7.example/tcp/65535/p2p/ID",
        ),
        ("/dns6/edge/tcp/1235/p2p/ID", "/dns6/edge/tcp/1235/p2p/ID"),
        ("/dns/edge/tcp/1235/p2p/ID", "/dns/edge/tcp/1235/p2p/ID"),
    ] {
        for id in [ID, RSA_ID] {
            let peer = parse_peer(&text.replace("ID", id)).unwrap();
            assert_eq!(peer.to_string(), shown.replace("ID", id));
            assert_eq!(peer.node_id().as_str(), id);
        }
    }
}

#[test]
fn a_mistake_is_named_with_the_element_it_is_in() {
    let long = format!("/dns4/{}/tcp/1/p2p/ID", "a".repeat(254));
    let long_name = format!("dns4/{}", "a".repeat(254));
    for (text, element, fault) in [
        ("", "", PeerFault::Empty),
        ("none", "none", PeerFault::NoSlash),
        ("192.0.2.7:1235", "192.0.2.7:1235", PeerFault::NoSlash),
        ("/", "/", PeerFault::UnknownHost),
        (
            "/ip5/192.0.2.7/tcp/1235/p2p/ID",
            "ip5/192.0.2.7",
            PeerFault::UnknownHost,
        ),
        ("/p2p/ID", "p2p/ID", PeerFault::UnknownHost),
        (
            "/dnsaddr/edge/tcp/1/p2p/ID",
            "dnsaddr/edge",
            PeerFault::DnsAddr,
        ),
        (
            "/ip4/192.0.2.256/tcp/1235/p2p/ID",
            "ip4/192.0.2.256",
            PeerFault::BadIpv4,
        ),
        ("/ip4/edge/tcp/1235/p2p/ID", "ip4/edge", PeerFault::BadIpv4),
        (
            "/ip4/0.0.0.0/tcp/1235/p2p/ID",
            "ip4/0.0.0.0",
            PeerFault::Unspecified,
        ),
        ("/ip6/::/tcp/1235/p2p/ID", "ip6/::", PeerFault::Unspecified),
        (
            "/ip6/fe80::1%eth0/tcp/1235/p2p/ID",
            "ip6/fe80::1%eth0",
            PeerFault::BadIpv6,
        ),
        ("/dns4//tcp/1235/p2p/ID", "dns4/", PeerFault::BadName),
        (
            "/dns4/my host/tcp/1235/p2p/ID",
            "dns4/my host",
            PeerFault::BadName,
        ),
        (&long, &long_name, PeerFault::BadName),
        ("/ip4/192.0.2.7", "/ip4/192.0.2.7", PeerFault::NotTcp),
        (
            "/ip4/192.0.2.7/udp/1235/quic-v1/p2p/ID",
            "udp/1235",
            PeerFault::NotTcp,
        ),
        ("/ip4/192.0.2.7/tcp/0/p2p/ID", "tcp/0", PeerFault::BadPort),
        (
            "/ip4/192.0.2.7/tcp/65536/p2p/ID",
            "tcp/65536",
            PeerFault::BadPort,
        ),
        ("/ip4/192.0.2.7/tcp//p2p/ID", "tcp/", PeerFault::BadPort),
        (
            "/ip4/192.0.2.7/tcp/1235",
            "/ip4/192.0.2.7/tcp/1235",
            PeerFault::NoPeerId,
        ),
        (
            "/ip4/192.0.2.7/tcp/1235/http",
            "http/",
            PeerFault::NotPeerId,
        ),
        (
            "/ip4/192.0.2.7/tcp/1235/ws/p2p/ID",
            "ws/p2p",
            PeerFault::NotPeerId,
        ),
        (
            "/ip4/192.0.2.7/tcp/1235/p2p/node-7",
            "p2p/node-7",
            PeerFault::BadPeerId,
        ),
        ("/ip4/192.0.2.7/tcp/1235/p2p/", "p2p/", PeerFault::BadPeerId),
        (
            "/ip4/192.0.2.7/tcp/1235/p2p/ID/p2p-circuit",
            "p2p-circuit/",
            PeerFault::TrailingElement,
        ),
    ] {
        let error = parse_peer(&text.replace("ID", ID)).unwrap_err();
        assert_eq!(error.fault, fault, "{text}");
        assert_eq!(error.element, element.replace("ID", ID), "{text}");
        let shown = error.to_string();
        assert!(shown.contains(&fault.to_string()), "{shown}");
        assert!(
            shown.contains("/tcp/1235/p2p/"),
            "it shows a right one: {shown}"
        );
    }
}

#[test]
fn a_text_of_any_length_is_refused_in_few_words() {
    let error = parse_peer(&format!("/ip4/{}", "7".repeat(1_000_000))).unwrap_err();
    assert_eq!(error.fault, PeerFault::TooLong);
    assert!(error.to_string().len() < 400, "{error}");
}
