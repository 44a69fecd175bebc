"""Implied volatilities and gammas of Black-76: options per second, and the error against forty digits.

python -m benchmarks.volatility [--messages N] [--repeats N] [--json]

`--messages` is the number of options. They are out of the money, on strikes of five points, from a minute to a quarter
of a year from expiry and up to nine standard deviations from the forward. The pure-Python reference of the same idea
(`py_lets_be_rational`, Jaeckel's algorithm) gets a part.
"""

from __future__ import annotations

import mpmath
import numpy as np
import py_lets_be_rational as peer

from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows
from spymaster.options.black76 import implied_volatility
from spymaster.options.greeks import gamma, price

FORWARD = 6801.25
SECONDS_PER_YEAR = 365 * 86_400
NORMAL = 3.0
"""Standard deviations from the forward that count as near it."""
CHECKED = 2_000
PEER_OPTIONS = 5_000


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=500_000, repeats=5).parse_args()
    n = arguments.messages
    rng = np.random.default_rng(arguments.seed)
    years = np.exp(rng.uniform(np.log(60 / SECONDS_PER_YEAR), np.log(0.25), n))
    volatility = rng.uniform(0.08, 0.6, n)
    away = rng.uniform(-9, 9, n)
    strike = np.round(FORWARD * np.exp(-away * volatility * np.sqrt(years)) / 5) * 5
    is_call = strike >= FORWARD
    cost = price(FORWARD, strike, is_call, years, volatility)
    a_second_ago = volatility * rng.normal(1, 0.002, n)
    flag = np.where(is_call, 1.0, -1.0)

    def invert_by_peer() -> None:
        for i in range(PEER_OPTIONS):
            peer.implied_volatility_from_a_transformed_rational_guess(cost[i], FORWARD, strike[i], years[i], flag[i])

    timings = measure(
        [
            Case("volatility, cold", n, lambda: implied_volatility(cost, FORWARD, strike, is_call, years)),
            Case("volatility, warm", n, lambda: implied_volatility(cost, FORWARD, strike, is_call, years,
                                                                   guess=a_second_ago), "0.2 % away"),
            Case("gamma", n, lambda: gamma(FORWARD, strike, years, volatility)),
            Case("py_lets_be_rational", PEER_OPTIONS, invert_by_peer, "interpreted"),
        ],
        arguments.repeats,
    )  # fmt: skip
    near, far = errors(strike[:CHECKED], is_call[:CHECKED], years[:CHECKED], volatility[:CHECKED])
    report = Report(
        "Black-76",
        rate_rows(timings, "volatility, cold", "options"),
        {
            "options": f"{n:,}",
            "relative error within 3 deviations": f"{near:.1e}",
            "relative error from 3 to 9": f"{far:.1e}",
        },
    )
    report.add_target("volatility, cold, M/s", timings[0].rate / 1e6, 1)
    report.add_target("volatility, warm, M/s", timings[1].rate / 1e6, 2)
    report.add_target("gamma, M/s", timings[2].rate / 1e6, 30)
    report.add_target("relative error within 3 deviations", near, 1e-10, at_least=False)
    report.add_target("relative error from 3 to 9", far, 1e-8, at_least=False)
    publish(report, as_json=arguments.json)


def errors(strike: np.ndarray, is_call: np.ndarray, years: np.ndarray, volatility: np.ndarray) -> tuple[float, float]:
    """Greatest relative errors of the volatility, near the forward and away from it, for prices of forty digits."""
    with mpmath.workdps(40):
        prices = []
        for k, call, t, s in zip(strike, is_call, years, volatility, strict=True):
            total = mpmath.mpf(float(s)) * mpmath.sqrt(mpmath.mpf(float(t)))
            d1 = mpmath.log(mpmath.mpf(FORWARD) / float(k)) / total + total / 2
            sign = 1 if call else -1
            prices.append(float(sign * (FORWARD * mpmath.ncdf(sign * d1) - k * mpmath.ncdf(sign * (d1 - total)))))
    found = implied_volatility(prices, FORWARD, strike, is_call, years)
    wrong = np.abs(found / volatility - 1)
    near = np.abs(np.log(FORWARD / strike)) / (volatility * np.sqrt(years)) < NORMAL
    return float(wrong[near].max()), float(wrong[~near].max())


if __name__ == "__main__":
    main()
