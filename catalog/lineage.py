"""Where tables come from, told as OpenLineage events (https://openlineage.io/spec): one a step that made something.

Events go to `var/lineage/events.ndjson`, a line each; where the environment says so as OpenLineage's own client reads
it (OPENLINEAGE_URL, OPENLINEAGE_CONFIG …), they go there instead. A lake's tables are named `dataset/edition/resource`
in the namespace of the lab's own address; sources by their host and path. No value of any row is in them.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    schema_dataset,
)
from openlineage.client.transport.file import FileConfig, FileTransport

from catalog.settings import CatalogSettings
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openlineage.client.generated.base import DatasetFacet, JobFacet, RunFacet

    from catalog.lab import Lab
    from catalog.lake import Served
    from catalog.receipt import Receipt
    from policies.editions import EditionTable

EVENTS = "lineage/events.ndjson"
"""Where the events lie, under `var/`."""

PRODUCER = "urn:datalab"
_ELSEWHERE = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the lake, at one version."""

    dataset: str
    edition: str
    resource: str
    served: Served

    @property
    def name(self) -> str:
        """As lineage names it."""
        return f"{self.dataset}/{self.edition}/{self.resource}"


def ingested(namespace: str, receipt: Receipt, made: Table) -> RunEvent:
    """The event of an ingest that was committed: from its source to the raw table."""
    where, name = _source(receipt.source)
    source = InputDataset(where, name)
    return _event(
        namespace,
        f"ingest.{made.dataset}.{made.resource}",
        RunState.COMPLETE,
        inputs=[source],
        outputs=[_output(namespace, made, {})],
    )


def edition_built(namespace: str, raw: Table, made: Table, kept: EditionTable) -> RunEvent:
    """The event of an edition that was built from a raw table: which column came of which, and what was done to it."""
    fields = {
        name: column_lineage_dataset.Fields(
            [column_lineage_dataset.InputField(namespace, raw.name, column, [_transformation(column, kept)])]
        )
        for name, column in kept.sources.items()
    }
    lineage: dict[str, DatasetFacet] = {
        "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields, producer=PRODUCER)
    }
    return _event(
        namespace,
        f"edition.{made.dataset}.{made.edition}.{made.resource}",
        RunState.COMPLETE,
        inputs=[InputDataset(namespace, raw.name, facets=_version(raw.served))],
        outputs=[_output(namespace, made, lineage)],
    )


def failed(namespace: str, dataset: str, resource: str, error: str) -> RunEvent:
    """The event of an ingest that failed, and why."""
    facets: dict[str, RunFacet] = {
        "errorMessage": error_message_run.ErrorMessageRunFacet(error, "Python", producer=PRODUCER)
    }
    return _event(namespace, f"ingest.{dataset}.{resource}", RunState.FAIL, run=facets)


def released(namespace: str, number: int, name: str, editions: Sequence[str]) -> RunEvent:
    """The event of a file that left a sandbox, out of these editions (`dataset/edition`)."""
    return _event(
        namespace,
        f"release.{number}",
        RunState.COMPLETE,
        inputs=[InputDataset(namespace, edition) for edition in editions],
        outputs=[OutputDataset(namespace, f"releases/{number}/{name}")],
    )


def namespace(lab: Lab) -> str:
    """The namespace of a lab's tables: where its portal answers."""
    return lab.section("catalog", CatalogSettings).base.rstrip("/")


def emit(lab: Lab, *events: RunEvent) -> str | None:
    """Send events; returns why that could not be done, or None. What was made stands, whether it is told of or not."""
    if not events:
        return None
    try:
        client = _client(lab)
        for event in events:
            client.emit(event)
        client.close()
    except Exception as error:  # noqa: BLE001  transports raise what they like, and no ingest fails for it
        return f"lineage: the events could not be sent: {type(error).__name__}: {error}"
    return None


def _client(lab: Lab) -> OpenLineageClient:
    if any(name in os.environ for name in _ELSEWHERE):
        return OpenLineageClient()
    path = lab.var / EVENTS
    path.parent.mkdir(exist_ok=True)
    return OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))


def _event(
    where: str,
    job: str,
    state: RunState,
    *,
    inputs: list[InputDataset] | None = None,
    outputs: list[OutputDataset] | None = None,
    run: Mapping[str, RunFacet] | None = None,
) -> RunEvent:
    kind: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "DATALAB", job.partition(".")[0].upper(), producer=PRODUCER)
    }
    return RunEvent(
        eventType=state,
        eventTime=dt.datetime.now(dt.UTC).isoformat(),
        run=Run(runId=str(uuid.uuid4()), facets=dict(run or {})),
        job=Job(where, job, facets=kind),
        inputs=inputs or [],
        outputs=outputs or [],
        producer=PRODUCER,
    )


def _output(where: str, made: Table, facets: Mapping[str, DatasetFacet]) -> OutputDataset:
    columns = [schema_dataset.SchemaDatasetFacetFields(one.name, one.type) for one in made.served.columns]
    files = made.served.files
    counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        made.served.rows, sum(files.values()), len(files), producer=PRODUCER
    )
    schema = schema_dataset.SchemaDatasetFacet(fields=columns, producer=PRODUCER)
    return OutputDataset(
        where,
        made.name,
        facets={"schema": schema, **_version(made.served), **facets},
        outputFacets={"outputStatistics": counted},
    )


def _version(served: Served) -> dict[str, DatasetFacet]:
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(str(served.version), producer=PRODUCER)}


def _transformation(column: str, kept: EditionTable) -> column_lineage_dataset.Transformation:
    """What an edition does to a column, in OpenLineage's words: masked is what cannot be turned back."""
    if column in kept.pseudonymise:
        return column_lineage_dataset.Transformation("DIRECT", "TRANSFORMATION", "pseudonymised", masking=True)
    if column in kept.coarsened:
        return column_lineage_dataset.Transformation("DIRECT", "TRANSFORMATION", "generalised", masking=True)
    if column in kept.altered:
        return column_lineage_dataset.Transformation("DIRECT", "TRANSFORMATION", "cut off or suppressed", masking=True)
    return column_lineage_dataset.Transformation("DIRECT", "IDENTITY", masking=False)


def _source(place: str) -> tuple[str, str]:
    """The namespace and the name of a source, as OpenLineage's naming has them: host and path, or `file` and the path.

    What stands after `?` in an address may be long, and is left out.
    """
    parts = urlsplit(place)
    if parts.scheme and parts.netloc:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path or "/"
    return "file", place


def raw_of(dataset: str, resource: str, served: Served) -> Table:
    """The raw table of a resource."""
    return Table(dataset=dataset, edition=RAW, resource=resource, served=served)
