"""Connected nets, against networkx."""

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.connected import connected

NETS = st.sampled_from("abcdefgh")


@given(st.lists(NETS), st.lists(st.tuples(NETS, NETS)))
def test_groups_are_those_of_networkx_in_its_order(nets, joined):
    graph = nx.Graph()
    graph.add_nodes_from(nets)
    graph.add_edges_from(joined)
    assert connected(nets, joined) == list(nx.connected_components(graph))
