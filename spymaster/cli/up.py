"""`spymaster up`: Dagster's webserver and daemon, and the sidecar, under one supervisor, until Ctrl-C."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root

if TYPE_CHECKING:
    from spymaster.cli.supervisor import Running, Service

PagePortOption = Annotated[
    int | None, typer.Option(help="Port of the page and the API; 0 picks a free one.", show_default="8787")
]
_REPOSITORY_WORKSPACE = Path(__file__).resolve().parents[2] / "workspace.yaml"


def up(
    lake: LakeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI; 0 picks a free one.")] = 3000,
    page_port: PagePortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the Dagster UI and daemon for a lake and the sidecar that serves it, and stop all together.

    Prints the address once it answers. Refuses to start twice on one Dagster home. Ctrl-C (or SIGTERM) stops every
    process that was started; a second Ctrl-C does not wait for them.
    """
    from spymaster.cli.home import environment, log_folder, prepare_home
    from spymaster.cli.supervisor import hold, require_free_port
    from spymaster.settings import LAKE_FILE

    root = lake_root(lake)
    home = prepare_home(root)
    port = port or free_port(host)
    with hold(home, {"dagster": f"http://{host}:{port}"}):
        require_free_port(host, port, option="--port")
        page = sidecar(root, host, page_port, log_folder(home)) if (root / LAKE_FILE).is_file() else None
        serve(root, home, host, port, environment(root, home), page=page, as_json=as_json)


def serve(
    root: Path,
    home: Path,
    host: str,
    port: int,
    environment: dict[str, str],
    *,
    page: Service | None,
    as_json: bool,
    running: Running | None = None,
    document: Mapping[str, Any] | None = None,
) -> None:
    """Run the webserver, the daemon and the sidecar in a home that the caller holds, until a signal to stop.

    page: the sidecar; None where the root is no lake yet, and there is nothing to serve. running: it, if it was started
    before. With `as_json` the one document, printed once they answer, goes on from `document`.
    """
    from spymaster.cli import output
    from spymaster.cli.home import log_folder
    from spymaster.cli.supervisor import Supervisor

    url = f"http://{host}:{port}"
    dagster = dagster_services(home, host, port)
    services = (*dagster, page) if page else dagster
    out, err = output.stdout(), output.stderr()

    def ready() -> None:
        if as_json:
            output.print_json(
                {
                    **(document or {}),
                    "lake": str(root),
                    "dagster_home": str(home),
                    "logs": str(log_folder(home)),
                    "services": [{"name": service.name, "url": service.url} for service in services],
                }
            )
        else:
            out.print(f"Dagster   [link={url}]{url}[/link]")
            if page:
                print_page(page)
            out.print(f"lake      {root}", soft_wrap=True)
            out.print(f"logs      {log_folder(home)}", soft_wrap=True)
            out.print("Ctrl-C stops everything.")
        sys.stdout.flush()

    if not as_json:
        err.print("starting Dagster ...")
    Supervisor(
        home,
        dagster if running else services,
        environment,
        running=(running,) if running else (),
        on_ready=ready,
        on_stop=lambda: None if as_json else err.print("stopping ..."),
    ).run()
    if not as_json:
        err.print("stopped.")


def print_page(page: Service) -> None:
    """Where the page is, and the link that signs a browser in."""
    from spymaster.cli import output
    from spymaster.serving.security import load_token, sign_in_url
    from spymaster.settings import get_settings

    out = output.stdout()
    out.print(f"page      {page.url}")
    out.print(f"sign in   {sign_in_url(page.url or '', load_token(get_settings().serving))}", soft_wrap=True)


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


def sidecar(root: Path, host: str, port: int | None, logs: Path):
    """The sidecar on a port that is free now: `port`, or that of the settings. Raises `PortInUseError`.

    Its request log lies in `logs` unless the settings name another place.
    """
    from spymaster.cli.supervisor import Service, require_free_port
    from spymaster.serving.server import address
    from spymaster.settings import get_settings

    serving = get_settings().serving
    port = serving.port if port is None else port
    port = port or free_port(host)
    require_free_port(host, port, option="--page-port")
    url = address(host, port)
    log = str(serving.request_log or logs / "requests.jsonl")
    options = ("serve", "--lake", str(root), "--host", host, "--port", str(port), "--no-link", "--request-log", log)
    return Service("sidecar", (sys.executable, "-m", "spymaster.cli.main", *options), url=url, health=f"{url}/healthz")


def free_port(host: str) -> int:
    """A port of `host` that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
