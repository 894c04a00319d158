"""An entry point that does not load, because the package it needs is not there."""

from __future__ import annotations

from importlib import import_module

DamagedBackend = import_module("ropewalk_plugin_sample_driver").Driver
