#!/usr/bin/env python
"""Run one of the project's commands; `manage.py help` lists them."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from sseproject.descriptors import hold_standard_descriptors

if __name__ == "__main__":
    hold_standard_descriptors()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sseproject.settings")
    execute_from_command_line(sys.argv)
