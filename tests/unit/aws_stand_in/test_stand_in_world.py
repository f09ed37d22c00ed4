"""Laws of the Batch's world, whatever is submitted, scripted and stopped, in whatever order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pierhead_sandbox.aws.batch import registry, submit
from pierhead_sandbox.aws.batch.settings import BatchSettings, Script
from pierhead_sandbox.aws.batch.states import FINAL, Status
from pierhead_sandbox.aws.batch.world import World

REGION = "eu-west-1"
CONTAINER = {
    "image": "i",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1"}],
}


class Recorder:
    """Takes the place of EventBridge: every change, as (child's id, state)."""

    wanted = True

    def __init__(self):
        self.told = []

    def __call__(self, job, index):
        status = job.parent_status if index is None else job.children.status(index)
        self.told.append((job.id if index is None else job.child_id(index), status))

    def clear(self):
        self.told.clear()


class NoProcesses:
    def start(self, job, index, attempt):
        raise AssertionError("nothing here runs as a process")

    def stop(self, job, index, attempt, grace_seconds):
        return False

    def clear(self):
        pass


class Play:
    def __init__(self):
        self.recorder = Recorder()
        self.world = World(self.recorder, NoProcesses())
        self.world.freeze()
        self.world.settings = BatchSettings(queue_concurrency=3, running_seconds=5, starting_seconds=1)
        self.region = self.world.region("123456789012", REGION)
        registry.sandbox_queue(self.region, "q")
        request = {"jobDefinitionName": "d", "type": "container", "containerProperties": CONTAINER}
        registry.register_definition(self.region, request, 100)
        self.jobs = []

    def submit(self, size, attempts, upstream, kind):
        request = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"}
        if attempts:
            request["retryStrategy"] = {"attempts": attempts}
        if size:
            request["arrayProperties"] = {"size": size}
        if kind == "SEQUENTIAL" and size:
            request["dependsOn"] = [{"type": kind}]
        elif self.jobs and kind is not None:
            chosen = self.jobs[upstream % len(self.jobs)]
            request["dependsOn"] = [{"jobId": chosen.id}]
            if kind == "N_TO_N" and size and chosen.array_size == size:
                request["dependsOn"][0]["type"] = kind
        answer = submit.submit_job(self.world, self.region, request, 100)
        self.jobs.append(self.region.jobs[answer["jobId"]])

    def stop(self, which, child, terminate):
        if self.jobs:
            job = self.jobs[which % len(self.jobs)]
            index = child % job.array_size if job.is_array and job.spawned and child is not None else None
            self.world.stop_job(job, index, "stop", terminate=terminate)

    def check(self):
        for queue in self.region.queues.values():
            counts = Counter(status for job in queue.jobs for status in job.children.states)
            assert queue.in_flight == counts[Status.STARTING] + counts[Status.RUNNING] <= 3
        for job in self.jobs:
            if job.is_array and job.parent_status in FINAL:
                assert job.children.ended == job.children.size
                failed = job.children.counts[Status.FAILED] > 0
                assert (job.parent_status == Status.FAILED) is failed


submits = st.tuples(
    st.just("submit"),
    st.sampled_from([None, 2, 4]),
    st.sampled_from([None, 1, 2]),
    st.integers(min_value=0, max_value=9),
    st.sampled_from([None, "JOB", "N_TO_N", "SEQUENTIAL"]),
)
stops = st.tuples(
    st.just("stop"),
    st.integers(min_value=0, max_value=9),
    st.one_of(st.none(), st.integers(min_value=0, max_value=3)),
    st.booleans(),
)
waits = st.tuples(st.just("advance"), st.sampled_from([0.01, 0.5, 1, 3, 7]))
scripts = st.lists(
    st.builds(
        Script,
        indexes=st.sampled_from([None, "0", "1-2"]),
        attempts=st.sampled_from([None, "1"]),
        exit_code=st.sampled_from([0, 1, None]),
        seconds=st.sampled_from([None, 0, 2]),
        fails_in=st.sampled_from(["STARTING", "RUNNING"]),
    ),
    max_size=2,
)


@given(scripts, st.lists(st.one_of(submits, stops, waits), max_size=25))
def test_every_job_ends_once_and_nothing_is_left_in_flight(chosen, steps):
    play = Play()
    for script in chosen:
        play.world.add_script(script)
    for step, *arguments in steps:
        if step == "advance":
            play.world.advance(*arguments)
        else:
            getattr(play, step)(*arguments)
        play.check()
    play.world.advance(1000)
    play.check()
    assert all(job.status in FINAL for job in play.jobs)
    assert all(queue.in_flight == 0 and not queue.line for queue in play.region.queues.values())
    ends = Counter(name for name, status in play.recorder.told if status in FINAL)
    assert set(ends.values()) <= {1}
    children = sum(job.children.size + job.is_array for job in play.jobs)
    assert len(ends) == children
    last = dict(play.recorder.told)
    assert all(status in FINAL for status in last.values())
