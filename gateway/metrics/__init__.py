"""What is counted and measured, and how it is told to Prometheus.

Counting is a few additions to plain objects; everything that costs more happens once a second, or
for each scrape. `catalogue` names each metric, `instruments` counts, `shared` adds up what the
processes of a host have counted, `directory` is where they do, `exposition` writes it down.
"""
