"""Every test of the workspace may ask for the servers of `togheter_shared.testing.plugin`."""

pytest_plugins = ["togheter_shared.testing.plugin"]
