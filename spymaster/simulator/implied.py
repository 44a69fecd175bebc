"""Trades that print in several places or without an aggressor: implied spread trades and the opening auction."""

from __future__ import annotations

import numpy as np

from spymaster.jit import kernel
from spymaster.market.dbn import ACTION_TRADE, SIDE_NONE
from spymaster.simulator.emit import begin, close, letter, price_of, record
from spymaster.simulator.ladder import cell_of, new_id
from spymaster.simulator.layout import (
    ASK,
    BID,
    COUNT,
    FRONT,
    HEAD,
    INNER,
    K_AUCTION,
    K_IMPLIED,
    NEXT,
    QTY,
    SPREAD,
    TICKS,
)
from spymaster.simulator.matching import displayed, execute, tell_changes, traded


@kernel(**INNER)
def _fill_queue(market, inst, side, tick, qty):
    """Fill `qty` from the front of a queue, F records with side N; returns what the queue could not give."""
    cell = cell_of(inst, tick, side)
    while qty > 0 and market.cells[cell, COUNT] > 0:
        slot = np.int64(market.cells[cell, HEAD])
        fill = min(qty, np.int64(market.orders[slot].qty))
        execute(market, slot, fill, SIDE_NONE)
        qty -= fill
    return qty


@kernel(**INNER)
def implied_trade(market, side, qty):
    """A spread order executes against both outrights: side BID buys the second contract and sells the first.

    The spread prints with its aggressor; each leg prints with order id 0 and side N.
    """
    far_side = ASK if side == BID else BID
    near_side = 1 - far_side
    near = market.inst[FRONT].bid if near_side == BID else market.inst[FRONT].ask
    far = market.inst[NEXT].ask if far_side == ASK else market.inst[NEXT].bid
    if near < 0 or near >= TICKS or far < 0 or far >= TICKS:
        return
    qty = min(qty, displayed(market, FRONT, near, near_side), displayed(market, NEXT, far, far_side))
    begin(market, market.clock)
    market.event_kind |= K_IMPLIED
    near_price, far_price = price_of(market, FRONT, near), price_of(market, NEXT, far)
    record(market, SPREAD, ACTION_TRADE, letter(side), new_id(market), far_price - near_price, qty)
    record(market, FRONT, ACTION_TRADE, SIDE_NONE, 0, near_price, qty)
    record(market, NEXT, ACTION_TRADE, SIDE_NONE, 0, far_price, qty)
    _fill_queue(market, FRONT, near_side, near, qty)
    _fill_queue(market, NEXT, far_side, far, qty)
    traded(market, FRONT, near, qty)
    traded(market, NEXT, far, qty)
    tell_changes(market)
    close(market)


@kernel(**INNER)
def _auction_tick(market, inst):
    """The tick at which most can be traded between a crossed bid and ask, and that quantity."""
    low, high = market.inst[inst].ask, market.inst[inst].bid
    buy = np.int64(0)
    for tick in range(low, high + 1):
        buy += market.cells[cell_of(inst, tick, BID), QTY]
    sell, best_tick, most = np.int64(0), low, np.int64(0)
    for tick in range(low, high + 1):
        sell += market.cells[cell_of(inst, tick, ASK), QTY]
        if min(buy, sell) > most:
            best_tick, most = tick, min(buy, sell)
        buy -= market.cells[cell_of(inst, tick, BID), QTY]
    return best_tick, most


@kernel()
def open_auction(market, inst):
    """Uncross one instrument at the open: one print, the fills of both sides, their book changes; one event."""
    if market.inst[inst].bid < market.inst[inst].ask:
        return
    begin(market, market.clock)
    market.event_kind |= K_AUCTION
    while market.inst[inst].bid >= market.inst[inst].ask:
        tick, qty = _auction_tick(market, inst)
        record(market, inst, ACTION_TRADE, SIDE_NONE, 0, price_of(market, inst, tick), qty)
        traded(market, inst, tick, qty)
        left = qty
        while left > 0:
            left = _fill_queue(market, inst, BID, market.inst[inst].bid, left)
        left = qty
        while left > 0:
            left = _fill_queue(market, inst, ASK, market.inst[inst].ask, left)
    tell_changes(market)
    close(market)
