"""What a delivered file must look like, and what a stage must satisfy before the next one starts.

Belongs here: the contracts (one YAML per delivered file, read by `expectations.contract`) and the suites of
expectations run at the gates. Does not belong here: reading files, SQL loads, features, models, Dagster, dbt. This
package imports no other package of the project: everybody may import it.
"""
