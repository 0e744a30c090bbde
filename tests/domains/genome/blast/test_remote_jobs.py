"""Servers that behave, and servers that do not: a local one speaks NCBI's and EBI's protocols over HTTP."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from pipeline.domains.genome.blast.ebi import EbiBlast
from pipeline.domains.genome.blast.hits import Hit
from pipeline.domains.genome.blast.ncbi import NcbiBlast
from pipeline.domains.genome.blast.remote_jobs import JobRunner, RequestRate
from pipeline.domains.genome.blast.remote_search import RemoteBlast
from pipeline.domains.genome.blast.server_xml import read_ebi, read_ncbi
from pipeline.errors import ConfigError, ToolError
from pipeline.records import Record, References

RNG = random.Random(7)
SAMPLES = [Record(f"synthetic_{number:04d}", "".join(RNG.choices("ACGT", k=40))) for number in (1, 2)]
NOTHING = References({}, lambda: iter(()))
QUICK = RequestRate(request_interval_s=0.01, poll_interval_s=0.03, response_timeout_s=0.5)
Answer = tuple[int, str]


class QuickNcbi(NcbiBlast):
    rate = QUICK


class QuickEbi(EbiBlast):
    rate = QUICK


def ncbi_xml(*queries: str) -> str:
    """What NCBI sends when of each query letters 11 to 30 are found, on the other strand."""
    head = """<?xml version="1.0"?>
<!DOCTYPE BlastOutput PUBLIC "-//NCBI//NCBI BlastOutput/EN" "http://www.ncbi.nlm.nih.gov/dtd/NCBI_BlastOutput.dtd">
<BlastOutput><BlastOutput_program>blastn</BlastOutput_program>
<BlastOutput_version>BLASTN 2.16.1+</BlastOutput_version><BlastOutput_reference>none</BlastOutput_reference>
<BlastOutput_db>core_nt</BlastOutput_db><BlastOutput_query-ID>Query_1</BlastOutput_query-ID>
<BlastOutput_query-def>q0</BlastOutput_query-def><BlastOutput_query-len>40</BlastOutput_query-len>
<BlastOutput_param><Parameters><Parameters_expect>10</Parameters_expect></Parameters></BlastOutput_param>
<BlastOutput_iterations>"""
    body = "".join(
        f"""<Iteration><Iteration_iter-num>{number + 1}</Iteration_iter-num>
<Iteration_query-ID>Query_{number + 1}</Iteration_query-ID>
<Iteration_query-def>q{number}</Iteration_query-def><Iteration_query-len>40</Iteration_query-len><Iteration_hits><Hit><Hit_num>1</Hit_num>
<Hit_id>gb|AE014135.4|</Hit_id><Hit_def>Drosophila melanogaster chromosome 4</Hit_def>
<Hit_accession>AE014135</Hit_accession><Hit_len>1348131</Hit_len><Hit_hsps><Hsp><Hsp_num>1</Hsp_num>
<Hsp_bit-score>37.3537</Hsp_bit-score><Hsp_score>40</Hsp_score><Hsp_evalue>{0.02 * (number + 1)}</Hsp_evalue>
<Hsp_query-from>11</Hsp_query-from><Hsp_query-to>30</Hsp_query-to><Hsp_hit-from>5020</Hsp_hit-from>
<Hsp_hit-to>5001</Hsp_hit-to><Hsp_query-frame>1</Hsp_query-frame><Hsp_hit-frame>-1</Hsp_hit-frame>
<Hsp_identity>20</Hsp_identity><Hsp_positive>20</Hsp_positive><Hsp_gaps>0</Hsp_gaps>
<Hsp_align-len>20</Hsp_align-len><Hsp_qseq>{query[10:30]}</Hsp_qseq><Hsp_hseq>{query[10:30]}</Hsp_hseq>
<Hsp_midline>{"|" * 20}</Hsp_midline></Hsp></Hit_hsps></Hit></Iteration_hits></Iteration>"""
        for number, query in enumerate(queries)
    )
    return f"{head}{body}</BlastOutput_iterations></BlastOutput>"


def ebi_xml(query: str) -> str:
    """What EBI sends when letters 11 to 30 of a query are found, one of them doubled."""
    return f"""<?xml version="1.0"?>
