"""The assets, one module a stage: ingestion, features, scoring, publication.

Belongs here: keys, dependencies, partitions, checks and metadata. What an asset does is a call to another room.
"""
