//! Nodes find each other, know each other, and find each other again.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use codling::swarm::{BindError, Direction, HostEvent, bind, parse_peer};

use super::support::{Home, block_on, connected, disconnected, event, peers_until};

const AGENT: &str = concat!("codling/", env!("CARGO_PKG_VERSION"));

fn agent_of(event: &HostEvent) -> Option<String> {
    match event {
        HostEvent::PeerIdentified { agent, .. } => Some(agent.clone()),
        _ => None,
    }
}

fn listening(event: &HostEvent) -> Option<String> {
    match event {
        HostEvent::Listening { addr } => Some(addr.clone()),
        _ => None,
    }
}

/// Connects two nodes on `listen` and checks all that each learns of the other.
fn two_nodes_meet(listen: &'static str) {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, listen, vec![]);
        let second = two.start(&executor, listen, vec![one.address(first.bound()[0])]);

        connected(&first, &second).await;
        connected(&second, &first).await;
        assert_eq!(event(&first, agent_of).await, AGENT);
        assert_eq!(event(&second, agent_of).await, AGENT);
        for (host, peer, direction) in [
            (&first, &second, Direction::Inbound),
            (&second, &first, Direction::Outbound),
        ] {
            let peers = peers_until(host, |peers| {
                peers.iter().all(|peer| peer.round_trip.is_some())
            })
            .await;
            assert_eq!(peers.len(), 1, "{peers:?}");
            assert_eq!(peers[0].peer, *peer.node_id());
            assert_eq!(peers[0].direction, direction);
            assert_eq!(peers[0].agent.as_deref(), Some(AGENT));
        }
    });
}

#[test]
fn two_nodes_connect_over_ipv4_identify_and_ping() {
    two_nodes_meet("127.0.0.1:0");
}

#[test]
fn two_nodes_connect_over_ipv6_identify_and_ping() {
    match bind((Ipv6Addr::LOCALHOST, 0).into()) {
        Ok(_) => two_nodes_meet("[::1]:0"),
        // A machine without IPv6 says so in a type.
        Err(error) => assert!(matches!(error, BindError::AddressNotHere { .. }), "{error}"),
    }
}

#[test]
fn the_remote_sees_a_dial_come_from_the_listening_port() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
            let second = two.start(&executor, listen, vec![one.address(first.bound()[0])]);
            let port = second.bound()[0].port();
            assert_eq!(
                connected(&first, &second).await,
                format!("/ip4/127.0.0.1/tcp/{port}")
            );
            second.stop().await;
        }
    });
}

#[test]
fn a_wildcard_listens_on_one_port_for_both_families_and_announces_real_addresses() {
    block_on(|executor| async move {
        let home = Home::new();
        let host = home.start(&executor, "0.0.0.0:0", vec![]);
        let port = host.bound()[0].port();
        assert_ne!(port, 0);
        assert!(
            host.bound().iter().all(|addr| addr.port() == port),
            "{:?}",
            host.bound()
        );
        let mut expected = vec![format!("/ip4/127.0.0.1/tcp/{port}")];
        if host.bound().iter().any(SocketAddr::is_ipv6) {
            expected.push(format!("/ip6/::1/tcp/{port}"));
        }
        while !expected.is_empty() {
            let addr = event(&host, listening).await;
            assert!(
                !addr.contains("0.0.0.0") && !addr.contains("/::/"),
                "{addr}"
            );
            expected.retain(|wanted| *wanted != addr);
        }
    });
}

#[test]
fn a_peer_can_be_named_by_host_name_and_in_the_old_spelling() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let port = first.bound()[0].port();
        let by_name = parse_peer(&format!(
            "/dns4/localhost/tcp/{port}/ipfs/{}",
            first.node_id()
        ))
        .unwrap();
        let second = two.start(&executor, "127.0.0.1:0", vec![by_name]);
        connected(&second, &first).await;
    });
}

#[test]
fn a_wanted_peer_that_restarts_is_connected_again() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = first.bound()[0];
        let second = two.start(&executor, "127.0.0.1:0", vec![one.address(at)]);
        connected(&second, &first).await;

        let id = first.node_id().clone();
        first.stop().await;
        disconnected(&second, &id).await;
        let first = one.start(&executor, &at.to_string(), vec![]);
        assert_eq!(*first.node_id(), id);
        connected(&second, &first).await;
        assert_eq!(second.connected_peers().await.unwrap().len(), 1);
    });
}

