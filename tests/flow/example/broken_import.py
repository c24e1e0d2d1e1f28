"""A test module that cannot be imported."""

import importlib

importlib.import_module("no_such_package_anywhere")
