from __future__ import annotations

import pytest

from benchmarks.profile.calls import FAULTS, OTHER, parsed

SENDTO = """
\tffffffff82027816 tcp_write_xmit
\tffffffff81e2f2e2 __sys_sendto
\tffffffff81e2f330 __x64_sys_sendto
\tffffffff821ed511 do_syscall_64
\tffffffff81000130 entry_SYSCALL_64_after_hwframe
\t          10ab59 __send
\t               0 [unknown]

"""
WRITE = """
\tffffffff81b6dded copy_folio_from_iter_atomic
\tffffffff816b9856 ksys_write
\tffffffff821ed511 do_syscall_64
\t           f838f __GI___libc_write

"""
FAULT = """
\tffffffff8158a594 clear_page_erms
\tffffffff8158a594 exc_page_fault
\tffffffff81000e46 asm_exc_page_fault
\t          1585a0 memcpy

"""
SCHEDULER = """
\tffffffff813a2413 finish_task_switch.isra.0
\tffffffff81000e46 asm_sysvec_reschedule_ipi
\t          1585a0 _PyObject_MakeTpCall

"""
USER = """
\t          1ab6f6 _PyObject_GetMethod
\t    7f6919261860 [unknown]

"""


@pytest.mark.parametrize(
    ("sample", "reason"),
    [(SENDTO, "sendto"), (WRITE, "write"), (FAULT, FAULTS), (SCHEDULER, OTHER)],
)
def test_the_kernels_time_is_told_by_what_it_was_entered_for(sample: str, reason: str) -> None:
    assert parsed(sample).by_name == {reason: 1}


def test_what_was_not_in_the_kernel_only_counts_as_a_sample() -> None:
    found = parsed(USER + SENDTO + USER + WRITE + SENDTO)
    assert (found.samples, found.in_kernel) == (5, 3)
    assert list(found.by_name.items()) == [("sendto", 2), ("write", 1)]


def test_a_text_without_samples_has_none() -> None:
    assert parsed("\n\n").samples == 0
