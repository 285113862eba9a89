"""Nets that are joined, directly or by way of others."""

from collections.abc import Iterable


def connected(nets: Iterable[str], joined: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Sort nets into groups that are connected: a breadth-first search from each that no group has yet.

    Parameters
    ----------
    nets : iterable of str
        Those that are in a group even if nothing is joined to them.
    joined : iterable of pairs of str
        Nets that are joined directly.

    Returns
    -------
    list of set
        In the order of the first net of each, as it was given.
    """
    beside: dict[str, set[str]] = {net: set() for net in nets}
    for a, b in joined:
        beside.setdefault(a, set()).add(b)
        beside.setdefault(b, set()).add(a)
    groups: list[set[str]] = []
    seen: set[str] = set()
    for net in beside:
        if net in seen:
            continue
        group, fresh = {net}, {net}
        while fresh:
            fresh = set().union(*(beside[one] for one in fresh)) - group
            group |= fresh
        groups.append(group)
        seen |= group
    return groups
