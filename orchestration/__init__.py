"""The control room: Dagster definitions, the `vigie` command, the embedded PostgreSQL and the publication transaction.

Belongs here: assets, checks, schedules, sensors and resources; the instance (home folder, settings, database); the DDL
of the schemas that no other room owns (`ml`, `publication`, `published`); what the `vigie` command does.
Does not belong here: how a file is read (`ingestion`), what a file must look like (`expectations`), how a feature is
computed (`dbt_project`), how a risk is estimated (`models_ml`), how a report looks (`reporting`).
This is the only package that imports dagster.
"""
