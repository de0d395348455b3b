"""``botyard doctor``."""

from botyard.commands.output import AsJson, show_findings


def doctor(*, as_json: AsJson = False) -> None:
    """Look at every dependency and setting, and say what is wrong and how to mend it. Exit code 1 with trouble."""
    from botyard.checks.doctor import examine  # noqa: PLC0415
    from botyard.running.attached import attach  # noqa: PLC0415

    show_findings(examine(attach), as_json=as_json)
