"""Whatever happens to jobs, in whatever order: each is in one place, none is lost or doubled.

A model in Python does the same as the scripts, in a few lines; what Redis holds is compared
with it after every step.  Which of the waiting jobs a worker gets is not in the model: it may
be any that may start; in the end all must have had their turn.
"""

from __future__ import annotations

import math
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from clock import Clock, use_clock
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from probes import Hand, Probes, assert_consistent, look, queue, send

from pipeline.errors import Permanent, RateLimited, Transient, Unfinished
from pipeline.jobs import controls, layout, recovery, scripts
from pipeline.jobs.delivery import JobProxy
from pipeline.middleware.outcomes import outcome_of
from pipeline.queues import Keep, Queue, StartLimit
from pipeline.stores import redis_client

ATTEMPTS, DEATHS = 3, 3
LIVE = ("waiting", "delayed", "running")
SCOPES = ("queue:probe", "tenant:a", "tenant:b", "user:u1", "user:u2", "mailbox:m1")
DELAYS = (0, 0, 0, 5, 30)
ENDINGS = ("done", "transient", "permanent", "rate limit", "unfinished", "unfinished later")


@dataclass(frozen=True)
class Asked:
    """What somebody sent."""

    job: str
    args: tuple[Any, ...]
    tenant: str

    @property
    def rerun(self) -> bool:
        return self.job == "again"

    @property
    def scopes(self) -> tuple[str, ...]:
        user, mailbox, _ = self.args
        tenant = (f"tenant:{self.tenant}",) if self.tenant else ()
        return (*tenant, f"user:{user}", f"mailbox:{mailbox}")


asked = st.builds(
    Asked,
    st.sampled_from(["once", "again"]),
    st.tuples(st.sampled_from(["u1", "u2"]), st.sampled_from(["m1", "m2"]), st.integers(0, 1)),
    st.sampled_from(["", "a", "b"]),
)


#: What a worker does in one step: which worker, how many jobs it wants, how its others end.
Turn = tuple[int, int, list[str]]
turns = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 1, 2, 4]),
        st.lists(st.sampled_from(ENDINGS), max_size=3),
    ),
    min_size=1,
    max_size=6,
)
seconds = st.sampled_from([0.001, 0.5, 3, 20, 61])
pauses = st.tuples(st.sampled_from([3, 3, 60, None]), st.booleans())


@dataclass
class Run:
    """What the model knows of one run of a job."""

    job_id: str
    asked: Asked
    state: str = "waiting"
    due_ms: float = 0
    attempts: int = 0
    deliveries: int = 0
    deaths: int = 0
    deferrals: int = 0
    again_ms: float | None = None
    cancelled: bool = False
    letter: bool = False
    proxy: JobProxy | None = None
    worker: str = ""

    @property
    def counts(self) -> tuple[int, ...]:
        return self.attempts, self.deliveries, self.deaths, self.deferrals


@dataclass
class Model:
    """What the scripts should have made of it."""

    runs: dict[str, Run] = field(default_factory=dict)
    paused: dict[str, float] = field(default_factory=dict)
    starts: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)

    def in_state(self, *states: str) -> list[str]:
        return [message_id for message_id, run in self.runs.items() if run.state in states]

    def live(self) -> dict[str, str]:
        return {self.runs[message_id].job_id: message_id for message_id in self.in_state(*LIVE)}

    def is_paused(self, run: Run, now_ms: float) -> bool:
        scopes = {"queue:probe", *run.asked.scopes}
        return any(self.paused.get(scope, 0) > now_ms for scope in scopes)

    def stop(self, message_id: str) -> Run:
        """Take a run from its worker."""
        run = self.runs[message_id]
        run.worker, run.proxy = "", None
        return run

    def wait_again(self, message_id: str, *, delay_ms: float = 0, now_ms: float) -> None:
        """Let a run that has ended go on later, unless it was cancelled."""
        run = self.stop(message_id)
        if run.cancelled:
            run.state = "failed"
        else:
            run.state, run.due_ms = ("delayed", now_ms + delay_ms) if delay_ms else ("waiting", 0)


class Tokens:
    """Message ids that are the same whenever an example is run: Redis sorts by them."""

    def __init__(self) -> None:
        self._last = 0

    def restart(self) -> None:
        self._last = 0

    def next(self, size_bytes: int) -> str:
        self._last += 1
        return f"{self._last:0{2 * size_bytes}x}"


