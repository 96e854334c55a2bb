"""The page of the benchmarks and its charts, made from results that are kept.

    python -m benchmarks --write docs   measures, and then writes
    python -m benchmarks.report docs    writes anew from what is kept; measures nothing

`results` holds what is known of a case, `page` and `chart` make text of it, `rows` the cells of a
table, `legend` says what they mean.  All these are pure; only `files` touches the disk.
"""
