from __future__ import annotations

from proto.chat.events import Said
from proto.chat.figures import Figures, timed
from proto.metrics import Metrics
from tests.chat.doubles import LateHistory, house_of, present


def test_people_rooms_and_queues_are_read_when_asked() -> None:
    metrics, house = Metrics(), house_of()
    figures = Figures(metrics, house, lambda: 77)
    alice = present(house, "alice")
    present(house, "bob")
    house.move(alice, "den")
    figures.delivered(2)
    figures.delivered(1)
    figures.drops("stuck").value += 1
    text = metrics.render().decode()
    assert "\nproto_chat_people 2.0\n" in text
    assert "\nproto_chat_rooms 2.0\n" in text
    assert "\nproto_chat_queue_bytes 77.0\n" in text
    assert "\nproto_chat_deliveries_total 3.0\n" in text
    assert '\nproto_chat_drops_total{reason="stuck"} 1.0\n' in text


def test_the_time_to_store_a_line_is_a_histogram() -> None:
    metrics = Metrics()
    late = LateHistory()
    history = timed(late, iter([1.0, 1.2]).__next__, metrics)
    history.append("lobby", Said("bob", "hi"), lambda line: None, lambda reason: None)
    late.answer()
    text = metrics.render().decode()
    assert 'proto_chat_store_seconds_bucket{le="0.1"} 0.0' in text
    assert 'proto_chat_store_seconds_bucket{le="0.25"} 1.0' in text
