"""`spymaster clean`: removes what crashed writers left behind. Raw files and partitions are never touched."""

from __future__ import annotations

from spymaster.cli.options import JsonOption, LakeOption, lake_root


def clean(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Remove staging leftovers of runs that were killed; files that a running process holds stay."""
    from spymaster.cli import output
    from spymaster.lake import Lake, layout
    from spymaster.lake.files import clean_staging

    opened = Lake.open(lake_root(lake))
    staging = layout.staging_dir(opened.root)
    sizes = {path: path.stat().st_size for path in staging.glob("*") if path.is_file()}
    removed = clean_staging(opened.root)
    freed = sum(sizes.get(path, 0) for path in removed)
    kept = len(sizes) - len(removed)
    if as_json:
        output.print_json({"removed": [path.name for path in removed], "bytes": freed, "in_use": kept})
        return
    out = output.stdout()
    out.print(f"{len(removed)} leftovers removed, {freed / 1e6:,.1f} MB freed" + (f", {kept} in use" if kept else ""))
