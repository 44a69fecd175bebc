"""Failures of the sidecar: each has a stable code and an HTTP status; none tells a path or a value of the lake."""

from __future__ import annotations

from spymaster.errors import SpymasterError


class ServingError(SpymasterError):
    """A request that cannot be answered. `code` is stable, `status` the HTTP status."""

    code = "internal"
    status = 500


class UnknownSessionError(ServingError):
    """A symbol and date that are not in the catalogue, or are no symbol and date at all."""

    code = "unknown_session"
    status = 404


class UnknownSurfaceError(ServingError):
    """A name that is neither a wire surface nor a table."""

    code = "unknown_surface"
    status = 404


class UnknownEpisodeError(ServingError):
    """An episode that is not there, or not known yet."""

    code = "unknown_episode"
    status = 404


class BadRequestError(ServingError):
    """Parameters that contradict each other or lie outside their range."""

    code = "bad_request"
    status = 422


class BadQuestionError(ServingError):
    """A question for analogues that cannot be asked."""

    code = "bad_request"
    status = 400


class NotYetKnownError(ServingError):
    """A question for analogues about a time after the one it is asked as of."""

    code = "not_causal"
    status = 422


class UnavailableError(ServingError):
    """A surface or panel whose table is not there, or cannot be used."""

    code = "unavailable"
    status = 404


class BusyError(ServingError):
    """No memory or no turn for another load now."""

    code = "busy"
    status = 503


class BrokenSessionError(ServingError):
    """A market session whose snapshot cannot be served."""

    code = "broken_session"
    status = 409
