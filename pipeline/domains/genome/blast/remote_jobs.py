"""Searches on a server: submit, poll and fetch, with time limits, and no search submitted twice.

A search is identified by a checksum of its parameters. The number that the server assigns is written to a
file at once, so that a later run finds the search of a run that was killed or timed out. The answer is cached
too. All processes of a user share one clock per server, so that concurrent runs together obey its limits.
"""

import abc
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.domains.genome.blast.database import cache_folder
from pipeline.domains.genome.blast.job_cache import PendingJob, remove_old
from pipeline.errors import ToolError

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 1 << 28
ATTEMPTS = 5
"""Number of failed attempts at one request after which the search fails."""
MAX_DAMAGED = 3
"""Number of incomplete answers after which the search fails."""
TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which to try again. Source: RFC 9110, RFC 6585."""


@dataclass(frozen=True)
class RequestRate:
    """Seconds: at least `request_interval_s` between two requests, at least `poll_interval_s` between two
    polls of one job, and at most `response_timeout_s` for one response."""

    request_interval_s: float
    poll_interval_s: float
    response_timeout_s: float = 120.0


@dataclass(frozen=True)
class Request:
    """One request: parameters are part of the address; with a form it is a POST."""

    url: str
    parameters: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None


Fetch = Callable[[Request], bytes]


class JobNotFound(Exception):
    """The server no longer knows the search."""


@dataclass(frozen=True)
class SearchServer(abc.ABC):
    """One server: its address, the parameters of the search, the contact, and the limits on requests."""

    url: str
    parameters: Mapping[str, str]
    contact: Mapping[str, str]
    rate: RequestRate

    name: ClassVar[str]
    at_once: ClassVar[int]
    """Number of searches that may run together."""

    def key_parameters(self) -> Mapping[str, str]:
        """Return everything but the query that the answer depends on."""
        return {"url": self.url, **self.parameters}

    @abc.abstractmethod
    def submit(self, fetch: Fetch, query: str) -> tuple[str, float]:
        """Submit a search; return its number, and the seconds to wait before the first poll."""

    @abc.abstractmethod
    def poll(self, fetch: Fetch, number: str) -> bytes | None:
        """Return the whole answer, or None while the job runs. Raises JobNotFound, ToolError where the search
        failed, and ValueError where the answer is incomplete."""


class JobRunner:
    """Runs searches on one server. Answers are stored in `folder`; None: the user's cache folder."""

    def __init__(self, service: SearchServer, timeout_s: float, folder: Path | None = None) -> None:
        self.service, self.timeout_s = service, timeout_s
        self.deadline = time.monotonic() + timeout_s
        self.folder = folder or cache_folder().with_name("blast_remote")

    def run(self, queries: Sequence[str]) -> list[Path]:
        """Run the searches; return the files with the answers, in the order of the queries.

        Raises ToolError where the server cannot be reached, refuses, sends an invalid answer, or does not
        finish in time.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        searches = [PendingJob.of(self.service.key_parameters(), query, self.folder) for query in queries]
        remove_old(self.folder)
        # Two runs with the same search share one submission.
        try:
            with FileLock(self.folder / f"{searches[0].key}.lock").acquire(timeout=self._left()):
                for start in range(0, len(searches), self.service.at_once):
                    self._finish(searches[start : start + self.service.at_once])
        except Timeout:
            raise self._too_late("another run is waiting for it") from None
        return [search.answer for search in searches]

    def _finish(self, searches: Sequence["PendingJob"]) -> None:
        """Submit the searches that are not pending, and wait for all."""
        due = {search: self._begin(search) for search in searches if not search.answer.exists()}
        while due:
            search = min(due, key=lambda each: due[each])
            self._sleep(due[search] - time.monotonic(), f"{self.service.name} {search.number}")
            try:
                answer = self.service.poll(self._fetch, search.number)
            except JobNotFound:
                if search.again:
                    search.forget()
                    raise ToolError(f"{self.service.name} lost the search {search.number} twice") from None
                log.warning("%s no longer knows %s; it is sent again", self.service.name, search.number)
                search.forget()
                search.again = True
                due[search] = self._begin(search)
                continue
            except ValueError as error:
                # The next attempt may bring the complete answer.
                search.damaged += 1
                if search.damaged == MAX_DAMAGED:
                    raise ServerUnavailable(
                        f"{self.service.name} sends no complete answer for {search.number} ({error}); "
                        "run again later"
                    ) from error
                answer = None
            except ServerUnavailable:
                raise
            except ToolError:
                search.forget()
                raise
            if answer is None:
                due[search] = time.monotonic() + self.service.rate.poll_interval_s
            else:
                search.keep(answer)
                del due[search]

    def _begin(self, search: "PendingJob") -> float:
        """Submit a search unless it is pending; return the time of the first poll."""
        if search.read():
            log.info("%s: resuming the search %s", self.service.name, search.number)
            return time.monotonic()
        number, after_s = self.service.submit(self._fetch, search.query)
        search.write(number)
        log.info("%s: submitted the search %s", self.service.name, search.number)
        return time.monotonic() + after_s

    def _fetch(self, contact: Request) -> bytes:
        """Send a request, again after transient errors, within the time limit."""
        for attempt in range(ATTEMPTS):
            try:
                self._take_turn()
                return self._send(contact)
            except TransientError as error:
                reason, wait_s = (
                    str(error),
                    max(error.wait_s, self.service.rate.request_interval_s * 2**attempt),
                )
            if attempt < ATTEMPTS - 1:
                log.info("%s: %s; trying again in %g s", self.service.name, reason, wait_s)
                self._sleep(wait_s, reason)
        raise ServerUnavailable(
            f"{self.service.name}: {reason}, {ATTEMPTS} times; try again later, or set blast=local"
        )

    def _take_turn(self) -> None:
        """Wait until the limits of the server allow a request; all processes of the user share the clock."""
        from filelock import FileLock

        clock = self.folder / f"{self.service.name}.clock"
        with FileLock(f"{clock}.lock"):
            last = clock.stat().st_mtime if clock.exists() else 0.0
            # The system clock may have been set back: never wait longer than one interval.
            wait_s = min(
                last + self.service.rate.request_interval_s - time.time(),
                self.service.rate.request_interval_s,
            )
            self._sleep(wait_s, "its turn")
            clock.touch()
            # The clock of the file system may lag by some milliseconds.
            now_s = time.time()
            os.utime(clock, times=(now_s, now_s))

    def _send(self, contact: Request) -> bytes:
        import requests

        method, limit = (
            ("POST" if contact.form else "GET"),
            time.monotonic() + self.service.rate.response_timeout_s,
        )
        pieces, size = [], 0
        try:
            with requests.request(
                method, contact.url, params=contact.parameters, data=contact.form, stream=True,
                timeout=max(min(self.service.rate.response_timeout_s, self._left()), 0.001),
            ) as answer:  # fmt: skip
                for piece in answer.iter_content(1 << 16):
                    pieces.append(piece)
                    size += len(piece)
                    if size > MAX_ANSWER_BYTES:
                        raise ServerUnavailable(
                            f"{self.service.name} sends more than {MAX_ANSWER_BYTES:,} bytes; "
                            "set a smaller blast.max_hits"
                        )
                    # The timeout of a read does not stop a server that sends single bytes.
                    if time.monotonic() > min(limit, self.deadline):
                        raise TransientError("the answer did not end")
                if answer.status_code in TRANSIENT_STATUSES:
                    raise TransientError(
                        f"the server says {answer.status_code} {answer.reason}",
                        _seconds(answer.headers.get("Retry-After", "")),
                    )
                if not answer.ok:
                    raise RequestRefused(self.service.name, answer.status_code, b"".join(pieces))
        except (requests.RequestException, OSError) as error:
            what = "no answer in time" if isinstance(error, requests.Timeout) else "the connection failed"
            raise TransientError(f"{what} ({type(error).__name__})") from error
        return b"".join(pieces)

    def _sleep(self, seconds: float, what: str) -> None:
        if seconds > self._left() or self._left() <= 0:
            raise self._too_late(what)
        time.sleep(max(seconds, 0))

    def _left(self) -> float:
        return self.deadline - time.monotonic()

    def _too_late(self, what: str) -> ToolError:
        return ServerUnavailable(
            f"{self.service.name} did not finish within blast.timeout_s={self.timeout_s:g} ({what}); the "
            "search is stored: run the same command again, or run=FOLDER, to fetch its answer"
        )


class ServerUnavailable(ToolError):
    """The server does not answer now; the search is stored."""


class RequestRefused(ToolError):
    """The server refused the request; a repetition would not help."""

    def __init__(self, service: str, status: int, body: bytes) -> None:
        text = " ".join(_without_tags(body.decode("utf-8", "replace")).split())[:300]
        super().__init__(f"{service} refuses ({status}): {text or 'no reason given'}")
        self.status = status


class TransientError(Exception):
    """A transient failure, and the seconds to wait that the server requested."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def _seconds(text: str) -> float:
    """Parse Retry-After; 0 where it is a date or invalid."""
    return float(min(int(text), 3600)) if text.isdecimal() else 0.0


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]*>", " ", text)
