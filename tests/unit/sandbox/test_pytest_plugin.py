"""The plug-in is loaded by every run of pytest."""

import subprocess
import sys


def test_loading_the_plugin_imports_nothing_of_the_sandbox():
    script = (
        "import sys; import pierhead_sandbox.pytest_plugin\n"
        "costly = ('pierhead_sandbox.', 'cryptography', 'rich')\n"
        "print([name for name in sys.modules if name.startswith(costly)])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pierhead_sandbox.pytest_plugin']"
