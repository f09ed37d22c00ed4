#!/bin/sh
# Which index am I? The lines to put at the start of a container's script; plain POSIX shell.
#
# In every round of a BatchJob the index is AWS_BATCH_JOB_ARRAY_INDEX (unset in a job of one index) plus
# PIERHEAD_INDEX_OFFSET; or, where PIERHEAD_INDEX_MAP is set, the number at that place of its interval text.
place=${AWS_BATCH_JOB_ARRAY_INDEX:-0}
INDEX=$((place + ${PIERHEAD_INDEX_OFFSET:-0}))
for part in $(echo "${PIERHEAD_INDEX_MAP:-}" | tr , ' '); do
  length=$((${part#*-} - ${part%-*} + 1))
  if [ "$place" -lt "$length" ]; then INDEX=$((${part%-*} + place)); break; fi
  place=$((place - length))
done

echo "$INDEX"
