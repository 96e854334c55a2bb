from __future__ import annotations

import os
import resource
import subprocess
import sys

from benchmarks.descriptors import allow
from benchmarks.servers import ROOT


def test_the_limit_of_descriptors_is_raised_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, hard = before
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        allow(600)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
        allow(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_descriptors_than_the_system_allows_are_refused() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from benchmarks.descriptors import allow\n"
        "import os; os.setuid(65534) if os.getuid() == 0 else None\n"
        "try: allow(300)\n"
        "except (OSError, ValueError): print('refused')\n"
    )
    # Coverage could not write where this user may not.
    env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"refused\n", b"")


def test_as_many_descriptors_are_allowed_as_the_system_gives() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))\n"
        "from benchmarks.descriptors import allowed\n"
        "print(allowed(200), *resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "print(allowed(300), *resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "200 200 256\n256 256 256\n"