#[test]
fn a_wanted_peer_that_is_not_there_yet_is_reported_once_and_connected_when_it_comes() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        // A port that was free a moment ago.
        let at = bind((Ipv4Addr::LOCALHOST, 0).into())
            .unwrap()
            .addresses()
            .next()
            .unwrap();
        let second = two.start(&executor, "127.0.0.1:0", vec![one.address(at)]);
        let reason = event(&second, |event| match event {
            HostEvent::PeerUnreachable { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await;
        assert_eq!(reason.matches("refused").count(), 1, "{reason}");

        let first = one.start(&executor, &at.to_string(), vec![]);
        event(&second, |event| match event {
            HostEvent::PeerConnected { peer, .. } if peer == first.node_id() => Some(()),
            HostEvent::PeerUnreachable { .. } => panic!("it was reported twice"),
            _ => None,
        })
        .await;
    });
}

#[test]
fn the_node_itself_and_a_peer_named_twice_make_one_connection() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = one.address(first.bound()[0]);
        let itself = two.address("127.0.0.1:9".parse().unwrap());
        let second = two.start(&executor, "127.0.0.1:0", vec![itself, at.clone(), at]);
        connected(&second, &first).await;
        let peers = peers_until(&second, |peers| {
            peers.iter().all(|peer| peer.round_trip.is_some())
        })
        .await;
        assert_eq!(peers.len(), 1, "{peers:?}");
    });
}

#[test]
fn somebody_else_at_the_address_of_a_peer_is_not_taken_for_it() {
    block_on(|executor| async move {
        let (one, two, absent) = (Home::new(), Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let second = two.start(
            &executor,
            "127.0.0.1:0",
            vec![absent.address(first.bound()[0])],
        );
        let (peer, reason) = event(&second, |event| match event {
            HostEvent::PeerUnreachable { peer, reason } => Some((peer.clone(), reason.clone())),
            HostEvent::PeerConnected { .. } => panic!("connected to somebody else"),
            _ => None,
        })
        .await;
        assert_eq!(peer, absent.identity().node_id());
        assert!(
            reason.contains(first.node_id().as_str()),
            "it names who is there: {reason}"
        );
    });
}

#[test]
fn a_host_that_is_stopped_leaves_its_port_and_its_peers() {
    block_on(|executor| async move {
        let (one, two) = (Home::new(), Home::new());
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let at = first.bound()[0];
        let second = two.start(&executor, "127.0.0.1:0", vec![one.address(at)]);
        connected(&second, &first).await;
        let gone = first.node_id().clone();
        first.stop().await;
        drop(bind(at).unwrap());
        disconnected(&second, &gone).await;
        assert_eq!(second.connected_peers().await.unwrap(), []);
    });
}

#[test]
fn a_star_of_three_nodes_lives_in_one_process() {
    block_on(|executor| async move {
        let (hub, one, two) = (Home::new(), Home::new(), Home::new());
        let centre = hub.start(&executor, "127.0.0.1:0", vec![]);
        let at = hub.address(centre.bound()[0]);
        let first = one.start(&executor, "127.0.0.1:0", vec![at.clone()]);
        let second = two.start(&executor, "127.0.0.1:0", vec![at]);
        connected(&first, &centre).await;
        connected(&second, &centre).await;
        let peers = peers_until(&centre, |peers| peers.len() == 2).await;
        assert!(
            peers.windows(2).all(|pair| pair[0].peer != pair[1].peer),
            "{peers:?}"
        );
    });
}

#[test]
fn a_node_with_the_rsa_key_of_a_bacalhau_node_connects_under_its_id() {
    block_on(|executor| async move {
        let (one, two) = (
            Home::with_key(include_str!("../golden/identity/rsa.key")),
            Home::new(),
        );
        let first = one.start(&executor, "127.0.0.1:0", vec![]);
        let second = two.start(
            &executor,
            "127.0.0.1:0",
            vec![one.address(first.bound()[0])],
        );
        connected(&second, &first).await;
        connected(&first, &second).await;
        assert!(
            first.node_id().as_str().starts_with("Qm"),
            "{}",
            first.node_id()
        );
    });
}
