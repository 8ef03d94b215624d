"""What chatsrv costs: workloads, a load generator that checks what it receives, and the report. ``make bench``.

- :mod:`plan`: what is run, in full and in quick; ``__main__`` runs it, round by round
- :mod:`deployment`: the nodes and the Redis under test, on the server's core; :mod:`accounting` reads what they used
- :mod:`fanout` (W1), :mod:`pairs` (W2), :mod:`idle` (W3), :mod:`mixed` (W4), :mod:`history` (W5); W6 is W1 and W2 again
- :mod:`connection`: one client, every frame checked; :mod:`stream`: the listeners of a fan-out, compared byte by byte;
  :mod:`crowd`: connections that do nothing
- of the mixed workload: :mod:`population`, :mod:`person`, :mod:`member`, and the :mod:`ledger` of what was said
- :mod:`peers`: floors and bare servers, measured in the same run
- :mod:`sample`: one measured point; :mod:`growth`, :mod:`machine`, :mod:`report`: from samples to JSON and Markdown
- :mod:`hostile`: what hostile peers cost everybody else, a run of its own
- :mod:`memory`, :mod:`start`: two measurements of their own

The generator is this process, pinned to another core than what is measured.
"""
