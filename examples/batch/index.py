"""Which index am I? The function to put into a container's program; nothing but the standard library.

In every round of a BatchJob the index is AWS_BATCH_JOB_ARRAY_INDEX (unset in a job of one index) plus
PIERHEAD_INDEX_OFFSET; or, where PIERHEAD_INDEX_MAP is set, the number at that place of its interval text.
"""

import os


def completion_index() -> int:
    place = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    for part in filter(None, os.environ.get("PIERHEAD_INDEX_MAP", "").split(",")):
        first, _, last = part.partition("-")
        length = int(last or first) - int(first) + 1
        if place < length:
            return int(first) + place
        place -= length
    return place + int(os.environ.get("PIERHEAD_INDEX_OFFSET", "0"))


if __name__ == "__main__":
    print(completion_index())
