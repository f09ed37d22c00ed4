"""`python -m pierhead.crds`: writes the CRDs' files under the current folder, the repository's root."""

import sys
from pathlib import Path

from pierhead.crds.files import write
from pierhead.crds.kinds import RESOURCES

for path in write(RESOURCES, Path.cwd()):
    sys.stdout.write(f"{path.relative_to(Path.cwd())}\n")
