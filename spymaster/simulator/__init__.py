"""An order-level market that writes DBN files and the truth about them; nothing it writes can pass as real data.

Belongs here: the market, its feed conventions, what is planted in it, and the report on a run. Not here: reading files
(`spymaster.feed`) and books rebuilt from them (`spymaster.book`): the simulator never imports them, and so stays an
independent witness of both.
"""
