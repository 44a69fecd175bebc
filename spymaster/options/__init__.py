"""Options on futures: prices, volatilities and sensitivities, and what they mean for those who hedge them."""