<EBIApplicationResult xmlns="http://www.ebi.ac.uk/schema"><Header/><SequenceSimilaritySearchResult>
<hits total="1"><hit number="1" database="em_rel" id="EM:AE014135" ac="AE014135" length="1348131">
<alignments total="1"><alignment number="1"><score>40</score><bits>37.4</bits><expectation>0.02</expectation>
<identity>95.0</identity><gaps>1</gaps><strand>plus/plus</strand>
<querySeq start="11" end="30">{query[10:20]}-{query[20:30]}</querySeq><pattern/>
<matchSeq start="5001" end="5021">{query[10:20]}{query[20]}{query[20:30]}</matchSeq>
</alignment></alignments></hit></hits></SequenceSimilaritySearchResult></EBIApplicationResult>"""


class Server:
    """A server with both protocols. `rule` answers a request where it does not return None; what it sees is
    the kind of request and how many of that kind there were before."""

    def __init__(self) -> None:
        self.rule: Callable[[str, int], Answer | None] = lambda kind, before: None
        self.seen: list[tuple[str, dict[str, str], float]] = []
        self.jobs: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply({})

            def do_POST(self) -> None:
                self.reply(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

            def reply(self, form: dict[str, list[str]]) -> None:
                url = urlparse(self.path)
                found = {key: values[0] for key, values in {**parse_qs(url.query), **form}.items()}
                status, text = outer.answer(url.path, found)
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.end_headers()
                # Who gave up waiting has gone.
                with suppress(ConnectionError):
                    self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def kinds(self) -> Counter[str]:
        return Counter(kind for kind, _, _ in self.seen)

    def answer(self, path: str, found: dict[str, str]) -> Answer:
        kind = found.get("CMD") or path.strip("/").split("/")[0]
        before = self.kinds[kind]
        self.seen.append((kind, found, time.monotonic()))
        ruled = self.rule(kind, before)
        if ruled is not None:
            return ruled
        number = path.split("/")[2] if path.count("/") > 1 else ""
        match kind:
            case "Put":
                self.jobs["RID7"] = found["QUERY"]
                return 200, "<html><!--QBlastInfoBegin\n    RID = RID7\n    RTOE = 0\nQBlastInfoEnd--></html>"
            case "Get":
                if found["RID"] not in self.jobs:
                    return 200, status("UNKNOWN")
                return 200, ncbi_xml(*self.jobs["RID7"].split()[1::2])
            case "run":
                number = f"ncbiblast-R{len(self.jobs)}"
                self.jobs[number] = found["sequence"].split()[1]
                return 200, number
            case "status":
                return 200, "FINISHED" if number in self.jobs else "NOT_FOUND"
        return 200, ebi_xml(self.jobs[number])


def status(word: str) -> str:
    return f"<!DOCTYPE html><p><!--\nQBlastInfoBegin\n\tStatus={word}\nQBlastInfoEnd\n--></p>"


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SEQUENCE_PIPELINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "blast_remote"


@pytest.fixture
def out(tmp_path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def ncbi(server: Server, **settings) -> NcbiBlast:
    return QuickNcbi(**{"email": "me@here.org", "url": server.url, "timeout_s": 5.0, **settings})


def ebi(server: Server, **settings) -> EbiBlast:
    return QuickEbi(**{"email": "me@here.org", "url": server.url, "timeout_s": 5.0, **settings})


def ask(search: RemoteBlast) -> list[Hit]:
    """The hits of the first sample, without tables and pictures of them."""
    texts = search.submissions([("samples", SAMPLES[0])])
    (path,) = JobRunner(search.service, search.timeout_s).run(texts)
    return search.read(path.read_bytes(), 0)


def test_all_samples_go_to_ncbi_in_one_submission(server, out):
    outputs = ncbi(server, entrez_query="flies[organism]")(SAMPLES, NOTHING, out, seed=1)
    assert outputs.summary[0].startswith("BLAST against NCBI's core_nt: best E-value 0.02 (synthetic_0001 ~")
    (kind, put, _), (_, get, _) = server.seen
    assert (kind, put["PROGRAM"], put["DATABASE"], put["email"], put["tool"], put["ENTREZ_QUERY"]) == (
        "Put", "blastn", "core_nt", "me@here.org", "sequence-pipeline", "flies[organism]",
    )  # fmt: skip
    assert [line for line in put["QUERY"].split() if line[0] != ">"] == [each.symbols for each in SAMPLES]
    assert (get["RID"], get["FORMAT_TYPE"]) == ("RID7", "XML")
    rows = (out / "blast.tsv").read_text().splitlines()
    assert rows[1].split("\t")[:12] == [
        "synthetic_0001", "AE014135", "100.000", "20", "0", "0", "11", "30", "5020", "5001", "0.020", "37.4",
    ]  # fmt: skip
    assert "AE014135, 5,001 to 5,020, strand -" in (out / "alignments.txt").read_text()


def test_ebi_gets_one_search_for_each_sample(server, out):
    outputs = ebi(server, evalue=3.0)(SAMPLES, NOTHING, out, seed=1)
    assert "EBI's em_rel" in outputs.summary[0]
    assert server.kinds == {"run": 2, "status": 2, "result": 2}
    run = server.seen[0][1]
    assert (run["program"], run["stype"], run["task"], run["exp"], run["alignments"]) == (
        "blastn", "dna", "blastn", "10", "50",
    )  # fmt: skip
    rows = [line.split("\t") for line in (out / "blast.tsv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["synthetic_0001", "synthetic_0002"]
    assert rows[0][2:10] == ["95.238", "21", "0", "1", "11", "30", "5001", "5021"]


@pytest.mark.parametrize("search", [ncbi, ebi])
def test_what_was_answered_once_is_not_asked_again(server, search):
    first = ask(search(server))
    before = len(server.seen)
    assert ask(search(server)) == first
    assert len(server.seen) == before
    ask(search(server, max_hits=7))
    assert len(server.seen) > before


@pytest.mark.parametrize("search, kind", [(ncbi, "Get"), (ebi, "status")])
def test_a_search_is_asked_about_no_oftener_than_the_rules_allow(server, search, kind, monkeypatch):
    turns, take_turn = [], JobRunner._take_turn

    def stamped(remote: JobRunner) -> None:
        take_turn(remote)
        turns.append((remote.folder / f"{remote.service.name}.clock").stat().st_mtime)

    monkeypatch.setattr(JobRunner, "_take_turn", stamped)
    waiting = status("WAITING") if kind == "Get" else "RUNNING"
    server.rule = lambda seen, before: (200, waiting) if seen == kind and before < 3 else None
    ask(search(server))
    polls = [at for seen, _, at in server.seen if seen == kind]
    assert len(polls) == 4
    assert all(later - sooner >= 0.028 for sooner, later in pairwise(polls))
    # By the sender's stamps: a request that arrives late shortens the time to the next arrival.
    assert len(turns) == len(server.seen)
    assert all(later - sooner >= 0.0099 for sooner, later in pairwise(turns))


def test_the_real_pace_is_ncbi_s():
    assert (NcbiBlast.rate.request_interval_s, NcbiBlast.rate.poll_interval_s) == (10.0, 60.0)


@pytest.mark.parametrize("search, kind", [(ncbi, "Get"), (ebi, "status")])
def test_a_run_that_gave_up_or_was_killed_is_picked_up(server, cache, search, kind):
    waiting = status("WAITING") if kind == "Get" else "RUNNING"
    server.rule = lambda seen, before: (200, waiting) if seen == kind else None
    with pytest.raises(ToolError, match=r"did not finish within blast\.timeout_s=0\.2 .* is stored"):
        ask(search(server, timeout_s=0.2))
    (note,) = cache.glob("*.json")
    assert json.loads(note.read_text())["number"] in server.jobs
    server.rule = lambda seen, before: None
    ask(search(server))
    assert server.kinds["Put"] + server.kinds["run"] == 1
    assert not list(cache.glob("*.partial"))


@pytest.mark.parametrize("search, kind", [(ncbi, "Get"), (ebi, "status")])
def test_a_search_that_the_server_forgot_is_sent_once_more(server, search, kind):
    forgotten = status("UNKNOWN") if kind == "Get" else "NOT_FOUND"
    server.rule = lambda seen, before: (200, forgotten) if seen == kind and before == 0 else None
    ask(search(server))
    assert server.kinds["Put"] + server.kinds["run"] == 2
    server.rule = lambda seen, before: (200, forgotten) if seen == kind else None
    with pytest.raises(ToolError, match=r"lost the search .* twice"):
        ask(search(server, max_hits=3))


@pytest.mark.parametrize("code", [429, 500, 503])
@pytest.mark.parametrize("search", [ncbi, ebi])
def test_a_server_in_trouble_is_tried_again(server, search, code):
    server.rule = lambda seen, before: (code, "busy") if before == 0 else None
    assert len(ask(search(server))) == 1
    server.rule = lambda seen, before: (code, "busy")
    with pytest.raises(ToolError, match=f"the server says {code} .*5 times; try again later"):
        ask(search(server, max_hits=3))


@pytest.mark.parametrize("search, kind", [(ncbi, "Get"), (ebi, "result")])
def test_a_truncated_answer_is_asked_for_again(server, cache, search, kind):
    whole = {"Get": ncbi_xml(SAMPLES[0].symbols), "result": ebi_xml(SAMPLES[0].symbols)}[kind]
    cut = whole[: len(whole) // 2]
    server.rule = lambda seen, before: (200, cut) if seen == kind and before == 0 else None
    assert len(ask(search(server))) == 1
    server.rule = lambda seen, before: (200, cut) if seen == kind else None
    with pytest.raises(ToolError, match="sends no complete answer"):
        ask(search(server, max_hits=3))
    assert len(list(cache.glob("*.answer"))) == 1


@pytest.mark.parametrize(
    "search, kind, said",
    [(ncbi, "Get", status("FAILED")), (ebi, "status", "FAILURE"), (ebi, "status", "ERROR")],
)
def test_a_failed_search_is_an_error_and_forgotten(server, cache, search, kind, said):
    server.rule = lambda seen, before: (200, said) if seen == kind else None
    with pytest.raises(ToolError, match=r"search .* failed"):
        ask(search(server))
    assert not list(cache.glob("*.json"))


@pytest.mark.parametrize(
    "search, kind, code, said, message",
    [
        (ncbi, "Put", 200, "<p>Message ID#24 Error: no database foo</p>", "the search: no database foo"),
        (ebi, "run", 400, "<error><description>Invalid parameters: Database</description></error>",
         r"EBI refuses \(400\): Invalid parameters: Database"),
        (ebi, "run", 200, "<html>hello", "is not the number of a job"),
        (ncbi, "Get", 403, "go away", r"NCBI refuses \(403\): go away"),
    ],
    ids=["ncbi-database", "ebi-parameters", "ebi-page", "ncbi-forbidden"],
)  # fmt: skip
def test_a_refusal_says_why(server, search, kind, code, said, message):
    server.rule = lambda seen, before: (code, said) if seen == kind else None
    with pytest.raises(ToolError, match=message):
        ask(search(server))
    assert server.kinds[kind] == 1


@pytest.mark.parametrize("search", [ncbi, ebi])
def test_a_server_that_never_answers_ends_with_the_time_limit(server, out, search):
    def never(kind: str, before: int) -> Answer:
        time.sleep(2)
        return 200, ""

    server.rule = never
    begun = time.monotonic()
    with pytest.raises(ToolError, match=r"did not finish within blast\.timeout_s=0\.3"):
        search(server, timeout_s=0.3)(SAMPLES[:1], NOTHING, out, seed=1)
    assert time.monotonic() - begun < 1
    assert list(out.iterdir()) == []


def test_no_server_at_all_is_an_error(out):
    search = QuickNcbi(email="me@here.org", url="http://127.0.0.1:9", timeout_s=5)
    with pytest.raises(ToolError, match=r"the connection failed .*set blast=local"):
        search(SAMPLES[:1], NOTHING, out, seed=1)


@pytest.mark.parametrize("kind", [NcbiBlast, EbiBlast])
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"email": None}, r"blast\.email=.*you@example.org"),
        ({"email": "me"}, r"blast\.email=.*you@example.org"),
        ({"tool": ""}, r"blast\.tool="),
        ({"url": "file:///etc/passwd"}, r"blast\.url="),
        ({"database": ""}, r"blast\.database"),
        ({"task": "blastx"}, r"blast\.task"),
        ({"timeout_s": 0}, r"blast\.timeout_s"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_settings_out_of_range(kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        kind(**{"email": "me@here.org", **settings})


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"<?xml version='1.0'?><a/>", b"\x00\xff"])
def test_what_is_no_answer_is_a_value_error(content):
    with pytest.raises(ValueError):
        read_ncbi(content)
    with pytest.raises(ValueError):
        read_ebi(content, "q0")
