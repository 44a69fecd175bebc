"""Books of many instruments in one pass: best quotes and flow of every option of a chain, second by second."""
