"""`spymaster serve` and `spymaster token`: the sidecar of a lake, and the way to sign in to it."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root


def serve(
    lake: LakeOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.", show_default="8787")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser, signed in.")] = False,
    link: Annotated[bool, typer.Option("--link/--no-link", hidden=True)] = True,
    request_log: Annotated[
        Path | None, typer.Option(help="File that gets a JSON line for each request.", show_default="none")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a lake: the page, the HTTP API and the stream, until Ctrl-C.

    Prints the address and a link that signs a browser in, once. Reads the lake only.
    """
    # --no-link is for `up`: what a supervised process prints is kept in a log file.
    from spymaster.cli import output
    from spymaster.cli.supervisor import PortInUseError, require_free_port
    from spymaster.cli.up import free_port
    from spymaster.serving.security import load_token, require_safe_bind, sign_in_url
    from spymaster.serving.server import address, run
    from spymaster.settings import get_settings

    chosen = {} if request_log is None else {"serving": {"request_log": request_log}}
    settings = get_settings(lake_root=str(lake_root(lake)), **chosen)
    host = host if host is not None else settings.serving.host
    port = port if port is not None else settings.serving.port
    require_safe_bind(settings.serving, host)
    try:
        port = port or free_port(host)
        require_free_port(host, port, option="--port")
    except PortInUseError as error:
        output.print_error(error, as_json=as_json)
        raise typer.Exit(2) from None
    token = load_token(settings.serving)
    url = address(host, port)

    def ready() -> None:
        ticket = sign_in_url(url, token) if link or open_page else None
        if as_json:
            output.print_json({"url": url, "lake": settings.lake_root, **({"sign_in": ticket} if link else {})})
        else:
            out = output.stdout()
            out.print(f"page      {url}", soft_wrap=True)
            if link:
                out.print(f"sign in   {ticket}", soft_wrap=True)
            out.print(f"lake      {settings.lake_root}", soft_wrap=True)
            out.print("Ctrl-C stops it.")
        sys.stdout.flush()
        if open_page and ticket is not None:
            webbrowser.open(ticket)

    run(settings, host, port, token=token, on_ready=ready)


def token(
    link: Annotated[bool, typer.Option("--link", help="Print a link that signs a browser in, once.")] = False,
    host: Annotated[str | None, typer.Option(help="Address of the sidecar, for --link.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the sidecar, for --link.")] = None,
) -> None:
    """Print the token that scripts send as `Authorization: Bearer`, or a fresh sign-in link."""
    from spymaster.serving.security import load_token, sign_in_url
    from spymaster.serving.server import address
    from spymaster.settings import get_settings

    serving = get_settings().serving
    secret = load_token(serving)
    base = address(host or serving.host, port or serving.port)
    typer.echo(sign_in_url(base, secret) if link else secret)
