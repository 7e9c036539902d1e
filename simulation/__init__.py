"""A fictional region whose administrations deliver files in their real formats, with the truth kept aside.

Belongs here: a seeded population, its latent health, what each administration would have seen of it, and the files
that each would have delivered (layouts, lags, warts included). Does not belong here: reading files back, databases,
features, models, reports. Knows neither Dagster nor dbt nor the contracts: it imitates the producers, so that a fault
of ours in a contract shows as a disagreement instead of being shared by both sides.

No company written here can exist: every SIREN starts with ``0`` (and passes Luhn). No person is ever named.
"""

from simulation.region import DeliverySummary, FileSummary, SimulationSummary, simulate

__all__ = ["DeliverySummary", "FileSummary", "SimulationSummary", "simulate"]
