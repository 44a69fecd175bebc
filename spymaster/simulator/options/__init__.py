"""The simulated option chain on a simulated future: contracts, volatility surface, quoting, customers, files.

It reads the future's best prices and nothing else of the market. Prices come from code of its own, so that whoever
recovers volatilities from the files (`spymaster.options`) is tested against something independent.
"""
