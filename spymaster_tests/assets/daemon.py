"""Dagster's daemon as tests start it: it goes on with a backfill every two seconds, not every thirty.

A backfill of many dependent tables takes as many rounds as there are stages of histories, and most of its time is spent
between them. What is done in a round is the same.
"""

from dagster._daemon import controller
from dagster._daemon.cli import main

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
    main()
