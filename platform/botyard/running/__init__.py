"""`botyard run`: the whole system on one machine, by one command. See docs/running.md."""
