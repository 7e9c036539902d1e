"""What assets need from outside: the instance they work for."""

import dagster as dg

from orchestration.instance import Instance


class Vigie(dg.ConfigurableResource):
    """The instance named by VIGIE_HOME. No field: nothing of it, and no secret, goes through run configuration."""

    @property
    def instance(self) -> Instance:
        """The instance; resolved when an asset runs, so that definitions load with an empty environment."""
        return Instance.from_environment()
