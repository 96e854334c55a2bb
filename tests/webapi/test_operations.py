from __future__ import annotations

from proto.webapi.operations import OPERATIONS


def test_each_has_a_name_of_its_own_and_leads_only_to_others() -> None:
    names = [each.name for each in OPERATIONS]
    assert len(set(names)) == len(names) == 14
    assert {lead for each in OPERATIONS for reply in each.replies for lead in reply.leads} <= {
        *names
    }


def test_only_what_takes_an_id_is_led_to() -> None:
    by_name = {each.name: each for each in OPERATIONS}
    for each in OPERATIONS:
        for reply in each.replies:
            assert all(by_name[lead].has_id for lead in reply.leads)


def test_whatever_replaces_asks_for_the_version_and_only_patches_may_be_merge_patches() -> None:
    for each in OPERATIONS:
        assert (each.match == "must") is (each.method == "PUT")
        assert ("application/merge-patch+json" in each.kinds) is (each.method == "PATCH")
        assert (each.match == "read") is (each.method == "GET")
        assert (each.body is None) is (each.method in ("GET", "DELETE"))
