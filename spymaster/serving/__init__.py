"""The sidecar: what lies between the stored tables and a browser or a script.

lake -> `catalog` -> `loader` -> `store` -> `session` -> `producers` -> `hub` -> WebSocket; and the same over HTTP.

`surfaces` is the registry of what is drawn, `transfer` and `lod` the arithmetic of its cells, `codec` and `control` the
wire. Belongs here: serving what the tables say. Does not belong here: computing anything that a table should hold.
"""
