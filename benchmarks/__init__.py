"""Every figure that Botyard publishes, with the peer it is held against: ``make bench``."""
