"""What a bot knew before it came here: read without executing anything, and written so that twice is once.

See docs/import.md.
"""
