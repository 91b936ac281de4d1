import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import local as local_module  # noqa: E402


@pytest.fixture
def start():
    """Starts servers; each must end well."""
    running = []

    def begin(*options, token=True):
        server = local_module.Local(*options)
        running.append(server)
        if token:
            assert server.get_token().status in (200, 429)
        return server

    yield begin
    for server in running:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture
def server(start):
    server = start()
    server.open_session()
    return server
