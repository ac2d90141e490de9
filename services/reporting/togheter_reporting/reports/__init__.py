"""The reports: a folder each; see the README for what is in one."""
