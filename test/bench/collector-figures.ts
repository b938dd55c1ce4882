// What the OpenTelemetry Collector reaches at the same work, quoted and not measured by `npm run bench`: another day,
// and the Collector's own build. It says in which order of magnitude the figures of this page lie.
export const COLLECTOR_FIGURES = `Quoted, **not measured here**: a slim build of the Collector v0.161.0 (Go 1.26.8) set up for the same job (filter and transform
processors, file storage for the durable queue), on two shared cores on another day; 435-byte spans with 10 attributes (2 hashed, 5 kept,
3 dropped), protobuf, 8 connections, medians of 3 runs. CPU is the whole process until every accepted span has reached the collector behind
it, which answers after 5 ms.

| OpenTelemetry Collector | durable (fsync) | queue in memory |
|---|---|---|
| start to first 200, ms | 51 (45 to 63) | 50 (44 to 55) |
| idle RSS / RssAnon, MiB | 41.5 / 9.8 | 41.4 / 10.0 |
| 1 000 spans/s: CPU of a core; RSS / RssAnon, MiB | 11.4 %; 44 / 12 | 4.2 %; 44 / 13 |
| full speed, 10 spans a request: accepted a second; spans per CPU-second; peak RSS / RssAnon, MiB | 8 060; **9 590**; 100 / 16 | 49 500; **50 600**; 61 / 29 |
| full speed, 100 spans a request: the same | 30 600; **38 900**; 79 / 42 | 66 200; **66 400**; 84 / 52 |`
