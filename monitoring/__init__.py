"""Monitoring: scrape configuration, rules with runbooks, dashboards as code, and traffic to see them by.

`python -m monitoring --help` lists the commands. This package meets the others only in metric names and HTTP.
"""
