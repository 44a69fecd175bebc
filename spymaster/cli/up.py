"""`spymaster up`: Dagster's webserver and daemon under one supervisor, until Ctrl-C."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root

_REPOSITORY_WORKSPACE = Path(__file__).resolve().parents[2] / "workspace.yaml"


def up(
    lake: LakeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI; 0 picks a free one.")] = 3000,
    as_json: JsonOption = False,
) -> None:
    """Start the Dagster UI and daemon for a lake, and stop both together.

    Prints the address once it answers. Refuses to start twice on one Dagster home. Ctrl-C (or SIGTERM) stops every
    process that was started; a second Ctrl-C does not wait for them.
    """
    from spymaster.cli import output
    from spymaster.cli.home import environment, log_folder, prepare_home
    from spymaster.cli.supervisor import Supervisor, hold, require_free_port

    root = lake_root(lake)
    home = prepare_home(root)
    port = port or _free_port(host)
    url = f"http://{host}:{port}"
    with hold(home, {"dagster": url}):
        require_free_port(host, port, option="--port")
        services = dagster_services(home, host, port)
        out, err = output.stdout(), output.stderr()

        def ready() -> None:
            if as_json:
                output.print_json(
                    {
                        "lake": str(root),
                        "dagster_home": str(home),
                        "logs": str(log_folder(home)),
                        "services": [{"name": service.name, "url": service.url} for service in services],
                    }
                )
            else:
                out.print(f"Dagster   [link={url}]{url}[/link]")
                out.print(f"lake      {root}", soft_wrap=True)
                out.print(f"logs      {log_folder(home)}", soft_wrap=True)
                out.print("Ctrl-C stops everything.")
            sys.stdout.flush()

        if not as_json:
            err.print("starting Dagster ...")
        Supervisor(
            home,
            services,
            environment(root, home),
            on_ready=ready,
            on_stop=lambda: None if as_json else err.print("stopping ..."),
        ).run()
        if not as_json:
            err.print("stopped.")


def dagster_services(home: Path, host: str, port: int):
    """The webserver and the daemon, both loading the one code location."""
    from spymaster.cli.supervisor import Service

    workspace = str(_REPOSITORY_WORKSPACE if _REPOSITORY_WORKSPACE.is_file() else home / "workspace.yaml")
    url = f"http://{host}:{port}"
    webserver = ("-m", "dagster_webserver", "--host", host, "--port", str(port), "--workspace", workspace)
    return (
        Service("dagster-webserver", (sys.executable, *webserver), url=url, health=f"{url}/server_info"),
        Service("dagster-daemon", (sys.executable, "-m", "dagster._daemon", "run", "--workspace", workspace)),
    )


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
