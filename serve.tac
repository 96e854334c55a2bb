"""The whole suite on one reactor: `twistd -ny serve.tac`.

It runs what the proto.toml beside this file says, or every service with its defaults.  On Linux
`twistd --reactor=lean -ny serve.tac` is faster.
"""

from pathlib import Path

from proto.tap import suite

application = suite.application(Path(__file__).with_name("proto.toml"))