class Jobs(RuleBasedStateMachine):
    """Two workers and everybody else."""

    clock: Clock
    tokens: Tokens
    probes: Probes

    def __init__(self) -> None:
        super().__init__()
        redis_client().flushdb()
        self.clock.restart()
        self.tokens.restart()
        self.model = Model()
        self.hands = [Hand("first"), Hand("second")]
        self.queue: Queue = queue()

    @initialize(
        asked=st.lists(asked, min_size=4, max_size=12),
        one_per=st.sampled_from([None, "mailbox"]),
        limits=st.lists(
            st.builds(
                StartLimit,
                st.sampled_from(["queue", "tenant", "user"]),
                st.integers(1, 5),
                st.just(60.0),
            ),
            max_size=2,
            unique_by=lambda limit: limit.scope,
        ),
    )
    def begin(self, asked: list[Asked], one_per: Any, limits: list[StartLimit]) -> None:
        self.queue = queue(
            attempts=ATTEMPTS, one_per=one_per, limits=tuple(limits), keep_failed=Keep(1000)
        )
        arguments = ("user_id", "mailbox_id", "number")
        self.probes.add("once", self.queue, *arguments)
        self.probes.add("again", self.queue, *arguments, rerun=True)
        for one in asked:
            self.send(one, 0)

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms

    def some(self, data: st.DataObject, *states: str) -> str:
        return data.draw(st.sampled_from(self.model.in_state(*states)))

    # What happens.  There are few rules, for the more there are, the less often each is chosen.

    @rule(some=st.lists(asked, min_size=1, max_size=4), delay_seconds=st.sampled_from(DELAYS))
    def enqueue(self, some: list[Asked], delay_seconds: int) -> None:
        for one in some:
            self.send(one, delay_seconds)

    @precondition(lambda self: self.model.in_state("running"))
    @rule(data=st.data(), delay_seconds=st.sampled_from(DELAYS))
    def enqueue_what_runs(self, data: st.DataObject, delay_seconds: int) -> None:
        self.send(self.runs[self.some(data, "running")].asked, delay_seconds)

    @rule(turns=turns, seconds=seconds)
    def work(self, turns: list[Turn], seconds: float) -> None:
        self.work_for_a_while(turns, seconds)

    @rule(turns=turns, seconds=seconds)
    def work_more(self, turns: list[Turn], seconds: float) -> None:
        self.work_for_a_while(turns, seconds)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), what=st.sampled_from(["promote", "cancel", "cancel running"]))
    def control(self, data: st.DataObject, what: str) -> None:
        message_id = data.draw(st.sampled_from(list(self.runs)))
        if what == "promote":
            self.promote(message_id)
        elif what == "cancel" or self.runs[message_id].state == "running":
            self.cancel(message_id)

    @rule(scope=st.sampled_from(SCOPES), pause=pauses, resume=st.booleans())
    def pause_or_resume(self, scope: str, pause: Any, resume: bool) -> None:
        if resume:
            self.resume(scope)
        else:
            self.pause(scope, *pause)

    @precondition(lambda self: self.model.in_state("running"))
    @rule(data=st.data(), what=st.sampled_from(["hand back", "meddle", "die", "beat"]))
    def be_a_worker(self, data: st.DataObject, what: str) -> None:
        message_id = self.some(data, "running")
        {"hand back": self.hand_back, "meddle": self.meddle, "die": self.die, "beat": self.beat}[
            what
        ](message_id)

    # How it happens, in Redis and in the model.

    def send(self, asked: Asked, delay_seconds: int) -> None:
        sent = send(asked.job, *asked.args, tenant_id=asked.tenant, delay_seconds=delay_seconds)
        due_ms = self.now_ms + 1000 * delay_seconds
        there = self.model.live().get(sent.job_id)
        assert sent.created == (there is None)
        if there is None:
            assert sent.message_id not in self.runs
            run = self.runs[sent.message_id] = Run(sent.job_id, asked)
            if delay_seconds:
                run.state, run.due_ms = "delayed", due_ms
            return
        assert sent.message_id == there
        run = self.runs[there]
        if asked.rerun and run.state == "running":
            run.again_ms = due_ms if run.again_ms is None else min(run.again_ms, due_ms)

    def work_for_a_while(self, turns: list[Turn], seconds: float) -> None:
        for worker, want, endings in turns:
            self.step(self.hands[worker], want, endings)
            self.clock.advance(seconds)
            self.look()

    def step(self, hand: Hand, want: int, endings: list[str]) -> None:
        mine = [m for m in self.model.in_state("running") if self.runs[m].worker == hand.worker_id]
        ended = list(zip(mine, endings, strict=False))
        rows = [(self.proxy(one), outcome_of(self.proxy(one), _error(how))) for one, how in ended]
        kept, fetched, _ = hand.step(self.queue, want, *rows)
        assert kept == [1] * len(rows)
        for message_id, ending in ended:
            self.end(message_id, ending)
        assert len(fetched) <= want
        for proxy in fetched:
            self.start(proxy, hand)

    def start(self, proxy: JobProxy, hand: Hand) -> None:
        run = self.runs[proxy.message_id]
        assert run.state == "waiting"
        assert not self.model.is_paused(run, self.now_ms)
        run.attempts += 1
        run.deliveries += 1
        if run.deliveries > 1:
            run.again_ms = None
        assert (proxy.delivery.attempt, proxy.delivery.number) == (run.attempts, run.deliveries)
        run.state, run.proxy, run.worker = "running", proxy, hand.worker_id
        self.model.starts.append((self.now_ms, ("queue:probe", *run.asked.scopes)))

    def end(self, message_id: str, ending: str) -> None:
        run = self.runs[message_id]
        if ending in ("rate limit", "unfinished", "unfinished later"):
            run.attempts -= 1
            run.deferrals += ending == "rate limit"
            delay_ms = {"rate limit": 60_000, "unfinished": 0, "unfinished later": 5000}[ending]
            self.model.wait_again(message_id, delay_ms=delay_ms, now_ms=self.now_ms)
        elif ending == "transient" and run.attempts < ATTEMPTS:
            delay_ms = 1000 * 2 ** (run.attempts - 1)
            self.model.wait_again(message_id, delay_ms=delay_ms, now_ms=self.now_ms)
        else:
            self.model.stop(message_id)
            run.state = "completed" if ending == "done" else "failed"
            run.letter = ending != "done"
        if run.state in ("completed", "failed") and run.again_ms is not None:
            self.run_again(run, run.again_ms)

    def run_again(self, run: Run, due_ms: float) -> None:
        message_id = redis_client().hget(layout.LIVE, run.job_id)
        assert isinstance(message_id, bytes)
        assert message_id.decode() not in self.runs
        again = self.runs[message_id.decode()] = Run(run.job_id, run.asked)
        if due_ms > self.now_ms:
            again.state, again.due_ms = "delayed", due_ms
        run.again_ms = None

    def look(self) -> None:
        look(self.queue)
        for message_id in self.model.in_state("delayed"):
            if self.runs[message_id].due_ms <= self.now_ms:
                self.runs[message_id].state = "waiting"

    def promote(self, message_id: str) -> None:
        run = self.runs[message_id]
        assert controls.promote(message_id) == (run.state == "delayed")
        if run.state == "delayed":
            run.state = "waiting"

    def cancel(self, message_id: str) -> None:
        run = self.runs[message_id]
        assert controls.cancel(message_id) == run.state
        if run.state in ("waiting", "delayed"):
            run.state = "failed"
        elif run.state == "running":
            run.cancelled, run.again_ms = True, None

    def pause(self, scope: str, seconds: float | None, keep: bool) -> None:
        until_ms = math.inf if seconds is None else self.now_ms + 1000 * seconds
        longer = self.model.paused.get(scope, 0) >= until_ms
        until = None if seconds is None else self.clock.moment(seconds)
        was_set = controls.pause(scope, reason="", by="", until=until, keep_longer=keep)
        assert was_set == (not (keep and longer))
        if was_set:
            self.model.paused[scope] = until_ms

    def resume(self, scope: str) -> None:
        controls.resume(scope)
        self.model.paused.pop(scope, None)

    def hand_back(self, message_id: str) -> None:
        run = self.runs[message_id]
        assert Hand(run.worker).give_back([self.proxy(message_id)]) == 1
        run.attempts -= 1
        self.model.wait_again(message_id, now_ms=self.now_ms)

    def meddle(self, message_id: str) -> None:
        """File what is another worker's, or an earlier delivery: it changes nothing."""
        proxy = self.proxy(message_id)
        assert not Hand("somebody else").end(proxy)
        assert Hand("somebody else").give_back([proxy]) == 0

    def beat(self, message_id: str) -> None:
        worker = self.runs[message_id].worker
        believed, _ = scripts.run("beat", worker, 60_000, "{}")
        running = {m for m in self.model.in_state("running") if self.runs[m].worker == worker}
        assert {one.decode() for one in believed} == {
            self.proxy(one).delivery.name for one in running
        }

    def die(self, message_id: str) -> None:
        """Have the worker be silent for too long, and its jobs taken back."""
        redis_client().zadd(layout.WORKERS, {self.runs[message_id].worker: 0}, xx=True)
        silent = redis_client().zrangebyscore(layout.WORKERS, "-inf", self.now_ms - 45_000)
        recovery.sweep()
        for one in self.model.in_state("running"):
            run = self.runs[one]
            if run.worker.encode() in silent:
                run.attempts, run.deaths = run.attempts - 1, run.deaths + 1
                self.model.wait_again(one, now_ms=self.now_ms)
                if run.state == "waiting" and run.deaths >= DEATHS:
                    run.state, run.letter = "failed", True

    @property
    def runs(self) -> dict[str, Run]:
        return self.model.runs

    def proxy(self, message_id: str) -> JobProxy:
        proxy = self.runs[message_id].proxy
        assert proxy is not None
        return proxy

    # What always holds.

    @invariant()
    def redis_holds_what_the_model_says(self) -> None:
        assert_consistent()
        redis = redis_client()
        live = {key.decode(): value.decode() for key, value in redis.hgetall(layout.LIVE).items()}
        assert live == self.model.live()
        for state in layout.STATES:
            held = redis.zrange(layout.of_queue("probe", state), 0, -1)
            assert {one.decode() for one in held} == set(self.model.in_state(state)), state
        for message_id, run in self.runs.items():
            names = ("attempts", "deliveries", "deaths", "deferrals")
            found = redis.hmget(layout.job(message_id), names)
            assert tuple(int(count or 0) for count in found) == run.counts
        letters = [one.decode() for one in redis.lrange(layout.OUTBOX, 0, -1)]
        assert Counter(letters) == Counter(m for m, run in self.runs.items() if run.letter)

    @invariant()
    def only_one_of_a_scope_runs(self) -> None:
        if self.queue.one_per:
            running = [self.runs[one].asked.scopes[-1] for one in self.model.in_state("running")]
            assert max(Counter(running).values(), default=0) <= 1

    @invariant()
    def no_window_saw_more_starts_than_a_limit_allows(self) -> None:
        for limit in self.queue.limits:
            recent: Counter[str] = Counter()
            for at_ms, scopes in self.model.starts:
                if at_ms > self.now_ms - 1000 * limit.seconds:
                    recent.update(one for one in scopes if one.startswith(f"{limit.scope}:"))
            assert max(recent.values(), default=0) <= limit.starts

    def teardown(self) -> None:
        """In the end everything that is left has its turn."""
        for scope in SCOPES:
            self.resume(scope)
        for _ in range(300):
            if not self.model.in_state(*LIVE):
                break
            self.look()
            for worker in (0, 1):
                self.step(self.hands[worker], 4, ["done"] * 3)
            self.clock.advance(5)
        assert self.model.in_state(*LIVE) == []
        self.redis_holds_what_the_model_says()


def _error(ending: str) -> BaseException | None:
    return {
        "done": None,
        "transient": Transient("no answer"),
        "permanent": Permanent("no"),
        "rate limit": RateLimited("quota", retry_after_seconds=60),
        "unfinished": Unfinished(),
        "unfinished later": Unfinished(delay_seconds=5),
    }[ending]


@pytest.fixture
def machine(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> type[Jobs]:
    """The machine, with a clock and a table of this test."""

    class Machine(Jobs):
        pass

    Machine.clock, Machine.tokens, Machine.probes = use_clock(monkeypatch), Tokens(), probes
    monkeypatch.setattr(secrets, "token_hex", Machine.tokens.next)
    return Machine


@pytest.mark.long
def test_every_job_is_in_one_place_and_none_is_lost_or_doubled(machine: type[Jobs]) -> None:
    run_state_machine_as_test(
        machine,
        settings=hypothesis_settings(max_examples=25, stateful_step_count=40, deadline=None),
    )
