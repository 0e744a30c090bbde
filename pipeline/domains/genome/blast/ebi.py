"""BLAST at EMBL-EBI: the Job Dispatcher's ``ncbiblast`` service, one sequence a search, 30 at a time.

Source: https://www.ebi.ac.uk/jdispatcher/docs/webservices/ : ``run`` takes a form and returns a number,
``status/NUMBER`` returns QUEUED, RUNNING, FINISHED, ERROR, FAILURE or NOT_FOUND, and ``result/NUMBER/xml``
the hits. At most 30 searches may run together. The service requires a valid e-mail address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.query_results import Query
from pipeline.domains.genome.blast.remote_jobs import (
    Fetch,
    JobNotFound,
    Request,
    RequestRate,
    RequestRefused,
    SearchServer,
)
from pipeline.domains.genome.blast.remote_search import RemoteBlast, format_queries
from pipeline.domains.genome.blast.server_xml import read_ebi
from pipeline.errors import ToolError

RULES = RequestRate(request_interval_s=1.0, poll_interval_s=10.0)
AT_ONCE = 30
WAITING = ("QUEUED", "PENDING", "RUNNING")
LIMITS = (
    "1e-200", "1e-100", "1e-50", "1e-10", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1.0", "10", "100", "1000",
)  # fmt: skip
"""The E-values that the service accepts. Hits above `evalue` are dropped here."""
COUNTS = (5, 10, 20, 50, 100, 150, 200, 250, 500, 750, 1000)
"""The numbers of hits that the service accepts."""
KINDS = {"nucl": "dna", "prot": "protein"}


@dataclass(frozen=True)
class EbiBlast(RemoteBlast):
    """Search the samples at EMBL-EBI."""

    url: str = "https://www.ebi.ac.uk/Tools/services/rest/ncbiblast"
    database: str = "em_rel"
    """The database of EMBL-EBI to search."""

    rate: ClassVar[RequestRate] = RULES

    @property
    def service(self) -> SearchServer:
        """EBI's server, or a mirror."""
        count = next((each for each in COUNTS if each >= self.max_hits), COUNTS[-1])
        parameters = {
            "program": self.blast.name, "stype": KINDS[self.blast.molecule], "database": self.database,
            "exp": next((each for each in LIMITS if float(each) >= self.evalue), LIMITS[-1]),
            "alignments": str(count), "scores": str(count),
        }  # fmt: skip
        if self.blast.name == "blastn":
            parameters["task"] = self.task
        contact = {"email": str(self.email), "title": self.tool}
        return EbiServer(self.url.rstrip("/"), parameters, contact, self.rate)

    def submissions(self, queries: Sequence[Query]) -> list[str]:
        """Submit one search per query."""
        return [format_queries([query]) for query in queries]

    def read(self, content: bytes, number: int) -> list[Hit]:
        """Parse the hits of one query, in the first `max_hits` subjects; the service lists more."""
        hits = read_ebi(content, f"q{number}")
        subjects = list(dict.fromkeys(hit.subject for hit in hits))[: self.max_hits]
        return [hit for hit in hits if hit.subject in subjects]


class EbiServer(SearchServer):
    """The REST service of one server."""

    name = "EBI"
    at_once = AT_ONCE

    def submit(self, fetch: Fetch, query: str) -> tuple[str, float]:
        """Submit a search; see `SearchServer`."""
        form = {**self.parameters, **self.contact, "sequence": query}
        answer = fetch(Request(f"{self.url}/run", form=form)).decode("utf-8", "replace").strip()
        if not answer or len(answer) > 200 or not answer.isascii() or set(answer) & set(" \t\n<>/?#"):
            raise ToolError(f"EBI did not accept the search: {answer[:200]!r} is not the number of a job")
        return answer, self.rate.request_interval_s

    def poll(self, fetch: Fetch, number: str) -> bytes | None:
        """Ask for the status, and fetch the answer once the job has finished."""
        try:
            status = fetch(Request(f"{self.url}/status/{number}")).decode("utf-8", "replace").strip()
        except RequestRefused as error:
            if error.status == 404:
                raise JobNotFound from error
            raise
        if status in WAITING:
            return None
        if status == "NOT_FOUND":
            raise JobNotFound
        if status != "FINISHED":
            raise ToolError(f"EBI's search {number} failed ({status[:80]!r}); run again later")
        answer = fetch(Request(f"{self.url}/result/{number}/xml"))
        read_ebi(answer, "q0")
        return answer
