"""The commands of ``botyard``, a module for each group. See docs/commands.md."""
