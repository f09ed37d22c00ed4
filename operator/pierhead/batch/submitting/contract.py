"""The environment variables by which a container learns which index it is; `docs/batchjob.md` explains them.

The index contract: a container's index is `AWS_BATCH_JOB_ARRAY_INDEX` (0 where Batch sets none) plus
`PIERHEAD_INDEX_OFFSET`; or, where `PIERHEAD_INDEX_MAP` is set, the number at that place (from 0) of its
interval text. It holds in every round and for jobs of one index, and must never change.
"""

ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
INDEX_OFFSET = "PIERHEAD_INDEX_OFFSET"
INDEX_MAP = "PIERHEAD_INDEX_MAP"
COMPLETIONS = "PIERHEAD_COMPLETIONS"
OUTPUT_URI = "PIERHEAD_OUTPUT_URI"

RESERVED_PREFIXES = ("AWS_BATCH", "PIERHEAD_")
"""Batch refuses the first in overrides; the second is ours."""
