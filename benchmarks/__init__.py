"""What the synchronisation costs, beside the common way of doing it; run by `bin/bench`."""
