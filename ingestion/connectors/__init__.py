"""From an administration's base to the landing folder, whole deliveries at a time.

Belongs here: what a connector's settings are, looking at a peer (folder, SFTP, S3, PostgreSQL, HTTP API), fetching what
is complete, and making it visible in the landing folder in the same step as the connector's position moves. Does not
belong here: what a file contains (the road from the landing folder on is the same for every delivery), when to look
(`orchestration`).
"""
