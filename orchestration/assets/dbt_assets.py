"""dbt models as assets: their specs from the manifest, and one op for each stage that dbt builds."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, build_dbt_asset_specs

from orchestration import dbt, publication
from orchestration.instance import Instance

OWNER = "team:donnees"


class SchemaTranslator(DagsterDbtTranslator):
    """Asset key = schema and table, the same address as in PostgreSQL; the group is the stage, not the folder."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group = group

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """`schema/name` of a model, a seed or a source."""
        schema = dbt_resource_props["schema"]
        return dg.AssetKey([schema, dbt_resource_props.get("identifier") or dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:  # noqa: ARG002
        """The stage that the op belongs to."""
        return self.group


def specs(group: str, *, tag: str) -> list[dg.AssetSpec]:
    """Specs of the models and seeds with this tag. The months come from the run: a partition for each would cost an event for
    each table and month of the history, and dbt keeps one table for all months anyway.

    What is already published is read to tell what is new; that is a look back in time, not a dependency of the graph.
    """
    made = build_dbt_asset_specs(
        manifest=dbt.manifest(),
        dagster_dbt_translator=SchemaTranslator(group),
        select=f"tag:{tag}",
        exclude=dbt.excluded(tag),
    )
    published = {"month", *publication.TABLES}
    return [
        spec.replace_attributes(
            deps=[
                dep
                for dep in spec.deps
                if not (dep.asset_key.path[0] == "publication" and dep.asset_key.path[-1] in published)
            ],
            owners=[OWNER],
            kinds={"dbt", "postgres"},
        )
        for spec in made
    ]


def build(
    instance: Instance, *, tag: str, months: list[date], keys: set[dg.AssetKey]
) -> Iterator[dg.MaterializeResult]:
    """Build the tagged models for the months; one result for each asset, with its rows and seconds (unchanged ones have none).

    Raises:
        dbt.DbtFailed: a model or one of its data tests failed.
    """
    variables = {
        "month_start": months[0].isoformat(),
        "month_end": months[-1].isoformat(),
        "simulation": instance.settings.simulation,
    }
    nodes = dbt.build(instance, tag=tag, variables=variables)
    tests = sum(node.kind == "test" for node in nodes)
    warnings = [f"{node.name} : {node.message}" for node in nodes if node.status == "warn"]
    # What stayed as it was comes first: the others depend on it, and Dagster wants the order of the graph.
    for key in sorted(keys - {dg.AssetKey([node.schema, node.name]) for node in nodes}):
        yield dg.MaterializeResult(asset_key=key, metadata={"variables": json.dumps(variables), "inchange": True})
    for node in nodes:
        key = dg.AssetKey([node.schema, node.name])
        if key in keys:
            metadata: dict[str, Any] = {
                "secondes": round(node.seconds, 2),
                "variables": json.dumps(variables),
                "tests": tests,
                "avertissements": "\n".join(warnings) or "aucun",
            }
            if node.rows is not None:
                metadata["dagster/row_count"] = node.rows
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
