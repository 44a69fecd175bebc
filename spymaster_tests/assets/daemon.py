"""Dagster's daemon as tests start it: it goes on with a backfill every ten seconds, and loads the code once.

By itself it looks for work every thirty seconds, and every minute it starts a new server of the code, which does not
change here. A backfill of many dependent tables takes as many rounds as there are stages of histories: nearly all of
its time goes there. What is done in a round is the same.
"""

from dagster._daemon import controller
from dagster._daemon.cli import main

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 10
    controller.RELOAD_WORKSPACE_INTERVAL = 3600
    main()
