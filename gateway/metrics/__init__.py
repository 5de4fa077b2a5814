"""What is counted and measured, and how it is exported to Prometheus.

Counting is a few additions to plain objects; everything that costs more happens once a second, or
for each scrape. `catalogue` names each metric, `instruments` counts, `shared` adds up the counts of
a host's processes, `directory` is the place where they share them, `exposition` formats them.
"""
