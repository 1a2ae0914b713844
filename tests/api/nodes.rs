//! The node list: this node and its peers, filtered, sorted, cut; one node by a unique prefix.

use super::support::{Around, TestServer, Then, golden};
use super::world::{NODE, World, node_info};
use codling::model::{ApiReply, ConnectedNode, DialledBy, NodeId, NodeRoles, StoreAnswer, UnixMs};
use serde_json::Value;

const NODES: &str = "/api/v1/orchestrator/nodes";
/// One sorts before this node, one after it.
const BEFORE: &str = "12D3KooWBefore";
const AFTER: &str = "QmXbAfter";

fn peer(id: &str) -> ConnectedNode {
    ConnectedNode {
        id: NodeId::from(id),
        address: "/ip4/192.0.2.7/tcp/1235".into(),
        dialled_by: DialledBy::Them,
        agent: Some("codling/0.1.0".into()),
        round_trip_ms: Some(3),
        since: Some(UnixMs(1_748_779_200_000)),
        heard: Some(UnixMs(1_748_779_260_000)),
    }
}

fn serve() -> TestServer {
    let mut around = Around::loopback();
    around.peers = vec![peer(BEFORE), peer(AFTER)];
    let (agent, store) = World::default().script();
    TestServer::around(agent, store, around)
}

fn ids(server: &TestServer, query: &str) -> Vec<String> {
    let list = server.get(&format!("{NODES}?{query}")).ok();
    assert_eq!(list["NextToken"], "");
    let id = |row: &Value| row["Info"]["NodeID"].as_str().unwrap().to_owned();
    list["Nodes"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn this_node_is_approved_and_peers_are_pending_with_what_is_known_of_them() {
    let server = serve();
    golden("node-peer", &server.get(&format!("{NODES}/{BEFORE}")).body);
    let list = server.get(NODES).ok();
    assert_eq!(list["Nodes"][1]["Membership"], "APPROVED");
    assert_eq!(list["Nodes"][0]["Membership"], "PENDING");
    assert_eq!(
        list["Nodes"][0]["Info"]["BacalhauVersion"]["GitVersion"],
        "codling/0.1.0"
    );
    let times = |node: usize| {
        let state = &list["Nodes"][node]["ConnectionState"];
        ["ConnectedSince", "LastHeartbeat", "DisconnectedSince"]
            .map(|time| state[time].as_str().unwrap().to_owned())
    };
    // What is not known, or has not been, is Go's zero time.
    let never = "0001-01-01T00:00:00Z";
    assert_eq!(
        times(0),
        [
            "2025-06-01T12:00:00.000Z",
            "2025-06-01T12:01:00.000Z",
            never
        ]
    );
    assert_eq!(times(1), ["2025-06-01T12:00:00.123Z", never, never]);
}

#[test]
fn the_list_is_filtered_sorted_and_cut_as_asked() {
    let server = serve();
    for (query, expected) in [
        ("", &[BEFORE, NODE, AFTER][..]),
        ("order_by=id&reverse=true", &[AFTER, NODE, BEFORE]),
        ("order_by=available_cpu", &[NODE, BEFORE, AFTER]),
        ("order_by=available_memory&limit=1", &[NODE]),
        (
            "order_by=available_disk&reverse=true",
            &[AFTER, BEFORE, NODE],
        ),
        ("order_by=available_gpu", &[BEFORE, NODE, AFTER]),
        ("order_by=type", &[NODE, BEFORE, AFTER]),
        ("order_by=approval", &[NODE, BEFORE, AFTER]),
        ("order_by=status", &[BEFORE, NODE, AFTER]),
        ("limit=2", &[BEFORE, NODE]),
        ("limit=0", &[BEFORE, NODE, AFTER]),
        ("filter-approval=approved", &[NODE]),
        ("filter-approval=PENDING", &[BEFORE, AFTER]),
        ("filter-approval=rejected", &[]),
        (
            "filter-status=connected&filter-approval=",
            &[BEFORE, NODE, AFTER],
        ),
        ("filter-status=disconnected", &[]),
        ("labels=os_type%3Dlinux", &[NODE]),
        ("labels=os_type%21%3Dlinux", &[BEFORE, AFTER]),
    ] {
        assert_eq!(ids(&server, query), expected, "{query}");
    }
    for query in [
        "order_by=colour",
        "filter-approval=maybe",
        "filter-status=1",
        "limit=x",
        "labels=a+in",
        "reverse=perhaps",
    ] {
        server
            .get(&format!("{NODES}?{query}"))
            .refused(400, "BadRequest");
    }
}

#[test]
fn a_node_is_found_by_its_id_or_a_prefix_that_only_it_has() {
    let server = serve();
    for (asked, found) in [
        (NODE, NODE),
        ("QmXa", NODE),
        (BEFORE, BEFORE),
        ("12", BEFORE),
    ] {
        let node = server.get(&format!("{NODES}/{asked}")).ok();
        assert_eq!(node["Node"]["Info"]["NodeID"], found, "{asked}");
    }
    server
        .get(&format!("{NODES}/QmX"))
        .refused(409, "MultipleNodesFound");
    for none in ["nosuch", "", "%20"] {
        server
            .get(&format!("{NODES}/{none}"))
            .refused(404, "NotFound");
    }
}

#[test]
fn a_node_that_is_no_requester_has_no_list_of_nodes() {
    let mut info = node_info();
    info.roles = NodeRoles::Compute;
    let server = TestServer::start(
        Box::new(move |_| Then::Reply(ApiReply::Node(Box::new(info.clone())))),
        Box::new(|_| StoreAnswer::Unavailable),
    );
    for path in [NODES.to_owned(), format!("{NODES}/{NODE}")] {
        let message = server.get(&path).refused(404, "NotFound");
        assert!(message.contains("requester"), "{message}");
    }
}

#[test]
fn the_running_settings_are_shown_under_the_names_that_clients_know() {
    let config = serve().get("/api/v1/agent/config").ok();
    let config = &config["config"];
    assert_eq!(config["DataDir"], "/srv/node");
    assert_eq!(config["API"]["Port"], 1234);
    assert_eq!(config["Orchestrator"]["Enabled"], true);
    assert_eq!(config["Compute"]["Enabled"], true);
    assert_eq!(config["Logging"]["Level"], "info");
    assert!(
        !config.to_string().contains("secret-token-file"),
        "{config}"
    );
}
