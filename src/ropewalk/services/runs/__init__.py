"""Executions of workflows: begun, driven step by step, found again after a crash."""
